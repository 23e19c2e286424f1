//! Compact addresses: IPv4 in 6 bytes, IPv6 in 18; a contact has a node id before that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::base::NodeId;
use crate::base::limits::DHT_ANSWER_NODES_MAX;

/// Where a node is, in both senses: its place and its address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Contact {
    pub id: NodeId,
    pub addr: SocketAddr,
}

/// Reads 6 or 18 bytes; `None` for any other number of them.
pub fn parse_addr(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match <[u8; 4]>::try_from(ip) {
        Ok(v4) => IpAddr::V4(Ipv4Addr::from(v4)),
        Err(_) => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?)),
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// Appends 6 or 18 bytes.
pub fn write_addr(addr: SocketAddr, out: &mut Vec<u8>) {
    match addr.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&addr.port().to_be_bytes());
}

/// The 6 or 18 bytes of an address.
pub fn addr_bytes(addr: SocketAddr) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(18);
    write_addr(addr, &mut bytes);
    bytes
}

/// Reads a string of contacts with addresses of `ip_bytes` (4 or 16) each: the whole groups that
/// are there, without those of port 0, and at most `DHT_ANSWER_NODES_MAX`.
pub fn contacts(bytes: &[u8], ip_bytes: usize) -> Vec<Contact> {
    bytes
        .chunks_exact(20 + ip_bytes + 2)
        .filter_map(|group| {
            let (id, addr) = group.split_first_chunk::<20>()?;
            Some(Contact { id: NodeId(*id), addr: parse_addr(addr)? })
        })
        .filter(|contact| contact.addr.port() != 0)
        .take(DHT_ANSWER_NODES_MAX)
        .collect()
}

/// The string of these contacts; all of one family.
pub fn write_contacts(contacts: &[Contact]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(contacts.len() * 26);
    for contact in contacts {
        bytes.extend_from_slice(&contact.id.0);
        write_addr(contact.addr, &mut bytes);
    }
    bytes
}
