//! The clock and the waiting of all clients over sockets. What they do is decided in cores that know neither.

use std::time::{Duration, Instant};

use common::Shutdown;

use crate::TransportError;
use crate::socket_port::{SocketPort, wait_any};

/// How long one wait lasts before deadlines are looked at again.
const POLL: Duration = Duration::from_millis(20);

/// Tells a client's core the time, and ends its waits when the program shuts down.
#[derive(Clone, Debug)]
pub(super) struct Driver {
    started: Instant,
    shutdown: Shutdown,
}

impl Driver {
    pub(super) fn new(shutdown: &Shutdown) -> Self {
        Driver { started: Instant::now(), shutdown: shutdown.clone() }
    }

    /// Time since the client was made.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Fails once the program is to shut down.
    ///
    /// # Errors
    /// [`TransportError::Interrupted`].
    pub(super) fn check_shutdown(&self) -> Result<(), TransportError> {
        if self.shutdown.is_triggered() { Err(TransportError::Interrupted) } else { Ok(()) }
    }
}

/// Waits a moment, or until one of the ports has something to read.
pub(super) fn wait<'a>(ports: impl IntoIterator<Item = &'a SocketPort>) {
    wait_any(ports.into_iter(), POLL);
}
