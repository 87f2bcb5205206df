//! The messages between services. `docs/formats.md` draws each of them.

use std::fmt;

use common::ids::{
    ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber, ShardId,
};
use common::trajectory::TrajectoryHeader;
use serde::{Deserialize, Serialize};

use crate::digest::{BlockDigest, BulkDigest};
use crate::envelope::{WireError, decode_value, encode_value};

/// What a service does in a run; each role has one key pair.
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
    /// Every role, in the order of their key pairs.
    pub const ALL: [Role; 3] = [Role::Learner, Role::Replay, Role::Actor];

    /// The role's name in key files and log lines.
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
    /// The sender's role.
    pub role: Role,
    /// The sender's run; none for an actor or a shard that does not know it yet.
    pub run: Option<RunId>,
    /// Digest of the observation and action schema.
    pub schema: Digest,
    /// A learner's fencing token.
    pub token: Option<FencingToken>,
    /// An actor's id.
    pub actor: Option<ActorId>,
    /// An actor's or a learner's incarnation.
    pub incarnation: Option<Incarnation>,
    /// Of an actor's oldest trajectory for this shard that is not acknowledged.
    pub first_sequence: SequenceNumber,
}

/// The handshake succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The run that the sender serves.
    pub run: RunId,
    /// The sender's id; none for a learner.
    pub shard: Option<ShardId>,
    /// To an actor: the sequence number that is stored next.
    pub next: SequenceNumber,
    /// To an actor: sequence numbers below this may be sent.
    pub limit: SequenceNumber,
}

/// Why a handshake was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The sender of the refusal serves another run.
    OtherRun,
    /// Observation or action schemas differ.
    OtherSchema,
    /// The services speak different protocols.
    Protocol,
    /// A learner with a larger fencing token has taken over.
    OldToken,
    /// The key belongs to another role than the hello says, or this role may not connect here.
    WrongRole,
    /// A message lacks what it must say, or speaks for another actor.
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

/// The handshake or a message is refused for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// The reason, for programs.
    pub reason: Refusal,
    /// The reason in words, for the log.
    pub message: String,
}

/// The handshake cannot succeed yet; the client tries again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotReady {
    /// What the sender waits for, for the log.
    pub message: String,
}

/// One trajectory for a shard; body and states follow as two frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Insert {
    /// The part that shards read, too.
    pub header: TrajectoryHeader,
    /// Describes the block of steps.
    pub body: BlockDigest,
    /// Describes the block of states.
    pub states: BlockDigest,
}

impl Insert {
    /// Whether these are the described frames.
    #[must_use]
    pub fn holds(&self, body: &[u8], states: &[u8]) -> bool {
        self.body.stored == BulkDigest::of(body) && self.states.stored == BulkDigest::of(states)
    }
}

/// Several small trajectories for a shard in one frame: of each an [`Insert`] in its envelope, then its body and its states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inserts {
    /// For each trajectory the bytes of its envelope, body and states.
    pub lengths: Vec<[u32; 3]>,
    /// Describes the frame, which holds all of them in this order.
    pub frame: BulkDigest,
}

impl Inserts {
    /// For each trajectory its envelope, body and states; none when the lengths do not add up to `bytes`.
    #[must_use]
    pub fn split<'a>(&self, mut bytes: &'a [u8]) -> Option<Vec<[&'a [u8]; 3]>> {
        let mut trajectories = Vec::new();
        for lengths in &self.lengths {
            let mut parts = [&bytes[..0]; 3];
            for (part, length) in parts.iter_mut().zip(lengths) {
                (*part, bytes) = bytes.split_at_checked(*length as usize)?;
            }
            trajectories.push(parts);
        }
        bytes.is_empty().then_some(trajectories)
    }
}

/// Tells an actor what is stored and what it may send. Each says the whole state, so a lost one does no harm.
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
    /// Those of one version that were not sampled yet, for a learner in lockstep.
    Turn(PolicyVersion),
}

/// A request for trajectories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Number of the request, returned with the answer.
    pub request: u64,
    /// Name of the table.
    pub table: String,
    /// Which of its trajectories.
    pub pick: Pick,
    /// At least so many steps, where the table has them.
    pub steps: u64,
    /// After so many milliseconds the shard answers with what it has.
    pub patience_ms: u32,
}

/// A trajectory in a [`Batch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its key in the shard.
    pub key: u64,
    /// Header of the trajectory.
    pub header: TrajectoryHeader,
    /// The probability with which the table's sampler selected it, 0 to 1.
    pub probability: f64,
    /// Describes the block of steps.
    pub body: BlockDigest,
    /// Describes the block of states.
    pub states: BlockDigest,
}

/// How much a shard holds of one table, so that the learner samples from all shards in proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TableSize {
    /// Items in the table.
    pub items: u64,
    /// Sum of the weights by which the sampler draws: priority^exponent, or 1 for each item where it does not prioritise.
    pub mass: f64,
}

/// The largest number of items in one [`Batch`].
pub const MAX_BATCH_ITEMS: usize = 4096;

/// The answer to [`Sample`]; bodies and states follow, two frames an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Number of the request that it answers.
    pub request: u64,
    /// What the table held when it was asked.
    pub table: TableSize,
    /// The sampled items; none where the table has nothing to sample.
    pub items: Vec<Item>,
}

/// New priorities from the learner. Items that have left the table meanwhile are skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prioritise {
    /// Name of the table.
    pub table: String,
    /// Keys as in [`Item`], and their priorities.
    pub updates: Vec<(u64, f32)>,
}

/// A version of the weights is published; sent to all subscribers, and repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Announcement {
    /// The learner's run.
    pub run: RunId,
    /// The newest version.
    pub version: PolicyVersion,
}

/// A request for the newest weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pull {
    /// The version that the sender has; the answer comes when there is a newer one.
    pub have: Option<PolicyVersion>,
}

/// The newest weights, which follow as one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// The published version.
    pub version: PolicyVersion,
    /// Describes the frame of the weights.
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
    /// Opens a link, client to server.
    1 => Hello(Hello),
    /// Accepts a hello, server to client.
    2 => Welcome(Welcome),
    /// Refuses a hello or another message for good.
    3 => Refused(Refused),
    /// Refuses a hello for now.
    4 => NotReady(NotReady),
    /// The server does not know the client, because it has restarted: the client says hello again.
    5 => UnknownPeer(()),
    /// Asks for any answer.
    6 => Ping(()),
    /// Answers a ping.
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
    /// Learner to its subscribers.
    32 => Announcement(Announcement),
    /// Actor to shard or learner, shard to learner.
    33 => Pull(Pull),
    /// Answers a pull.
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
    /// A hello with what every one says; the rest is absent.
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
