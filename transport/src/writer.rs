//! An actor's way to the replay shards.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{ActorId, Digest, Incarnation, RunId, SequenceNumber};
use common::trajectory::TrajectoryHeader;

use crate::block::Block;
use crate::channel::{Channel, Event, refusal};
use crate::client::{Complaint, LinkOptions};
use crate::message::{Ack, Hello, Insert, Message, Pull, Role, Weights, Welcome};
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

struct ShardLink<P> {
    channel: Channel<P>,
    /// From the oldest; their sequence numbers end before `next`.
    unacked: VecDeque<Trajectory>,
    /// How many of them were sent on this connection.
    sent: usize,
    /// When the shard last acknowledged something, or had nothing to acknowledge.
    progressed: Duration,
    next: u64,
    limit: u64,
    /// Since when the shard is not among those there are; it gets nothing new.
    retired: Option<Duration>,
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

    /// Takes a trajectory; waits while every shard is out of credits or gone, or the spool is full, and says so.
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
        let speaks = |link: &ShardLink<SocketPort>| link.channel.is_ready() && link.channel.protocol() >= 2;
        let count = self.links.len();
        let relay =
            (0..count).map(|step| (self.next_relay + step) % count).find(|place| speaks(&self.links[*place]));
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
        self.turn = 0;
    }

    /// Waits until everything is acknowledged, or the run has finished and nobody wants it any more.
    ///
    /// # Errors
    /// [`TransportError::Unflushed`] at the deadline; otherwise as [`TrajectoryWriter::insert`].
    pub fn flush(&mut self, deadline: Duration) -> Result<(), TransportError> {
        let start = Instant::now();
        loop {
            self.poll();
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
        let after = self.options.link.reach_deadline;
        let never = !self.links.iter().any(|link| link.channel.was_reached());
        if never && self.now() >= after {
            let endpoints: Vec<_> = self.links.iter().map(|link| link.channel.endpoint().as_str()).collect();
            return Err(TransportError::Unreachable {
                what: "every replay shard",
                endpoints: endpoints.join(", "),
                after,
            });
        }
        Ok(())
    }
}

impl<P: Port> TrajectoryWriter<P> {
    /// A writer over any ports; begins to connect with the first tick. `seed` draws the pauses of reconnections.
    pub fn over(
        ports: Vec<(Endpoint, P)>,
        identity: ActorIdentity,
        options: WriterOptions,
        seed: u64,
    ) -> Self {
        let hello = Hello {
            run: Some(identity.run),
            actor: Some(identity.actor),
            incarnation: Some(identity.incarnation),
            ..Hello::new(Role::Actor, identity.schema)
        };
        TrajectoryWriter {
            links: ports
                .into_iter()
                .enumerate()
                .map(|(place, (endpoint, port))| {
                    let seed = seed.wrapping_add(place as u64);
                    ShardLink::new(port, &endpoint, &hello, options.link, seed)
                })
                .collect(),
            hello,
            directory: None,
            turn: 0,
            options,
            max_frame_bytes: u64::MAX,
            compress: false,
            spooled: 0,
            spooled_bytes: 0,
            shutdown: Shutdown::new(),
            epoch: Instant::now(),
            weights_came: Duration::ZERO,
            finished: false,
            fault: None,
            asked_weights: None,
            next_relay: 0,
            weights: None,
        }
    }

    /// Takes a trajectory when a live shard has a credit for it and the spool room; gives it back otherwise.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when it cannot be encoded.
    pub fn offer(
        &mut self,
        trajectory: Trajectory,
        now: Duration,
    ) -> Result<Option<Trajectory>, TransportError> {
        let Some(place) = self.choose(trajectory.bytes()) else { return Ok(Some(trajectory)) };
        self.spooled += 1;
        self.spooled_bytes += trajectory.bytes();
        self.links[place].take(trajectory, now)?;
        Ok(None)
    }

    /// Takes acknowledgements, sends again, reconnects, at the time `now` since any fixed moment; never waits.
    pub fn tick(&mut self, now: Duration) {
        for place in 0..self.links.len() {
            if let Err(error) = self.advance(place, now) {
                self.fault.get_or_insert(error);
            }
        }
    }

    /// Trajectories that no shard has acknowledged.
    #[must_use]
    pub fn spooled(&self) -> usize {
        self.spooled
    }

