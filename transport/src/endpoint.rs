//! Addresses of services.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use configuration::{Host, HostPort, LinkAddress};

use crate::TransportError;

const TCP: &str = "tcp://";

/// `tcp://HOST:PORT` (a bind may say `*` for the port), or `inproc://NAME` within a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint(String);

impl Endpoint {
    /// An address within this process.
    #[must_use]
    pub fn inproc(name: &str) -> Self {
        Endpoint(format!("inproc://{name}"))
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a host, which may move, and not an IP address.
    pub(crate) fn is_name(&self) -> bool {
        matches!(self.parsed(), Some(HostPort { host: Host::Name(_), .. }))
    }

    /// Whether messages to it leave this process.
    pub(crate) fn is_network(&self) -> bool {
        self.0.starts_with(TCP)
    }

    /// Whether it can be reached from this machine alone.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.parsed().is_none_or(|address| address.host.is_loopback())
    }

    /// Whether it is an IPv6 address.
    pub(crate) fn is_ipv6(&self) -> bool {
        matches!(self.parsed(), Some(HostPort { host: Host::Address(address), .. }) if address.is_ipv6())
    }

    /// The same at this IP address.
    pub(crate) fn at(&self, address: IpAddr) -> Endpoint {
        let port = self.parsed().and_then(|address| address.port);
        let port = port.map_or_else(|| "*".to_owned(), |port| port.to_string());
        let host = SocketAddr::new(address, 0).to_string();
        Endpoint(format!("{TCP}{}{port}", host.trim_end_matches('0')))
    }

    /// Host and port of a TCP address.
    fn parsed(&self) -> Option<HostPort> {
        HostPort::parse_link(&self.0).ok()
    }
}

impl From<&LinkAddress> for Endpoint {
    fn from(address: &LinkAddress) -> Self {
        Endpoint(address.as_str().to_owned())
    }
}

impl FromStr for Endpoint {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inproc = text.strip_prefix("inproc://").is_some_and(|name| !name.is_empty());
        if inproc || HostPort::parse_link(text).is_ok() {
            return Ok(Endpoint(text.to_owned()));
        }
        let message = "must look like tcp://HOST:PORT, e.g. tcp://127.0.0.1:7700 or tcp://[::1]:7700";
        Err(TransportError::Address { text: text.to_owned(), message })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The address of a shard that a lookup has found.
pub(crate) fn endpoint_of(address: SocketAddr) -> Endpoint {
    Endpoint(format!("tcp://{address}"))
}

/// The current IP addresses of a host, for which this may wait long; none for addresses within the process, and for names that cannot be resolved.
pub(crate) fn addresses_of(endpoint: &Endpoint) -> Vec<SocketAddr> {
    let Some(HostPort { host, port }) = endpoint.parsed() else { return Vec::new() };
    let port = port.unwrap_or(0);
    let all: Vec<SocketAddr> = match host {
        Host::Address(address) => vec![SocketAddr::new(address, port)],
        Host::Name(name) => (name, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default(),
    };
    // Addresses of both families belong to one machine: IPv4 is preferred.
    let (four, six): (Vec<_>, Vec<_>) = all.into_iter().partition(SocketAddr::is_ipv4);
    if four.is_empty() { six } else { four }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_loopback_is_told_from_the_rest() {
        for (text, local) in [
            ("tcp://127.0.0.1:7000", true),
            ("tcp://localhost:*", true),
            ("tcp://[::1]:7000", true),
            ("inproc://x", true),
            ("tcp://0.0.0.0:7000", false),
            ("tcp://*:7000", false),
            ("tcp://replay-0:7000", false),
            ("tcp://LocalHost:7000", true),
            ("tcp://[::ffff:127.0.0.1]:7000", true),
            ("tcp://[::]:7000", false),
            ("tcp://[fe80::1%eth0]:7000", false),
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().is_local(), local, "{text}");
        }
        for text in [
            "",
            "tcp://:7000",
            "tcp://host",
            "tcp://host:70000",
            "udp://host:1",
            "inproc://",
            "tcp://::1:7000",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
