//! Addresses of services: how they are written.

// Of `core`: what an address is, without any socket.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const SCHEME: &str = "tcp://";

/// The host of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A numeric address; `*` is `0.0.0.0`.
    Address(IpAddr),
    /// A name in lower case; `localhost` stands for `127.0.0.1` where addresses are compared.
    Name(String),
}

/// Host and port of an address `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The name or address of a machine.
    pub host: Host,
    /// Where; `None` for any free port (`*` or 0).
    pub port: Option<u16>,
}

impl HostPort {
    /// Reads `HOST:PORT`: a name, an IPv4 address or an IPv6 address in brackets, and a port.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = text.rsplit_once(':').ok_or("has no port")?;
        let port = match port {
            "*" | "0" => None,
            _ => {
                // Signs and spaces would be read as part of a number.
                let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                let number = port.parse::<u16>().ok().filter(|number| digits && *number > 0);
                Some(number.ok_or("has a port that is no number from 1 to 65535")?)
            }
        };
        Ok(HostPort { host: Host::parse(host)?, port })
    }

    /// Reads `tcp://HOST:PORT`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_link(text: &str) -> Result<Self, &'static str> {
        HostPort::parse(text.strip_prefix(SCHEME).ok_or("does not begin with tcp://")?)
    }

    /// Whether both are of one machine, which cannot bind both.
    pub(crate) fn collides(&self, other: &HostPort) -> bool {
        let (one, two) = (self.host.comparable(), other.host.comparable());
        self.port.is_some()
            && self.port == other.port
            && (one == two || self.host.is_wildcard() || other.host.is_wildcard())
    }
}

impl Host {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Host::Address(Ipv4Addr::UNSPECIFIED.into()));
        }
        if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            // A zone, as in fe80::1%eth0, says through which interface.
            let address = inner.split('%').next().unwrap_or(inner).parse::<Ipv6Addr>();
            return address
                .map(|six| Host::Address(six.into()))
                .map_err(|_| "has no IPv6 address in its brackets");
        }
        if text.contains(':') {
            return Err("has an IPv6 address without brackets: write [::1]:7700");
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Ok(Host::Address(address.into()));
        }
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let name = text.strip_suffix('.').unwrap_or(text);
        let numeric = name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if numeric || !name.split('.').all(is_part) {
            return Err("has a host that is neither a name nor an IP address");
        }
        Ok(Host::Name(name.to_ascii_lowercase()))
    }

    /// Whether it cannot be reached from outside this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Host::Address(address) => address.to_canonical().is_loopback(),
            Host::Name(name) => name == "localhost",
        }
    }

    fn is_wildcard(&self) -> bool {
        matches!(self, Host::Address(address) if address.is_unspecified())
    }

    /// Equal for two ways to write one host.
    fn comparable(&self) -> Host {
        match self {
            Host::Address(address) => Host::Address(address.to_canonical()),
            Host::Name(name) if name == "localhost" => Host::Address(Ipv4Addr::LOCALHOST.into()),
            Host::Name(name) => Host::Name(name.clone()),
        }
    }
}

/// The address of a link, `tcp://HOST:PORT` with a fixed port. HOST may be `*`, every address of the machine, to bind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub struct LinkAddress {
    text: String,
    parsed: HostPort,
}

/// The address of health checks and metrics, `HOST:PORT` with a fixed port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(inline)]
pub struct MetricsAddress {
    text: String,
    parsed: HostPort,
}

macro_rules! address {
    ($name:ident) => {
        impl $name {
            /// The address as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.text
            }

            /// Its host and port.
            #[must_use]
            pub fn host_port(&self) -> &HostPort {
                &self.parsed
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.text)
            }
        }

        impl From<$name> for String {
            fn from(address: $name) -> Self {
                address.text
            }
        }
    };
}

address!(LinkAddress);
address!(MetricsAddress);

const NO_PORT: &str = "has no fixed port, so that no peer could find it";

impl TryFrom<String> for LinkAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let problem = match HostPort::parse_link(&text) {
            Ok(parsed) if parsed.port.is_some() => return Ok(LinkAddress { text, parsed }),
            Ok(_) => NO_PORT,
            Err(problem) => problem,
        };
        Err(format!(
            "`{text}` {problem}; it must look like tcp://HOST:PORT, e.g. tcp://127.0.0.1:7700 or tcp://[::1]:7700"
        ))
    }
}

impl LinkAddress {
    /// A port of this machine's loopback.
    pub(crate) fn loopback(port: u16) -> Self {
        let parsed = HostPort { host: Host::Address(Ipv4Addr::LOCALHOST.into()), port: Some(port) };
        LinkAddress { text: format!("{SCHEME}{}:{port}", Ipv4Addr::LOCALHOST), parsed }
    }
}

impl TryFrom<String> for MetricsAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let problem = match HostPort::parse(&text) {
            Ok(_) if text.starts_with('*') => "has `*` for a host: write 0.0.0.0",
            Ok(parsed) if parsed.port.is_some() => return Ok(MetricsAddress { text, parsed }),
            Ok(_) => NO_PORT,
            Err(_) if text.contains("://") => "has a scheme: leave it out",
            Err(problem) => problem,
        };
        Err(format!("`{text}` {problem}; it must look like HOST:PORT, e.g. 127.0.0.1:9101 or [::1]:9101"))
    }
}

/// For `garde`: an address that others connect to names a host.
pub(crate) fn names_a_host(address: &LinkAddress, _context: &()) -> garde::Result {
    match address.text.strip_prefix(SCHEME) {
        Some(rest) if rest.starts_with('*') => Err(garde::Error::new(format!(
            "`{address}` is every address of a machine, so nobody can connect to it: name the host here, and give this to the key that \
             ends in `bind`"
        ))),
        _ => Ok(()),
    }
}
