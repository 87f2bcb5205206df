//! Logs refused connections: peers without a key, or with a wrong one. Peers that fail before they show a key never reach the
//! authenticator, so failed handshakes are watched, too.

use std::time::{Duration, Instant};

use crate::{Endpoint, TransportError};

const LOG_PERIOD: Duration = Duration::from_secs(5);

/// A refused peer tries again and again: it is logged once in five seconds.
#[derive(Default)]
pub(crate) struct RefusalLog {
    last: Option<Instant>,
    unlogged: u64,
}

impl RefusalLog {
    /// Counts and logs a refused connection; `from` says what is known of the peer.
    pub(crate) fn refused(&mut self, from: &str, reason: &str) {
        metrics::counter!("longshore_peers_refused_total", "reason" => "key").increment(1);
        self.unlogged += 1;
        if self.last.is_some_and(|last| last.elapsed() < LOG_PERIOD) {
            return;
        }
        tracing::warn!(from, reason, attempts = self.unlogged, "refused a connection");
        self.last = Some(Instant::now());
        self.unlogged = 0;
    }
}

/// Failed handshakes of one bound socket.
pub(crate) struct HandshakeWatch {
    events: zmq::Socket,
    endpoint: String,
}

impl HandshakeWatch {
    /// Watches `socket`, which will be bound to `endpoint`; `number` is unique among the watches of the context.
    pub(crate) fn new(
        context: &zmq::Context,
        socket: &zmq::Socket,
        endpoint: &Endpoint,
        number: u64,
    ) -> Result<Self, TransportError> {
        let address = format!("inproc://longshore.handshakes.{number}");
        let fail = |operation| TransportError::socket(operation, endpoint.as_str());
        let failures = i32::from(zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL.to_raw());
        socket.monitor(&address, failures).map_err(fail("watch"))?;
        let events = context.socket(zmq::PAIR).map_err(fail("watch"))?;
        events.set_linger(0).map_err(fail("watch"))?;
        events.connect(&address).map_err(fail("watch"))?;
        Ok(HandshakeWatch { events, endpoint: endpoint.to_string() })
    }

    /// Logs the handshakes that have failed since the last call; never waits. The library does not name the peer.
    pub(crate) fn log_failures(&self, log: &mut RefusalLog) {
        while self.events.recv_multipart(zmq::DONTWAIT).is_ok() {
            let from = format!("a peer of {}", self.endpoint);
            log.refused(
                &from,
                "the handshake failed: the peer has no CURVE keys, or a wrong key of this service",
            );
        }
    }
}
