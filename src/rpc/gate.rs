//! The gate: who may speak to the remote control at all.
//!
//! A remote control can delete files, so it is of interest to strangers, and the easiest way to it
//! is the browser of the very person whom it serves: any web page can make a browser send requests
//! to 127.0.0.1. The checks, in their order, and what each is for:
//!
//! ```text
//!   path      only /transmission/rpc is here                              404
//!   patience  whoever guessed wrong a few times waits, longer and longer  403
//!   login     user and password, if there are any                         401
//!   Host      a name of ours or a number: no name that was rebound to us  421
//!   Origin    no page of another place                                    403
//!   session   a word that only who can read our answers knows             409
//!   method    POST                                                        405
//! ```
//! The session word comes before the method because that is how remote controls log in: they ask
//! with GET, and take 409 for a yes.
//!
//! # Limits
//! `RPC_GUESSES_FREE` wrong passwords, then a wait that doubles up to `RPC_GUESS_WAIT_MAX`, per
//! address; `RPC_GUESSERS_MAX` addresses are remembered.
//!
//! # Why
//! A password does not switch the other checks off: a browser remembers passwords, too.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::base::limits::{RPC_GUESS_WAIT_MAX, RPC_GUESSERS_MAX, RPC_GUESSES_FREE};
use crate::base::{Span, Time};
use crate::format::base64;
use crate::format::digest::Digest;
use crate::format::http::{Request, Status};

/// User and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: String,
}

/// What is asked of whoever comes.
#[derive(Debug)]
pub struct Gate {
    login: Option<Login>,
    /// Names by which we are called, beside `localhost` and all numbers.
    names: Vec<String>,
    /// The session word: letters and digits.
    session: String,
    guessers: Vec<Guesser>,
}

/// Who gave a wrong password.
#[derive(Debug)]
struct Guesser {
    host: IpAddr,
    wrong: u32,
    waits_until: Time,
}

/// The address below which the remote control is found.
const PATH: &str = "/transmission/rpc";

/// The header that holds the session word.
pub const SESSION_HEADER: &str = "X-Transmission-Session-Id";

impl Gate {
    /// `secret`: bytes that nobody can guess, new in each run.
    pub fn new(login: Option<Login>, names: Vec<String>, secret: &[u8]) -> Gate {
        let letters = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let letter = |byte: &u8| char::from(letters[usize::from(*byte) % letters.len()]);
        let session = secret.iter().map(letter).collect();
        Gate { login, names, session, guessers: Vec::new() }
    }

    /// The session word of this run.
    pub fn session(&self) -> &str {
        &self.session
    }

    /// Whether the request may pass, judged by its head alone; or the status to refuse it with.
    pub fn admit(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
    ) -> Result<(), Status> {
        if request.path().strip_suffix('/').unwrap_or(request.path()) != PATH {
            return Err(Status::NotFound);
        }
        self.check_login(now, from, request)?;
        let header = |name| request.headers.get(name).map(String::from_utf8_lossy);
        let host = header("host").ok_or(Status::MisdirectedRequest)?;
        if !self.is_ours(&host) {
            return Err(Status::MisdirectedRequest);
        }
        if header("origin").is_some_and(|origin| !is_same_place(&origin, &host)) {
            return Err(Status::Forbidden);
        }
        let word = request.headers.get(SESSION_HEADER).unwrap_or_default();
        if !is_same(word, self.session.as_bytes()) {
            return Err(Status::Conflict);
        }
        if request.method != "POST" {
            return Err(Status::MethodNotAllowed);
        }
        Ok(())
    }

    fn check_login(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
    ) -> Result<(), Status> {
        let Some(login) = &self.login else { return Ok(()) };
        let host = host_of(from);
        let known = self.guessers.iter().position(|guesser| guesser.host == host);
        if known.is_some_and(|at| now < self.guessers[at].waits_until) {
            return Err(Status::Forbidden);
        }
        // Who says nothing yet has guessed nothing.
        let Some(said) = request.headers.get("authorization") else {
            return Err(Status::Unauthorized);
        };
        let wanted = base64::write(format!("{}:{}", login.user, login.password).as_bytes());
        let is_right = said
            .split_at_checked(6)
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Basic "))
            .is_some_and(|(_, word)| is_same(word.trim_ascii(), wanted.as_bytes()));
        if is_right {
            known.map(|at| self.guessers.remove(at));
            return Ok(());
        }
        self.note_guess(now, host, known);
        Err(Status::Unauthorized)
    }

    fn note_guess(&mut self, now: Time, host: IpAddr, known: Option<usize>) {
        let at = known.unwrap_or_else(|| {
            if self.guessers.len() == RPC_GUESSERS_MAX {
                self.guessers.remove(0);
            }
            self.guessers.push(Guesser { host, wrong: 0, waits_until: now });
            self.guessers.len() - 1
        });
        let guesser = &mut self.guessers[at];
        guesser.wrong = guesser.wrong.saturating_add(1);
        if let Some(doublings) = guesser.wrong.checked_sub(RPC_GUESSES_FREE) {
            let wait = Span::from_secs(1 << doublings.min(16)).min(RPC_GUESS_WAIT_MAX);
            guesser.waits_until = now + wait;
        }
    }

    /// Whether a `Host` is a number, which nobody can rebind, or a name of ours.
    fn is_ours(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            Some(_) | None => host,
        };
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        if bare.unwrap_or(name).parse::<IpAddr>().is_ok() {
            return true;
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        name.eq_ignore_ascii_case("localhost")
            || self.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }
}

/// Whether a page of `origin` is one of the place that is called `host`.
fn is_same_place(origin: &str, host: &str) -> bool {
    let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    place.is_some_and(|place| place.eq_ignore_ascii_case(host))
}

/// Compares in a time that tells nothing of where the difference is: what is compared is not the
/// words, but their hashes, to the last byte.
fn is_same(said: &[u8], wanted: &[u8]) -> bool {
    let (said, wanted) = (Digest::of(said), Digest::of(wanted));
    said.iter().zip(&wanted).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Who is meant by an address: an IPv4 host, or an IPv6 network, for its owner has all of it.
fn host_of(from: SocketAddr) -> IpAddr {
    match from.ip().to_canonical() {
        IpAddr::V6(ip) => {
            let network = ip.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("user", &self.user).finish_non_exhaustive()
    }
}
