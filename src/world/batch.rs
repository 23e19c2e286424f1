//! Batch: many datagrams with one system call, in and out.
//!
//! ```text
//!  recvmmsg ─▶ [question ..][question ..]…     the receive buffer, `QUESTION_BYTES_MAX` apart
//!  sendmmsg ◀─ [answer][answer]…               back to back, each with who gets it
//! ```
//! Only for a tracker's port, where thousands of strangers say one thing each. Elsewhere datagrams
//! come one by one, and there is nothing to gather.
//!
//! # Limits
//! `DATAGRAMS_PER_CALL` in one call. What is longer than `QUESTION_BYTES_MAX` is cut off there;
//! the longest question that is answered in full, a scrape, has 1,500 bytes.
//!
//! # Why
//! Half of what a datagram costs is the way into the system and back: of 6.2 processor seconds for
//! a million announces, a call for many saves one.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;

use mio::net::UdpSocket;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};

use crate::base::limits::{DATAGRAMS_PER_CALL, QUESTION_BYTES_MAX};

/// Room for the calls of one socket, and what the last ones brought.
#[derive(Debug)]
pub(super) struct Batch {
    /// One for each direction, and of each socket its own: the system leaves the length of the
    /// last address in them.
    incoming: MultiHeaders<SockaddrStorage>,
    outgoing: MultiHeaders<SockaddrStorage>,
    questions: Vec<(SockaddrStorage, usize)>,
    receivers: Vec<Option<SockaddrStorage>>,
    answers: Vec<Range<usize>>,
}

impl Batch {
    pub fn new() -> Batch {
        Batch {
            incoming: MultiHeaders::preallocate(DATAGRAMS_PER_CALL, None),
            outgoing: MultiHeaders::preallocate(DATAGRAMS_PER_CALL, None),
            questions: Vec::with_capacity(DATAGRAMS_PER_CALL),
            receivers: Vec::with_capacity(DATAGRAMS_PER_CALL),
            answers: Vec::with_capacity(DATAGRAMS_PER_CALL),
        }
    }

    /// Receives what there is, into `buffer`. Returns how many questions came; fewer than
    /// `DATAGRAMS_PER_CALL` emptied the socket. `WouldBlock`: none.
    pub fn receive(&mut self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
        self.questions.clear();
        self.receivers.clear();
        self.answers.clear();
        let places = buffer.chunks_exact_mut(QUESTION_BYTES_MAX).take(DATAGRAMS_PER_CALL);
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            places.map(|place| [IoSliceMut::new(place)]).collect();
        let fd = socket.as_raw_fd();
        let came = recvmmsg(fd, &mut self.incoming, &mut slices, MsgFlags::empty(), None)?;
        // Every datagram has an address; one without could not be answered.
        let from = came.map(|one| (one.address, one.bytes));
        self.questions.extend(from.filter_map(|(addr, len)| Some((addr?, len))));
        Ok(self.questions.len())
    }

    /// Who asked question `number` of the last `receive`, and where in the buffer it lies. `None`:
    /// nobody who can be answered.
    pub fn question(&self, number: usize) -> Option<(SocketAddr, Range<usize>)> {
        let (addr, len) = self.questions.get(number)?;
        let at = number * QUESTION_BYTES_MAX;
        Some((socket_addr(addr)?, at..at + len))
    }

    /// Bytes `at` of the answers are for who asked question `number`.
    pub fn answer(&mut self, number: usize, at: Range<usize>) {
        self.receivers.push(Some(self.questions[number].0));
        self.answers.push(at);
    }

    /// Sends what was noted by `answer`. One that finds no room is lost, as it may be on its way.
    pub fn send(&mut self, socket: &UdpSocket, answers: &[u8]) {
        let slices: Vec<[IoSlice<'_>; 1]> =
            self.answers.iter().map(|at| [IoSlice::new(&answers[at.clone()])]).collect();
        let mut next = 0;
        while next < slices.len() {
            let (to, rest) = (&self.receivers[next..], &slices[next..]);
            let fd = socket.as_raw_fd();
            let sent = sendmmsg(fd, &mut self.outgoing, rest, to, [], MsgFlags::empty());
            // The call ends before the first that cannot leave, and tells why if called again.
            next += sent.map_or(1, |sent| sent.count().max(1));
        }
    }
}

fn socket_addr(addr: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = addr.as_sockaddr_in().map(|&addr| SocketAddr::V4(addr.into()));
    v4.or_else(|| addr.as_sockaddr_in6().map(|&addr| SocketAddr::V6(addr.into())))
}
