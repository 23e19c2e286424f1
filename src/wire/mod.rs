//! Floor 2: the peer protocol as bytes.
//!
//! ```text
//! handshake   19 "BitTorrent protocol" | reserved 8 | info_hash 20 | peer_id 20      once, 68 bytes
//!
//! then        length 4 | id 1 | payload                    length counts the id and the payload
//!
//!   id  name            payload                            length
//!    -  keep-alive      -                                  0
//!    0  choke           -                                  1
//!    1  unchoke         -                                  1
//!    2  interested      -                                  1
//!    3  not interested  -                                  1
//!    4  have            piece 4                            5
//!    5  bitfield        one bit per piece                  1 + ceil(pieces / 8)
//!    6  request         piece 4, begin 4, len 4            13
//!    7  piece           piece 4, begin 4, bytes            9 + len
//!    8  cancel          piece 4, begin 4, len 4            13
//!    9  port            port 2                             3
//!   13  suggest piece   piece 4                            5           ┐
//!   14  have all        -                                  1           │
//!   15  have none       -                                  1           │ BEP 6
//!   16  reject request  piece 4, begin 4, len 4            13          │
//!   17  allowed fast    piece 4                            5           ┘
//!   20  extended        extension's id 1, bytes            2 + bytes     BEP 10
//! ```
//! All numbers are big-endian. `message` knows the table, `handshake` the first line, and `link`
//! turns a stream of bytes, cut anywhere, into these words and back. `extended` knows what the
//! payload of `extended` means. `web` speaks with a web server in the same words.
//!
//! # Spec
//! BEP 3, "peer protocol" and "peer messages"; BEP 6; BEP 10.

pub mod extended;
pub mod handshake;
pub mod link;
pub mod message;
pub mod voice;
pub mod web;

pub use handshake::Handshake;
pub use link::{Frame, Link};
pub use message::{Message, Violation};
pub use voice::{Speech, Voice};
pub use web::Web;
