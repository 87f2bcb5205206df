//! What is inserted and sampled.

use std::fmt;

use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Bytes of a step beside its state: action, log-probabilities, reward and the like.
const BODY_BYTES: usize = 96;
/// Random bytes that items are cut out of.
const POOL_BYTES: usize = 64 << 20;
/// From item to item; prime, so that places repeat late.
const STRIDE: u64 = 4_999_999;

/// A size of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Load {
    /// 32 steps, each with a state of 8 KiB: 265 kB.
    Trajectory,
    /// One step with a state of 4 KiB.
    Small,
}

impl Load {
    /// Steps of an item.
    #[must_use]
    pub fn steps(self) -> usize {
        match self {
            Load::Trajectory => 32,
            Load::Small => 1,
        }
    }

    /// Bytes of a step, all in all.
    #[must_use]
    pub fn step_bytes(self) -> usize {
        self.state_bytes() + BODY_BYTES
    }

    /// Bytes of an item.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.steps() * self.step_bytes()
    }

    /// Items that a learner asks for at once.
    pub(super) fn batch(self) -> usize {
        match self {
            Load::Trajectory => 32,
            Load::Small => 256,
        }
    }

    /// Items that the service holds, over all shards.
    pub(super) fn max_items(self) -> usize {
        match self {
            Load::Trajectory => 1000,
            Load::Small => 20_000,
        }
    }

    fn state_bytes(self) -> usize {
        match self {
            Load::Trajectory => 8192,
            Load::Small => 4096,
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Load::Trajectory => "trajectory",
            Load::Small => "small",
        })
    }
}

/// A pool of random bytes.
pub(super) struct Noise(Vec<u8>);

impl Noise {
    pub(super) fn new() -> Self {
        let mut pool = vec![0; POOL_BYTES];
        ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut pool);
        Noise(pool)
    }

    /// Body and states of an item.
    pub(super) fn item(&self, load: Load, ordinal: u64) -> (Vec<u8>, Vec<u8>) {
        let start = (ordinal.wrapping_mul(STRIDE) % (self.0.len() - load.bytes()) as u64) as usize;
        let (body, states) = self.0[start..start + load.bytes()].split_at(load.steps() * BODY_BYTES);
        (body.to_vec(), states.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_as_large_as_said_and_differ() {
        let noise = Noise::new();
        for load in [Load::Trajectory, Load::Small] {
            let (body, states) = noise.item(load, 7);
            assert_eq!(body.len() + states.len(), load.bytes());
            assert_ne!(noise.item(load, 8).1, states);
        }
    }
}
