//! Trace: the file that tells what was said with each peer, for those who asked for it.
//!
//! Where nobody asked there is no `Trace`, and its hooks are one question for each input, output
//! and buffer of bytes; nothing is allocated and nothing put into words.
//!
//! # Limits
//! `TRACE_BUFFER_BYTES` wait to be written. A trace that cannot be written ends; the node goes on.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::reactor::Reactor;
use crate::base::TorrentId;
use crate::base::limits::TRACE_BUFFER_BYTES;
use crate::engine::{Event, Input, Output};
use crate::trace::{HEAD, Recorder};

/// A trace that is being written.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) recorder: Recorder,
    file: File,
    /// Torrents that the trace has told of.
    known: Vec<TorrentId>,
}

impl Trace {
    /// Begins a trace in a new file, or in place of an older trace.
    ///
    /// Error: it cannot be written; `AlreadyExists`: something else stands there.
    pub(super) fn create(path: &Path) -> io::Result<Trace> {
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut head = Vec::new();
        Read::by_ref(&mut file).take(HEAD.len() as u64).read_to_end(&mut head)?;
        if !head.is_empty() && head != HEAD.as_bytes() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Trace { recorder: Recorder::new(), file, known: Vec::new() })
    }

    fn write(&mut self) -> io::Result<()> {
        match self.recorder.is_empty() {
            true => Ok(()),
            false => self.file.write_all(self.recorder.take().as_bytes()),
        }
    }
}

impl Reactor {
    /// Writes down what the engine is about to hear.
    pub(super) fn trace_input(&mut self, input: &Input<'_>) {
        if let Some(trace) = &mut self.trace {
            trace.recorder.input(self.now, input);
        }
    }

    /// Writes down what the engine wants.
    pub(super) fn trace_output(&mut self, output: &Output) {
        if let Some(trace) = &mut self.trace {
            trace.recorder.output(self.now, output);
            if trace.recorder.len() >= TRACE_BUFFER_BYTES {
                self.write_trace();
            }
        }
    }

    /// Writes what a turn brought, and which torrents are known since.
    pub(super) fn mind_trace(&mut self) {
        let Some(trace) = &mut self.trace else { return };
        let torrents = self.engine.torrents();
        for id in torrents.into_iter().filter(|id| !trace.known.contains(id)).collect::<Vec<_>>() {
            if let Some(metainfo) = self.engine.metainfo(id) {
                let pieces = metainfo.layout.piece_count();
                let (hash, name) = (metainfo.info_hash, &metainfo.name);
                trace.recorder.torrent(self.now, id, hash, pieces, name);
                trace.known.push(id);
            }
        }
        self.write_trace();
    }

    fn write_trace(&mut self) {
        let Some(trace) = &mut self.trace else { return };
        if let Err(error) = trace.write() {
            self.trace = None;
            let news = format!("it ends here: {}", super::fault::fault(&error));
            self.news.push(Event::Host { what: "trace", news });
        }
    }
}
