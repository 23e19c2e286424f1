//! Traces, in a program that was built without them: none is ever written.

use std::convert::Infallible;
use std::io;
use std::path::Path;

use super::reactor::Reactor;
use crate::base::{ConnId, Time, TorrentId};
use crate::engine::prospects::Quest;
use crate::engine::{Input, Order, Output, Settings};
use crate::wire::Voice;

/// A trace that is being written.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) recorder: Recorder,
}

/// Who writes it, and is nobody.
#[derive(Debug)]
pub(super) struct Recorder {
    never: Infallible,
}

impl Trace {
    /// Error: always.
    pub(super) fn create(_path: &Path) -> io::Result<Trace> {
        Err(io::Error::other("swarmlet was built without the feature 'trace'"))
    }
}

impl Recorder {
    pub(super) fn begins(&mut self, _: Time, _: &Settings, _: u64, _: &[&str]) {
        match self.never {}
    }

    pub(super) fn adds(&mut self, _: Time, _: TorrentId, _: &Order) {
        match self.never {}
    }

    pub(super) fn seeks(&mut self, _: Time, _: TorrentId, _: &Quest) {
        match self.never {}
    }

    pub(super) fn stops(&mut self, _: Time) {
        match self.never {}
    }

    pub(super) fn ticks(&mut self, _: Time) {
        match self.never {}
    }

    pub(super) fn overhear(&mut self, _: Time, _: ConnId, _: &mut Voice) -> Voice {
        match self.never {}
    }

    pub(super) fn input(&mut self, _: Time, _: &Input<'_>) {
        match self.never {}
    }
}

impl Reactor {
    pub(super) fn trace_input(&mut self, _: &Input<'_>) {}

    pub(super) fn trace_output(&mut self, _: &Output) {}

    pub(super) fn mind_trace(&mut self) {}
}
