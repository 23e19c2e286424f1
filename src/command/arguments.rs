//! Arguments: the words behind a command's name.
//!
//! The options of a command are read from its usage text: a line that begins with a dash, such as
//!
//! ```text
//!   -o, --output FILE        write here instead of NAME.torrent
//!   --tracker URL...         announce here; several make tiers
//!   --private                for private trackers only
//! ```
//!
//! declares an option; a word in capitals after it says that it takes a value, three dots that it
//! may be given several times.
//!
//! A command that declares `--config FILE` takes its options from that file, too, where the command
//! line does not name them (`settings.rs`).
//!
//! # Why
//! A help text that is *also* written down as code soon says something else than the code does.
//!
//! Words need not be UTF-8, since names of files on Linux need not be, but the parser of options
//! takes text only. So each byte that is not UTF-8 travels through it as a character of a plane
//! that nobody writes in, and becomes that byte again where a path is meant.

use std::ffi::{OsStr, OsString};
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use getopts::{Fail, HasArg, Matches, Occur, Options, ParsingStyle};

use super::settings::Settings;
use super::{Failure, making};
use crate::world::node::Rates;

/// Limits that make sense. One of a few bytes would hold up even the words of the protocol.
const RATES: RangeInclusive<u64> = 1024..=1 << 40;

/// The parsed words of one command.
pub struct Arguments {
    command: &'static str,
    matches: Matches,
    /// Where the command line says nothing.
    settings: Settings,
}

/// Where the value of an option comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    CommandLine,
    /// A line of the file.
    File(PathBuf, usize),
}

/// An option as the usage text of a command declares it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Declared<'u> {
    pub short: &'u str,
    pub long: &'u str,
    /// What its value is called; empty for a flag.
    pub value: &'u str,
    /// It may be given several times.
    pub is_multi: bool,
    /// What it is for.
    pub description: String,
}

impl Declared<'_> {
    /// Whether it is there or not, and that is all.
    pub fn is_flag(&self) -> bool {
        self.value.is_empty()
    }

    /// Whether it may stand in a file: not those about a run of the command as such.
    pub fn is_key(&self) -> bool {
        !matches!(self.long, "" | "help" | "config" | "json")
    }

    /// What holds if nobody says anything: it stands in the last parentheses of the description.
    pub fn usual(&self) -> Option<&str> {
        let (_, rest) = self.description.rsplit_once('(')?;
        rest.split_once(')').map(|(default, _)| default)
    }
}

impl Arguments {
    /// Parses the words of `command`, whose options stand in `usage`.
    ///
    /// Failure: wrong words, or a file of `--config` that cannot be read or has a wrong line.
    pub fn parse(
        command: &'static str,
        usage: &str,
        words: &[OsString],
    ) -> Result<Arguments, Failure> {
        let words: Vec<String> = words.iter().map(|word| to_text(word)).collect();
        let matches = options(usage).parse(&words).map_err(|fail| {
            Failure::usage(format!("{command}: {}", complaint(&fail)), see_help(command))
        })?;
        let settings = Settings::default();
        let mut arguments = Arguments { command, matches, settings };
        if has_config(usage)
            && let Some(file) = arguments.path("config")
        {
            arguments.settings = Settings::read(&file, command)?;
        }
        Ok(arguments)
    }

    /// Whether an option without a value is there.
    pub fn has(&self, option: &str) -> bool {
        match (self.matches.opt_present(option), self.settings.get(option)) {
            (true, _) => true,
            (false, None) => false,
            (false, Some(setting)) if setting.is_flag => {
                !self.matches.opt_present(&format!("no-{option}"))
            }
            (false, Some(_)) => true,
        }
    }

    /// Where the value of an option comes from; of each, if there are several.
    pub fn origins(&self, option: &Declared<'_>) -> Vec<(String, Origin)> {
        let is_undone = || self.matches.opt_present(&format!("no-{}", option.long));
        if option.is_flag() && self.matches.opt_present(option.long) {
            return vec![("true".to_owned(), Origin::CommandLine)];
        }
        if option.is_flag() && is_undone() {
            return vec![("false".to_owned(), Origin::CommandLine)];
        }
        let said = self.matches.opt_strs(option.long);
        if !said.is_empty() {
            return said.into_iter().map(|value| (value, Origin::CommandLine)).collect();
        }
        let file = |line| Origin::File(self.settings.file.clone(), line);
        let settings = self.settings.all(option.long);
        settings.map(|setting| (setting.value.clone(), file(setting.line))).collect()
    }

