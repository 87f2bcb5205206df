//! Newtypes for everything that is counted or named, so that no two kinds can be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}", self.0)
            }
        }
    };
}

number! {
    /// An invocation of a function, or a job of `slots`; unique within its episode and rising with arrival.
    InvocationId(u64)
}
number! {
    /// A function, by its place in the workload.
    FunctionId(u32)
}
number! {
    /// A worker node, by its place in the cluster.
    NodeId(u32)
}
number! {
    /// A container; never reused within an episode.
    ContainerId(u64)
}
number! {
    /// An actor process (or thread), unique within a run while it lives.
    ActorId(u64)
}
number! {
    /// One life of an actor: fresh at each start, so that a restarted actor is never taken for its old self.
    Incarnation(u64)
}
number! {
    /// A replay shard, by its place in the list of shards.
    ShardId(u32)
}
number! {
    /// Counts the items that one incarnation of an actor sends to one shard, from 0.
    SequenceNumber(u64)
}
number! {
    /// Numbers the lives of a run's learner: one more at each start on the same run folder. Whoever has a smaller token than
    /// was seen before is refused.
    FencingToken(u32)
}

/// A version of the policy: which life of the learner published it, and its number. Ordered in that order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Of the learner that published it; early manifests of checkpoints call it `epoch`.
    #[serde(alias = "epoch")]
    pub token: FencingToken,
    /// Counts published versions; it goes on across restarts of the learner.
    pub number: u64,
}

impl fmt::Display for PolicyVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.token, self.number)
    }
}

/// Names one training run; made by the learner when it creates the run folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub [u8; 16]);

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for RunId {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(RunId(bytes))
    }
}

/// SHA-256 of something two peers must agree on: an observation schema, an action schema, a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Digest(sha2::Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}
