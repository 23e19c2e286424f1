//! Remote: what a command says to a running daemon, and what it hears.
//!
//! ```text
//!  --rpc ADDR ─▶ Remote ─▶ call("torrent-get", …) ─▶ a typed answer
//!                   ▲  └─ 409: here is the word of this session; say it again
//!   ID, hash, name ─┴─ choose ─▶ the torrents that are meant
//! ```
//!
//! All commands to a daemon speak the words that other remote controls speak, too, and no others:
//! what one can do, all can. What those words lack (who holds a piece, why a peer is not served)
//! comes in fields that others do not know.
//!
//! # Why
//! Torrents are named to the daemon by info-hash, though people use the short numbers: a number
//! may mean another torrent after a restart, a hash never does.
//!
//! A type that is read from an answer names the fields that are asked for: its own (`names_of`).

mod add;
pub mod daemon;
mod dht;
mod edit;
pub mod editor;
mod launch;
mod limit;
mod look;
mod order;
mod pieces;
mod ping;
mod seed;
mod select;
mod shell;
mod show;
mod status;
pub mod table;

use std::net::{TcpStream, ToSocketAddrs};

use serde::Serialize;
use serde_json::{Value, json};

use super::ask::{exchange, real};
use super::events::Line;
use super::failure::reason;
use super::{Arguments, Command, Failure, Screen, info};
use crate::base::limits::{ASK_CONNECT_TIMEOUT, CALL_ADDRS_MAX, REMOTE_REPLY_BYTES_MAX};
use crate::format::http::{self, Response};
use crate::format::json::{Fields, Record, names_of};
use crate::format::query::TrackerUrl;
use crate::format::{base64, json, text};

pub use daemon::options;
pub use dht::ask_daemon;
pub use edit::edit_running;
pub use order::verify;

/// The commands that speak to a daemon, and to nobody else.
pub const COMMANDS: &[Command] = &[
    add::ADD_COMMAND,
    seed::COMMAND,
    add::LEECH_COMMAND,
    status::COMMAND,
    show::COMMAND,
    look::FILES_COMMAND,
    look::PEERS_COMMAND,
    pieces::COMMAND,
    order::START_COMMAND,
    order::STOP_COMMAND,
    order::REMOVE_COMMAND,
    order::REANNOUNCE_COMMAND,
    order::CONNECT_COMMAND,
    limit::COMMAND,
    select::COMMAND,
    ping::PING_COMMAND,
    ping::SHUTDOWN_COMMAND,
    shell::COMMAND,
];

/// What many usage texts have in common, each with the mark that stands for it there: once in the
/// program, not twenty times.
pub const PARAGRAPHS: &[(&str, &str)] = &[
    ("{json}\n", "  --json                  as one JSON object\n"),
    (
        "{daemon}\n",
        "  --rpc ADDR              where the daemon is (127.0.0.1:9091, or what SWARMLET_RPC says)\n  \
           --rpc-user NAME         who we are, if it asks (SWARMLET_RPC_USER)\n  \
           --rpc-password WORD     the password; everybody on this host can read it\n  \
           --rpc-password-file FILE\n                          \
                                   its first line is the password (or SWARMLET_RPC_PASSWORD)\n  \
           -h, --help              this text\n",
    ),
    (
        "{ids}\n",
        "An ID is the number that 'swarmlet status' shows, an info-hash or its beginning, or a name\n\
         (a part will do, if only one torrent fits).\n",
    ),
];

/// A daemon.
pub struct Remote {
    url: TrackerUrl,
    /// What `Authorization` says, if there is a password.
    login: Option<String>,
    /// The word that the daemon wants to hear; empty until it told us.
    session: String,
}

/// A torrent that the daemon has.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Known {
    pub id: u64,
    pub name: String,
    pub info_hash: String,
}

impl Record for Known {
    fn read(fields: &mut Fields<'_>) -> Known {
        Known {
            id: fields.get("id"),
            name: fields.clean("name"),
            info_hash: fields.get("hashString"),
        }
    }
}