    /// A failure of the command with these arguments: if it is about an option that stands in the
    /// file, it names the line.
    pub fn explain(&self, mut failure: Failure) -> Failure {
        let said = |key: &str| self.matches.opt_present(key);
        if let Some(line) = self.settings.line_of(&failure.message, said) {
            let file = super::files::shown(&self.settings.file);
            failure.message = format!("{file}, line {line}: {}", failure.message);
        }
        failure
    }

    /// The value of an option as a path.
    pub fn path(&self, option: &str) -> Option<PathBuf> {
        self.value(option).map(|word| PathBuf::from(to_bytes(&word)))
    }

    /// All values of an option that may be repeated, as paths.
    pub fn all_paths(&self, option: &str) -> Vec<PathBuf> {
        self.values(option).into_iter().map(|word| PathBuf::from(to_bytes(&word))).collect()
    }

    fn value(&self, option: &str) -> Option<String> {
        let said = self.matches.opt_str(option);
        said.or_else(|| self.settings.get(option).map(|setting| setting.value.clone()))
    }

    fn values(&self, option: &str) -> Vec<String> {
        match self.matches.opt_present(option) {
            true => self.matches.opt_strs(option),
            false => self.settings.all(option).map(|setting| setting.value.clone()).collect(),
        }
    }

    /// The value of an option as text.
    pub fn text(&self, option: &str) -> Result<Option<String>, Failure> {
        self.value(option).map(|word| self.must_be_text(option, word)).transpose()
    }

    /// All values of an option that may be repeated.
    pub fn texts(&self, option: &str) -> Result<Vec<String>, Failure> {
        self.values(option).into_iter().map(|word| self.must_be_text(option, word)).collect()
    }

