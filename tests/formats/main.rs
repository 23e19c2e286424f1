//! (header to be written)

mod announce;
mod bencode;
mod census;
mod http;
mod http_fixtures;
mod layout;
mod magnet;
mod metainfo;
mod query;
mod resume;
mod stand_in;
mod text;
mod wire;
