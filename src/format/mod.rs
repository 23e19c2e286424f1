//! Floor 1: texts and files ⇄ values.

pub mod announce;
pub mod base64;
pub mod bencode;
pub mod census;
pub mod client;
pub mod crc32c;
pub mod datagram;
pub mod decimal;
pub mod digest;
pub mod draft;
pub mod endpoint;
pub mod find;
pub mod http;
pub mod ini;
pub mod json;
pub mod krpc;
pub mod layout;
pub mod listing;
pub mod magnet;
pub mod malformed;
pub mod metainfo;
pub mod notice;
pub mod query;
pub mod resume;
pub mod stand_in;
pub mod text;
mod tiers;
mod tree;
mod warnings;
pub mod zone;

pub use malformed::Malformed;
