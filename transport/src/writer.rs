//! An actor's way to the replay shards.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{ActorId, Digest, Incarnation, RunId, SequenceNumber};
use common::trajectory::TrajectoryHeader;

use crate::channel::{Channel, Event, refusal, wait_any};
use crate::client::{Complaint, LinkOptions};
use crate::message::{Ack, BulkDigest, Hello, Insert, Message, Role, Welcome};
use crate::wire::{self, WireError};
use crate::{Endpoint, Transport, TransportError};

const POLL: Duration = Duration::from_millis(20);

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
    /// Patience.
    pub link: LinkOptions,
}

/// Sends trajectories to the shards in turn and holds each until its shard has acknowledged it.
///
/// A trajectory's shard is fixed when it is inserted. Those of a shard that is lost are kept and sent again on its
/// return (the shard drops what it has already); new ones go to the others meanwhile.
pub struct TrajectoryWriter {
    links: Vec<ShardLink>,
    turn: usize,
    options: WriterOptions,
    max_frame_bytes: u64,
    shutdown: Shutdown,
    started: Instant,
    weights_came: Instant,
    finished: bool,
    fault: Option<TransportError>,
}

struct ShardLink {
    channel: Channel,
    /// Encoded, from the oldest; their sequence numbers end before `next`.
    unacked: VecDeque<Vec<Vec<u8>>>,
    /// How many of them were sent on this connection.
    sent: usize,
    next: u64,
    limit: u64,
}

impl TrajectoryWriter {
    /// Begins to connect to every shard; does not wait for them.
    ///
    /// # Errors
    /// [`TransportError::Refused`] where a shard refuses at once; [`TransportError::Socket`].
    pub fn connect(
        transport: &Transport,
        shards: &[Endpoint],
        identity: ActorIdentity,
        options: WriterOptions,
        shutdown: &Shutdown,
    ) -> Result<Self, TransportError> {
        let hello = Hello {
            run: Some(identity.run),
            actor: Some(identity.actor),
            incarnation: Some(identity.incarnation),
            ..Hello::new(Role::Actor, identity.schema)
        };
        let link = |endpoint| ShardLink {
            channel: Channel::new(transport, endpoint, Role::Replay, hello.clone(), options.link),
            unacked: VecDeque::new(),
            sent: 0,
            next: 0,
            limit: 0,
        };
        let mut writer = TrajectoryWriter {
            links: shards.iter().map(link).collect(),
            turn: 0,
            options,
            max_frame_bytes: transport.max_frame_bytes().unsigned_abs(),
            shutdown: shutdown.clone(),
            started: Instant::now(),
            weights_came: Instant::now(),
            finished: false,
            fault: None,
        };
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
        frames: Vec<u8>,
    ) -> Result<(), TransportError> {
        let largest = body.len().max(frames.len()) as u64;
        if largest > self.max_frame_bytes {
            // The receiver would cut the connection, again and again.
            return Err(WireError::TooLarge { found: largest, limit: self.max_frame_bytes }.into());
        }
        let mut complaint = Complaint::new(self.options.link.complaint_period);
        let waiting = Instant::now();
        loop {
            self.poll();
            self.check()?;
            if let Some(place) = self.choose() {
                metrics::histogram!("longshore_insert_wait_seconds").record(waiting.elapsed());
                return self.links[place].take(header, body, frames);
            }
            if let Some(waited) = complaint.due(Instant::now()) {
                self.complain(waited);
            }
            wait_any(self.links.iter().map(|link| &link.channel), POLL);
        }
    }

    /// New weights came: the learner lives. Complaints tell when it was heard of last.
    pub fn weights_came(&mut self) {
        self.weights_came = Instant::now();
    }

    /// Takes acknowledgements, sends again, reconnects; never waits. A fault that it meets is told by the next
    /// [`TrajectoryWriter::insert`] or [`TrajectoryWriter::flush`].
    pub fn poll(&mut self) {
        for place in 0..self.links.len() {
            if let Err(error) = self.advance(place) {
                self.fault.get_or_insert(error);
            }
        }
        let spooled: usize = self.links.iter().map(|link| link.unacked.len()).sum();
        metrics::gauge!("longshore_spooled_trajectories").set(spooled as f64);
    }

