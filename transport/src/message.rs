//! What the services say to each other. `docs/formats.md` draws every message.

use std::fmt;

use common::ids::{
    ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber, ShardId,
};
use common::trajectory::TrajectoryHeader;
use serde::{Deserialize, Serialize};

use crate::digest::{BlockDigest, BulkDigest};
use crate::envelope::{WireError, decode_value, encode_value};

/// Who a peer is; each role has one key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// Trains, publishes weights.
    Learner,
    /// Stores trajectories.
    Replay,
    /// Plays episodes.
    Actor,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 3] = [Role::Learner, Role::Replay, Role::Actor];

    /// Its name in key files and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Learner => "learner",
            Role::Replay => "replay",
            Role::Actor => "actor",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The first message on a link.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Who is speaking.
    pub role: Role,
    /// The run it belongs to; none for an actor that has yet to be told.
    pub run: Option<RunId>,
    /// Digest of the observation and action schema.
    pub schema: Digest,
    /// The learner's fencing token.
    pub token: Option<FencingToken>,
    /// Which actor.
    pub actor: Option<ActorId>,
    /// Which life of the actor.
    pub incarnation: Option<Incarnation>,
    /// An actor's oldest trajectory for this shard that nobody has acknowledged.
    pub first_sequence: SequenceNumber,
}

/// The handshake succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The run that the sender serves.
    pub run: RunId,
    /// Which shard answers; none for a learner.
    pub shard: Option<ShardId>,
    /// To an actor: the sequence number that is stored next.
    pub next: SequenceNumber,
    /// To an actor: sequence numbers below this may be sent.
    pub limit: SequenceNumber,
}

/// Why a handshake was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The peer serves another run.
    OtherRun,
    /// Observation or action schemas differ.
    OtherSchema,
    /// The peer speaks another protocol.
    Protocol,
    /// A learner with a larger fencing token has taken over.
    OldToken,
    /// The key belongs to another role than the one claimed, or the role has no business here.
    WrongRole,
    /// The handshake lacks what its role must say.
    Incomplete,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Refusal::OtherRun => "other run",
            Refusal::OtherSchema => "other schema",
            Refusal::Protocol => "other protocol",
            Refusal::OldToken => "old fencing token",
            Refusal::WrongRole => "wrong role",
            Refusal::Incomplete => "incomplete handshake",
        })
    }
}

/// The handshake failed for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// For programs.
    pub reason: Refusal,
    /// For people.
    pub message: String,
}

/// The handshake cannot succeed yet; to be tried again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotReady {
    /// What is missing.
    pub message: String,
}

/// One trajectory for a shard; body and states follow as two frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Insert {
    /// What the shard may read.
    pub header: TrajectoryHeader,
    /// The steps.
    pub body: BlockDigest,
    /// The states.
    pub states: BlockDigest,
}

impl Insert {
    /// Whether these are the frames that it speaks of.
    #[must_use]
    pub fn holds(&self, body: &[u8], states: &[u8]) -> bool {
        self.body.stored == BulkDigest::of(body) && self.states.stored == BulkDigest::of(states)
    }
}

/// Several small trajectories for a shard: in one frame, of each an [`Insert`] in its envelope, its body and its states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inserts {
    /// Bytes of envelope, body and states of each.
    pub lengths: Vec<[u32; 3]>,
    /// All of them, one behind the other.
    pub frame: BulkDigest,
}

impl Inserts {
    /// Envelope, body and states of each; none when the lengths are not those of `bytes`.
    #[must_use]
    pub fn split<'a>(&self, mut bytes: &'a [u8]) -> Option<Vec<[&'a [u8]; 3]>> {
        let mut pieces = Vec::new();
        for lengths in &self.lengths {
            let mut parts = [&bytes[..0]; 3];
            for (part, length) in parts.iter_mut().zip(lengths) {
                (*part, bytes) = bytes.split_at_checked(*length as usize)?;
            }
            pieces.push(parts);
        }
        bytes.is_empty().then_some(pieces)
    }
}

/// To an actor: what is stored, and what may be sent. Each says everything anew, so a lost one does no harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// Every sequence number below this is stored.
    pub next: SequenceNumber,
    /// Sequence numbers below this may be sent.
    pub limit: SequenceNumber,
}

/// Which trajectories of a table are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    /// Those that the table's sampler selects.
    Next,
    /// Those of one version that were not given yet, for learners that take fixed turns.
    Turn(PolicyVersion),
}

/// A request for trajectories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Returned with the answer.
    pub request: u64,
    /// Of which table.
    pub table: String,
    /// Which.
    pub pick: Pick,
    /// At least so many steps, where there are.
    pub steps: u64,
    /// The shard answers with what it has after this long, in milliseconds.
    pub patience_ms: u32,
}

