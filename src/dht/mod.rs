//! Floor 3: the distributed hash table, in which every node keeps a part of what a tracker would.
//!
//! Nodes and torrents have places in one space of 160 bits. The nodes nearest to a torrent's
//! place keep its peers. To find them, ask the nearest nodes that you know, who name nearer ones,
//! and so on: each step at least halves the distance.
//!
//! ```text
//!  Dht       one node: queries, answers, what is due                  one
//!  Table     the nodes that it knows: many near, few far              one for each IP version
//!  Lookup    one search, from the table to the nearest nodes          a few at a time
//!  Store     the peers that it keeps for others                       one
//!  Secrets   tokens without memory, transaction ids without order
//!  Guard     who says too much is not heard; answers have a budget
//!  place     which place belongs to an address (BEP 42)
//!  Filter    how many peers, without their names (BEP 33)
//! ```
//!
//! # Interface
//! `Dht::on_datagram`, `Dht::follow`, `Dht::enter`, and `Dht::tick` when `Dht::deadline` has
//! passed; each appends what shall be done to a list of `Act`s.
//!
//! # Spec
//! BEP 5; BEP 32 (IPv6), BEP 33 (scrapes), BEP 42 (places), BEP 43 (read-only).

mod answer;
pub mod filter;
pub mod guard;
pub mod lookup;
mod node;
pub mod place;
mod record;
pub mod secrets;
pub mod store;
pub mod table;
mod upkeep;
mod words;

pub use filter::Filter;
pub use guard::Guard;
pub use lookup::Lookup;
pub use node::Dht;
pub use secrets::Secrets;
pub use store::Store;
pub use table::Table;
pub use words::{Act, Figures, Offer, Outcome, Settings};
