//! The physical limit: loops that only move bytes, for the programs in the bench to be held against.
//!
//! ```text
//!  limits get ADDR FILE hw|smol     socket ─▶ SHA-1 ─▶ file, 256 KiB at a time
//!  limits scatter ADDR FOLDER BYTES hw|smol    the same, into new files of so many bytes each
//!  limits pour ADDR BYTES           what the above receive: the same 256 KiB again and again
//!  limits share ADDR FILE           file ─▶ socket: one read and one `writev` for sixteen blocks
//!  limits drain ADDR                what the above sends to
//!  limits seed ADDR FILE PIECE_BYTES    the same for a leecher that asks (BEP 3), whoever it is
//!  limits leech ADDR INFO_HASH BYTES PIECE_BYTES FILE hw|smol   as `get`, from a seed of BEP 3
//!  limits hash FILE hw|smol         file ─▶ SHA-1
//!  limits http ADDR keep|once BYTES a fixed answer, its body so long, to what ends in an empty line
//!  limits udp ADDR BYTES            so many bytes back for each datagram (16 for 16)
//! ```
//! `pour`, `share` and `seed` listen, tell `ready` and serve one connection; `http` and `udp` serve
//! until they are stopped. They know no protocol (`seed` and `leech` as much of it as who is on the
//! other side insists on), check nothing and forgive nothing: no peer or tracker can be cheaper,
//! unless it does something smarter with the same system calls.

use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::exit;

use mio::{Events, Interest, Poll, Token};
use sha1::Digest;

const STEP_BYTES: usize = 256 * 1024;
const BLOCK_BYTES: usize = 16 * 1024;
/// The head of a `piece` message.
const HEAD_BYTES: usize = 13;

fn main() -> std::io::Result<()> {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["get", addr, file, hash] => get(TcpStream::connect(addr)?, File::create(file)?, hash),
        ["scatter", addr, folder, bytes, hash] => {
            let bytes = bytes.parse().expect("a number");
            scatter(TcpStream::connect(addr)?, Path::new(folder), bytes, hash)
        }
        ["pour", addr, bytes] => pour(accept(addr)?, bytes.parse().expect("a number")),
        ["share", addr, file] => share(accept(addr)?, &File::open(file)?),
        ["drain", addr] => drain(TcpStream::connect(addr)?),
        ["seed", addr, file, piece_bytes] => {
            let piece_bytes = piece_bytes.parse().expect("a number");
            seed(addr, &File::open(file)?, piece_bytes)
        }
        ["leech", addr, info_hash, bytes, piece_bytes, file, hash] => {
            let mut stream = TcpStream::connect(addr)?;
            meet_seed(&mut stream, info_hash)?;
            let number = |word: &str| word.parse().expect("a number");
            let blocks = Blocks::of(number(bytes), number(piece_bytes));
            leech(stream, blocks, File::create(file)?, hash)
        }
        ["hash", file, hash] => read_and_hash(File::open(file)?, hash),
        ["http", addr, how @ ("keep" | "once"), bytes] => {
            serve_http(addr, how == "keep", bytes.parse().expect("a number"))
        }
        ["udp", addr, bytes] => echo(&UdpSocket::bind(addr)?, bytes.parse().expect("a number")),
        _ => {
            eprintln!(
                "usage: limits get|scatter|pour|share|drain|seed|leech|hash|http|udp …: see the source"
            );
            exit(2);
        }
    }
}

fn accept(addr: &str) -> std::io::Result<TcpStream> {
    let listener = TcpListener::bind(addr)?;
    println!("ready");
    Ok(listener.accept()?.0)
}

fn get(mut from: TcpStream, mut to: File, hash: &str) -> std::io::Result<()> {
    let mut hash = Hash::named(hash);
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let len = from.read(&mut buffer)?;
        if len == 0 {
            return hash.end();
        }
        hash.update(&buffer[..len]);
        to.write_all(&buffer[..len])?;
    }
}

