//! The trajectories of one shard that it has not acknowledged, and what it may be sent.

use std::collections::VecDeque;
use std::time::Duration;

use common::ids::SequenceNumber;
use common::trajectory::TrajectoryHeader;

use super::trajectory::Trajectory;
use crate::channel::Channel;
use crate::digest::BulkDigest;
use crate::message::{Ack, Insert, Inserts, Message, Welcome};
use crate::port::Port;
use crate::{TransportError, wire};

/// Trajectories of at most so many bytes are sent together, because a message of its own would cost more than they do.
const SMALL: u64 = 16 << 10;
/// Most bytes that are sent together.
const TOGETHER: u64 = 64 << 10;
/// How long a small trajectory waits for others.
const GATHERING: Duration = Duration::from_millis(1);

/// The next small trajectories.
struct Together {
    count: usize,
    /// No other trajectory fits, or the next one is too large to go with others.
    is_full: bool,
}

/// What a shard has not acknowledged, and what it may be sent.
#[derive(Default)]
pub(super) struct Spool {
    /// From the oldest; their sequence numbers end before `next`.
    unacked: VecDeque<Trajectory>,
    /// How many of them were sent on this connection.
    sent: usize,
    /// Since when something waits to be sent.
    unsent_since: Option<Duration>,
    /// When the shard last acknowledged something, or had nothing to acknowledge.
    progressed: Duration,
    /// Sequence number of the next trajectory.
    next: u64,
    /// Sequence numbers below this may be sent.
    limit: u64,
}

/// What an acknowledgement has freed.
#[derive(Default)]
pub(super) struct Acked {
    pub(super) items: usize,
    pub(super) bytes: u64,
}

impl Spool {
    pub(super) fn has_credit(&self) -> bool {
        self.next < self.limit
    }

    /// Accepts a trajectory, under the next sequence number.
    pub(super) fn push(&mut self, mut trajectory: Trajectory) {
        trajectory.header.sequence = SequenceNumber(self.next);
        self.unacked.push_back(trajectory);
        self.next += 1;
    }

    /// How many trajectories are kept, and their bytes.
    pub(super) fn kept(&self) -> (usize, u64) {
        (self.unacked.len(), self.unacked.iter().map(Trajectory::bytes).sum())
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = &TrajectoryHeader> {
        self.unacked.iter().map(|trajectory| &trajectory.header)
    }

    /// Sends what was not sent on this connection yet. While others are unacknowledged, small trajectories wait a moment for
    /// more to go with, unless `at_once` is set.
    pub(super) fn pump<P: Port>(
        &mut self,
        channel: &mut Channel<P>,
        now: Duration,
        at_once: bool,
    ) -> Result<(), TransportError> {
        let sendable = self.sendable();
        if self.sent >= sendable {
            self.unsent_since = None;
            return Ok(());
        }
        let since = *self.unsent_since.get_or_insert(now);
        // Nagle's algorithm (RFC 896): with nothing unacknowledged, a small trajectory does not wait.
        let at_once = at_once || self.sent == 0 || now.saturating_sub(since) >= GATHERING;
        while channel.is_ready() && self.sent < sendable {
            let together = self.small_ones(sendable);
            if !together.is_full && !at_once {
                return Ok(());
            }
            let taken = match together.count {
                0 | 1 => self.send_one(channel, now)?,
                count => self.send_several(channel, count, now)?,
            };
            if !taken {
                return Ok(());
            }
            self.sent += together.count.max(1);
            self.unsent_since = None;
        }
        Ok(())
    }

    /// How many of the kept ones the shard takes: one that has restarted may take fewer than it did before.
    fn sendable(&self) -> usize {
        let credits = self.limit.saturating_sub(self.oldest());
        usize::try_from(credits).unwrap_or(usize::MAX).min(self.unacked.len())
    }

    /// How many of the next trajectories, up to the place `end`, are small enough to go together.
    fn small_ones(&self, end: usize) -> Together {
        let (mut count, mut bytes) = (0, 0);
        for trajectory in self.unacked.range(self.sent..end) {
            let more = trajectory.bytes();
            if more > SMALL || bytes + more > TOGETHER {
                return Together { count, is_full: true };
            }
            (count, bytes) = (count + 1, bytes + more);
        }
        Together { count, is_full: bytes + SMALL > TOGETHER }
    }

    fn send_one<P: Port>(&self, channel: &mut Channel<P>, now: Duration) -> Result<bool, TransportError> {
        let Trajectory { header, body, states } = &self.unacked[self.sent];
        let insert = Insert { header: header.clone(), body: body.digest, states: states.digest };
        // The bytes are shared: the spool keeps them until they are acknowledged.
        let bulk = vec![body.bytes.clone(), states.bytes.clone()];
        channel.send(&Message::Insert(insert), bulk, now)
    }

    fn send_several<P: Port>(
        &self,
        channel: &mut Channel<P>,
        count: usize,
        now: Duration,
    ) -> Result<bool, TransportError> {
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
        channel.send(&Message::Inserts(inserts), vec![bytes.into()], now)
    }

    /// Whether the shard answers, but has acknowledged nothing for `patience`: a message was lost, or its disk is full.
    pub(super) fn is_stuck(&mut self, is_ready: bool, now: Duration, patience: Duration) -> bool {
        if self.sent == 0 || !is_ready {
            self.progressed = now;
        }
        now.saturating_sub(self.progressed) >= patience
    }

    /// The connection is gone: everything must be sent again.
    pub(super) fn lose(&mut self) {
        self.sent = 0;
        self.limit = 0;
    }

    pub(super) fn welcome(&mut self, welcome: &Welcome, now: Duration) -> Acked {
        self.lose();
        self.acknowledge(&Ack { next: welcome.next, limit: welcome.limit }, now)
    }

    pub(super) fn acknowledge(&mut self, ack: &Ack, now: Duration) -> Acked {
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
        if acked.items > 0 {
            self.progressed = now;
        }
        acked
    }

    /// Of the oldest trajectory that is kept, or the next one where none is.
    pub(super) fn first_sequence(&self) -> SequenceNumber {
        SequenceNumber(self.oldest())
    }

    fn oldest(&self) -> u64 {
        self.next - self.unacked.len() as u64
    }
}
