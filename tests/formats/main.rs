//! Every text and message that is read or written: good, bad, there and back, cut anywhere.

mod announce;
mod base64;
mod bencode;
mod census;
mod client;
mod datagram;
mod decimal;
mod endpoint;
mod extended;
mod find;
mod http;
mod http_fixtures;
mod ini;
mod json;
mod krpc;
mod layout;
mod magnet;
mod metainfo;
mod notice;
mod query;
mod resume;
mod stand_in;
mod text;
mod wire;
mod zone;
