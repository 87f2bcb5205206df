//! An actor's way to the replay shards.

mod advance;
mod link;

use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{ActorId, Digest, Incarnation, RunId};
use common::trajectory::TrajectoryHeader;

use self::link::ShardLink;
use crate::block::Block;
use crate::channel::check_reached;
use crate::client::{Complaint, LinkOptions};
use crate::message::{Hello, Message, Pull, Role, Weights};
use crate::port::{Port, SocketPort, wait_any};
use crate::wire::WireError;
use crate::{Endpoint, Frame, ShardDirectory, Transport, TransportError};

const POLL: Duration = Duration::from_millis(20);
/// A shard that is not among those there are may be away for so long before what is kept for it is dropped.
const RETIRED_PATIENCE: Duration = Duration::from_secs(60);
/// A shard answers as soon as it has newer weights; if it has none for so long, another one is asked.
const RELAY_PERIOD: Duration = Duration::from_millis(500);

/// Which actor writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActorIdentity {
    /// The run, as the learner told it.
    pub run: RunId,
    /// Which actor.
    pub actor: ActorId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Digest of the observation and action schema.
    pub schema: Digest,
}

/// Bounds of a writer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WriterOptions {
    /// Trajectories held that no shard has acknowledged; at most this many.
    pub spool: usize,
    /// Their bytes; at most this many, or one trajectory.
    pub spool_bytes: u64,
    /// Patience.
    pub link: LinkOptions,
}

/// A trajectory on its way to a shard.
#[derive(Clone, Debug, PartialEq)]
pub struct Trajectory {
    /// Header; its sequence number is set when a shard has been chosen.
    pub header: TrajectoryHeader,
    /// The encoded steps.
    pub body: Block,
    /// The states.
    pub states: Block,
}

impl Trajectory {
    fn bytes(&self) -> u64 {
        (self.body.bytes.len() + self.states.bytes.len()) as u64
    }
}

/// Sends trajectories to the shards in turn and holds each until its shard has acknowledged it.
///
/// A trajectory's shard is fixed when it is inserted. Those of a shard that is lost are kept and sent again on its
/// return (the shard drops what it has already); new ones go to the others meanwhile. When the spool is full, nothing more
/// is taken until a shard acknowledges something: the caller waits, and it is said what for.
///
/// It knows neither sockets nor clock: see [`Port`]. Over sockets, [`TrajectoryWriter::insert`] and its like tell the time.
pub struct TrajectoryWriter<P = SocketPort> {
    links: Vec<ShardLink<P>>,
    hello: Hello,
    /// Where shards that come are looked for, over sockets.
    directory: Option<(ShardDirectory, Transport)>,
    turn: usize,
    options: WriterOptions,
    max_frame_bytes: u64,
    compress: bool,
    spooled: usize,
    spooled_bytes: u64,
    shutdown: Shutdown,
    epoch: Instant,
    weights_came: Duration,
    finished: bool,
    fault: Option<TransportError>,
    /// When a shard was last asked for weights, and which is next.
    asked_weights: Option<Duration>,
    next_relay: usize,
    weights: Option<(Weights, Frame)>,
}

impl TrajectoryWriter<SocketPort> {
    /// Begins to connect to every shard; does not wait for them.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where a shard refuses at once; [`TransportError::Socket`].
    pub fn connect(
        transport: &Transport,
        shards: &ShardDirectory,
        identity: ActorIdentity,
        options: WriterOptions,
        shutdown: &Shutdown,
    ) -> Result<Self, TransportError> {
        let mut directory = shards.clone();
        let shards = directory.shards();
        directory.changed();
        let port =
            |endpoint: &Endpoint| (endpoint.clone(), SocketPort::new(transport, endpoint, Role::Replay));
        let ports = shards.iter().map(port).collect();
        let mut writer = TrajectoryWriter::over(ports, identity, options, rand::random());
        writer.max_frame_bytes = transport.max_frame_bytes().unsigned_abs();
        // Within a process nothing travels: compression would only cost.
        writer.compress = shards.iter().any(Endpoint::is_network);
        writer.directory = Some((directory, transport.clone()));
        writer.shutdown = shutdown.clone();
        writer.poll();
        match writer.fault.take() {
            Some(fault) => Err(fault),
            None => Ok(writer),
        }
    }

