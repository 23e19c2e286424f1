//! Resolver: names become addresses, on one helper thread.
//!
//! `getaddrinfo` waits as long as it likes and cannot be polled, so a thread does it, one name
//! after the other. Answers are remembered for a while: a tracker that is announced to every
//! half hour is looked up each time, five torrents of one tracker in one second are not.
//!
//! ```text
//!  look ── literal, localhost ──────────────────────▶ Found
//!    │ ─── in the cache, fresh ─────────────────────▶ Found, Failed
//!    │ ─── queue full ──────────────────────────────▶ Busy
//!    └──── to the thread ─▶ Waiting … wake ─▶ collect ─▶ (host, Found or Failed)
//! ```
//!
//! # Interface
//! `look`; when woken, `collect`, whose answers everybody who waits for that host takes.
//!
//! # Limits
//! `NAMES_QUEUED_MAX`, `NAMES_CACHED_MAX`, `NAME_FRESH`, `NAME_FAILED_FRESH`.
//!
//! # Spec
//! RFC 6761, section 6.3: `localhost` is never asked of a server.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};
use std::sync::Arc;

use super::worker::{Wake, Worker};
use crate::base::limits::{
    HOST_BYTES_MAX, NAME_ADDRS_MAX, NAME_FAILED_FRESH, NAME_FRESH, NAMES_CACHED_MAX,
    NAMES_QUEUED_MAX,
};
use crate::base::{Span, Time};

/// What can be said about a host at once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// At least one address.
    Found(Vec<IpAddr>),
    /// There is no such name, or nobody could say.
    Failed(Unknown),
    /// `collect` will bring the answer.
    Waiting,
    /// Too many names are being looked up.
    Busy,
}

/// Why a name has no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unknown {
    /// It cannot be a host name: empty, too long, or with bytes that none has.
    NotAName,
    /// The system's resolver found nothing. (What it says in words differs between systems.)
    NoAddress,
    /// No thread to ask with.
    NoThread,
    /// We keep to an interface, and the system would ask wherever it likes.
    KeptIn,
}

/// The answer to a `Lookup::Waiting`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolved {
    /// As it was asked for.
    pub host: String,
    pub result: Result<Vec<IpAddr>, Unknown>,
}

/// The reactor's end of the helper thread.
pub struct Resolver {
    wake: Wake,
    thread: Option<Worker<String, Resolved>>,
    /// Nobody may be asked.
    refuses_names: bool,
    /// Asked and not answered, in order.
    waiting: VecDeque<String>,
    /// Oldest first.
    cache: VecDeque<Known>,
}

#[derive(Debug)]
struct Known {
    resolved: Resolved,
    until: Time,
}

impl Resolver {
    /// `wake` is called, on the helper thread, when there is something to `collect`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Resolver {
        Resolver {
            wake: Arc::new(wake),
            thread: None,
            refuses_names: false,
            waiting: VecDeque::new(),
            cache: VecDeque::new(),
        }
    }

    /// From now on, nobody is asked for the address of a name.
    pub fn refuse_names(&mut self) {
        self.refuses_names = true;
    }

    /// What `host` stands for: a name, or an address, the one of IPv6 with or without brackets.
    pub fn look(&mut self, now: Time, host: &str) -> Lookup {
        if let Some(addrs) = literal(host) {
            return Lookup::Found(addrs);
        }
        if !can_be_name(host) {
            return Lookup::Failed(Unknown::NotAName);
        }
        if self.refuses_names {
            return Lookup::Failed(Unknown::KeptIn);
        }
        self.cache.retain(|known| now < known.until);
        if let Some(known) = self.cache.iter().find(|known| known.resolved.host == host) {
            return match &known.resolved.result {
                Ok(addrs) => Lookup::Found(addrs.clone()),
                Err(unknown) => Lookup::Failed(*unknown),
            };
        }
        if self.waiting.iter().any(|waiting| waiting == host) {
            return Lookup::Waiting;
        }
        if self.waiting.len() >= NAMES_QUEUED_MAX {
            return Lookup::Busy;
        }
        self.ask(host)
    }

    /// What was found out since the last call.
    pub fn collect(&mut self, now: Time) -> Vec<Resolved> {
        let Some(thread) = &self.thread else { return Vec::new() };
        let answers: Vec<Resolved> = std::iter::from_fn(|| thread.take()).collect();
        for resolved in &answers {
            self.waiting.retain(|host| *host != resolved.host);
            self.remember(now, resolved.clone());
        }
        answers
    }

    /// How many names are being looked up.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn ask(&mut self, host: &str) -> Lookup {
        if self.thread.is_none() {
            self.thread = start(Arc::clone(&self.wake));
        }
        let Some(thread) = &self.thread else { return Lookup::Failed(Unknown::NoThread) };
        thread.give(host.to_string());
        self.waiting.push_back(host.to_string());
        Lookup::Waiting
    }

    fn remember(&mut self, now: Time, resolved: Resolved) {
        if self.cache.len() >= NAMES_CACHED_MAX {
            self.cache.pop_front();
        }
        let fresh: Span = if resolved.result.is_ok() { NAME_FRESH } else { NAME_FAILED_FRESH };
        self.cache.push_back(Known { resolved, until: now + fresh });
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resolver { wake: _, thread: _, refuses_names: _, waiting, cache } = self;
        f.debug_struct("Resolver").field("waiting", waiting).field("cache", cache).finish()
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unknown::NotAName => "not a host name",
            Unknown::NoAddress => "no address for this name",
            Unknown::KeptIn => "names are not looked up with --interface; an address is needed",
            Unknown::NoThread => "cannot start a thread to look the name up",
        })
    }
}

/// Addresses that need nobody to be asked.
fn literal(host: &str) -> Option<Vec<IpAddr>> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(bare) = bare {
        return bare.parse::<Ipv6Addr>().ok().map(|addr| vec![addr.into()]);
    }
    if let Ok(addr) = host.parse::<IpAddr>() {
        return Some(vec![addr]);
    }
    let lower = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let is_localhost = lower == "localhost" || lower.ends_with(".localhost");
    is_localhost.then(|| vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()])
}

/// Whether the system's resolver should see it at all. Underscores are no part of host names,
/// but of some that are in use.
fn can_be_name(host: &str) -> bool {
    (1..=HOST_BYTES_MAX).contains(&host.len())
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

/// Starts the helper thread; `None` if the host has no room for one.
fn start(wake: Wake) -> Option<Worker<String, Resolved>> {
    Worker::start(c"resolver", STACK_BYTES, wake, |host: String| {
        let result = resolve(&host);
        Some(Resolved { host, result })
    })
}

/// Nobody knows what the system's resolver needs: the usual.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Asks the system. Blocks for as long as it takes.
fn resolve(host: &str) -> Result<Vec<IpAddr>, Unknown> {
    let found = (host, 0).to_socket_addrs().map_err(|_| Unknown::NoAddress)?;
    let addrs: Vec<IpAddr> = found.map(|addr| addr.ip()).take(NAME_ADDRS_MAX).collect();
    if addrs.is_empty() { Err(Unknown::NoAddress) } else { Ok(addrs) }
}