impl Remote {
    /// The daemon that the options, or else the environment, name. Nothing is sent yet.
    pub fn of(arguments: &Arguments) -> Result<Remote, Failure> {
        let login = daemon::login(arguments)?;
        let login = login.map(|login| {
            let words = format!("{}:{}", login.user, login.password);
            format!("Basic {}", base64::write(words.as_bytes()))
        });
        let typed = match arguments.text("rpc")? {
            Some(typed) => typed,
            None => std::env::var(ADDR_VARIABLE).unwrap_or_else(|_| USUAL_ADDR.to_owned()),
        };
        Ok(Remote { url: parse_addr(&typed)?, login, session: String::new() })
    }

    /// Its address, for people.
    pub fn name(&self) -> String {
        self.url.host_header()
    }

    /// Has a method carried out, and reads what it says.
    ///
    /// Failure: no daemon is there, it does not let us in, or it says why it does not do it.
    pub fn call<T: Record>(&mut self, method: &str, arguments: &Value) -> Result<T, Failure> {
        let said = self.ask(method, arguments)?;
        json::understand(&said).map_err(|what| self.misunderstood(&what))
    }

    /// The same as what came, whatever it is.
    pub fn ask(&mut self, method: &str, arguments: &Value) -> Result<Value, Failure> {
        let body = json!({ "method": method, "arguments": arguments }).to_string();
        let mut response = self.post(body.as_bytes())?;
        if response.status() == 409 {
            // Our first word to it, or it has been started anew since.
            self.session = session_of(response.body()).ok_or_else(|| self.no_daemon_of_ours())?;
            response = self.post(body.as_bytes())?;
        }
        match response.status() {
            200 => self.read(response.body()),
            status => Err(self.refused(status)),
        }
    }

    /// Has a method carried out for these torrents; `arguments`: whatever else it takes.
    pub fn act(
        &mut self,
        method: &str,
        which: &[Known],
        mut arguments: Value,
    ) -> Result<(), Failure> {
        arguments["ids"] = which.iter().map(|known| json!(known.info_hash)).collect();
        self.ask(method, &arguments).map(|_| ())
    }

    /// What `T` says of all torrents.
    pub fn all<T: Record>(&mut self) -> Result<Vec<T>, Failure> {
        self.get(json!({ "fields": names_of::<T>() }))
    }

    /// What `T` says of these torrents, in the order of the daemon.
    pub fn each<T: Record>(&mut self, which: &[Known]) -> Result<Vec<T>, Failure> {
        let ids: Value = which.iter().map(|known| json!(known.info_hash)).collect();
        self.get(json!({ "fields": names_of::<T>(), "ids": ids }))
    }

    /// What `T` says of one torrent.
    pub fn one<T: Record>(&mut self, known: &Known) -> Result<T, Failure> {
        let mut found = self.each(std::slice::from_ref(known))?;
        found.pop().ok_or_else(|| {
            Failure::new(
                format!("{} was removed a moment ago", known.name),
                "'swarmlet status' shows what there is",
            )
        })
    }

    fn get<T: Record>(&mut self, arguments: Value) -> Result<Vec<T>, Failure> {
        let said = self.ask("torrent-get", &arguments)?;
        json::understand(&said["torrents"]).map_err(|what| self.misunderstood(&what))
    }

    /// The torrents that `words` name; `all` names every one.
    ///
    /// Failure: a word that fits none, or more than one.
    pub fn choose(&mut self, words: &[String]) -> Result<Vec<Known>, Failure> {
        let all: Vec<Known> = self.all()?;
        if matches!(words, [word] if word == "all") {
            return match all.is_empty() {
                false => Ok(all),
                true => Err(Failure::new(
                    format!("the daemon at {} has no torrents", self.name()),
                    "'swarmlet add' gives it some",
                )),
            };
        }
        let mut chosen: Vec<Known> = Vec::new();
        for word in words {
            let found = find(&all, word)?;
            if !chosen.contains(found) {
                chosen.push(found.clone());
            }
        }
        Ok(chosen)
    }

    /// The torrents that the free words name, of which there must be one.
    pub fn chosen(&mut self, arguments: &Arguments) -> Result<Vec<Known>, Failure> {
        let words = arguments.words()?;
        if words.is_empty() {
            return Err(arguments.wrong("ID is missing; 'all' means every torrent"));
        }
        self.choose(&words)
    }