    /// Waits until everything is acknowledged, or the run has finished and nobody wants it any more.
    ///
    /// # Errors
    /// [`TransportError::Unflushed`] at the deadline; otherwise as [`TrajectoryWriter::insert`].
    pub fn flush(&mut self, deadline: Duration) -> Result<(), TransportError> {
        let start = Instant::now();
        loop {
            self.poll();
            if self.finished || self.links.iter().all(|link| link.unacked.is_empty()) {
                return Ok(());
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if start.elapsed() >= deadline {
                return Err(self.unflushed(deadline));
            }
            wait_any(self.links.iter().map(|link| &link.channel), POLL);
        }
    }

    /// Whether the learner has ended the run.
    #[must_use]
    pub fn run_finished(&self) -> bool {
        self.finished
    }

    fn advance(&mut self, place: usize) -> Result<(), TransportError> {
        let link = &mut self.links[place];
        while let Some(event) = link.channel.step()? {
            match event {
                Event::Ready(welcome) => link.welcome(&welcome),
                Event::Lost => link.sent = 0,
                Event::Refused(refused) => return Err(refusal(link.channel.endpoint(), refused)),
                Event::Finished => self.finished = true,
                Event::Message(Message::Ack(ack), _) => link.acknowledge(&ack),
                Event::Message(..) => {}
            }
        }
        link.pump();
        Ok(())
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
        if never && self.started.elapsed() >= after {
            let endpoints: Vec<_> = self.links.iter().map(|link| link.channel.endpoint().as_str()).collect();
            return Err(TransportError::Unreachable {
                what: "every replay shard",
                endpoints: endpoints.join(", "),
                after,
            });
        }
        Ok(())
    }

    /// The next live shard, in turn, that has a credit left.
    fn choose(&mut self) -> Option<usize> {
        let held: usize = self.links.iter().map(|link| link.unacked.len()).sum();
        if held >= self.options.spool {
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
            let silence = self.weights_came.elapsed().as_secs();
            tracing::info!(
                ?waited,
                "no new weights for {silence} s, and no shard takes more until the learner has used what it has: {shards}"
            );
        } else {
            tracing::warn!(?waited, "waiting for the replay shards: {shards}");
        }
    }

    fn describe(&self) -> String {
        let state = |link: &ShardLink| {
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

impl ShardLink {
    fn has_credit(&self) -> bool {
        self.channel.is_ready() && self.next < self.limit
    }

    fn take(
        &mut self,
        mut header: TrajectoryHeader,
        body: Vec<u8>,
        frames: Vec<u8>,
    ) -> Result<(), TransportError> {
        header.sequence = SequenceNumber(self.next);
        let insert = Insert { header, body: BulkDigest::of(&body), frames: BulkDigest::of(&frames) };
        self.unacked.push_back(vec![wire::encode(&Message::Insert(insert))?, body, frames]);
        self.next += 1;
        self.pump();
        Ok(())
    }

    /// Sends what was not sent on this connection yet.
    fn pump(&mut self) {
        while let Some(frames) = self.unacked.get(self.sent) {
            if !self.channel.send_encoded(frames.clone()) {
                return;
            }
            self.sent += 1;
        }
    }

    fn welcome(&mut self, welcome: &Welcome) {
        self.sent = 0;
        self.acknowledge(&Ack { next: welcome.next, limit: welcome.limit });
    }

    fn acknowledge(&mut self, ack: &Ack) {
        while self.oldest() < ack.next.0 && self.unacked.pop_front().is_some() {
            self.sent = self.sent.saturating_sub(1);
            metrics::counter!("longshore_trajectories_acked_total").increment(1);
        }
        self.limit = ack.limit.0;
        let oldest = self.oldest();
        self.channel.hello_mut().first_sequence = SequenceNumber(oldest);
    }

    fn oldest(&self) -> u64 {
        self.next - self.unacked.len() as u64
    }
}

impl std::fmt::Debug for TrajectoryWriter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("TrajectoryWriter").field("shards", &self.describe()).finish_non_exhaustive()
    }
}
