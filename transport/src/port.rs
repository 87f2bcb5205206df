//! Where a link's messages leave and arrive: a socket, or what a test puts in its place.

use crate::{Frame, TransportError};

/// A way to one peer, which can break and be opened again.
pub trait Port {
    /// Opens a new connection, under a new identity. What was on its way on an older one is lost. The port stays closed while
    /// the peer's name is looked up: it is to be opened again until it is open.
    ///
    /// # Errors
    /// [`TransportError::Socket`].
    fn open(&mut self) -> Result<(), TransportError>;
    /// Closes the connection.
    fn close(&mut self);
    /// Whether it was opened and not closed since. The peer may be unreachable all the same.
    fn is_open(&self) -> bool;
    /// Why an attempt to open it has not succeeded yet.
    fn obstacle(&self) -> Option<&'static str> {
        None
    }
    /// Queues a message without waiting; false when the queue takes no more, or the port is closed.
    fn send(&mut self, frames: Vec<Frame>) -> bool;
    /// The next message that has arrived; never waits.
    fn receive(&mut self) -> Option<Vec<Frame>>;
}
