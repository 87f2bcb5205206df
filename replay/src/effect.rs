//! What the core of a shard has its driver do.

use transport::wire::{self, WireError};
use transport::{Batch, Frame, Message, PeerId, TableSize};

use crate::claim::Claim;
use crate::item::{Content, Item};
use crate::tables::Sampled;

/// One thing to do; effects are carried out in their order.
#[derive(Debug)]
pub enum Effect {
    /// Make a change durable before any later [`Effect::SendAfter`] is sent. Does not occur where durability is `memory`.
    Persist(Change),
    /// Send at once.
    Send(Outgoing),
    /// Send when all earlier changes are durable.
    SendAfter(Outgoing),
}

/// Rough size in bytes of an effect that is no insert.
const SMALL_BYTES: u64 = 256;

impl Effect {
    /// Rough size in bytes of what an effect keeps while it waits for the disk.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Effect::Persist(Change::Insert(item)) => item.bytes,
            _ => SMALL_BYTES,
        }
    }
}

/// A change of what the shard holds.
#[derive(Debug)]
pub enum Change {
    /// A trajectory was inserted.
    Insert(Item),
    /// A trajectory left one of its tables.
    Leave {
        /// Key of the trajectory.
        key: u64,
        /// Id of the table.
        table: u32,
    },
    /// The trajectory with this key left its last table.
    Remove(u64),
    /// Another run or learner has claimed the shard, or the run has ended.
    Claim(Option<Claim>),
}

/// A message to a peer.
#[derive(Debug)]
pub struct Outgoing {
    /// The receiver's connection.
    pub peer: PeerId,
    /// Reply to send.
    pub reply: Reply,
}

/// A message, with its bulk frames.
#[derive(Debug)]
pub enum Reply {
    /// A message without frames.
    Message(Message),
    /// The answer to a request for trajectories.
    Batch {
        /// Number of the request.
        request: u64,
        /// What the table held before it was sampled.
        table: TableSize,
        /// The sampled items.
        sampled: Vec<Sampled<Content>>,
    },
    /// A message with one frame behind it.
    Bulk(Message, Frame),
}

impl Outgoing {
    /// Its frames, ready to be sent; none when it cannot be encoded, which is a bug and is logged.
    #[must_use]
    pub fn frames(&self) -> Option<Vec<Frame>> {
        self.pack()
            .inspect_err(|error| tracing::warn!(peer = ?self.peer, %error, "a message could not be sent"))
            .ok()
    }

    /// Its frames; the bytes of trajectories are shared with the table.
    ///
    /// # Errors
    /// [`WireError`] when it is too large.
    pub fn pack(&self) -> Result<Vec<Frame>, WireError> {
        match &self.reply {
            Reply::Message(message) => wire::pack(message, Vec::new()),
            Reply::Bulk(message, bytes) => wire::pack(message, vec![bytes.clone()]),
            Reply::Batch { request, table, sampled } => {
                let items = sampled.iter().map(describe).collect();
                let bulk = sampled.iter().flat_map(|sampled| {
                    let content = &sampled.item.content;
                    [content.body.clone(), content.states.clone()]
                });
                let batch = Batch { request: *request, table: *table, items };
                wire::pack(&Message::Batch(batch), bulk.collect())
            }
        }
    }
}

fn describe(sampled: &Sampled<Content>) -> transport::Item {
    let content = &sampled.item.content;
    transport::Item {
        key: sampled.item.key,
        header: sampled.item.header.clone(),
        probability: sampled.probability,
        body: content.body_digest,
        states: content.states_digest,
    }
}
