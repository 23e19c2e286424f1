//! Place: which node ids belong to an address.
//!
//! Whoever may choose where to be in the space of ids can surround a torrent and hide it. So a
//! node's id begins with 21 bits that follow from its address, all but three bits of choice:
//!
//! ```text
//!  id   | 21 bits of crc32c(address & mask, r) |  136 bits by chance  | r in its lowest 3 bits |
//! ```
//! We live by this rule ourselves and prefer those who do; who does not is served all the same.
//!
//! # Spec
//! BEP 42.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::{NodeId, Random};
use crate::format::crc32c::crc32c;

/// An id that belongs to `ip`; any at all if `ip` is exempt or unknown.
pub fn choose(ip: Option<IpAddr>, random: &mut Random) -> NodeId {
    let mut id = [0; 20];
    random.fill(&mut id);
    if let Some(ip) = ip.filter(|ip| !is_local(*ip)) {
        let [a, b, c, _] = checksum(ip, id[19]);
        id[0] = a;
        id[1] = b;
        id[2] = c & 0xf8 | id[2] & 0x07;
    }
    NodeId(id)
}

/// Whether `id` belongs to `ip`. Local addresses are exempt: anything fits.
pub fn fits(id: NodeId, ip: IpAddr) -> bool {
    let [a, b, c, _] = checksum(ip, id.0[19]);
    is_local(ip) || (id.0[0] == a && id.0[1] == b && id.0[2] & 0xf8 == c & 0xf8)
}

/// The addresses of private networks, where nodes of one house may have neighbouring addresses.
pub fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => {
            let [first, ..] = ip.segments();
            ip.is_loopback() || first & 0xffc0 == 0xfe80 || first & 0xfe00 == 0xfc00
        }
    }
}

/// The part of an address that one party is likely to own whole: an IPv4 /24, an IPv6 /64. `None`
/// for local addresses, to which no such rule applies.
pub fn network(ip: IpAddr) -> Option<[u8; 8]> {
    if is_local(ip) {
        return None;
    }
    let mut network = [0; 8];
    match ip {
        IpAddr::V4(ip) => network[..3].copy_from_slice(&ip.octets()[..3]),
        IpAddr::V6(ip) => network.copy_from_slice(&ip.octets()[..8]),
    }
    Some(network)
}

/// Whether a node can be at this address at all.
pub fn can_be_node(ip: IpAddr, port: u16) -> bool {
    let somebody = match ip {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first != 0 && !ip.is_multicast() && !ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            !ip.is_unspecified() && !ip.is_multicast() && ip.to_ipv4_mapped().is_none()
        }
    };
    somebody && port != 0
}

/// The four bytes of which 21 bits begin the ids of `ip`. `last`: an id's last byte, whose three
/// lowest bits give an address eight choices.
fn checksum(ip: IpAddr, last: u8) -> [u8; 4] {
    let choice = (last & 0x07) << 5;
    let sum = match ip {
        IpAddr::V4(ip) => {
            let mut masked = (Ipv4Addr::from(u32::from(ip) & V4_MASK)).octets();
            masked[0] |= choice;
            crc32c(&masked)
        }
        IpAddr::V6(ip) => {
            let mut masked = high_half(ip);
            masked.iter_mut().zip(V6_MASK).for_each(|(byte, mask)| *byte &= mask);
            masked[0] |= choice;
            crc32c(&masked)
        }
    };
    sum.to_be_bytes()
}

fn high_half(ip: Ipv6Addr) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = ip.octets();
    [a, b, c, d, e, f, g, h]
}

/// The more of an address one party is likely to own, the less of it counts.
const V4_MASK: u32 = 0x030f_3fff;
const V6_MASK: [u8; 8] = [0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff];
