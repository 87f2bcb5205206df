//! Tells of strangers: peers with another key or another service's, or with none at all. Those that fail before they can
//! show a key never reach the authenticator, so their failed handshakes are watched, too.

use std::time::{Duration, Instant};

use crate::{Endpoint, TransportError};

const LOG_PERIOD: Duration = Duration::from_secs(5);

/// A stranger tries again and again: one line in five seconds tells of it.
#[derive(Default)]
pub(crate) struct RefusalLog {
    last: Option<Instant>,
    unlogged: u64,
}

impl RefusalLog {
    /// Somebody was turned away; `from` says what is known of who it was.
    pub(crate) fn refused(&mut self, from: &str, reason: &str) {
        metrics::counter!("longshore_peers_refused_total", "reason" => "key").increment(1);
        self.unlogged += 1;
        if self.last.is_some_and(|last| last.elapsed() < LOG_PERIOD) {
            return;
        }
        tracing::warn!(from, reason, attempts = self.unlogged, "turned a peer away");
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
    /// Watches `socket`, which is to be bound to `endpoint`; `number` is unique among the context's watches.
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

    /// Tells of what has failed since the last look; never waits. The library does not say who it was.
    pub(crate) fn look(&self, log: &mut RefusalLog) {
        while self.events.recv_multipart(zmq::DONTWAIT).is_ok() {
            let from = format!("somebody at {}", self.endpoint);
            log.refused(
                &from,
                "the handshake failed: no CURVE, or another key for this service than its own",
            );
        }
    }
}