    /// Takes a trajectory; waits while every shard is out of credits or gone, or the spool is full, and says so. A small one
    /// may wait for others to go with until the writer is next used, a millisecond later or more: who does nothing else
    /// calls [`TrajectoryWriter::flush`].
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::Unreachable`] when no shard was ever reached,
    /// [`TransportError::RunFinished`], [`TransportError::Interrupted`], [`TransportError::Wire`] when it is larger than
    /// `transport.max_frame_mib`.
    pub fn insert(
        &mut self,
        header: TrajectoryHeader,
        body: Vec<u8>,
        states: Vec<u8>,
    ) -> Result<(), TransportError> {
        let mut trajectory = self.pack(header, body, states)?;
        let mut complaint = Complaint::new(self.options.link.complaint_period);
        let waiting = Instant::now();
        loop {
            self.poll();
            self.check()?;
            match self.offer(trajectory, self.now())? {
                None => {
                    metrics::histogram!("longshore_insert_wait_seconds").record(waiting.elapsed());
                    return Ok(());
                }
                Some(refused) => trajectory = refused,
            }
            self.push(self.now());
            if let Some(waited) = complaint.due(self.now()) {
                self.complain(waited);
            }
            wait_any(self.links.iter().map(|link| link.channel.port()), POLL);
        }
    }

    /// New weights came: the learner lives. Complaints tell when it was heard of last.
    pub fn weights_came(&mut self) {
        self.weights_came = self.now();
    }

    /// Asks a shard for the newest weights, each time another one, but not again before it has had time to answer.
    pub fn ask_weights(&mut self, pull: Pull) {
        let now = self.now();
        if self.asked_weights.is_some_and(|last| now.saturating_sub(last) < RELAY_PERIOD) {
            return;
        }
        let is_ready = |link: &ShardLink<SocketPort>| link.channel.is_ready();
        let count = self.links.len();
        let relay = (0..count)
            .map(|step| (self.next_relay + step) % count)
            .find(|place| is_ready(&self.links[*place]));
        let Some(place) = relay else { return };
        self.next_relay = (place + 1) % count;
        match self.links[place].channel.send(&Message::Pull(pull), Vec::new(), now) {
            Ok(_) => self.asked_weights = Some(now),
            Err(error) => tracing::warn!(%error, "a shard could not be asked for weights"),
        }
    }

    /// What a shard has answered since the last call.
    pub fn take_weights(&mut self) -> Option<(Weights, Frame)> {
        self.weights.take()
    }

    /// Takes acknowledgements, sends again, reconnects; never waits. A fault that it meets is told by the next
    /// [`TrajectoryWriter::insert`] or [`TrajectoryWriter::flush`].
    pub fn poll(&mut self) {
        let now = self.now();
        if let Some(shards) = self.directory.as_mut().and_then(|(directory, _)| directory.changed()) {
            self.know(&shards, now);
        }
        if self.links.iter().any(|link| link.retired.is_some()) {
            self.let_go(now);
        }
        self.tick(now);
    }

    /// From now on writes to the shards that there are.
    fn know(&mut self, shards: &[Endpoint], now: Duration) {
        let Some((_, transport)) = &self.directory else { return };
        for link in &mut self.links {
            let listed = shards.contains(link.channel.endpoint());
            link.retired = if listed { None } else { link.retired.or(Some(now)) };
        }
        for endpoint in shards {
            if !self.links.iter().any(|link| link.channel.endpoint() == endpoint) {
                let port = SocketPort::new(transport, endpoint, Role::Replay);
                let link = ShardLink::new(port, endpoint, &self.hello, self.options.link, rand::random());
                self.links.push(link);
            }
        }
    }

    /// Shards that are gone for good are forgotten; what was kept for them is lost when they stay away.
    fn let_go(&mut self, now: Duration) {
        let (mut items, mut bytes) = (0, 0);
        self.links.retain(|link| {
            let since = link.retired.filter(|_| !link.channel.is_ready());
            let Some(since) = since else { return true };
            let given_up = now.saturating_sub(since) >= RETIRED_PATIENCE;
            if !link.unacked.is_empty() && given_up {
                let (endpoint, lost) = (link.channel.endpoint(), link.unacked.len());
                tracing::warn!(%endpoint, lost, "the shard is gone for good, and what was kept for it is dropped");
                metrics::counter!("longshore_trajectories_given_up_total").increment(lost as u64);
                items += lost;
                bytes += link.unacked.iter().map(Trajectory::bytes).sum::<u64>();
            }
            !link.unacked.is_empty() && !given_up
        });
        self.spooled -= items;
        self.spooled_bytes -= bytes;
    }

    /// Waits until everything is acknowledged, or the run has finished and nobody wants it any more.
    ///
    /// # Errors
    /// [`TransportError::Unflushed`] at the deadline; otherwise as [`TrajectoryWriter::insert`].
    pub fn flush(&mut self, deadline: Duration) -> Result<(), TransportError> {
        let start = Instant::now();
        loop {
            self.poll();
            self.push(self.now());
            if self.finished || self.spooled == 0 {
                return Ok(());
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if start.elapsed() >= deadline {
                return Err(self.unflushed(deadline));
            }
            wait_any(self.links.iter().map(|link| link.channel.port()), POLL);
        }
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    fn pack(
        &self,
        header: TrajectoryHeader,
        body: Vec<u8>,
        states: Vec<u8>,
    ) -> Result<Trajectory, TransportError> {
        let block = |bytes| if self.compress { Block::compressed(bytes) } else { Block::plain(bytes) };
        let (body, states) = (block(body), block(states));
        let largest = body.bytes.len().max(states.bytes.len()) as u64;
        if largest > self.max_frame_bytes {
            // The receiver would cut the connection, again and again.
            return Err(WireError::TooLarge { found: largest, limit: self.max_frame_bytes }.into());
        }
        Ok(Trajectory { header, body, states })
    }

    fn check(&mut self) -> Result<(), TransportError> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if self.finished {
            return Err(TransportError::RunFinished);
        }
        if self.shutdown.is_triggered() {
            return Err(TransportError::Interrupted);
        }
        check_reached(
            self.links.iter().map(|link| &link.channel),
            self.now(),
            self.options.link.reach_deadline,
        )
    }
}

impl<P: Port> std::fmt::Debug for TrajectoryWriter<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TrajectoryWriter").field("shards", &self.describe()).finish_non_exhaustive()
    }
}
