//! What the core of a shard wants done.

use transport::wire::{self, WireError};
use transport::{Batch, Frame, Message, PeerId, TableSize};

use crate::claim::Claim;
use crate::item::{Content, Item};
use crate::tables::Given;

/// One thing to be done; effects are carried out in their order.
#[derive(Debug)]
pub enum Effect {
    /// To be made durable before any [`Effect::SendAfter`] behind it is sent. None of these where durability is `memory`.
    Persist(Change),
    /// To be sent at once.
    Send(Outgoing),
    /// To be sent when all changes before it are durable.
    SendAfter(Outgoing),
}

/// A change of what the shard holds.
#[derive(Debug)]
pub enum Change {
    /// A trajectory came.
    Insert(Item),
    /// It left one of its tables.
    Leave {
        /// Its key.
        key: u64,
        /// Id of the table.
        table: u32,
    },
    /// It left its last table.
    Remove(u64),
    /// Another run or learner has the shard, or nobody any more.
    Claim(Option<Claim>),
}

/// A message to a peer.
#[derive(Debug)]
pub struct Outgoing {
    /// Whom.
    pub peer: PeerId,
    /// What it is told.
    pub reply: Reply,
}

/// What a peer is told.
#[derive(Debug)]
pub enum Reply {
    /// A message without frames.
    Message(Message),
    /// Trajectories.
    Batch {
        /// The request.
        request: u64,
        /// What its table held.
        table: TableSize,
        /// The trajectories.
        given: Vec<Given<Content>>,
    },
    /// A message with one frame behind it.
    Bulk(Message, Frame),
}

impl Outgoing {
    /// Its frames, ready to be sent; none, and a line in the log, when it cannot be: that is a fault of ours.
    #[must_use]
    pub fn frames(&self) -> Option<Vec<Frame>> {
        self.pack()
            .inspect_err(|error| tracing::warn!(peer = ?self.peer, %error, "a message could not be sent"))
            .ok()
    }

    /// Its frames; those of trajectories are shared with the table.
    ///
    /// # Errors
    /// [`WireError`] when it is too large.
    pub fn pack(&self) -> Result<Vec<Frame>, WireError> {
        match &self.reply {
            Reply::Message(message) => wire::pack(message, Vec::new()),
            Reply::Bulk(message, bytes) => wire::pack(message, vec![bytes.clone()]),
            Reply::Batch { request, table, given } => {
                let items = given.iter().map(describe).collect();
                let bulk = given.iter().flat_map(|given| {
                    let content = &given.item.content;
                    [content.body.clone(), content.states.clone()]
                });
                let batch = Batch { request: *request, table: *table, items };
                wire::pack(&Message::Batch(batch), bulk.collect())
            }
        }
    }
}

fn describe(given: &Given<Content>) -> transport::Item {
    let content = &given.item.content;
    transport::Item {
        key: given.item.key,
        header: given.item.header.clone(),
        probability: given.probability,
        body: content.body_digest,
        states: content.states_digest,
    }
}
