//! When invocations and workflows come: one process each, merged into one stream in the order of time. Nothing is drawn
//! in advance, so memory does not grow with the length of an episode; and nothing depends on decisions, so all schedulers
//! meet the very same arrivals.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use common::seed::FastRng;
use common::{RunSeed, SimTime, Stream};
use dyn_clone::DynClone;
use rand::RngCore as _;

/// The next arrival of one function or workflow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextArrival {
    /// When, in seconds from the start of the episode.
    pub at: f64,
    /// Its reference duration in seconds, where a trace states it; else it is drawn.
    pub seconds: Option<f64>,
}

impl NextArrival {
    /// An arrival whose work is drawn.
    #[must_use]
    pub fn at(at: f64) -> Self {
        NextArrival { at, seconds: None }
    }
}

/// When the invocations of one function (or the runs of one workflow) come.
pub trait ArrivalProcess: Send + DynClone {
    /// The next arrival, never earlier than the one before; `None` when no more will come. What lies behind the horizon
    /// is not used.
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival>;
}

dyn_clone::clone_trait_object!(ArrivalProcess);

/// An arrival of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coming {
    /// Time of the arrival.
    pub at: SimTime,
    /// Number of the subject: a function, or after all functions a workflow.
    pub subject: u32,
    /// Seed from which the work of the invocation is drawn.
    pub seed: u64,
    /// Its reference duration in seconds, where a trace states it.
    pub seconds: Option<f64>,
}

#[derive(Clone)]
struct Line {
    process: Box<dyn ArrivalProcess>,
    rng: FastRng,
    /// Seed and duration of the arrival that is at hand.
    seed: u64,
    seconds: Option<f64>,
}

/// Arrivals of an episode by time; at one instant in the order of their subjects.
#[derive(Clone)]
pub struct ArrivalStream {
    lines: Vec<Line>,
    heads: BinaryHeap<Reverse<(SimTime, u32)>>,
    horizon: SimTime,
}

impl ArrivalStream {
    /// Merges one process for each subject, until `horizon`.
    #[must_use]
    pub fn new(
        episode: RunSeed,
        processes: impl IntoIterator<Item = Box<dyn ArrivalProcess>>,
        horizon: SimTime,
    ) -> Self {
        let mut heads = Vec::new();
        let mut lines = Vec::new();
        for (subject, process) in processes.into_iter().enumerate() {
            let rng = episode.fast_rng(Stream::Arrivals, subject as u64);
            let mut line = Line { process, rng, seed: 0, seconds: None };
            if let Some(at) = line.advance(horizon) {
                heads.push(Reverse((at, subject as u32)));
            }
            lines.push(line);
        }
        ArrivalStream { lines, heads: BinaryHeap::from(heads), horizon }
    }

    /// Time of the next arrival; [`SimTime::NEVER`] when none is left.
    #[must_use]
    pub fn next_time(&self) -> SimTime {
        self.heads.peek().map_or(SimTime::NEVER, |Reverse((at, _))| *at)
    }

    /// Simulated time after which no invocation arrives.
    #[must_use]
    pub fn horizon(&self) -> SimTime {
        self.horizon
    }
}

impl Iterator for ArrivalStream {
    type Item = Coming;

    fn next(&mut self) -> Option<Coming> {
        let mut head = self.heads.peek_mut()?;
        let Reverse((at, subject)) = *head;
        let line = &mut self.lines[subject as usize];
        let coming = Coming { at, subject, seed: line.seed, seconds: line.seconds };
        match line.advance(self.horizon) {
            // In place: one sift through the heap in place of two.
            Some(next) => head.0.0 = next.max(at),
            None => {
                PeekMut::pop(head);
            }
        }
        Some(coming)
    }
}

impl Line {
    fn advance(&mut self, horizon: SimTime) -> Option<SimTime> {
        let next = self.process.next(&mut self.rng)?;
        self.seed = self.rng.next_u64();
        self.seconds = next.seconds;
        Some(SimTime::from_seconds(next.at)).filter(|&at| at < horizon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Every(f64, f64);

    impl ArrivalProcess for Every {
        fn next(&mut self, _rng: &mut FastRng) -> Option<NextArrival> {
            self.0 += self.1;
            Some(NextArrival::at(self.0))
        }
    }

    #[test]
    fn streams_are_merged_by_time_and_subject_up_to_the_horizon() {
        let processes: [Box<dyn ArrivalProcess>; 2] = [Box::new(Every(0.0, 2.0)), Box::new(Every(0.0, 3.0))];
        let stream = ArrivalStream::new(RunSeed(1), processes, SimTime::from_seconds(9.0));
        let found: Vec<(u64, u32)> = stream.map(|one| (one.at.0 / 1_000_000, one.subject)).collect();
        assert_eq!(found, [(2, 0), (3, 1), (4, 0), (6, 0), (6, 1), (8, 0)]);
    }
}
