//! All randomness of a run derives from one seed. A counter-based generator is keyed by (run seed, stream, index), so that any
//! stream can be restarted at any index, and no two purposes use the same numbers.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

/// A small generator (32 bytes of state, about a nanosecond per number) for numbers that are drawn for every invocation.
pub type FastRng = Xoshiro256PlusPlus;

/// The purpose of random numbers. The stream's number is part of what a seed means, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u64)]
pub enum Stream {
    /// Episodes that the policy learns from.
    Training = 1,
    /// Episodes on which heuristics are tuned.
    Tuning = 2,
    /// Episodes on which checkpoints are chosen.
    Validation = 3,
    /// Episodes that only reports use.
    Test = 4,
    /// Initial weights of the networks.
    Weights = 5,
    /// Actions drawn by actors.
    Actions = 6,
    /// Which steps go into which minibatch.
    Minibatches = 7,
    /// What a replay shard samples.
    Sampling = 8,
    /// Within an episode: when invocations (or jobs) arrive and what they need.
    Arrivals = 9,
    /// Within an episode: cold starts, noise and everything else that happens while it runs.
    Execution = 10,
    /// Properties of functions drawn once (runtime, priority, isolation tag).
    Functions = 11,
    /// Scenario choices of an episode: load, length, window of a trace.
    Scenario = 12,
    /// Bootstrap resampling of the statistics.
    Bootstrap = 13,
    /// Graphs that benchmarks run on.
    Benchmark = 14,
    /// Which neighbours of a node are sampled in a large state graph.
    Neighbours = 15,
    /// How much each part of the reward counts in an episode.
    Preference = 16,
    /// What the sampler of a study draws.
    Sweep = 17,
}

/// The one seed of a run; or, derived from it, the seed of an episode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct RunSeed(pub u64);

impl RunSeed {
    /// The generator of `stream` number `index`.
    #[must_use]
    pub fn rng(self, stream: Stream, index: u64) -> ChaCha8Rng {
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        key[8..16].copy_from_slice(&(stream as u64).to_le_bytes());
        key[16..24].copy_from_slice(&index.to_le_bytes());
        key[24..].copy_from_slice(b"longshor");
        ChaCha8Rng::from_seed(key)
    }

    /// A small generator of `stream` number `index`; its numbers differ from those of [`RunSeed::rng`].
    #[must_use]
    pub fn fast_rng(self, stream: Stream, index: u64) -> FastRng {
        // Odd multipliers keep (stream, index) pairs distinct; the generator hashes its seed.
        let lane = (stream as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        FastRng::seed_from_u64(self.0 ^ lane.rotate_left(32) ^ index.wrapping_mul(0xD1B5_4A32_D192_ED03))
    }

    /// The seed of episode `index` of `stream` (training, tuning, validation or test).
    #[must_use]
    pub fn episode(self, stream: Stream, index: u64) -> RunSeed {
        RunSeed(self.rng(stream, index).next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_and_indices_never_share_numbers() {
        let seed = RunSeed(7);
        let mut seen = std::collections::HashSet::new();
        for stream in [Stream::Training, Stream::Tuning, Stream::Validation, Stream::Test] {
            for index in 0..1000 {
                assert!(seen.insert(seed.episode(stream, index)));
            }
        }
    }

    #[test]
    fn the_meaning_of_a_seed_is_pinned() {
        assert_eq!(RunSeed(1).rng(Stream::Training, 0).next_u64(), RunSeed(1).episode(Stream::Training, 0).0);
        assert_eq!(RunSeed(1).rng(Stream::Test, 3), RunSeed(1).rng(Stream::Test, 3));
    }
}
