//! A writer without sockets and clock: takes trajectories, hears shards, chooses who gets what.

use std::time::{Duration, Instant};

use common::Shutdown;
use common::trajectory::TrajectoryHeader;

use super::link::ShardLink;
use super::{ActorIdentity, Trajectory, TrajectoryWriter, WriterOptions};
use crate::channel::{Event, refusal, tolerable};
use crate::message::{Hello, Message, Role};
use crate::port::Port;
use crate::{Endpoint, TransportError};

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

    /// Sends what waits for more to go with.
    pub fn push(&mut self, now: Duration) {
        for link in &mut self.links {
            if let Err(error) = link.pump(now, true) {
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
        let mut links = self.links.iter().enumerate();
        let others = links.any(|(other, link)| other != place && link.channel.is_ready());
        let link = &mut self.links[place];
        while let Some(event) = link.channel.step(now)? {
            let acked = match event {
                Event::Ready(welcome) => link.welcome(&welcome),
                Event::Message(Message::Ack(ack), _) => link.acknowledge(&ack),
                Event::Lost => {
                    link.lose();
                    continue;
                }
                Event::Refused(refused) if tolerable(link.channel.endpoint(), &refused, others) => {
                    link.lose();
                    link.channel.ask_again(now);
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
        link.pump(now, false)
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

    pub(super) fn complain(&self, waited: Duration) {
        let now = self.epoch.elapsed();
        let shards = self.describe();
        let answers = |link: &ShardLink<P>| link.channel.is_ready() && link.channel.silent_for(now).is_none();
        if self.links.iter().all(answers) {
            // That is how the shards keep actors from running ahead of a learner that is slow, or away.
            let silence = now.saturating_sub(self.weights_came).as_secs();
            tracing::info!(
                ?waited,
                "no new weights for {silence} s, and no shard takes more until the learner has used what it has: {shards}"
            );
        } else {
            tracing::warn!(?waited, "waiting for the replay shards: {shards}");
        }
    }

    pub(super) fn describe(&self) -> String {
        let now = self.epoch.elapsed();
        let state = |link: &ShardLink<P>| {
            let (endpoint, kept) = (link.channel.endpoint(), link.unacked.len());
            if !link.channel.is_ready() {
                format!("{endpoint} is away ({kept} kept for it)")
            } else if let Some(silent) = link.channel.silent_for(now) {
                format!("{endpoint} has not answered for {} s ({kept} kept for it)", silent.as_secs())
            } else if link.has_credit() {
                format!("{endpoint} has credits, but the spool is full")
            } else {
                format!("{endpoint} gives no credits ({kept} unacknowledged)")
            }
        };
        self.links.iter().map(state).collect::<Vec<_>>().join("; ")
    }

    pub(super) fn unflushed(&self, after: Duration) -> TransportError {
        let late: Vec<_> = self.links.iter().filter(|link| !link.unacked.is_empty()).collect();
        TransportError::Unflushed {
            items: late.iter().map(|link| link.unacked.len()).sum(),
            shards: late.iter().map(|link| link.channel.endpoint().as_str()).collect::<Vec<_>>().join(", "),
            after,
        }
    }
}
