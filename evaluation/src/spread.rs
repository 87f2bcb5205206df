//! A grid played over all cores: every thread takes the next work that is left, so none waits for another.

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
use crate::tally::{Progress, Sent, Tally};

impl Grid<'_> {
    /// Plays every episode of the grid that `is_done` does not know and hands each to `keep` as it ends, in no
    /// particular order. Ends early, keeping what had finished, when `stop` is raised.
    ///
    /// # Errors
    /// When a scheduler is unknown, fails, or chooses something impossible; when a configuration is of another scenario;
    /// what `keep` says; [`EvaluationError::Interrupted`].
    pub fn play(
        &self,
        contenders: &mut [Contender<'_>],
        is_done: &dyn Fn(&Cell, u32) -> bool,
        keep: &mut dyn FnMut(EpisodeRecord) -> Result<(), EvaluationError>,
        progress: Progress<'_>,
        stop: &Shutdown,
    ) -> Result<(), EvaluationError> {
        self.check()?;
        let names: Vec<Arc<str>> = contenders.iter().map(|contender| contender.name().into()).collect();
        let work = self.work(contenders, &names, is_done);
        let all = work.iter().map(|work| work.seeds.len() as u64).sum();
        let all_load = work.iter().map(|work| work.load * work.seeds.len() as f64).sum();
        let mut tally = Tally::new(all, all_load, keep, progress);
        let (mut own, shared): (Vec<Work>, Vec<Work>) =
            work.into_iter().partition(|work| matches!(contenders[work.contender], Contender::Single(_)));
        let failed = AtomicBool::new(false);
        let player = Player { grid: self, names: &names, stop, failed: &failed };
        for work in own.drain(..) {
            if let Contender::Single(scheduler) = &mut contenders[work.contender] {
                let mut result = Ok(());
                let played = player.play(&work, &mut **scheduler, self.batch, &mut |record| {
                    if result.is_ok() {
                        result = tally.add(record);
                    }
                });
                result.and(played)?;
            }
        }
        let makers: Vec<Maker<'_>> = contenders.iter().map(Maker::of).collect();
        player.play_spread(&shared, &makers, &mut tally)
    }
}

/// How a thread gets a scheduler of its own.
enum Maker<'a> {
    Rule(&'a str),
    Made(&'a MakeScheduler<'a>),
    Reference(Reference),
    /// Was played by the calling thread.
    None,
}

impl<'a> Maker<'a> {
    fn of(contender: &'a Contender<'_>) -> Self {
        match contender {
            Contender::Heuristic(name) => Maker::Rule(name),
            Contender::Made { make, .. } => Maker::Made(*make),
            Contender::Reference(reference) => Maker::Reference(*reference),
            Contender::Single(_) => Maker::None,
        }
    }
}

/// Plays the work of a grid.
struct Player<'a> {
    /// What is played.
    grid: &'a Grid<'a>,
    /// Of the contenders.
    names: &'a [Arc<str>],
    /// Ends it early.
    stop: &'a Shutdown,
    /// A thread, or the receiver of the records, met an error: the other threads stop.
    failed: &'a AtomicBool,
}

impl Player<'_> {
    fn ends(&self) -> bool {
        self.stop.is_triggered() || self.failed.load(Ordering::Relaxed)
    }

    /// Plays `work` on as many threads as the grid has.
    fn play_spread(
        &self,
        work: &[Work],
        makers: &[Maker<'_>],
        tally: &mut Tally<'_>,
    ) -> Result<(), EvaluationError> {
        let next = AtomicUsize::new(0);
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.grid.thread_count().min(work.len()))
                .map(|_| {
                    let (sender, next) = (sender.clone(), &next);
                    scope.spawn(move || self.serve(work, makers, next, &sender))
                })
                .collect();
            drop(sender);
            let result = tally.receive(&receiver);
            // Those that still play end at their next sign of life.
            self.failed.store(result.is_err(), Ordering::Relaxed);
            // A scope waits for the closures only. What libtorch keeps of a thread must be gone before the process ends.
            for thread in threads {
                if let Err(panic) = thread.join() {
                    std::panic::resume_unwind(panic);
                }
            }
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
            // The receiver is gone once something has failed.
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

    /// Plays one unit of work with this scheduler.
    fn play(
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
        let alive = || if self.ends() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
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
