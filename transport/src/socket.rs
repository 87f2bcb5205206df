//! Makes ZeroMQ sockets with every option set: with the library's defaults they drop messages, hang or grow without bound.

use std::time::Duration;

use crate::domain::Domain;
use crate::lookup::to_bind;
use crate::message::Role;
use crate::poll::millis;
use crate::security::{Security, Transport};
use crate::{Endpoint, Frame, TransportError, shared};

/// For this long a socket that is closed still sends what is queued.
const LINGER: Duration = Duration::from_secs(1);
/// Messages that a socket queues for one peer. Credits, and one request at a time, keep links far below it.
const HIGH_WATER_MARK: i32 = 10_000;
/// Frames of the largest batch (its envelope, and two for each item), and one more that shows that there were too many.
pub(crate) const MAX_FRAMES: usize = 2 + 2 * crate::message::MAX_BATCH_ITEMS;
/// Bytes that the system buffers for each connection: several trajectories, so that the ends need not wait for each other.
const BUFFER: i32 = 1 << 20;
const HEARTBEAT: Duration = Duration::from_secs(2);
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Short, so that a peer that is back is reached within a second.
const RECONNECT: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_millis(400);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A socket bound to `endpoint`, which accepts the roles that `domain` admits.
pub(crate) fn bind(
    transport: &Transport,
    kind: zmq::SocketType,
    endpoint: &Endpoint,
    domain: Domain,
) -> Result<zmq::Socket, TransportError> {
    let fail = |operation| TransportError::socket(operation, endpoint.as_str());
    let bound = to_bind(endpoint)?;
    transport.check_bind(&bound)?;
    let socket = open(transport, kind, &bound).map_err(fail("open"))?;
    if kind == zmq::ROUTER {
        // Otherwise messages to a lost connection are dropped silently.
        socket.set_router_mandatory(true).map_err(fail("set up"))?;
    }
    if let Security::Curve(keys) = transport.security() {
        let set = || {
            socket.set_curve_server(true)?;
            socket.set_curve_secretkey(keys.own().secret())?;
            socket.set_zap_domain(domain.name())
        };
        set().map_err(fail("encrypt"))?;
        transport.watch(&socket, endpoint)?;
    }
    let refused = |source| TransportError::Bind { endpoint: endpoint.to_string(), source };
    socket.bind(bound.as_str()).map_err(refused)?;
    Ok(socket)
}

/// A socket that connects to a peer of role `server`, whose address is a number; the library connects, and reconnects, in the background.
pub(crate) fn connect(
    transport: &Transport,
    kind: zmq::SocketType,
    endpoint: &Endpoint,
    server: Role,
) -> Result<zmq::Socket, TransportError> {
    let fail = |operation| TransportError::socket(operation, endpoint.as_str());
    let socket = open(transport, kind, endpoint).map_err(fail("open"))?;
    if kind == zmq::SUB {
        socket.set_subscribe(b"").map_err(fail("subscribe to"))?;
    }
    if let Security::Curve(keys) = transport.security() {
        let set = || {
            socket.set_curve_serverkey(keys.public(server))?;
            socket.set_curve_publickey(keys.own().public())?;
            socket.set_curve_secretkey(keys.own().secret())
        };
        set().map_err(fail("encrypt"))?;
    }
    socket.connect(endpoint.as_str()).map_err(fail("connect to"))?;
    Ok(socket)
}

fn open(
    transport: &Transport,
    kind: zmq::SocketType,
    endpoint: &Endpoint,
) -> Result<zmq::Socket, zmq::Error> {
    let socket = transport.context().socket(kind)?;
    socket.set_ipv6(endpoint.is_ipv6())?;
    socket.set_linger(millis(LINGER))?;
    socket.set_sndhwm(HIGH_WATER_MARK)?;
    socket.set_rcvhwm(HIGH_WATER_MARK)?;
    socket.set_sndbuf(BUFFER)?;
    socket.set_rcvbuf(BUFFER)?;
    socket.set_maxmsgsize(transport.max_frame_bytes())?;
    socket.set_heartbeat_ivl(millis(HEARTBEAT))?;
    socket.set_heartbeat_timeout(millis(HEARTBEAT_TIMEOUT))?;
    socket.set_heartbeat_ttl(millis(HEARTBEAT_TIMEOUT))?;
    socket.set_handshake_ivl(millis(HANDSHAKE))?;
    socket.set_reconnect_ivl(millis(RECONNECT))?;
    socket.set_reconnect_ivl_max(millis(RECONNECT_MAX))?;
    socket.set_connect_timeout(millis(CONNECT_TIMEOUT))?;
    Ok(socket)
}

/// Sends a multipart message without waiting; `EAGAIN` when the queue is full.
pub(crate) fn send(socket: &mut zmq::Socket, frames: &[Frame]) -> Result<(), zmq::Error> {
    for (place, frame) in frames.iter().enumerate() {
        let more = if place + 1 < frames.len() { zmq::SNDMORE } else { 0 };
        // The first frame decides whether there is room; the others go with it.
        shared::send(socket, frame, zmq::DONTWAIT | more)?;
    }
    Ok(())
}

/// The next message, when there is one; never waits. Frames beyond [`MAX_FRAMES`] are dropped: no valid message has so many, and
/// the rest does not pass for one.
pub(crate) fn receive(socket: &zmq::Socket) -> Option<Vec<Frame>> {
    receive_and(socket, |_, _| {})
}

/// [`receive`], and shows each frame's place and message to `look`.
pub(crate) fn receive_and(
    socket: &zmq::Socket,
    mut look: impl FnMut(usize, &mut zmq::Message),
) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    loop {
        let mut frame = socket.recv_msg(zmq::DONTWAIT).ok()?;
        let more = frame.get_more();
        look(frames.len(), &mut frame);
        if frames.len() < MAX_FRAMES {
            frames.push(Frame::from_message(frame));
        }
        if !more {
            return Some(frames);
        }
    }
}
