//! How an actor sends trajectories, without sockets and clock: which shard gets one, and what is kept until it is
//! acknowledged.

mod spool;
mod trajectory;

use std::collections::BTreeMap;
use std::time::Duration;

use common::trajectory::TrajectoryHeader;

use self::spool::{Acked, Spool};
pub(crate) use self::trajectory::Packing;
pub use self::trajectory::Trajectory;
use crate::TransportError;
use crate::message::Message;
use crate::options::LinkOptions;
use crate::port::Port;
use crate::shard_links::{LinkEvent, LinkId, ShardLinks};

/// How long a retired shard may stay unreachable before what is kept for it is dropped.
const RETIRED_PATIENCE: Duration = Duration::from_secs(60);

/// Bounds of what an actor keeps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WriterOptions {
    /// Most trajectories that no shard has acknowledged.
    pub spool: usize,
    /// Most bytes of them; one trajectory is always accepted.
    pub spool_bytes: u64,
    /// Patience with the shards.
    pub link: LinkOptions,
}

/// Sends trajectories to the shards in turn and keeps each until its shard has acknowledged it.
///
/// A trajectory's shard is fixed when it is accepted. Those of a lost shard are kept and sent again on its return (the shard
/// drops what it has already); new ones go to the other shards meanwhile. When the spool is full, no trajectory is accepted until
/// a shard acknowledges some.
pub(crate) struct TrajectoryWriter {
    spools: BTreeMap<LinkId, Spool>,
    /// The link whose turn is next.
    turn: LinkId,
    options: WriterOptions,
    spooled: usize,
    spooled_bytes: u64,
}

impl TrajectoryWriter {
    pub(crate) fn new(options: WriterOptions) -> Self {
        TrajectoryWriter {
            spools: BTreeMap::new(),
            turn: LinkId::default(),
            options,
            spooled: 0,
            spooled_bytes: 0,
        }
    }

    /// Accepts a trajectory when a connected shard has a credit for it and the spool has room; gives it back otherwise.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when it cannot be encoded.
    pub(crate) fn offer<P: Port>(
        &mut self,
        links: &mut ShardLinks<P>,
        trajectory: Trajectory,
        now: Duration,
    ) -> Result<Option<Trajectory>, TransportError> {
        let bytes = trajectory.bytes();
        let Some(id) = self.choose(links, bytes) else { return Ok(Some(trajectory)) };
        let (Some(spool), Some(channel)) = (self.spools.get_mut(&id), links.channel_mut(id)) else {
            return Ok(Some(trajectory));
        };
        self.turn = id.next();
        self.spooled += 1;
        self.spooled_bytes += bytes;
        spool.push(trajectory);
        spool.pump(channel, now, false)?;
        Ok(None)
    }

    /// The next connected shard, in turn, that has a credit left.
    fn choose<P: Port>(&self, links: &ShardLinks<P>, bytes: u64) -> Option<LinkId> {
        let is_full = self.spooled_bytes + bytes > self.options.spool_bytes && self.spooled > 0;
        if is_full || self.spooled >= self.options.spool {
            return None;
        }
        links.ids_from(self.turn).find(|id| self.has_credit(links, *id))
    }

    fn has_credit<P: Port>(&self, links: &ShardLinks<P>, id: LinkId) -> bool {
        links.takes_new(id) && self.spools.get(&id).is_some_and(Spool::has_credit)
    }

    /// Takes what happened on a link.
    pub(crate) fn handle<P: Port>(
        &mut self,
        links: &mut ShardLinks<P>,
        id: LinkId,
        event: LinkEvent,
        now: Duration,
    ) {
        let spool = self.spools.entry(id).or_default();
        let acked = match event {
            LinkEvent::Ready(welcome) => spool.welcome(&welcome, now),
            LinkEvent::Message(Message::Ack(ack), _) => spool.acknowledge(&ack, now),
            LinkEvent::Lost => return spool.lose(),
            LinkEvent::Message(..) | LinkEvent::RunFinished => return,
        };
        if let Some(channel) = links.channel_mut(id) {
            channel.hello_mut().first_sequence = spool.first_sequence();
        }
        self.count_acked(acked);
    }

