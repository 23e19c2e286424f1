//! Endpoint: host and port, as torrents and links name somebody, an address or a name.
//!
//! Whoever wrote it may have meant anything: a name is only looked up, and what it stands for is
//! judged then.
//!
//! # Limits
//! `HOST_BYTES_MAX`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::base::limits::HOST_BYTES_MAX;

/// Somebody who may be at a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// An address, without brackets, or what can be the name of a host.
    host: String,
    /// Not 0.
    port: u16,
}

impl Endpoint {
    /// `None` if nobody can be there: port 0, or no address and no name either.
    pub fn new(host: &[u8], port: i64) -> Option<Endpoint> {
        let host = str::from_utf8(host).ok()?;
        let port = u16::try_from(port).ok().filter(|&port| port != 0)?;
        let is_name = (1..=HOST_BYTES_MAX).contains(&host.len())
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        let is_host = is_name || host.parse::<Ipv6Addr>().is_ok();
        is_host.then(|| Endpoint { host: host.to_owned(), port })
    }

    /// Reads `host:port`, an IPv6 address in brackets.
    pub fn parse(text: &str) -> Option<Endpoint> {
        let (host, port) = text.rsplit_once(':')?;
        let is_plain = port.bytes().all(|byte| byte.is_ascii_digit());
        let port: u16 = port.parse().ok().filter(|_| is_plain)?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        // What has a colon in it stands in brackets, and nothing else does.
        let is_written_well = inner.is_some() == host.contains(':');
        Endpoint::new(inner.unwrap_or(host).as_bytes(), port.into()).filter(|_| is_written_well)
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// As `parse` reads it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// Whether somebody whom we do not know may send us to `ip`. `listen`: where we listen.
///
/// Nobody outside may send us into our own network. Who listens there is in it already, and only
/// there.
pub fn may_be_sent_to(ip: IpAddr, listen: Option<IpAddr>) -> bool {
    !is_near(ip) || listen.is_some_and(is_near)
}

/// Whether an address is of a home network, or of a host itself.
pub fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}
