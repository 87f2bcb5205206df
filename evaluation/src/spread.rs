//! A grid played over all cores: every thread takes the next piece of work that is left, so none waits for another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use common::Shutdown;
use engine::{Interests, Scheduler, Simulation};
use heuristics::heuristic;

use crate::contender::{Contender, MakeScheduler};
use crate::decision_times::DecisionTimes;
use crate::error::EvaluationError;
use crate::grid::{Grid, Work};
use crate::play::play_batch;
use crate::record::{Cell, EpisodeRecord};
use crate::reference::Reference;
use crate::summary::{Summary, summary};
use crate::tally::{Sent, Tally};

/// How a thread gets a scheduler of its own.
pub(crate) enum Maker<'a> {
    Rule(&'a str),
    Made(&'a MakeScheduler<'a>),
    Reference(Reference),
    /// Was played by the calling thread.
    None,
}

impl<'a> Maker<'a> {
    pub fn of(contender: &'a Contender<'_>) -> Self {
        match contender {
            Contender::Heuristic(name) => Maker::Rule(name),
            Contender::Made { make, .. } => Maker::Made(*make),
            Contender::Reference(reference) => Maker::Reference(*reference),
            Contender::Single(_) => Maker::None,
        }
    }
}

/// Plays the work of a grid.
pub(crate) struct Player<'a> {
    /// What is played.
    pub grid: &'a Grid<'a>,
    /// Of the contenders.
    pub names: &'a [Arc<str>],
    /// Ends it early.
    pub stop: &'a Shutdown,
    /// One thread, or who keeps the records, met an error: the others need not go on.
    pub failed: &'a AtomicBool,
}

impl Player<'_> {
    fn ends(&self) -> bool {
        self.stop.is_triggered() || self.failed.load(Ordering::Relaxed)
    }

    /// Plays `work` on as many threads as the grid has.
    pub fn play_spread(
        &self,
        work: &[Work],
        makers: &[Maker<'_>],
        tally: &mut Tally<'_>,
    ) -> Result<(), EvaluationError> {
        let next = AtomicUsize::new(0);
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            for _ in 0..self.grid.thread_count().min(work.len()) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || self.serve(work, makers, next, &sender));
            }
            drop(sender);
            let result = tally.receive(&receiver);
            // Those that still play end at their next sign of life.
            self.failed.store(result.is_err(), Ordering::Relaxed);
            result
        })?;
        if self.stop.is_triggered() { Err(EvaluationError::Interrupted) } else { Ok(()) }
    }

    /// One thread: takes work until none is left. A scheduler is made once a thread.
    fn serve<'a>(&self, work: &[Work], makers: &'a [Maker<'a>], next: &AtomicUsize, sender: &Sender<Sent>) {
        let mut made: HashMap<usize, Box<dyn Scheduler>> = HashMap::new();
        while let Some(work) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            if self.ends() {
                return;
            }
            // Nobody listens any more once something failed.
            let mut send = |record| drop(sender.send(Ok(record)));
            let result = match &makers[work.contender] {
                Maker::Reference(reference) => self.compute(work, *reference, &mut send),
                maker => self.scheduler(work, maker, &mut made).and_then(|scheduler| {
                    // A rule gains nothing from company.
                    let batch = if matches!(maker, Maker::Rule(_)) { 1 } else { work.seeds.len() };
                    self.play(work, scheduler, batch, &mut send)
                }),
            };
            match result {
                Ok(()) => {}
                Err(EvaluationError::Interrupted) => return,
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    drop(sender.send(Err(error)));
                    return;
                }
            }
        }
    }

    fn scheduler<'s>(
        &self,
        work: &Work,
        maker: &Maker<'_>,
        made: &'s mut HashMap<usize, Box<dyn Scheduler>>,
    ) -> Result<&'s mut dyn Scheduler, EvaluationError> {
        let scenario = self.grid.workloads[work.workload].kind.scenario();
        let entry = match made.entry(work.contender) {
            Entry::Occupied(known) => return Ok(&mut **known.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        let scheduler = match maker {
            Maker::Rule(name) => heuristic(name, scenario)?,
            Maker::Made(make) => make()?,
            Maker::Reference(_) | Maker::None => return Err(self.no_reference(work)),
        };
        Ok(&mut **entry.insert(scheduler))
    }

    /// Plays one piece of work with this scheduler.
    pub fn play(
        &self,
        work: &Work,
        scheduler: &mut dyn Scheduler,
        batch: usize,
        finished: &mut dyn FnMut(EpisodeRecord),
    ) -> Result<(), EvaluationError> {
        let interests = scheduler.interests();
        let episodes =
            work.seeds.iter().map(|&seed| (u64::from(seed), self.simulation(work, seed, interests)));
        let ended = |seed: u64, simulation: Simulation, times| {
            finished(self.record(work, seed as u32, &summary(&simulation), times));
        };
        let alive = || match self.ends() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        play_batch(episodes, batch, scheduler, ended, alive)
    }

    fn compute(
        &self,
        work: &Work,
        reference: Reference,
        finished: &mut dyn FnMut(EpisodeRecord),
    ) -> Result<(), EvaluationError> {
        for &seed in &work.seeds {
            if self.ends() {
                return Err(EvaluationError::Interrupted);
            }
            let simulation = self.simulation(work, seed, Interests::NONE);
            let summary = reference.summary(&simulation).ok_or_else(|| self.no_reference(work))?;
            finished(self.record(work, seed, &summary, DecisionTimes::default()));
        }
        Ok(())
    }

    fn no_reference(&self, work: &Work) -> EvaluationError {
        EvaluationError::NoReference {
            reference: self.names[work.contender].to_string(),
            workload: self.grid.workloads[work.workload].name.to_string(),
        }
    }

    fn simulation(&self, work: &Work, seed: u32, interests: Interests) -> Simulation {
        let episode = self.grid.seed.episode(self.grid.stream, u64::from(seed));
        self.grid.workloads[work.workload].episode(episode, work.load, interests)
    }

    fn record(&self, work: &Work, seed: u32, summary: &Summary, decisions: DecisionTimes) -> EpisodeRecord {
        EpisodeRecord {
            cell: Cell {
                workload: self.grid.workloads[work.workload].name.clone(),
                load: work.load,
                scheduler: self.names[work.contender].clone(),
            },
            seed,
            figures: summary.figures.clone(),
            sums: summary.sums.clone(),
            slowdowns: summary.slowdowns.clone(),
            decisions,
        }
    }
}
