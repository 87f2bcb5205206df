//! Where a link's messages leave and arrive: a socket, or what a test puts in its place.

use crate::{Frame, TransportError};

/// A way to one peer, which can break and be opened again.
pub trait Port {
    /// Opens a new connection, under a new identity. What was on its way on an older one is lost.
    ///
    /// # Errors
    /// [`TransportError::Socket`].
    fn open(&mut self) -> Result<(), TransportError>;
    /// Closes the connection.
    fn close(&mut self);
    /// Whether it was opened and not closed since. The peer may be unreachable all the same.
    fn is_open(&self) -> bool;
    /// Queues a message without waiting; false when the queue takes no more, or the port is closed.
    fn send(&mut self, frames: Vec<Frame>) -> bool;
    /// The next message that has arrived; never waits.
    fn receive(&mut self) -> Option<Vec<Frame>>;
}
