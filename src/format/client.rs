//! Client: the program behind a peer id, as it says itself.
//!
//! ```text
//!  -TR3000-k8hj0wgej6ch      Azureus style: two letters, four digits or letters of version
//!  A2-1-36-0-…               aria2
//!  M7-10-5--…                mainline
//! ```
//! Anybody may say anything; this is a courtesy to people who look at a list of peers.
//!
//! # Spec
//! BEP 20.

use crate::base::PeerId;
use crate::format::text;

/// The letters of programs that are met often.
const PROGRAMS: &[(&[u8; 2], &str)] = &[
    (b"AZ", "Vuze"),
    (b"BC", "BitComet"),
    (b"BT", "BitTorrent"),
    (b"DE", "Deluge"),
    (b"FL", "Folx"),
    (b"KT", "KTorrent"),
    (b"LT", "libtorrent"),
    (b"lt", "libTorrent"),
    (b"PI", "PicoTorrent"),
    (b"qB", "qBittorrent"),
    (b"rQ", "rqbit"),
    (b"SL", "swarmlet"),
    (b"TR", "Transmission"),
    (b"UM", "uTorrent Mac"),
    (b"UT", "uTorrent"),
    (b"WW", "WebTorrent"),
    (b"XL", "Xunlei"),
];

/// What stands for the peer id of a web seed, which has none.
pub const WEB_SEED: PeerId = PeerId(*b"web seed, no peer id");

/// A clean name, with the version if it is known how to read it: `Transmission 3.0.0`.
pub fn name(peer_id: PeerId) -> String {
    let id = &peer_id.0;
    if let [b'-', a, b, version @ ..] = &id[..7]
        && id[7] == b'-'
        && version.iter().all(u8::is_ascii_alphanumeric)
    {
        let letters = [*a, *b];
        let known = PROGRAMS.iter().find(|(program, _)| **program == letters);
        let program = known.map_or_else(|| text::clean(letters), |(_, name)| (*name).to_owned());
        return format!("{program} {}", dotted(version));
    }
    let style = |program: &str, text: &[u8]| {
        let version: Vec<u8> = text
            .iter()
            .map(|&byte| if byte == b'-' { b'.' } else { byte })
            .take_while(|&byte| byte == b'.' || byte.is_ascii_digit())
            .collect();
        let version = text::clean(version);
        format!("{program} {}", version.trim_matches('.'))
    };
    match id {
        id if *id == WEB_SEED.0 => "web seed".to_owned(),
        [b'A', b'2', b'-', rest @ ..] => style("aria2", &rest[..9]),
        [b'M', digit, ..] if digit.is_ascii_digit() => style("mainline", &id[1..9]),
        _ => String::new(),
    }
}

/// `3000` is 3.0.0.0 to some and 3.00 to others; zeros at the end tell nothing.
fn dotted(version: &[u8]) -> String {
    let mut numbers: Vec<String> =
        version.iter().map(|&byte| char::from(byte).to_string()).collect();
    while numbers.len() > 2 && numbers.last().is_some_and(|last| last == "0") {
        numbers.pop();
    }
    numbers.join(".")
}
