//! Where a link's messages leave and arrive: a socket, or whatever a test puts in its place.

use std::time::Duration;

use crate::message::Role;
use crate::{Endpoint, Frame, Transport, TransportError, socket};

/// A way to one server that can break and be opened anew.
pub trait Port {
    /// Opens a fresh connection, under a new identity; what was on its way on an older one is lost.
    ///
    /// # Errors
    /// [`TransportError::Socket`].
    fn open(&mut self) -> Result<(), TransportError>;
    /// Closes the connection.
    fn close(&mut self);
    /// Whether it was opened and not closed since; that the peer lives is not said by it.
    fn is_open(&self) -> bool;
    /// Queues a message; false when it was not taken. Never waits.
    fn send(&mut self, frames: Vec<Frame>) -> bool;
    /// The next message that has arrived; never waits.
    fn receive(&mut self) -> Option<Vec<Frame>>;
}

/// A ZeroMQ socket.
pub struct SocketPort {
    transport: Transport,
    endpoint: Endpoint,
    server: Role,
    socket: Option<zmq::Socket>,
}

impl SocketPort {
    pub(crate) fn new(transport: &Transport, endpoint: &Endpoint, server: Role) -> Self {
        SocketPort { transport: transport.clone(), endpoint: endpoint.clone(), server, socket: None }
    }

    pub(crate) fn socket(&self) -> Option<&zmq::Socket> {
        self.socket.as_ref()
    }
}

impl Port for SocketPort {
    fn open(&mut self) -> Result<(), TransportError> {
        self.socket = Some(socket::connect(&self.transport, zmq::DEALER, &self.endpoint, self.server)?);
        Ok(())
    }

    fn close(&mut self) {
        if let Some(socket) = self.socket.take() {
            // What is queued for a peer that is gone would only delay our own end.
            let _ = socket.set_linger(0);
        }
    }

    fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    fn send(&mut self, frames: Vec<Frame>) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        match socket::send(socket, &frames) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(endpoint = %self.endpoint, %error, "not sent");
                false
            }
        }
    }

    fn receive(&mut self) -> Option<Vec<Frame>> {
        socket::receive(self.socket.as_ref()?)
    }
}

/// Waits until one of the ports has something to read.
pub(crate) fn wait_any<'a>(ports: impl Iterator<Item = &'a SocketPort>, timeout: Duration) {
    let sockets: Vec<_> = ports.filter_map(SocketPort::socket).collect();
    socket::wait(&sockets, timeout);
}

impl std::fmt::Debug for SocketPort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SocketPort").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