    fn count_acked(&mut self, Acked { items, bytes }: Acked) {
        self.spooled -= items;
        self.spooled_bytes -= bytes;
        metrics::counter!("longshore_trajectories_acked_total").increment(items as u64);
        metrics::gauge!("longshore_spooled_trajectories").set(self.spooled as f64);
    }

    /// Sends what waits, connects anew where nothing is acknowledged, and drops what is kept for shards that are gone for
    /// good.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when a trajectory cannot be encoded.
    pub(crate) fn tick<P: Port>(
        &mut self,
        links: &mut ShardLinks<P>,
        now: Duration,
    ) -> Result<(), TransportError> {
        for (id, since) in links.retired() {
            self.drop_retired(links, id, now.saturating_sub(since));
        }
        for (id, spool) in &mut self.spools {
            let Some(channel) = links.channel_mut(*id) else { continue };
            if spool.is_stuck(channel.is_ready(), now, self.options.link.peer_timeout) {
                tracing::warn!(endpoint = %channel.endpoint(), "the shard acknowledges nothing; connecting anew");
                channel.reconnect(now);
                spool.lose();
            }
            spool.pump(channel, now, false)?;
        }
        Ok(())
    }

    /// Sends what waits for others to go with.
    ///
    /// # Errors
    /// [`TransportError::Wire`] when a trajectory cannot be encoded.
    pub(crate) fn push<P: Port>(
        &mut self,
        links: &mut ShardLinks<P>,
        now: Duration,
    ) -> Result<(), TransportError> {
        for (id, spool) in &mut self.spools {
            if let Some(channel) = links.channel_mut(*id) {
                spool.pump(channel, now, true)?;
            }
        }
        Ok(())
    }

    /// Forgets a retired shard once it is unreachable and nothing is kept for it, or it was retired for too long.
    fn drop_retired<P: Port>(&mut self, links: &mut ShardLinks<P>, id: LinkId, retired_for: Duration) {
        let Some(channel) = links.channel(id) else { return };
        let (lost, bytes) = self.spools.get(&id).map_or((0, 0), Spool::kept);
        if channel.is_ready() || (lost > 0 && retired_for < RETIRED_PATIENCE) {
            return;
        }
        if lost > 0 {
            let endpoint = channel.endpoint();
            tracing::warn!(%endpoint, lost, "the shard is gone for good, and what was kept for it is dropped");
            metrics::counter!("longshore_trajectories_given_up_total").increment(lost as u64);
        }
        links.remove(id);
        self.spools.remove(&id);
        self.spooled -= lost;
        self.spooled_bytes -= bytes;
    }

    /// Trajectories that no shard has acknowledged.
    pub(crate) fn spooled(&self) -> usize {
        self.spooled
    }

    /// Links, and headers of the trajectories that their shards have not acknowledged.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = (LinkId, &TrajectoryHeader)> {
        self.spools.iter().flat_map(|(id, spool)| spool.headers().map(|header| (*id, header)))
    }

    /// The state of each shard, for people.
    pub(crate) fn describe<P: Port>(&self, links: &ShardLinks<P>, now: Duration) -> String {
        let states = links.ids().into_iter().filter_map(|id| {
            let channel = links.channel(id)?;
            let (endpoint, (kept, _)) =
                (channel.endpoint(), self.spools.get(&id).map_or((0, 0), Spool::kept));
            Some(if !channel.is_ready() {
                format!("{endpoint} is unreachable ({kept} kept for it)")
            } else if let Some(silent) = channel.silent_for(now) {
                format!("{endpoint} has not answered for {} s ({kept} kept for it)", silent.as_secs())
            } else if self.has_credit(links, id) {
                format!("{endpoint} has credits, but the spool is full")
            } else {
                format!("{endpoint} gives no credits ({kept} unacknowledged)")
            })
        });
        states.collect::<Vec<_>>().join("; ")
    }

    /// The error of a flush that took longer than `after`.
    pub(crate) fn unflushed<P: Port>(&self, links: &ShardLinks<P>, after: Duration) -> TransportError {
        let late = self.spools.iter().filter(|(_, spool)| spool.kept().0 > 0);
        let endpoints = late.filter_map(|(id, _)| Some(links.channel(*id)?.endpoint().as_str()));
        let shards = endpoints.collect::<Vec<_>>().join(", ");
        TransportError::Unflushed { items: self.spooled, shards, after }
    }
}