    /// The free words as paths.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.matches.free.iter().map(|word| PathBuf::from(to_bytes(word))).collect()
    }

    /// The free words as they came.
    pub fn rest(&self) -> Vec<OsString> {
        self.matches.free.iter().map(|word| to_bytes(word)).collect()
    }

    /// The free words as text.
    pub fn words(&self) -> Result<Vec<String>, Failure> {
        let words =
            self.matches.free.iter().map(|word| String::from_utf8(to_bytes(word).into_vec()));
        words
            .collect::<Result<_, _>>()
            .map_err(|_| self.wrong("a word of the command line is not UTF-8"))
    }

    /// The one free word that the command works on; `what` names it.
    pub fn only_path(&self, what: &str) -> Result<PathBuf, Failure> {
        let mut paths = self.paths();
        match (paths.pop(), paths.is_empty()) {
            (Some(path), true) => Ok(path),
            (None, _) => Err(self.wrong(format!("{what} is missing"))),
            (Some(_), false) => {
                Err(self
                    .wrong(format!("only one {what} at a time, not {}", self.matches.free.len())))
            }
        }
    }

    /// For commands that take options only.
    pub fn no_paths(&self) -> Result<(), Failure> {
        match self.matches.free.first() {
            None => Ok(()),
            Some(word) => Err(self.wrong(format!("does not know what to do with '{word}'"))),
        }
    }

    /// Where to listen: the value of `option`, resolved.
    pub fn address(&self, option: &str) -> Result<Option<SocketAddr>, Failure> {
        let Some(word) = self.text(option)? else { return Ok(None) };
        let addrs = self.resolve(option, &word)?;
        Ok(addrs.first().copied())
    }

    /// Where to listen, at several places: all values of `option`, the first address of each.
    pub fn addresses(&self, option: &str) -> Result<Vec<SocketAddr>, Failure> {
        let words = self.texts(option)?;
        let mut addrs = Vec::new();
        for word in words {
            addrs.extend(self.resolve(option, &word)?.first());
        }
        Ok(addrs)
    }

    /// Peers to dial: all values of `option`, resolved. A name may stand for several addresses.
    pub fn peers(&self, option: &str) -> Result<Vec<SocketAddr>, Failure> {
        let mut peers = Vec::new();
        for word in self.texts(option)? {
            for addr in self.resolve(option, &word)? {
                if addr.port() == 0 {
                    return Err(self.wrong(format!("--{option} {word}: no peer has port 0")));
                }
                if !peers.contains(&addr) {
                    peers.push(addr);
                }
            }
        }
        Ok(peers)
    }

    /// A number, which may end in K or M.
    pub fn number(
        &self,
        option: &str,
        allowed: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Failure> {
        let Some(word) = self.text(option)? else { return Ok(None) };
        let number = making::parse_size(&word)
            .ok_or_else(|| self.wrong(format!("--{option} {word}: not a number")))?;
        if !allowed.contains(&number) {
            let (least, most) = (allowed.start(), allowed.end());
            return Err(self.wrong(format!("--{option} {word}: not from {least} to {most}")));
        }
        Ok(Some(number))
    }

    /// Limits on sending and receiving: `--up` and `--down`, bytes per second.
    pub fn rates(&self) -> Result<Rates, Failure> {
        let (up, down) = (self.number("up", RATES)?, self.number("down", RATES)?);
        Ok(Rates { up, down })
    }

    /// Wrong usage of this command.
    pub fn wrong(&self, message: impl AsRef<str>) -> Failure {
        Failure::usage(format!("{}: {}", self.command, message.as_ref()), see_help(self.command))
    }

    fn must_be_text(&self, option: &str, word: String) -> Result<String, Failure> {
        match String::from_utf8(to_bytes(&word).into_vec()) {
            Ok(text) => Ok(text),
            Err(_) => Err(self.wrong(format!("the value of --{option} is not UTF-8"))),
        }
    }

    /// The addresses of a free word HOST:PORT.
    pub fn resolve_word(&self, word: &str) -> Result<Vec<SocketAddr>, Failure> {
        self.resolve("", word)
    }

    /// Whether nothing may leave but through one interface.
    fn keeps_to_interface(&self) -> bool {
        self.matches.opt_defined("interface") && self.value("interface").is_some()
    }

    fn resolve(&self, option: &str, word: &str) -> Result<Vec<SocketAddr>, Failure> {
        let place = if option.is_empty() { word.to_owned() } else { format!("--{option} {word}") };
        check_shape(word).map_err(|why| self.wrong(format!("{place}: {why}")))?;
        if self.keeps_to_interface() && word.parse::<SocketAddr>().is_err() {
            // The system would ask for the name wherever it likes.
            let why = "with --interface, names are not looked up; give the address in numbers";
            return Err(self.wrong(format!("{place}: {why}")));
        }
        match word.to_socket_addrs() {
            Ok(addrs) => Ok(addrs.collect()),
            Err(_) => Err(Failure::new(
                format!("{place}: no address is known for this name"),
                "check the spelling and the network, or give the address in numbers",
            )),
        }
    }
}

/// Whether a person asks what a command does, whatever else they typed.
pub fn asks_for_help(words: &[OsString]) -> bool {
    let options = words.iter().take_while(|word| *word != "--");
    options.into_iter().any(|word| word == "--help" || word == "-h")
}

/// Looks at HOST:PORT before anybody is asked for the address of HOST, so that the complaint can
/// say which half is wrong.
fn check_shape(word: &str) -> Result<(), &'static str> {
    let Some((host, port)) = word.rsplit_once(':') else {
        return Err("the port is missing (HOST:PORT)");
    };
    if host.is_empty() {
        return Err("the host is missing (HOST:PORT)");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address goes in brackets ([HOST]:PORT)");
    }
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || port.parse::<u16>().is_err() {
        return Err("the port must be a number from 0 to 65535");
    }
    Ok(())
}

