//! Record: the nodes that we knew, as we remember them between two runs.
//!
//! ```text
//!  d 2:id 20:…  5:nodes 26·n:…  6:nodes6 38·m:… e
//! ```
//! Written from what was good, read with the same care as anything from outside: a node of a
//! record is a rumour until it answers.

use super::place;
use super::{Dht, Table};
use crate::base::limits::{DHT_RECORD_BYTES_MAX, DHT_SAVED_NODES_MAX};
use crate::base::{NodeId, Time};
use crate::format::Malformed;
use crate::format::bencode::{Dict, Item, Strictness, Writer};
use crate::format::krpc::{Contact, parse_addr, write_contacts};

impl Dht {
    /// Appends what the next run needs: our id and up to `DHT_SAVED_NODES_MAX` nodes, those near
    /// us and those heard of last first.
    pub fn save(&self, now: Time, out: &mut Vec<u8>) {
        let nodes = |table: &Table| {
            let contacts = table.nearest(now, self.id, DHT_SAVED_NODES_MAX, false);
            write_contacts(&contacts)
        };
        let mut writer = Writer::new(out);
        writer.begin_dict().key("id").bytes(self.id.0);
        writer.key("nodes").bytes(nodes(&self.nets[0].table));
        writer.key("nodes6").bytes(nodes(&self.nets[1].table)).end();
    }

    /// Takes up what an earlier run left. To be called before anything else happens.
    ///
    /// Malformed: it is too long, not a dictionary, or without an id; nothing is taken then.
    pub fn load(&mut self, now: Time, record: &[u8]) -> Result<(), Malformed> {
        if record.len() > DHT_RECORD_BYTES_MAX {
            return Err(Malformed::new("a longer record than we write", DHT_RECORD_BYTES_MAX));
        }
        let dict = Dict::parse(record, Strictness::Strict)?;
        let bytes = |key: &str| dict.get(key).and_then(Item::bytes).unwrap_or_default();
        let id = <[u8; 20]>::try_from(bytes("id"));
        let id = id.map_err(|_| Malformed::new("no id of 20 bytes", 0))?;
        self.move_to(now, NodeId(id));
        for (net, key, group) in [(0, "nodes", 26), (1, "nodes6", 38)] {
            for contact in bytes(key).chunks_exact(group).filter_map(contact) {
                self.nets[net].table.add_unproved(now, contact);
            }
        }
        Ok(())
    }
}

fn contact(group: &[u8]) -> Option<Contact> {
    let (id, addr) = group.split_first_chunk::<20>()?;
    let addr = parse_addr(addr)?;
    let contact = Contact { id: NodeId(*id), addr };
    place::can_be_node(addr.ip(), addr.port()).then_some(contact)
}