    /// The one torrent that the only free word names.
    pub fn only(&mut self, arguments: &Arguments) -> Result<Known, Failure> {
        let words = arguments.words()?;
        let [word] = &words[..] else {
            let what = if words.is_empty() { "ID is missing" } else { "only one ID at a time" };
            return Err(arguments.wrong(what));
        };
        Ok(find(&self.all::<Known>()?, word)?.clone())
    }

    /// Makes sure that a daemon is there and lets us in.
    pub fn greet(&mut self) -> Result<(), Failure> {
        self.ask("session-get", &json!({ "fields": ["version"] })).map(|_| ())
    }

    /// Whether it is on this host, where a daemon could be started.
    pub fn is_local(&self) -> bool {
        let addrs = (self.url.host.as_str(), self.url.port).to_socket_addrs();
        addrs.is_ok_and(|mut addrs| addrs.any(|addr| addr.ip().is_loopback()))
    }

    /// Whether anybody takes connections there.
    pub fn is_there(&self) -> bool {
        self.connect().is_ok()
    }

    fn post(&self, body: &[u8]) -> Result<Response, Failure> {
        let mut headers = vec![("Content-Type", "application/json")];
        if !self.session.is_empty() {
            headers.push((SESSION_HEADER, &self.session));
        }
        if let Some(login) = &self.login {
            headers.push(("Authorization", login));
        }
        let mut request = Vec::new();
        http::write_post_with(&self.url, PATH, &headers, body, &mut request);
        exchange(self.connect()?, &request, REMOTE_REPLY_BYTES_MAX).map_err(|why| {
            let message = format!("no answer from the daemon at {}: {why}", self.name());
            Failure::new(message, "is it a daemon, and does it run?")
        })
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let name = self.name();
        let addrs = (self.url.host.as_str(), self.url.port).to_socket_addrs().map_err(|_| {
            let message = format!("no address is known for {name}");
            Failure::new(message, "check the spelling and the network, or give it in numbers")
        })?;
        let mut last = None;
        for addr in addrs.take(CALL_ADDRS_MAX) {
            match TcpStream::connect_timeout(&addr, real(ASK_CONNECT_TIMEOUT)) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        let why = match last {
            // What everybody meets first is said in the fewest words.
            Some(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => String::new(),
            Some(error) => format!(" ({})", reason(&error)),
            None => String::new(),
        };
        Err(Failure::new(
            format!("no daemon answers at {name}{why}"),
            "start one with 'swarmlet peer', or say with --rpc where it is",
        ))
    }

    /// What an answer says, if it is none that refuses.
    fn read(&self, body: &[u8]) -> Result<Value, Failure> {
        let said = json::parse(body, usize::MAX).ok();
        let mut said = said.filter(Value::is_object).ok_or_else(|| self.no_daemon_of_ours())?;
        let result = said["result"].as_str().ok_or_else(|| self.no_daemon_of_ours())?;
        if result != "success" {
            let said = text::clean(result);
            let message = format!("the daemon at {} refuses: {said}", self.name());
            return Err(Failure::new(message, advice(&said)));
        }
        Ok(said["arguments"].take())
    }

    fn misunderstood(&self, what: &str) -> Failure {
        Failure::new(
            format!("the daemon at {} says what we do not understand: {what}", self.name()),
            "is it of another version than this program?",
        )
    }

    fn no_daemon_of_ours(&self) -> Failure {
        Failure::new(
            format!("what answers at {} is no daemon", self.name()),
            "another program may have that port; say with --rpc where the daemon is",
        )
    }

    /// What a status other than 200 means to the person.
    fn refused(&self, status: u16) -> Failure {
        let name = self.name();
        let (what, hint) = match (status, &self.login) {
            (401, None) => ("wants a user and a password", "give --rpc-user and a password"),
            (401, Some(_)) => ("does not know this user and password", "check both"),
            (403, _) => ("lets us wait: too many wrong passwords", "try again in a few minutes"),
            (421, _) => {
                ("does not go by this name", "give its address in numbers, or see its --rpc-host")
            }
            (413, _) => ("does not take so much at once", "add fewer or smaller torrents"),
            _ => return self.no_daemon_of_ours(),
        };
        Failure::new(format!("the daemon at {name} {what} (status {status})"), hint)
    }
}

/// Tells what was done to these torrents; `done`: one word.
pub fn tell(
    screen: &mut Screen,
    arguments: &Arguments,
    done: &str,
    which: &[Known],
) -> Result<(), Failure> {
    if arguments.has("json") {
        return info::show_json(screen, &json!({ done: which }));
    }
    for Known { id, name, info_hash } in which {
        screen.line(&match screen.is_terminal() {
            true => format!("{done} {id}: {name}"),
            false => Line::new(done)
                .with("id", id)
                .with("name", name)
                .with("info_hash", info_hash)
                .into_string(),
        });
    }
    Ok(())
}

/// A number; a negative one is none.
pub fn unless_negative(number: Option<f64>) -> Option<f64> {
    number.filter(|number| *number >= 0.0)
}

/// Seconds; a negative number is none.
pub fn seconds(number: Option<i64>) -> Option<u64> {
    number.and_then(|number| u64::try_from(number).ok())
}

/// The torrent that `word` means: its number, its info-hash or the beginning of that, its name, or
/// a part of its name.
fn find<'k>(all: &'k [Known], word: &str) -> Result<&'k Known, Failure> {
    let lower = word.to_lowercase();
    let is_hash = word.len() >= HASH_LETTERS_MIN && word.bytes().all(|b| b.is_ascii_hexdigit());
    let by_id = |known: &Known| word.parse() == Ok(known.id);
    let by_hash = |known: &Known| is_hash && known.info_hash.starts_with(&lower);
    let by_name = |known: &Known| known.name == word;
    let by_part = |known: &Known| !word.is_empty() && known.name.to_lowercase().contains(&lower);
    let rules: [&dyn Fn(&Known) -> bool; 4] = [&by_id, &by_hash, &by_name, &by_part];
    for rule in rules {
        let fitting: Vec<&Known> = all.iter().filter(|known| rule(known)).collect();
        match fitting[..] {
            [] => {}
            [one] => return Ok(one),
            [first, second, ..] => {
                return Err(Failure::new(
                    format!(
                        "{} torrents fit '{word}', such as {} '{}' and {} '{}'",
                        fitting.len(),
                        first.id,
                        first.name,
                        second.id,
                        second.name
                    ),
                    "name one by its number",
                ));
            }
        }
    }
    Err(Failure::new(
        format!("the daemon has no torrent '{word}'"),
        "'swarmlet status' shows what it has, with numbers",
    ))
}

