//! Hook: a program of the person's own that is run when a torrent has arrived.
//!
//! It gets the torrent's name, the path of its files and its info-hash as three words, and the
//! same in its environment. No shell is between: a torrent may be called anything, and to a shell
//! some names are commands.
//!
//! ```text
//!  PROGRAM  NAME  DIR/NAME  INFOHASH
//!  SWARMLET_NAME  SWARMLET_PATH  SWARMLET_DIR  SWARMLET_INFO_HASH  SWARMLET_BYTES
//!  TR_TORRENT_NAME  TR_TORRENT_DIR  TR_TORRENT_HASH       as scripts for Transmission expect
//! ```
//! Nobody waits for it. It reads nothing, what it prints goes to our stderr, and it is in a process
//! group of its own, so that a Ctrl-C for us is none for it.
//!
//! # Limits
//! `HOOKS_AT_ONCE_MAX` run, `HOOKS_QUEUED_MAX` wait; beyond that a person is told that one is left
//! out.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::reactor::Reactor;
use crate::base::limits::{HOOK_LOOK_EVERY, HOOKS_AT_ONCE_MAX, HOOKS_QUEUED_MAX};
use crate::base::{InfoHash, Time};
use crate::engine::Event;

/// A torrent that has arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrived {
    pub name: String,
    pub dir: PathBuf,
    pub info_hash: InfoHash,
    pub bytes: u64,
}

/// The program, and those of it that run.
#[derive(Debug)]
pub struct Hook {
    program: PathBuf,
    running: Vec<(String, Child)>,
    waiting: VecDeque<Arrived>,
    next_look: Time,
}

impl Hook {
    pub fn new(program: PathBuf) -> Hook {
        Hook { program, running: Vec::new(), waiting: VecDeque::new(), next_look: Time::START }
    }

    /// When somebody may have ended whom another one waits for, or who is to be laid to rest.
    pub fn deadline(&self) -> Option<Time> {
        (!self.running.is_empty()).then_some(self.next_look)
    }

    /// A torrent has arrived. Returns the name of one that is left out.
    pub fn arrived(&mut self, arrived: Arrived) -> Option<String> {
        if self.waiting.len() >= HOOKS_QUEUED_MAX {
            return Some(arrived.name);
        }
        self.waiting.push_back(arrived);
        None
    }

    /// Starts those for whom there is room, and takes leave of those who ended. Returns the names
    /// of torrents whose program failed, and how.
    pub fn mind(&mut self, now: Time) -> Vec<(String, String)> {
        let mut failed = Vec::new();
        self.running.retain_mut(|(name, child)| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) if status.success() => false,
            Ok(Some(status)) => {
                failed.push((std::mem::take(name), ended(status)));
                false
            }
            Err(error) => {
                failed.push((std::mem::take(name), error.to_string()));
                false
            }
        });
        while self.running.len() < HOOKS_AT_ONCE_MAX
            && let Some(arrived) = self.waiting.pop_front()
        {
            match self.command(&arrived).spawn() {
                Ok(child) => self.running.push((arrived.name, child)),
                Err(error) => failed.push((arrived.name, format!("cannot be run: {error}"))),
            }
        }
        self.next_look = now + HOOK_LOOK_EVERY;
        failed
    }

    fn command(&self, arrived: &Arrived) -> Command {
        use std::os::unix::process::CommandExt as _;
        let Arrived { name, dir, info_hash, bytes } = arrived;
        let (path, hash) = (dir.join(name), info_hash.to_string());
        let mut command = Command::new(&self.program);
        command.arg(name).arg(&path).arg(&hash);
        command.env("SWARMLET_NAME", name).env("SWARMLET_PATH", &path);
        command.env("SWARMLET_DIR", dir).env("SWARMLET_INFO_HASH", &hash);
        command.env("SWARMLET_BYTES", bytes.to_string());
        command.env("TR_TORRENT_NAME", name).env("TR_TORRENT_DIR", dir);
        command.env("TR_TORRENT_HASH", &hash);
        // It has no business with it, and may pass its environment on.
        command.env_remove("SWARMLET_RPC_USER").env_remove("SWARMLET_RPC_PASSWORD");
        command.stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        command
    }
}

/// How a program ended that did not end well.
fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with code {code}"),
        None => "was ended by a signal".to_owned(),
    }
}

impl Reactor {
    /// Runs the hook for what arrived in this turn, and minds those that run.
    pub(super) fn mind_hook(&mut self) {
        let Some(hook) = &mut self.hook else { return };
        let mut left_out = Vec::new();
        let mut is_due = hook.deadline().is_some_and(|at| at <= self.now);
        for event in &self.news {
            let Event::Complete { torrent, info_hash, bytes, downloaded: true, .. } = event else {
                continue;
            };
            let Some(metainfo) = self.engine.metainfo(*torrent) else { continue };
            let Some(folder) = self.store.folder(*torrent) else { continue };
            let (name, dir) = (metainfo.name.clone(), folder.root().to_path_buf());
            let arrived = Arrived { name, dir, info_hash: *info_hash, bytes: *bytes };
            left_out.extend(hook.arrived(arrived));
            is_due = true;
        }
        let failed = if is_due { hook.mind(self.now) } else { Vec::new() };
        let left_out = left_out.into_iter().map(|name| (name, "too many wait".to_owned()));
        self.news.extend(
            left_out.chain(failed).map(|(name, reason)| Event::HookTrouble { name, reason }),
        );
    }
}