fn scatter(mut from: TcpStream, to: &Path, bytes: usize, hash: &str) -> std::io::Result<()> {
    let mut hash = Hash::named(hash);
    let mut buffer = vec![0; STEP_BYTES];
    let (mut number, mut left) = (0, bytes);
    let mut file = File::create_new(to.join(format!("{number:05}")))?;
    loop {
        let len = from.read(&mut buffer)?;
        if len == 0 {
            return hash.end();
        }
        hash.update(&buffer[..len]);
        let mut rest = &buffer[..len];
        while !rest.is_empty() {
            if left == 0 {
                (number, left) = (number + 1, bytes);
                file = File::create_new(to.join(format!("{number:05}")))?;
            }
            let (now, later) = rest.split_at(rest.len().min(left));
            file.write_all(now)?;
            (left, rest) = (left - now.len(), later);
        }
    }
}

fn pour(mut to: TcpStream, bytes: u64) -> std::io::Result<()> {
    let buffer: Vec<u8> = (0..STEP_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let mut rest = bytes;
    while rest > 0 {
        let len = rest.min(STEP_BYTES as u64);
        to.write_all(&buffer[..len as usize])?;
        rest -= len;
    }
    Ok(())
}

fn share(mut to: TcpStream, file: &File) -> std::io::Result<()> {
    let mut buffer = vec![0; STEP_BYTES];
    let head = [0; HEAD_BYTES];
    let mut offset = 0;
    loop {
        let len = file.read_at(&mut buffer, offset)?;
        if len == 0 {
            return Ok(());
        }
        offset += len as u64;
        let blocks = buffer[..len].chunks(BLOCK_BYTES);
        let mut slices: Vec<IoSlice<'_>> =
            blocks.flat_map(|block| [IoSlice::new(&head), IoSlice::new(block)]).collect();
        write_all(&mut to, &mut slices)?;
    }
}

fn write_all(to: &mut TcpStream, mut rest: &mut [IoSlice<'_>]) -> std::io::Result<()> {
    while !rest.is_empty() {
        let written = to.write_vectored(rest)?;
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}

fn drain(mut from: TcpStream) -> std::io::Result<()> {
    let mut buffer = vec![0; STEP_BYTES];
    while from.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Serves whatever is asked for, as `share` does: neighbouring blocks with one read and one write.
/// Where requests come one by one, so do these.
fn seed(addr: &str, file: &File, piece_bytes: u64) -> std::io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    println!("ready");
    let mut handshake = [0; 68];
    // Some try it encrypted first, and then call again.
    let mut peer = loop {
        let mut peer = listener.accept()?.0;
        if peer.read_exact(&mut handshake).is_ok() && handshake[0] == 19 {
            break peer;
        }
    };
    // No extension, the torrent that they want, and another peer id than theirs.
    handshake[20..28].fill(0);
    handshake[48..].copy_from_slice(b"-LIMITS-bare-loop---");
    peer.set_nodelay(true)?;
    peer.write_all(&handshake)?;
    let pieces =
        usize::try_from(file.metadata()?.len().div_ceil(piece_bytes)).expect("it is small");
    let mut bitfield = vec![0xFF; pieces.div_ceil(8)];
    *bitfield.last_mut().expect("no file is empty") <<= (8 - pieces % 8) % 8;
    let len = u32::try_from(1 + bitfield.len()).expect("it is small");
    peer.write_all(&[&len.to_be_bytes()[..], &[5], &bitfield[..], &[0, 0, 0, 1, 1]].concat())?;

    let (mut heard, mut end) = (vec![0; BLOCK_BYTES], 0);
    let (mut buffer, mut heads) = (vec![0; STEP_BYTES], Vec::new());
    loop {
        let len = peer.read(&mut heard[end..])?;
        if len == 0 {
            return Ok(());
        }
        end += len;
        let mut at = 0;
        // Where the blocks that are to leave begin and end in the file.
        let mut run = 0..0;
        while let Some(message) = message_at(&heard[at..end]) {
            at += 4 + message.len();
            let [6, request @ ..] = message else { continue };
            let word = |number: usize| {
                let bytes = request[4 * number..][..4].try_into().expect("four bytes");
                u32::from_be_bytes(bytes)
            };
            let begin = u64::from(word(0)) * piece_bytes + u64::from(word(1));
            if begin != run.end || (run.end - run.start) as usize + BLOCK_BYTES > STEP_BYTES {
                send_run(&mut peer, file, &run, &heads, &mut buffer)?;
                heads.clear();
                run = begin..begin;
            }
            let mut head = [0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
            head[..4].copy_from_slice(&(word(2) + 9).to_be_bytes());
            head[5..].copy_from_slice(&request[..8]);
            heads.push(head);
            run.end += u64::from(word(2));
        }
        send_run(&mut peer, file, &run, &heads, &mut buffer)?;
        heads.clear();
        heard.copy_within(at..end, 0);
        end -= at;
    }
}

/// The message at the front, without its length, if it is complete.
fn message_at(heard: &[u8]) -> Option<&[u8]> {
    let len = u32::from_be_bytes(heard.get(..4)?.try_into().expect("four bytes"));
    heard.get(4..4 + len as usize)
}

/// Sends this stretch of the file, a head before each block.
fn send_run(
    peer: &mut TcpStream,
    file: &File,
    run: &Range<u64>,
    heads: &[[u8; HEAD_BYTES]],
    buffer: &mut [u8],
) -> std::io::Result<()> {
    let bytes = &mut buffer[..(run.end - run.start) as usize];
    file.read_exact_at(bytes, run.start)?;
    let blocks = heads.iter().zip(bytes.chunks(BLOCK_BYTES));
    let mut slices: Vec<IoSlice<'_>> =
        blocks.flat_map(|(head, block)| [IoSlice::new(head), IoSlice::new(block)]).collect();
    write_all(peer, &mut slices)
}

/// Says what a seed wants to hear, and waits until it lets us ask.
fn meet_seed(seed: &mut TcpStream, info_hash: &str) -> std::io::Result<()> {
    let digits = |at: usize| u8::from_str_radix(&info_hash[at..at + 2], 16).expect("hexadecimal");
    let info_hash: Vec<u8> = (0..40).step_by(2).map(digits).collect();
    let handshake = [b"\x13BitTorrent protocol", &[0; 8][..], &info_hash, b"-LIMITS-bare-leech--"];
    seed.write_all(&handshake.concat())?;
    seed.write_all(&[0, 0, 0, 1, 2])?;
    seed.read_exact(&mut [0; 68])?;
    loop {
        let mut len = [0; 4];
        seed.read_exact(&mut len)?;
        let mut message = vec![0; u32::from_be_bytes(len) as usize];
        seed.read_exact(&mut message)?;
        if message == [1] {
            return Ok(());
        }
    }
}

/// The blocks of a torrent, as requests, one after the other.
struct Blocks {
    next: u64,
    bytes: u64,
    piece_bytes: u64,
}

impl Blocks {
    fn of(bytes: u64, piece_bytes: u64) -> Blocks {
        Blocks { next: 0, bytes, piece_bytes }
    }

    /// How many bytes all of them are, as messages.
    fn wire_bytes(&self) -> u64 {
        self.bytes + self.bytes.div_ceil(BLOCK_BYTES as u64) * HEAD_BYTES as u64
    }
}

impl Iterator for Blocks {
    type Item = [u8; 17];

    fn next(&mut self) -> Option<[u8; 17]> {
        let begin = self.next;
        let len = (self.bytes - begin).min(BLOCK_BYTES as u64);
        self.next += len;
        let (piece, offset) = (begin / self.piece_bytes, begin % self.piece_bytes);
        let mut request = [0; 17];
        (request[3], request[4]) = (13, 6);
        for (place, word) in request[5..].chunks_exact_mut(4).zip([piece, offset, len]) {
            place.copy_from_slice(&u32::try_from(word).expect("it is small").to_be_bytes());
        }
        (len > 0).then_some(request)
    }
}

/// Whatever comes is hashed and written, heads and all; each step asks for as much as it took.
fn leech(mut from: TcpStream, blocks: Blocks, mut to: File, hash: &str) -> std::io::Result<()> {
    const AHEAD: usize = 128;
    let mut hash = Hash::named(hash);
    let mut buffer = vec![0; STEP_BYTES];
    let mut left = blocks.wire_bytes();
    let mut blocks = blocks.peekable();
    let (mut asked, mut came) = (0, 0);
    while left > 0 {
        if asked < came / BLOCK_BYTES + AHEAD && blocks.peek().is_some() {
            let some: Vec<[u8; 17]> =
                blocks.by_ref().take(came / BLOCK_BYTES + AHEAD - asked).collect();
            from.write_all(some.as_flattened())?;
            asked += some.len();
        }
        let len = from.read(&mut buffer)?;
        if len == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        hash.update(&buffer[..len]);
        to.write_all(&buffer[..len])?;
        left = left.saturating_sub(len as u64);
        came += len;
    }
    hash.end()
}

fn read_and_hash(mut from: File, hash: &str) -> std::io::Result<()> {
    let mut hash = Hash::named(hash);
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let len = from.read(&mut buffer)?;
        if len == 0 {
            return hash.end();
        }
        hash.update(&buffer[..len]);
    }
}

/// SHA-1, with the processor's instructions where it has them, or without.
enum Hash {
    Hw(sha1::Sha1),
    Smol(sha1_smol::Sha1),
}

impl Hash {
    fn named(name: &str) -> Hash {
        match name {
            "hw" => Hash::Hw(sha1::Sha1::new()),
            "smol" => Hash::Smol(sha1_smol::Sha1::new()),
            _ => panic!("a hash is hw or smol"),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Hash::Hw(hash) => hash.update(bytes),
            Hash::Smol(hash) => hash.update(bytes),
        }
    }

    /// Shows the hash, so that nobody finds out that it need not be computed.
    fn end(self) -> std::io::Result<()> {
        let bytes: [u8; 20] = match self {
            Hash::Hw(hash) => hash.finalize().into(),
            Hash::Smol(hash) => hash.digest().bytes(),
        };
        println!("{bytes:02x?}");
        Ok(())
    }
}

/// A server that is accept, read, write, and nothing else. With `keeps`, connections stay.
fn serve_http(addr: &str, keeps: bool, body_bytes: usize) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body_bytes}\r\n\r\n"
    );
    let whole = [head.as_bytes(), &vec![b' '; body_bytes]].concat();
    let addr: SocketAddr = addr.parse().expect("an address and port");
    let mut listener = mio::net::TcpListener::bind(addr)?;
    let mut poll = Poll::new()?;
    let listening = Token(usize::MAX);
    poll.registry().register(&mut listener, listening, Interest::READABLE)?;
    println!("ready");
    let mut connections = HashMap::new();
    let mut events = Events::with_capacity(1024);
    let mut buffer = vec![0; 4096];
    let mut next = 0;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == listening {
                while let Ok((mut stream, _)) = listener.accept() {
                    let token = Token(next);
                    next += 1;
                    // Most have asked already: what is answered at once is never registered.
                    if answer(&mut stream, &mut buffer, &whole) && !keeps {
                        continue;
                    }
                    poll.registry().register(&mut stream, token, Interest::READABLE)?;
                    connections.insert(token, stream);
                }
                continue;
            }
            let Some(stream) = connections.get_mut(&event.token()) else { continue };
            let answered = answer(stream, &mut buffer, &whole);
            if !keeps && answered || event.is_read_closed() {
                connections.remove(&event.token());
            }
        }
    }
}

/// Answers what has come, one answer for each request. Whether there was one.
fn answer(stream: &mut mio::net::TcpStream, buffer: &mut [u8], whole: &[u8]) -> bool {
    let mut answered = false;
    loop {
        match stream.read(buffer) {
            Ok(len) if buffer[..len].ends_with(b"\r\n\r\n") => {
                answered |= stream.write_all(whole).is_ok();
                // A short read emptied the socket.
                if len < buffer.len() {
                    return answered;
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return answered,
        }
    }
}

fn echo(socket: &UdpSocket, bytes: usize) -> std::io::Result<()> {
    println!("ready");
    let mut buffer = [0; 2048];
    loop {
        let (len, from) = socket.recv_from(&mut buffer)?;
        // A connect asks for as many bytes as it has.
        let answer = if len == 16 { 16 } else { bytes };
        socket.send_to(&buffer[..answer], from)?;
    }
}
