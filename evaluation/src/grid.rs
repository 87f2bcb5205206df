//! Schedulers × workloads × loads × seeds: what is to be played, and how it is divided among threads.

use std::sync::Arc;

use common::trajectory::Scenario;
use common::{RunSeed, Stream};
use engine::serverless::Part;
use engine::{Interests, Simulation};
use workloads::Episodes;

use crate::contender::Contender;
use crate::error::EvaluationError;
use crate::record::Cell;

/// Episodes of `slots` that one thread takes at a time: they last microseconds.
const SHORT_EPISODES: usize = 64;

/// A workload of a grid.
#[derive(Clone)]
pub struct Workload<'a> {
    /// Its name in records.
    pub name: Arc<str>,
    /// Makes its episodes.
    pub episodes: &'a Episodes,
    /// Which of them.
    pub kind: Kind,
    /// Offered loads, percent.
    pub loads: Vec<f64>,
}

/// What episodes a workload has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `slots` of this many steps.
    Slots {
        /// Episode length, steps.
        steps: u32,
    },
    /// `serverless`, this part of the workload.
    Serverless {
        /// Part of the workload from which episodes are taken.
        part: Part,
    },
}

impl Kind {
    pub(crate) fn scenario(self) -> Scenario {
        match self {
            Kind::Slots { .. } => Scenario::Slots,
            Kind::Serverless { .. } => Scenario::Serverless,
        }
    }
}

impl Workload<'_> {
    /// The episode of a seed at a load.
    #[must_use]
    pub fn episode(&self, seed: RunSeed, load: f64, interests: Interests) -> Simulation {
        match self.kind {
            Kind::Slots { steps } => self.episodes.slots(seed, load, steps),
            Kind::Serverless { part } => self.episodes.serverless(seed, part, load / 100.0, interests),
        }
    }

    /// Whether references are defined for the workload. With workflows they are not: when a stage arrives depends on the scheduler.
    fn has_references(&self) -> bool {
        self.episodes.workload().is_none_or(|one| one.cluster().workflows.is_empty())
    }
}

/// What is played.
pub struct Grid<'a> {
    /// Workloads with their loads.
    pub workloads: Vec<Workload<'a>>,
    /// Number of seeds; they are numbered from 0.
    pub seeds: u32,
    /// Seed from which all episodes derive.
    pub seed: RunSeed,
    /// Stream of the seed from which the episodes are drawn.
    pub stream: Stream,
    /// Threads over which episodes are spread; 0: every core.
    pub threads: usize,
    /// Number of environments in one batch of a learnt policy.
    pub batch: usize,
}

/// Episodes that one thread plays with one scheduler.
pub(crate) struct Work {
    /// Index of the workload in the grid.
    pub workload: usize,
    /// Offered load, percent.
    pub load: f64,
    /// Index of the contender.
    pub contender: usize,
    /// Numbers of their seeds.
    pub seeds: Vec<u32>,
}

impl Grid<'_> {
    /// Refuses workloads of another scenario than their episodes.
    pub(crate) fn check(&self) -> Result<(), EvaluationError> {
        for workload in &self.workloads {
            let (found, expected) = (workload.episodes.scenario(), workload.kind.scenario());
            // `slots` episodes can be made of any configuration.
            if expected == Scenario::Serverless && found != expected {
                return Err(EvaluationError::WrongScenario { found, expected });
            }
        }
        Ok(())
    }

    /// Work that is not yet done, the longest first, so that the threads end at about the same time.
    pub(crate) fn work(
        &self,
        contenders: &[Contender<'_>],
        names: &[Arc<str>],
        is_done: &dyn Fn(&Cell, u32) -> bool,
    ) -> Vec<Work> {
        let mut work = Vec::new();
        for (place, workload) in self.workloads.iter().enumerate() {
            let takes_part = taking_part(workload, contenders);
            for &load in &workload.loads {
                for (contender, name) in names.iter().enumerate().filter(|(one, _)| takes_part[*one]) {
                    let cell = Cell { workload: workload.name.clone(), load, scheduler: name.clone() };
                    let left: Vec<u32> = (0..self.seeds).filter(|&seed| !is_done(&cell, seed)).collect();
                    let together = self.together(&contenders[contender], workload.kind, left.len());
                    for seeds in left.chunks(together) {
                        work.push(Work { workload: place, load, contender, seeds: seeds.to_vec() });
                    }
                }
            }
        }
        let policy = |work: &Work| matches!(contenders[work.contender], Contender::Made { .. });
        work.sort_by(|a, b| policy(b).cmp(&policy(a)).then(b.load.total_cmp(&a.load)));
        work
    }

    fn together(&self, contender: &Contender<'_>, kind: Kind, left: usize) -> usize {
        match (contender, kind) {
            (Contender::Single(_), _) => left.max(1),
            (Contender::Made { .. }, _) => self.batch.min(left.div_ceil(self.thread_count())).max(1),
            (_, Kind::Slots { .. }) => SHORT_EPISODES,
            (_, Kind::Serverless { .. }) => 1,
        }
    }

    pub(crate) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// Whether each contender plays the workload. A reference that is not defined for it is left out, with a log line.
fn taking_part(workload: &Workload<'_>, contenders: &[Contender<'_>]) -> Vec<bool> {
    let known = workload.has_references();
    let takes_part = |contender: &Contender<'_>| {
        let left_out = matches!(contender, Contender::Reference(_)) && !known;
        if left_out {
            tracing::warn!(
                workload = &*workload.name,
                reference = contender.name(),
                "left out: references know no workflows, whose stages come when the ones before them end"
            );
        }
        !left_out
    };
    contenders.iter().map(takes_part).collect()
}
