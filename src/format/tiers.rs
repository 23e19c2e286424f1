//! Tiers: the trackers that a .torrent names, in the order in which they are asked.
//!
//! # Limits
//! The first `TRACKERS_MAX` that can be used, each at most `URL_BYTES_MAX` long.
//!
//! # Spec
//! BEP 3, "announce"; BEP 12.

use super::bencode::{Dict, Item};
use super::query::{Scheme, TrackerUrl};
use super::text;
use super::warnings::Warnings;
use crate::base::limits::{TRACKERS_MAX, URL_BYTES_MAX, WEBS_MAX};

/// The tiers that a .torrent names. `announce-list` goes before `announce` (BEP 12), unless
/// nothing in it can be used.
pub(super) fn read_tiers(root: Dict<'_>, warnings: &mut Warnings) -> Vec<Vec<String>> {
    let mut tiers = Tiers::default();
    for tier in root.get("announce-list").and_then(Item::list).into_iter().flatten() {
        tiers.begin();
        match tier.list() {
            Some(urls) => urls.iter().for_each(|url| tiers.add(said(url), warnings)),
            // Some programs write a plain list of URLs.
            None => tiers.add(said(tier), warnings),
        }
    }
    if tiers.is_empty()
        && let Some(url) = root.get("announce")
    {
        tiers.begin();
        tiers.add(said(url), warnings);
    }
    tiers.finish(warnings)
}

/// The web servers that `url-list` names (BEP 19): one, or a list. What cannot be asked is left out.
pub(super) fn read_web_seeds(root: Dict<'_>, warnings: &mut Warnings) -> Vec<String> {
    let Some(said) = root.get("url-list") else { return Vec::new() };
    let urls: Vec<&[u8]> = match said.list() {
        Some(urls) => urls.iter().take(WEBS_MAX + 1).map(self::said).collect(),
        None => vec![self::said(said)],
    };
    let mut web_seeds: Vec<String> = Vec::new();
    let mut left_out = false;
    for url in urls {
        let url =
            std::str::from_utf8(url.trim_ascii()).ok().filter(|url| url.len() <= URL_BYTES_MAX);
        let is_usable =
            |url: &&str| TrackerUrl::parse_any(url).is_ok_and(|url| url.scheme == Scheme::Http);
        match url.filter(is_usable) {
            Some(_) if web_seeds.len() == WEBS_MAX => left_out = true,
            Some(url) if web_seeds.iter().any(|known| known == url) => {}
            Some(url) => web_seeds.push(url.to_owned()),
            None => left_out |= url.is_none_or(|url| !url.is_empty()),
        }
    }
    if left_out {
        warnings.push(|| "web seeds that cannot be asked are left out".to_owned());
    }
    web_seeds
}

fn said(url: Item<'_>) -> &[u8] {
    url.bytes().unwrap_or_default()
}

/// Collects what can be used.
#[derive(Default)]
pub(super) struct Tiers {
    tiers: Vec<Vec<String>>,
    kept: usize,
    left_out: usize,
}

impl Tiers {
    /// What is added from now on belongs to a tier of its own.
    pub(super) fn begin(&mut self) {
        // An empty tier is used again, so that a million of them are one.
        if self.tiers.last().is_none_or(|tier| !tier.is_empty()) {
            self.tiers.push(Vec::new());
        }
    }

    /// Adds a URL, unless it is known, or one too many, or none that could be asked.
    pub(super) fn add(&mut self, said: &[u8], warnings: &mut Warnings) {
        let said = said.trim_ascii();
        if said.is_empty() {
            return;
        }
        if self.kept == TRACKERS_MAX {
            self.left_out += 1;
            return;
        }
        match usable(said) {
            Ok(url) if self.tiers.iter().flatten().any(|known| known == url) => {}
            Ok(url) => {
                self.kept += 1;
                self.tiers.last_mut().expect("begin comes first").push(url.to_string());
            }
            Err(why) => {
                warnings.push(|| format!("tracker {:?} ignored: {why}", text::clean_to(said, 60)));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept == 0
    }

    pub(super) fn finish(mut self, warnings: &mut Warnings) -> Vec<Vec<String>> {
        if self.left_out > 0 {
            let left_out = self.left_out;
            warnings.push(|| format!("{left_out} trackers beyond the first {TRACKERS_MAX}"));
        }
        self.tiers.retain(|tier| !tier.is_empty());
        self.tiers
    }
}

/// The URL as it is said, if a tracker may stand there; else a few words why not.
fn usable(said: &[u8]) -> Result<&str, String> {
    let url = str::from_utf8(said).map_err(|_| "not UTF-8".to_string())?;
    TrackerUrl::parse_any(url).map(|_| url).map_err(|why| why.what.to_string())
}
