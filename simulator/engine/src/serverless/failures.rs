//! Times at which nodes fail and come back, independent of all decisions.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use common::seed::FastRng;
use common::{RunSeed, SimTime, Stream};
use configuration::FailureConfig;
use rand_distr::{Distribution, Exp1};

/// Stream numbers of the nodes lie behind those of everything else that happens in an episode.
const NODES: u64 = 1 << 40;

/// A node goes down or comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub node: u32,
    pub up: bool,
}

/// Exponential times up and down of each node.
#[derive(Clone, Debug)]
pub(super) struct Failures {
    config: FailureConfig,
    /// (when, node, whether it comes back then).
    next: BinaryHeap<Reverse<(SimTime, u32, bool)>>,
    rngs: Vec<FastRng>,
}

impl Failures {
    pub fn new(config: &FailureConfig, nodes: usize, episode: RunSeed) -> Self {
        let rngs = (0..nodes as u64).map(|node| episode.fast_rng(Stream::Execution, NODES + node)).collect();
        let mut failures = Failures { config: config.clone(), next: BinaryHeap::new(), rngs };
        (0..nodes as u32).for_each(|node| failures.post(SimTime::ZERO, node, false));
        failures
    }

    pub fn next_time(&self) -> SimTime {
        self.next.peek().map_or(SimTime::NEVER, |Reverse((at, ..))| *at)
    }

    /// The next change that is due by `now`.
    pub fn pop_at(&mut self, now: SimTime) -> Option<Change> {
        let &Reverse((at, node, up)) = self.next.peek()?;
        if at > now {
            return None;
        }
        self.next.pop();
        self.post(at, node, !up);
        Some(Change { node, up })
    }

    fn post(&mut self, from: SimTime, node: u32, up: bool) {
        let mean = if up { self.config.mean_down_seconds } else { self.config.mean_up_seconds };
        let draw: f64 = Exp1.sample(&mut self.rngs[node as usize]);
        self.next.push(Reverse((from + SimTime::from_seconds(mean * draw), node, up)));
    }
}
