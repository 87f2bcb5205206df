//! The port of production: a ZeroMQ socket.

use std::time::Duration;

use crate::message::Role;
use crate::poll::wait;
use crate::port::Port;
use crate::{Endpoint, Frame, Transport, TransportError, socket};

/// A ZeroMQ socket that connects to one server.
pub struct SocketPort {
    transport: Transport,
    endpoint: Endpoint,
    server: Role,
    kind: zmq::SocketType,
    socket: Option<zmq::Socket>,
}

impl SocketPort {
    /// Makes ports to replay shards, not open yet.
    pub fn to_shards(transport: &Transport) -> impl FnMut(&Endpoint) -> Self + Send + use<> {
        let transport = transport.clone();
        move |endpoint| SocketPort::new(&transport, endpoint, Role::Replay, zmq::DEALER)
    }

    /// A port to the address where the learner answers.
    pub(crate) fn to_learner(transport: &Transport, endpoint: &Endpoint) -> Self {
        SocketPort::new(transport, endpoint, Role::Learner, zmq::DEALER)
    }

    /// A port that receives all that the learner announces; it sends nothing.
    pub(crate) fn subscription(transport: &Transport, endpoint: &Endpoint) -> Self {
        SocketPort::new(transport, endpoint, Role::Learner, zmq::SUB)
    }

    fn new(transport: &Transport, endpoint: &Endpoint, server: Role, kind: zmq::SocketType) -> Self {
        SocketPort { transport: transport.clone(), endpoint: endpoint.clone(), server, kind, socket: None }
    }
}

impl Port for SocketPort {
    fn open(&mut self) -> Result<(), TransportError> {
        self.socket = Some(socket::connect(&self.transport, self.kind, &self.endpoint, self.server)?);
        Ok(())
    }

    fn close(&mut self) {
        if let Some(socket) = self.socket.take() {
            // What is queued for a lost peer would only delay our own shutdown.
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

/// Waits until one of the ports has something to read, or for `timeout`.
pub(crate) fn wait_any<'a>(ports: impl Iterator<Item = &'a SocketPort>, timeout: Duration) {
    let sockets: Vec<_> = ports.filter_map(|port| port.socket.as_ref()).collect();
    wait(&sockets, timeout);
}

impl std::fmt::Debug for SocketPort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("SocketPort").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
