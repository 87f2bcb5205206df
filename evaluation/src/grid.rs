//! Schedulers × workloads × loads × seeds over all cores: every thread takes the next piece of work that is left, so
//! none waits for another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use simulator::serverless::Part;
use simulator::{Episodes, Scheduler, Simulation, heuristic};

use crate::contender::{CLAIRVOYANT_INSERTION, Contender};
use crate::decision_times::DecisionTimes;
use crate::error::EvaluationError;
use crate::play::play_batch;
use crate::record::{Cell, EpisodeRecord};
use crate::summary::{Summary, insertion, summary};
use crate::tally::{Sent, Tally};

/// Episodes of `slots` that one thread takes at a time: they last microseconds.
const SHORT_EPISODES: usize = 64;

/// Told how far an evaluation is.
pub type Progress<'a> = &'a (dyn Fn(Advance) + Sync);

/// How far an evaluation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advance {
    /// Episodes done.
    pub done: u64,
    /// Episodes that were to be played.
    pub all: u64,
    /// Share of the work done, 0 to 1: an episode counts by its load.
    pub share: f64,
}

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
        /// Length.
        steps: u32,
    },
    /// `serverless`, this part of the workload.
    Serverless {
        /// Which.
        part: Part,
    },
}

impl Kind {
    fn scenario(self) -> Scenario {
        match self {
            Kind::Slots { .. } => Scenario::Slots,
            Kind::Serverless { .. } => Scenario::Serverless,
        }
    }
}

impl Workload<'_> {
    /// The episode of a seed at a load.
    #[must_use]
    pub fn episode(&self, seed: RunSeed, load: f64, follow_events: bool) -> Simulation {
        match self.kind {
            Kind::Slots { steps } => self.episodes.slots(seed, load, steps),
            Kind::Serverless { part } => self.episodes.serverless(seed, part, load / 100.0, follow_events),
        }
    }
}

/// What is played.
pub struct Grid<'a> {
    /// Workloads with their loads.
    pub workloads: Vec<Workload<'a>>,
    /// Seeds 0 to this.
    pub seeds: u32,
    /// Seed, and the stream that the episodes are taken from.
    pub seed: RunSeed,
    /// See `seed`.
    pub stream: Stream,
    /// Threads; 0: every core.
    pub threads: usize,
    /// Environments that a learnt policy is asked about together.
    pub batch: usize,
}

/// Episodes that one thread plays with one scheduler.
struct Work {
    workload: usize,
    load: f64,
    contender: usize,
    seeds: Vec<u32>,
}

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

    fn check(&self) -> Result<(), EvaluationError> {
        for workload in &self.workloads {
            let (found, expected) = (workload.episodes.scenario(), workload.kind.scenario());
            // `slots` episodes can be made of any configuration.
            if expected == Scenario::Serverless && found != expected {
                return Err(EvaluationError::WrongScenario { found, expected });
            }
        }
        Ok(())
    }

    /// What is left to do, the longest pieces first, so that the threads end together.
    fn work(
        &self,
        contenders: &[Contender<'_>],
        names: &[Arc<str>],
        is_done: &dyn Fn(&Cell, u32) -> bool,
    ) -> Vec<Work> {
        let mut work = Vec::new();
        for (place, workload) in self.workloads.iter().enumerate() {
            for &load in &workload.loads {
                for (contender, name) in names.iter().enumerate() {
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

    fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// How a thread gets a scheduler of its own.
enum Maker<'a> {
    Rule(&'a str),
    Made(&'a crate::contender::MakeScheduler<'a>),
    Insertion,
    /// Was played by the calling thread.
    None,
}

impl<'a> Maker<'a> {
    fn of(contender: &'a Contender<'_>) -> Self {
        match contender {
            Contender::Heuristic(name) => Maker::Rule(name),
            Contender::Made { make, .. } => Maker::Made(*make),
            Contender::ClairvoyantInsertion => Maker::Insertion,
            Contender::Single(_) => Maker::None,
        }
    }
}

struct Player<'a> {
    grid: &'a Grid<'a>,
    names: &'a [Arc<str>],
    stop: &'a Shutdown,
    /// One thread, or who keeps the records, met an error: the others need not go on.
    failed: &'a AtomicBool,
}

impl Player<'_> {
    fn ends(&self) -> bool {
        self.stop.is_triggered() || self.failed.load(Ordering::Relaxed)
    }

    fn play_spread(
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
                Maker::Insertion => self.insert(work, &mut send),
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
            Maker::Insertion | Maker::None => {
                return Err(EvaluationError::ReferenceOfSlots(CLAIRVOYANT_INSERTION));
            }
        };
        Ok(&mut **entry.insert(scheduler))
    }

    fn play(
        &self,
        work: &Work,
        scheduler: &mut dyn Scheduler,
        batch: usize,
        finished: &mut dyn FnMut(EpisodeRecord),
    ) -> Result<(), EvaluationError> {
        let follow = scheduler.follows_events();
        let episodes = work.seeds.iter().map(|&seed| (u64::from(seed), self.simulation(work, seed, follow)));
        let ended = |seed: u64, simulation: Simulation, times| {
            finished(self.record(work, seed as u32, &summary(&simulation), times));
        };
        let alive = || match self.ends() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        play_batch(episodes, batch, scheduler, ended, alive)
    }

    fn insert(&self, work: &Work, finished: &mut dyn FnMut(EpisodeRecord)) -> Result<(), EvaluationError> {
        for &seed in &work.seeds {
            let simulation = self.simulation(work, seed, false);
            let summary =
                insertion(&simulation).ok_or(EvaluationError::ReferenceOfSlots(CLAIRVOYANT_INSERTION))?;
            finished(self.record(work, seed, &summary, DecisionTimes::default()));
        }
        Ok(())
    }

    fn simulation(&self, work: &Work, seed: u32, follow: bool) -> Simulation {
        let episode = self.grid.seed.episode(self.grid.stream, u64::from(seed));
        self.grid.workloads[work.workload].episode(episode, work.load, follow)
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
