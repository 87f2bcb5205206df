//! Finds the addresses of host names. The system's resolver can take tens of seconds where no name server answers, so it runs on a
//! thread of its own, and libzmq, which would resolve in the one thread that serves all sockets, is given numbers only.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::endpoint::addresses_of;
use crate::{Endpoint, TransportError};

/// How long a name that is to be bound may take to be resolved.
const BIND_PATIENCE: Duration = Duration::from_secs(10);

/// An endpoint with an IP address instead of a name: the library binds no names.
///
/// # Errors
/// [`TransportError::Address`] where the name has no address.
pub(crate) fn to_bind(endpoint: &Endpoint) -> Result<Endpoint, TransportError> {
    if !endpoint.is_name() {
        return Ok(endpoint.clone());
    }
    let mut lookup = Lookup::begin(endpoint);
    let found =
        lookup.found(BIND_PATIENCE).and_then(<[_]>::first).ok_or_else(|| TransportError::Address {
            text: endpoint.to_string(),
            message: "this host name cannot be resolved; give an address of this machine",
        })?;
    Ok(endpoint.at(found.ip()))
}

/// One search for the addresses of a host name. Its thread ends when the system's resolver gives up, which may be after the
/// lookup was dropped.
#[derive(Debug)]
pub(crate) struct Lookup {
    began: Instant,
    answer: Receiver<Vec<SocketAddr>>,
    found: Option<Vec<SocketAddr>>,
}

impl Lookup {
    /// Begins to look up the host of `endpoint`.
    pub(crate) fn begin(endpoint: &Endpoint) -> Self {
        let (sender, answer) = channel();
        if !endpoint.is_name() {
            return Lookup { began: Instant::now(), answer, found: Some(addresses_of(endpoint)) };
        }
        let endpoint = endpoint.clone();
        let search = move || {
            // Nobody may wait for it any more.
            let _ = sender.send(addresses_of(&endpoint));
        };
        if let Err(error) = std::thread::Builder::new().name("lookup".to_owned()).spawn(search) {
            tracing::warn!(%error, "a name cannot be looked up: no thread could be started");
        }
        Lookup { began: Instant::now(), answer, found: None }
    }

    /// What was found: nothing where the name has no address, `None` while the search goes on. Waits for `patience` at most.
    pub(crate) fn found(&mut self, patience: Duration) -> Option<&[SocketAddr]> {
        if self.found.is_none() {
            self.found = match self.answer.recv_timeout(patience) {
                Ok(found) => Some(found),
                Err(RecvTimeoutError::Timeout) => None,
                // The thread could not be started.
                Err(RecvTimeoutError::Disconnected) => Some(Vec::new()),
            };
        }
        self.found.as_deref()
    }

    /// Time since it began.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// A lookup that has found `addresses`.
    #[cfg(test)]
    pub(crate) fn done(addresses: Vec<SocketAddr>) -> Self {
        Lookup { found: Some(addresses), ..Lookup::stuck() }
    }

    /// A lookup that nobody answers.
    #[cfg(test)]
    pub(crate) fn stuck() -> Self {
        let (sender, answer) = channel();
        std::mem::forget(sender);
        Lookup { began: Instant::now(), answer, found: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ExitStatus as _;

    #[test]
    fn names_are_found_or_not_and_nobody_waits_longer_than_he_likes() {
        let mut local = Lookup::begin(&"tcp://localhost:7000".parse().unwrap());
        let found = local.found(Duration::from_secs(60)).unwrap();
        assert!(
            found.iter().all(|address| address.ip().is_loopback() && address.port() == 7000),
            "{found:?}"
        );
        let mut unknown = Lookup::begin(&"tcp://no-such-host.invalid:7000".parse().unwrap());
        assert_eq!(unknown.found(Duration::from_secs(60)), Some(&[][..]));
        assert_eq!(Lookup::stuck().found(Duration::from_millis(1)), None);
    }

    #[test]
    fn a_name_is_bound_by_its_address() {
        let bound = |text: &str| to_bind(&text.parse().unwrap()).map(|endpoint| endpoint.to_string());
        let local = bound("tcp://localhost:7000").unwrap();
        assert!(["tcp://127.0.0.1:7000", "tcp://[::1]:7000"].contains(&local.as_str()), "{local}");
        assert!(bound("tcp://localhost:*").unwrap().ends_with(":*"));
        assert_eq!(bound("tcp://[::1]:7000").unwrap(), "tcp://[::1]:7000");
        let error = bound("tcp://no-such-host.invalid:7000").unwrap_err();
        assert!(error.to_string().contains("no-such-host.invalid:7000"), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Config);
    }
}