/// The options that a usage text declares.
pub fn declared(usage: &str) -> Vec<Declared<'_>> {
    let mut all: Vec<Declared<'_>> = Vec::new();
    let mut is_open = false;
    for line in usage.lines() {
        let begins = line.trim_start().starts_with('-');
        is_open = begins || (is_open && line.starts_with(' '));
        if begins {
            all.push(declaration(line));
        } else if let Some(last) = all.last_mut().filter(|_| is_open) {
            // Its description goes on.
            last.description.push(' ');
            last.description.push_str(line.trim());
        }
    }
    all
}

fn declaration(line: &str) -> Declared<'_> {
    let mut option = Declared::default();
    let mut words = line.split_whitespace().map(|word| word.trim_end_matches(',')).peekable();
    while let Some(word) = words.next_if(|word| word.starts_with('-')) {
        match word.strip_prefix("--") {
            Some(long) => option.long = long,
            None => option.short = &word[1..],
        }
    }
    // The description begins in lower case, the name of a value is all in capitals.
    let is_value = |word: &&str| word.starts_with(|letter: char| letter.is_ascii_uppercase());
    option.value = words.next_if(is_value).unwrap_or_default();
    option.is_multi = option.value.ends_with("...");
    let end = [option.value, option.long, option.short].into_iter().find(|word| !word.is_empty());
    let rest = end.and_then(|end| line.split_once(end)).map_or("", |(_, rest)| rest);
    option.description = rest.trim().to_owned();
    option
}

/// The same for the parser of options.
fn options(usage: &str) -> Options {
    let mut options = Options::new();
    let can_be_undone = has_config(usage);
    for option in declared(usage) {
        let has_value = if option.is_flag() { HasArg::No } else { HasArg::Yes };
        let occur = if option.is_multi { Occur::Multi } else { Occur::Optional };
        options.opt(option.short, option.long, "", option.value, has_value, occur);
        if can_be_undone && option.is_flag() && option.is_key() {
            let undone = format!("no-{}", option.long);
            options.opt("", &undone, "", "", HasArg::No, Occur::Optional);
        }
    }
    // What follows the name of another command is for that one.
    if usage.contains("[OPTION...]") {
        options.parsing_style(ParsingStyle::StopAtFirstFree);
    }
    options
}

/// Whether a command can take its options from a file.
pub fn has_config(usage: &str) -> bool {
    usage.contains("--config FILE")
}

fn complaint(fail: &Fail) -> String {
    let dashed = |name: &str| match name.chars().count() {
        1 => format!("-{}", name),
        _ => format!("--{}", name),
    };
    match fail {
        Fail::UnrecognizedOption(name) => format!("unknown option {}", dashed(name)),
        Fail::ArgumentMissing(name) => format!("{} needs a value", dashed(name)),
        Fail::UnexpectedArgument(name) => format!("{} takes no value", dashed(name)),
        Fail::OptionDuplicated(name) => format!("{} is given twice", dashed(name)),
        Fail::OptionMissing(name) => format!("{} is missing", dashed(name)),
    }
}

fn see_help(command: &str) -> String {
    format!("see 'swarmlet help {command}'")
}

/// The first of 256 characters, in the last plane for private use, that stand for raw bytes.
const RAW: u32 = 0x10_fe00;

/// Text for the parser of options; `to_bytes` is the way back.
fn to_text(word: &OsStr) -> String {
    let mut text = String::new();
    for part in word.as_bytes().utf8_chunks() {
        for letter in part.valid().chars() {
            if raw_byte(letter).is_none() {
                text.push(letter);
            } else {
                // The real thing, by whatever accident: its own bytes, so that it comes back.
                let mut bytes = [0; 4];
                letter.encode_utf8(&mut bytes).bytes().for_each(|byte| text.push(raw(byte)));
            }
        }
        part.invalid().iter().for_each(|&byte| text.push(raw(byte)));
    }
    text
}

fn to_bytes(text: &str) -> OsString {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match raw_byte(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    OsString::from_vec(bytes)
}

fn raw(byte: u8) -> char {
    char::from_u32(RAW + u32::from(byte)).expect("the private plane has no gaps here")
}

fn raw_byte(letter: char) -> Option<u8> {
    u32::from(letter).checked_sub(RAW).and_then(|byte| u8::try_from(byte).ok())
}
