//! What goes to one shard: what it has not acknowledged, and what it may be sent.

use std::collections::VecDeque;
use std::time::Duration;

use common::ids::SequenceNumber;

use super::Trajectory;
use crate::channel::Channel;
use crate::client::LinkOptions;
use crate::message::{Ack, BulkDigest, Hello, Insert, Inserts, Message, Role, Welcome};
use crate::port::Port;
use crate::{Endpoint, TransportError, wire};

/// Trajectories of at most so many bytes go together, as a message costs more than they do.
const SMALL: u64 = 16 << 10;
/// Bytes that go together.
const TOGETHER: u64 = 64 << 10;
/// How long a small trajectory waits for others.
const GATHERING: Duration = Duration::from_millis(1);

/// The next small trajectories.
struct Together {
    count: usize,
    /// No other fits, or none of these does.
    is_full: bool,
}

pub(super) struct ShardLink<P> {
    pub(super) channel: Channel<P>,
    /// From the oldest; their sequence numbers end before `next`.
    pub(super) unacked: VecDeque<Trajectory>,
    /// How many of them were sent on this connection.
    pub(super) sent: usize,
    /// Since when something waits to be sent.
    pub(super) unsent_since: Option<Duration>,
    /// When the shard last acknowledged something, or had nothing to acknowledge.
    pub(super) progressed: Duration,
    pub(super) next: u64,
    pub(super) limit: u64,
    /// Since when the shard is not among those there are; it gets nothing new.
    pub(super) retired: Option<Duration>,
}

/// What an acknowledgement has freed.
#[derive(Default)]
pub(super) struct Acked {
    pub(super) items: usize,
    pub(super) bytes: u64,
}

impl<P: Port> ShardLink<P> {
    pub(super) fn new(port: P, endpoint: &Endpoint, hello: &Hello, options: LinkOptions, seed: u64) -> Self {
        ShardLink {
            channel: Channel::new(port, endpoint, Role::Replay, hello.clone(), options, seed),
            unacked: VecDeque::new(),
            sent: 0,
            unsent_since: None,
            progressed: Duration::ZERO,
            next: 0,
            limit: 0,
            retired: None,
        }
    }

    pub(super) fn has_credit(&self) -> bool {
        self.retired.is_none() && self.channel.is_ready() && self.next < self.limit
    }

    pub(super) fn take(&mut self, mut trajectory: Trajectory, now: Duration) -> Result<(), TransportError> {
        trajectory.header.sequence = SequenceNumber(self.next);
        self.unacked.push_back(trajectory);
        self.next += 1;
        self.pump(now, false)
    }

    /// Sends what was not sent on this connection yet. While others are on their way, small trajectories wait a moment for
    /// company, unless it is to be `at_once`.
    pub(super) fn pump(&mut self, now: Duration, at_once: bool) -> Result<(), TransportError> {
        if self.sent == self.unacked.len() {
            self.unsent_since = None;
            return Ok(());
        }
        let since = *self.unsent_since.get_or_insert(now);
        // As Nagle's algorithm (RFC 896): who waits for nothing to be acknowledged does not wait for company either.
        let at_once = at_once || self.sent == 0 || now.saturating_sub(since) >= GATHERING;
        while self.channel.is_ready() && self.sent < self.unacked.len() {
            let together = self.small_ones();
            if !together.is_full && !at_once {
                return Ok(());
            }
            let taken = match together.count {
                0 | 1 => self.send_one(now)?,
                count => self.send_several(count, now)?,
            };
            if !taken {
                return Ok(());
            }
            self.sent += together.count.max(1);
            self.unsent_since = None;
        }
        Ok(())
    }

    /// How many of the next are small enough to go together.
    fn small_ones(&self) -> Together {
        let (mut count, mut bytes) = (0, 0);
        for trajectory in self.unacked.range(self.sent..) {
            let more = trajectory.bytes();
            if more > SMALL || bytes + more > TOGETHER {
                return Together { count, is_full: true };
            }
            (count, bytes) = (count + 1, bytes + more);
        }
        Together { count, is_full: bytes + SMALL > TOGETHER }
    }

    fn send_one(&mut self, now: Duration) -> Result<bool, TransportError> {
        let Trajectory { header, body, states } = &self.unacked[self.sent];
        let insert = Insert { header: header.clone(), body: body.digest, states: states.digest };
        // The bytes are shared: they stay here until they are acknowledged.
        let bulk = vec![body.bytes.clone(), states.bytes.clone()];
        self.channel.send(&Message::Insert(insert), bulk, now)
    }

    fn send_several(&mut self, count: usize, now: Duration) -> Result<bool, TransportError> {
        let mut lengths = Vec::with_capacity(count);
        let mut bytes = Vec::with_capacity(2 * TOGETHER as usize);
        for Trajectory { header, body, states } in self.unacked.range(self.sent..self.sent + count) {
            let insert = Insert { header: header.clone(), body: body.digest, states: states.digest };
            let envelope = wire::encode(&Message::Insert(insert))?;
            let parts = [envelope.as_slice(), &body.bytes, &states.bytes];
            // Bounded by what counts as small.
            lengths.push(parts.map(|part| part.len() as u32));
            parts.into_iter().for_each(|part| bytes.extend_from_slice(part));
        }
        let inserts = Inserts { lengths, frame: BulkDigest::of(&bytes) };
        self.channel.send(&Message::Inserts(inserts), vec![bytes.into()], now)
    }

    /// What was sent is not acknowledged though the shard answers: a message was lost, or its disk takes nothing.
    pub(super) fn is_stuck(&mut self, now: Duration, patience: Duration) -> bool {
        if self.sent == 0 || !self.channel.is_ready() {
            self.progressed = now;
        }
        now.saturating_sub(self.progressed) >= patience
    }

    pub(super) fn lose(&mut self) {
        self.sent = 0;
        self.limit = 0;
    }

    pub(super) fn welcome(&mut self, welcome: &Welcome) -> Acked {
        self.lose();
        self.acknowledge(&Ack { next: welcome.next, limit: welcome.limit })
    }

    pub(super) fn acknowledge(&mut self, ack: &Ack) -> Acked {
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