    /// Places of shards, and headers of the trajectories that they have not acknowledged.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (usize, &TrajectoryHeader)> {
        self.links
            .iter()
            .enumerate()
            .flat_map(|(place, link)| link.unacked.iter().map(move |trajectory| (place, &trajectory.header)))
    }

    /// What went wrong for good since the last call.
    pub fn take_fault(&mut self) -> Option<TransportError> {
        self.fault.take()
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn run_finished(&self) -> bool {
        self.finished
    }

    /// The port to each shard.
    pub fn ports_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.links.iter_mut().map(|link| link.channel.port_mut())
    }

    fn advance(&mut self, place: usize, now: Duration) -> Result<(), TransportError> {
        let patience = self.options.link.peer_timeout;
        let link = &mut self.links[place];
        while let Some(event) = link.channel.step(now)? {
            let acked = match event {
                Event::Ready(welcome) => link.welcome(&welcome),
                Event::Message(Message::Ack(ack), _) => link.acknowledge(&ack),
                Event::Lost => {
                    link.lose();
                    continue;
                }
                Event::Refused(refused) => return Err(refusal(link.channel.endpoint(), refused)),
                Event::Finished => {
                    self.finished = true;
                    continue;
                }
                Event::Message(Message::Weights(weights), bulk) => {
                    self.weights = bulk.into_iter().next().map(|bytes| (weights, bytes));
                    self.asked_weights = None;
                    continue;
                }
                Event::Message(..) => continue,
            };
            if acked.items > 0 {
                link.progressed = now;
            }
            self.spooled -= acked.items;
            self.spooled_bytes -= acked.bytes;
            metrics::counter!("longshore_trajectories_acked_total").increment(acked.items as u64);
            metrics::gauge!("longshore_spooled_trajectories").set(self.spooled as f64);
        }
        if link.is_stuck(now, patience) {
            tracing::warn!(endpoint = %link.channel.endpoint(), "the shard acknowledges nothing; connecting anew");
            link.channel.reconnect(now);
            link.lose();
        }
        link.pump(now)
    }

    /// The next live shard, in turn, that has a credit left.
    fn choose(&mut self, bytes: u64) -> Option<usize> {
        let full = self.spooled_bytes + bytes > self.options.spool_bytes && self.spooled > 0;
        if full || self.spooled >= self.options.spool {
            return None;
        }
        let count = self.links.len();
        let place = (0..count)
            .map(|step| (self.turn + step) % count)
            .find(|place| self.links[*place].has_credit())?;
        self.turn = (place + 1) % count;
        Some(place)
    }

    fn complain(&self, waited: Duration) {
        let shards = self.describe();
        if self.links.iter().all(|link| link.channel.is_ready()) {
            // That is how the shards keep actors from running ahead of a learner that is slow, or away.
            let silence = self.epoch.elapsed().saturating_sub(self.weights_came).as_secs();
            tracing::info!(
                ?waited,
                "no new weights for {silence} s, and no shard takes more until the learner has used what it has: {shards}"
            );
        } else {
            tracing::warn!(?waited, "waiting for the replay shards: {shards}");
        }
    }

    fn describe(&self) -> String {
        let state = |link: &ShardLink<P>| {
            let endpoint = link.channel.endpoint();
            if !link.channel.is_ready() {
                format!("{endpoint} is away ({} kept for it)", link.unacked.len())
            } else if link.has_credit() {
                format!("{endpoint} has credits, but the spool is full")
            } else {
                format!("{endpoint} gives no credits ({} unacknowledged)", link.unacked.len())
            }
        };
        self.links.iter().map(state).collect::<Vec<_>>().join("; ")
    }

    fn unflushed(&self, after: Duration) -> TransportError {
        let late: Vec<_> = self.links.iter().filter(|link| !link.unacked.is_empty()).collect();
        TransportError::Unflushed {
            items: late.iter().map(|link| link.unacked.len()).sum(),
            shards: late.iter().map(|link| link.channel.endpoint().as_str()).collect::<Vec<_>>().join(", "),
            after,
        }
    }
}

/// What an acknowledgement has freed.
#[derive(Default)]
struct Acked {
    items: usize,
    bytes: u64,
}

impl<P: Port> ShardLink<P> {
    fn new(port: P, endpoint: &Endpoint, hello: &Hello, options: LinkOptions, seed: u64) -> Self {
        ShardLink {
            channel: Channel::new(port, endpoint, Role::Replay, hello.clone(), options, seed),
            unacked: VecDeque::new(),
            sent: 0,
            progressed: Duration::ZERO,
            next: 0,
            limit: 0,
            retired: None,
        }
    }

    fn has_credit(&self) -> bool {
        self.retired.is_none() && self.channel.is_ready() && self.next < self.limit
    }

    fn take(&mut self, mut trajectory: Trajectory, now: Duration) -> Result<(), TransportError> {
        trajectory.header.sequence = SequenceNumber(self.next);
        self.unacked.push_back(trajectory);
        self.next += 1;
        self.pump(now)
    }

    /// Sends what was not sent on this connection yet.
    fn pump(&mut self, now: Duration) -> Result<(), TransportError> {
        while self.channel.is_ready()
            && let Some(trajectory) = self.unacked.get(self.sent)
        {
            let Trajectory { header, body, states } = trajectory;
            let insert = Insert { header: header.clone(), body: body.digest, states: states.digest };
            // A copy stays here until it is acknowledged.
            let bulk = vec![body.bytes.clone(), states.bytes.clone()];
            if !self.channel.send(&Message::Insert(insert), bulk, now)? {
                return Ok(());
            }
            self.sent += 1;
        }
        Ok(())
    }

    /// What was sent is not acknowledged though the shard answers: a message was lost, or its disk takes nothing.
    fn is_stuck(&mut self, now: Duration, patience: Duration) -> bool {
        if self.sent == 0 || !self.channel.is_ready() {
            self.progressed = now;
        }
        now.saturating_sub(self.progressed) >= patience
    }

    fn lose(&mut self) {
        self.sent = 0;
        self.limit = 0;
    }

    fn welcome(&mut self, welcome: &Welcome) -> Acked {
        self.lose();
        self.acknowledge(&Ack { next: welcome.next, limit: welcome.limit })
    }

    fn acknowledge(&mut self, ack: &Ack) -> Acked {
        let mut acked = Acked::default();
        while self.oldest() < ack.next.0
            && let Some(trajectory) = self.unacked.pop_front()
        {
            self.sent = self.sent.saturating_sub(1);
            acked.items += 1;
            acked.bytes += trajectory.bytes();
        }
        // Acknowledgements can overtake each other where a network lets them; limits only grow.
        self.limit = self.limit.max(ack.limit.0);
        let oldest = self.oldest();
        self.channel.hello_mut().first_sequence = SequenceNumber(oldest);
        acked
    }

    fn oldest(&self) -> u64 {
        self.next - self.unacked.len() as u64
    }
}

impl<P: Port> std::fmt::Debug for TrajectoryWriter<P> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TrajectoryWriter").field("shards", &self.describe()).finish_non_exhaustive()
    }
}
