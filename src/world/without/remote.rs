//! Remote control, in a program that was built without it.
//!
//! There is no value of these types, so whatever the reactor does with one is known not to happen,
//! and is left out.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use mio::net::TcpListener;

use super::http_io::{Asked, HttpConn, Step};
use super::node::Manners;
use super::reactor::Reactor;
use crate::base::{ConnId, Time, TorrentId};
use crate::engine::Adopted;
use crate::format::magnet::Magnet;

/// What remote control of a node is to be: nothing can be.
#[derive(Clone, Debug)]
pub struct RemoteOptions {
    never: Infallible,
}

/// Remote control, which nobody has.
#[derive(Debug)]
pub struct Remote {
    never: Infallible,
}

/// What a request to it brought about.
#[derive(Debug)]
pub struct Called {
    never: Infallible,
}

/// A directory whose .torrent files it takes on.
#[derive(Debug)]
pub(super) struct Watch {
    never: Infallible,
}

impl RemoteOptions {
    pub fn listen(&self) -> SocketAddr {
        match self.never {}
    }

    pub fn dir(&self) -> &Path {
        match self.never {}
    }
}

impl Remote {
    pub(super) fn limit_bodies(&mut self, _bytes_max: usize) {
        match self.never {}
    }

    pub(super) fn is_idle(&self) -> bool {
        match self.never {}
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.never {}
    }
}

impl Watch {
    /// Nobody may ask for it: `--watch` needs remote control.
    pub(super) fn new(_dir: PathBuf) -> Watch {
        unreachable!("a directory is watched for remote control only")
    }

    pub(super) fn deadline(&self) -> Time {
        match self.never {}
    }
}

pub(super) fn run(
    remote: &mut Remote,
    _http: &mut HttpConn,
    _buffer: &mut [u8],
    _asked: Asked<'_>,
) -> (Step, Called) {
    match remote.never {}
}

impl Reactor {
    pub(super) fn serve_remote(
        &mut self,
        _listener: TcpListener,
        options: RemoteOptions,
        _peer_port: u16,
        _manners: &Manners,
    ) -> io::Result<()> {
        match options.never {}
    }

    pub(super) fn on_called(&mut self, _conn: Option<ConnId>, called: Called) {
        match called.never {}
    }

    pub(super) fn restore_remote(&mut self) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn adopt(&mut self, _torrent: Adopted) -> Option<TorrentId> {
        None
    }

    pub(super) fn adopt_link(&mut self, _magnet: Magnet) -> Option<TorrentId> {
        None
    }

    pub(super) fn mind_remote(&mut self) {}

    pub(super) fn mind_watch(&mut self) {}

    pub(super) fn save_remote(&mut self) {}

    pub(super) fn collect_from_bookkeeper(&mut self) {}
}
