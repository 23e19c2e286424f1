//! Settings: options that stand in a file, a section for each command.
//!
//! ```text
//!  [tracker]                            swarmlet tracker --config FILE
//!  http = 0.0.0.0:8000         =          --http 0.0.0.0:8000
//!  only-published = true                  --only-published
//!  [peer]                               swarmlet peer --config FILE
//!  root = /home/me
//!  root = /home/you            =          --root /home/me --root /home/you
//! ```
//! A key is the long name of an option; a flag is true or false; what may be given several times
//! may stand there several times. The command line goes before the file: there, a list replaces
//! the whole list, and `--no-FLAG` undoes a flag.
//!
//! # Why
//! All sections are checked, whichever command reads the file: a wrong key is found when it is
//! written, not when the other program is started at night.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::arguments::{Declared, declared, has_config};
use super::files::{cannot, shown};
use super::{Failure, commands, nearest_of};
use crate::base::limits::CONFIG_BYTES_MAX;
use crate::format::ini::{self, Entry};

/// The options of one command in a file.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub file: PathBuf,
    settings: Vec<Setting>,
}

/// One of them. A flag that is false is none.
#[derive(Clone, Debug)]
pub struct Setting {
    key: String,
    pub value: String,
    pub line: usize,
    pub is_flag: bool,
}

impl Settings {
    /// Reads what a file says to `command`.
    ///
    /// Failure: it cannot be read, or a line is wrong, in whichever section.
    pub fn read(file: &Path, command: &str) -> Result<Settings, Failure> {
        let text = read_text(file).map_err(|error| cannot("read", file, &error))?;
        let at = |line, why: &str, hint: &str| {
            Failure::new(format!("{}, line {line}: {why}", shown(file)), hint)
        };
        let entries = ini::parse(&text)
            .map_err(|wrong| at(wrong.line, wrong.what, "'swarmlet config' shows how it looks"))?;
        let mut settings: Vec<Setting> = Vec::new();
        let mut seen: Vec<Entry<'_>> = Vec::new();
        for entry in entries {
            let Entry { section, section_line, key, value, line } = entry;
            let options = options_of(section)
                .map_err(|hint| at(section_line, &format!("no section [{section}]"), &hint))?;
            let option = options.iter().find(|option| option.long == key && option.is_key());
            let option = option.ok_or_else(|| {
                at(line, &format!("[{section}] has no key '{key}'"), &meant(key, &options))
            })?;
            let is_twice = |before: &Entry<'_>| (before.section, before.key) == (section, key);
            if let Some(before) = seen.iter().find(|before| is_twice(before))
                && !option.is_multi
            {
                let why = format!("'{key}' stands in line {} already", before.line);
                return Err(at(line, &why, "one of them must go"));
            }
            let is_flag = option.is_flag();
            if is_flag && !matches!(value, "true" | "false") {
                let why = format!("{key} = {value}: it is true or false");
                return Err(at(line, &why, ""));
            }
            seen.push(entry);
            if section == command && !(is_flag && value == "false") {
                let (key, value) = (key.to_owned(), value.to_owned());
                settings.push(Setting { key, value, line, is_flag });
            }
        }
        Ok(Settings { file: file.to_path_buf(), settings })
    }

    /// The setting of a key, the first if there are several.
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().find(|setting| setting.key == key)
    }

    /// All settings of a key.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(move |setting| setting.key == key)
    }

    /// The line that a complaint is about: it names the option, or quotes its value.
    /// `is_said`: whether the command line gives an option, so that the file is not to blame.
    pub fn line_of(&self, complaint: &str, is_said: impl Fn(&str) -> bool) -> Option<usize> {
        let names = |setting: &&Setting| {
            let option = format!("--{}", setting.key);
            complaint.split([' ', ':', ',', ';']).any(|word| word == option)
        };
        let quotes = |setting: &&Setting| complaint.contains(&format!("'{}'", setting.value));
        let ours = || self.settings.iter().filter(|setting| !is_said(&setting.key));
        // Of several with one name, that whose value is there, too.
        let of_both = ours().filter(names).find(|setting| complaint.contains(&setting.value));
        let found = of_both.or_else(|| ours().find(names)).or_else(|| ours().find(quotes));
        found.map(|setting| setting.line)
    }
}

/// The options of the command that a section is for. Error: a hint, if there is no such section.
fn options_of(section: &str) -> Result<Vec<Declared<'static>>, String> {
    let with_file = commands().filter(|command| has_config(command.usage));
    if let Some(command) = with_file.clone().find(|command| command.name == section) {
        return Ok(declared(command.usage));
    }
    let names: Vec<String> = with_file.map(|command| format!("[{}]", command.name)).collect();
    Err(format!("there are {}", names.join(", ")))
}

fn meant(key: &str, options: &[Declared<'_>]) -> String {
    let keys = options.iter().filter(|option| option.is_key()).map(|option| option.long);
    match nearest_of(key, keys) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => "'swarmlet config' lists the keys".to_owned(),
    }
}

fn read_text(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(io::Error::other("it is too long to be written by hand"));
    }
    Ok(text)
}
