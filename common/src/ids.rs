//! A type for each kind of id and number, so that no two kinds can be mixed up.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::name::printable;

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
    /// An invocation of a function, or a job of `slots`; unique within its episode, in the order of arrival.
    InvocationId(u64)
}
number! {
    /// A function: its place in the workload.
    FunctionId(u32)
}
number! {
    /// A worker node: its place in the cluster.
    NodeId(u32)
}
number! {
    /// A container; ids are not reused within an episode.
    ContainerId(u64)
}
number! {
    /// An actor process (or thread), unique within a run while it lives.
    ActorId(u64)
}
number! {
    /// One life of an actor's process: drawn at each start, so that a restarted actor is told from its earlier life.
    Incarnation(u64)
}
number! {
    /// A replay shard: its place in the list of shards.
    ShardId(u32)
}
number! {
    /// Counts the trajectories that one incarnation of an actor sends to one shard, from 0.
    SequenceNumber(u64)
}
number! {
    /// Numbers the lives of a run's learner: one more at each start on the same run folder. A learner with a
    /// smaller token than the largest known is refused.
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

/// SHA-256 of something that must be the same elsewhere: a schema that two peers agree on, a file, a configuration. In texts it is 64
/// hex digits, in messages its 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Digest(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of all that `reader` yields, which is never held at once.
    ///
    /// # Errors
    /// The reader's.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<Self> {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        std::io::copy(&mut reader, &mut hasher)?;
        Ok(Digest(hasher.finalize().into()))
    }

    /// Its first `digits` hex digits, enough to tell it from others where people read it.
    #[must_use]
    pub fn short(&self, digits: usize) -> String {
        self.to_string().chars().take(digits).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| {
            let shown: String = text.chars().take(70).collect();
            format!("is \"{}\"; a SHA-256 has 64 hex digits, 0 to 9 and a to f", printable(&shown))
        })?;
        Ok(Digest(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Digest)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_from_hex_digits_alone() {
        let digest = Digest::of(b"longshore");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse(), Ok(digest));
        assert_eq!(Digest::of_reader(&b"longshore"[..]).unwrap(), digest);
        assert_eq!(digest.short(8), digest.to_string()[..8]);
        for wrong in
            ["", "ab", "<script>alert(1)</script>", &"é".repeat(32), &"g".repeat(64), &"\u{1b}".repeat(999)]
        {
            let error = wrong.parse::<Digest>().unwrap_err();
            assert!(
                error.contains("64 hex digits") && !error.contains('\u{1b}') && error.len() < 600,
                "{error}"
            );
        }
    }
}
