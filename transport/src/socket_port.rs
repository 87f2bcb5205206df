//! The port of production: a ZeroMQ socket.

use std::time::Duration;

use crate::endpoint::endpoint_of;
use crate::lookup::Lookup;
use crate::message::Role;
use crate::poll::wait;
use crate::port::Port;
use crate::{Endpoint, Frame, Transport, TransportError, socket};

/// How often a name without an address is looked up again.
const LOOKUP_PERIOD: Duration = Duration::from_secs(1);

/// A ZeroMQ socket that connects to one server.
pub struct SocketPort {
    transport: Transport,
    endpoint: Endpoint,
    server: Role,
    kind: zmq::SocketType,
    socket: Option<zmq::Socket>,
    /// The search for the address of a server that has a name.
    lookup: Option<Lookup>,
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
        let (transport, endpoint) = (transport.clone(), endpoint.clone());
        SocketPort { transport, endpoint, server, kind, socket: None, lookup: None }
    }

    /// Where the server is now; none while its name is looked up. Each connection looks it up anew, as a server may move.
    fn address(&mut self) -> Option<Endpoint> {
        if !self.endpoint.is_name() {
            return Some(self.endpoint.clone());
        }
        let lookup = self.lookup.get_or_insert_with(|| Lookup::begin(&self.endpoint));
        let address = lookup.found(Duration::ZERO)?.first().map(|address| endpoint_of(*address));
        if address.is_some() || lookup.age() >= LOOKUP_PERIOD {
            self.lookup = None;
        }
        address
    }
}

impl Port for SocketPort {
    fn open(&mut self) -> Result<(), TransportError> {
        if let Some(address) = self.address() {
            self.socket = Some(socket::connect(&self.transport, self.kind, &address, self.server)?);
        }
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

    fn obstacle(&self) -> Option<&'static str> {
        self.lookup.as_ref().map(|_| "no name server gives an address for its name")
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