/// A trajectory in a [`Batch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The shard's key of it.
    pub key: u64,
    /// Header.
    pub header: TrajectoryHeader,
    /// With which probability the table's sampler selected it.
    pub probability: f64,
    /// The steps.
    pub body: BlockDigest,
    /// The states.
    pub states: BlockDigest,
}

/// How much a shard holds of one table, so that the learner samples from all shards in proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableSize {
    /// Items in the table.
    pub items: u64,
    /// Sum of what the sampler draws in proportion to: priorities to the exponent's power; each item 1 where it has none.
    pub mass: f64,
}

/// Most items of one [`Batch`].
pub const MAX_BATCH_ITEMS: usize = 4096;

/// The answer to [`Sample`]; bodies and states follow, two frames an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Of the request.
    pub request: u64,
    /// What the table held when it was asked.
    pub table: TableSize,
    /// May be empty.
    pub items: Vec<Item>,
}

/// New priorities from the learner. Items that have left the table meanwhile are no matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prioritise {
    /// Of which table.
    pub table: String,
    /// Keys as in [`Item`], and their priorities.
    pub updates: Vec<(u64, f32)>,
}

/// A version is out; sent to all, and repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announcement {
    /// The run.
    pub run: RunId,
    /// The newest version.
    pub version: PolicyVersion,
}

/// A request for the newest weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pull {
    /// What the asker has; it is answered when there is something newer.
    pub have: Option<PolicyVersion>,
}

/// The newest weights, which follow as one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Their version.
    pub version: PolicyVersion,
    /// The weights.
    pub weights: BulkDigest,
}

macro_rules! messages {
    ($($(#[$doc:meta])* $number:literal => $name:ident($payload:ty),)*) => {
        /// Every message. The number of a kind is part of the format and never changes.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Message {
            $($(#[$doc])* $name($payload),)*
        }

        impl Message {
            /// The numbers of all kinds.
            pub const KINDS: &[u16] = &[$($number,)*];

            /// Its number in the envelope.
            #[must_use]
            pub fn kind(&self) -> u16 {
                match self { $(Message::$name(_) => $number,)* }
            }

            /// The name of its kind.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self { $(Message::$name(_) => stringify!($name),)* }
            }

            pub(crate) fn encode_payload(&self) -> Result<Vec<u8>, WireError> {
                match self { $(Message::$name(payload) => encode_value(payload),)* }
            }

            pub(crate) fn decode_payload(kind: u16, bytes: &[u8]) -> Result<Message, WireError> {
                match kind {
                    $($number => Ok(Message::$name(decode_value(bytes)?)),)*
                    _ => Err(WireError::UnknownKind { kind }),
                }
            }
        }
    };
}

messages! {
    /// Opens a link.
    1 => Hello(Hello),
    /// Accepts it.
    2 => Welcome(Welcome),
    /// Refuses it for good.
    3 => Refused(Refused),
    /// Refuses it for now.
    4 => NotReady(NotReady),
    /// The receiver does not know the sender (it was restarted): say hello again.
    5 => UnknownPeer(()),
    /// Is anybody there?
    6 => Ping(()),
    /// Yes.
    7 => Pong(()),
    /// The learner has ended the run.
    8 => RunFinished(()),
    /// Shard to actor.
    17 => Ack(Ack),
    /// Actor to shard.
    24 => Insert(Insert),
    /// Learner to shard.
    25 => Sample(Sample),
    /// Shard to learner.
    26 => Batch(Batch),
    /// Learner to shard.
    27 => Prioritise(Prioritise),
    /// Actor to shard.
    28 => Inserts(Inserts),
    /// Learner to everybody.
    32 => Announcement(Announcement),
    /// Actor to learner.
    33 => Pull(Pull),
    /// Learner to actor.
    34 => Weights(Weights),
}

impl Message {
    /// Digests of the frames that follow the envelope, in their order.
    pub(crate) fn bulk(&self) -> Vec<BulkDigest> {
        match self {
            Message::Insert(insert) => vec![insert.body.stored, insert.states.stored],
            Message::Inserts(inserts) => vec![inserts.frame],
            Message::Batch(batch) => {
                batch.items.iter().flat_map(|item| [item.body.stored, item.states.stored]).collect()
            }
            Message::Weights(weights) => vec![weights.weights],
            _ => Vec::new(),
        }
    }
}

impl Hello {
    /// What every hello says; the rest is absent.
    #[must_use]
    pub fn new(role: Role, schema: Digest) -> Self {
        Hello {
            role,
            run: None,
            schema,
            token: None,
            actor: None,
            incarnation: None,
            first_sequence: SequenceNumber(0),
        }
    }
}