/// The address that a person typed: HOST, HOST:PORT or a URL.
fn parse_addr(typed: &str) -> Result<TrackerUrl, Failure> {
    let has_port = typed.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let text = match (typed.contains("://"), has_port) {
        (true, _) => typed.to_owned(),
        (false, true) => format!("http://{typed}"),
        (false, false) => format!("http://{typed}:{USUAL_PORT}"),
    };
    TrackerUrl::parse_http(&text).map_err(|bad| {
        Failure::usage(
            format!("'{typed}' is no address of a daemon: {}", bad.what),
            format!("it looks like {USUAL_ADDR}"),
        )
    })
}

/// The session word in the body of a refusal.
fn session_of(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once(SESSION_HEADER)?;
    let rest = rest.strip_prefix(": ")?;
    let word: String = rest.chars().take_while(char::is_ascii_alphanumeric).take(200).collect();
    (!word.is_empty()).then_some(word)
}

/// What to do about a refusal, as far as it can be told.
fn advice(said: &str) -> &'static str {
    if said.contains("outside of those") {
        "start the daemon with --root DIR for each directory that it may use beside its --dir"
    } else if said.contains("method name not recognized") {
        "is it of an older version than this program?"
    } else {
        ""
    }
}

/// Where a daemon is unless told otherwise.
pub const USUAL_ADDR: &str = "127.0.0.1:9091";
const USUAL_PORT: u16 = 9091;

/// The variable of the environment that says otherwise.
pub const ADDR_VARIABLE: &str = "SWARMLET_RPC";

const PATH: &str = "/transmission/rpc";
const SESSION_HEADER: &str = "X-Transmission-Session-Id";

/// Fewer letters of an info-hash are more likely a number or a name.
const HASH_LETTERS_MIN: usize = 4;
