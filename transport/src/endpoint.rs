//! Addresses of services.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use crate::TransportError;

/// `tcp://HOST:PORT` (a bind may say `*` for the port), or `inproc://NAME` within a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Endpoint(String);

impl Endpoint {
    /// An address within this process.
    #[must_use]
    pub fn inproc(name: &str) -> Self {
        Endpoint(format!("inproc://{name}"))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a host, which may move, rather than its address.
    pub(crate) fn is_name(&self) -> bool {
        self.host_and_port().is_some_and(|(host, _)| host.trim_matches(['[', ']']).parse::<IpAddr>().is_err())
    }

    /// Whether it leaves this process.
    pub(crate) fn is_network(&self) -> bool {
        self.0.starts_with("tcp://")
    }

    /// Whether nobody outside this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self.host_and_port() {
            None => true,
            Some(("localhost", _)) => true,
            Some((host, _)) => {
                host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// Host and port of a TCP address.
    fn host_and_port(&self) -> Option<(&str, &str)> {
        self.0.strip_prefix("tcp://")?.rsplit_once(':')
    }
}

impl FromStr for Endpoint {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let endpoint = Endpoint(text.to_owned());
        let known = match endpoint.host_and_port() {
            Some((host, port)) => !host.is_empty() && (port == "*" || port.parse::<u16>().is_ok()),
            None => text.strip_prefix("inproc://").is_some_and(|name| !name.is_empty()),
        };
        let message = "must look like tcp://HOST:PORT";
        if known { Ok(endpoint) } else { Err(TransportError::Address { text: text.to_owned(), message }) }
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

/// What a lookup finds now; nothing for addresses within the process, and for names that are not known.
pub(crate) fn addresses_of(endpoint: &Endpoint) -> Vec<SocketAddr> {
    let Some((host, port)) = endpoint.host_and_port() else { return Vec::new() };
    let Ok(port) = port.parse::<u16>() else { return Vec::new() };
    let all: Vec<SocketAddr> = (host, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    // A machine with both families is one machine: IPv4 where there is any.
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
        ] {
            assert_eq!(text.parse::<Endpoint>().unwrap().is_local(), local, "{text}");
        }
        for text in ["", "tcp://:7000", "tcp://host", "tcp://host:70000", "udp://host:1", "inproc://"] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
    }
}
