//! Plays many episodes with one scheduler, which is asked for all that wait at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::Decision;
use common::trajectory::Scenario;
use simulator::{DecisionRequest, Progress as Advanced, Scheduler, Simulation, heuristic};

use crate::contender::Contender;
use crate::error::EvaluationError;

/// Told how many episodes are done, of how many.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// A sign of life comes after so many decisions of each environment: often for a network, seldom for a rule.
const ROUNDS_BETWEEN_SIGNS: u64 = 256;

/// Wall time of decisions, in logarithmic buckets 4% wide.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionTimes {
    counts: Vec<u64>,
}

const BUCKETS_PER_OCTAVE: f64 = 16.0;

impl DecisionTimes {
    /// Counts `decisions` that took `elapsed` together.
    pub fn add(&mut self, elapsed: Duration, decisions: usize) {
        let nanoseconds = elapsed.as_nanos() as f64 / decisions.max(1) as f64;
        let bucket = (nanoseconds.max(1.0).log2() * BUCKETS_PER_OCTAVE) as usize;
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += decisions as u64;
    }

    /// Takes in what another counted.
    pub fn merge(&mut self, other: &DecisionTimes) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Decisions so far.
    #[must_use]
    pub fn decisions(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The time that a share of the decisions does not exceed, microseconds; 0 without decisions.
    #[must_use]
    pub fn quantile_us(&self, share: f64) -> f64 {
        let wanted = share * self.decisions() as f64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen as f64 >= wanted {
                return ((bucket as f64 + 0.5) / BUCKETS_PER_OCTAVE).exp2() / 1000.0;
            }
        }
        0.0
    }
}

/// Plays numbered episodes, up to `batch` of them side by side: whenever one ends the next takes its place. `finished`
/// receives each as it ends; `alive` is called now and then while they are played.
///
/// # Errors
/// When the scheduler fails or chooses something impossible.
pub fn play_batch(
    episodes: impl IntoIterator<Item = (u64, Simulation)>,
    batch: usize,
    scheduler: &mut dyn Scheduler,
    mut finished: impl FnMut(u64, Simulation),
    mut alive: impl FnMut(),
) -> Result<DecisionTimes, EvaluationError> {
    let mut source = episodes.into_iter();
    let mut environments: Vec<Option<(u64, Simulation)>> = Vec::new();
    environments.resize_with(batch.max(1), || None);
    let mut decisions = Vec::new();
    let mut times = DecisionTimes::default();
    for round in 0_u64.. {
        if round.is_multiple_of(ROUNDS_BETWEEN_SIGNS) {
            alive();
        }
        for (place, environment) in environments.iter_mut().enumerate() {
            to_next_decision(place, environment, &mut source, scheduler, &mut finished);
        }
        let requests: Vec<DecisionRequest<'_>> = environments
            .iter()
            .enumerate()
            .filter_map(|(environment, playing)| {
                playing.as_ref().map(|(_, one)| DecisionRequest { environment, view: one.view() })
            })
            .collect();
        if requests.is_empty() {
            return Ok(times);
        }
        let asked = requests.len();
        decisions.clear();
        let start = Instant::now();
        scheduler.decide(&requests, &mut decisions)?;
        times.add(start.elapsed(), asked);
        apply(&mut environments, &decisions, asked, &*scheduler)?;
    }
    Ok(times)
}

/// Runs an environment to its next decision; where its episode ends the next of the source takes its place.
fn to_next_decision(
    place: usize,
    environment: &mut Option<(u64, Simulation)>,
    source: &mut impl Iterator<Item = (u64, Simulation)>,
    scheduler: &mut dyn Scheduler,
    finished: &mut impl FnMut(u64, Simulation),
) {
    loop {
        if environment.is_none() {
            *environment = source.next();
            if environment.is_none() {
                return;
            }
            scheduler.episode_started(place);
        }
        if let Some((_, simulation)) = environment
            && simulation.advance() == Advanced::Decision
        {
            return;
        }
        if let Some((number, simulation)) = environment.take() {
            finished(number, simulation);
        }
    }
}

fn apply(
    environments: &mut [Option<(u64, Simulation)>],
    decisions: &[Decision],
    asked: usize,
    scheduler: &dyn Scheduler,
) -> Result<(), EvaluationError> {
    if decisions.len() != asked {
        return Err(EvaluationError::DecisionCount {
            scheduler: scheduler.name().to_owned(),
            given: decisions.len(),
            asked,
        });
    }
    for ((_, simulation), decision) in environments.iter_mut().flatten().zip(decisions) {
        simulation.apply(decision.action).map_err(|cause| EvaluationError::Action {
            scheduler: scheduler.name().to_owned(),
            action: decision.action,
            cause,
        })?;
    }
    Ok(())
}

/// How episodes are made and what is kept of each.
pub(crate) struct Match<'a, S> {
    pub scenario: Scenario,
    pub episodes: u64,
    /// Threads over which those of a scheduler that can be made anew are spread.
    pub threads: usize,
    /// Environments that a network is asked about together.
    pub batch: usize,
    /// Makes episode number so; the flag says whether its events are followed.
    pub make: &'a (dyn Fn(u64, bool) -> Simulation + Sync),
    pub summarise: &'a (dyn Fn(&Simulation) -> S + Sync),
    pub progress: Progress<'a>,
}

impl<S: Send> Match<'_, S> {
    /// Plays all episodes with `contender` and returns what is kept of each, in their order.
    pub fn play(&self, contender: &mut Contender<'_>) -> Result<(Vec<S>, DecisionTimes), EvaluationError> {
        match contender {
            Contender::Heuristic(name) => {
                let make = || Ok(heuristic(name, self.scenario)?);
                self.play_spread(&make, 1)
            }
            Contender::Made { make, .. } => self.play_spread(&|| Ok(make()?), self.batch),
            Contender::Single(scheduler) => self.play_single(&mut **scheduler),
            Contender::ClairvoyantInsertion => {
                Err(EvaluationError::ReferenceOfSlots(crate::contender::CLAIRVOYANT_INSERTION))
            }
        }
    }

    fn play_single(&self, scheduler: &mut dyn Scheduler) -> Result<(Vec<S>, DecisionTimes), EvaluationError> {
        let follow = scheduler.follows_events();
        let mut kept = Vec::new();
        let episodes = (0..self.episodes).map(|number| (number, (self.make)(number, follow)));
        let times = play_batch(
            episodes,
            self.batch,
            scheduler,
            |number, simulation| {
                kept.push((number, (self.summarise)(&simulation)));
                (self.progress)(kept.len() as u64, self.episodes);
            },
            || {},
        )?;
        Ok((in_order(kept), times))
    }

    /// Every thread has a scheduler of its own, which it asks about `batch` environments at a time.
    fn play_spread(
        &self,
        make: &(dyn Fn() -> Result<Box<dyn Scheduler>, EvaluationError> + Sync),
        batch: usize,
    ) -> Result<(Vec<S>, DecisionTimes), EvaluationError> {
        // The first thread shall not take everything.
        let batch = batch.min(self.episodes.div_ceil(self.thread_count() as u64).max(1) as usize);
        let next = AtomicU64::new(0);
        let done = AtomicU64::new(0);
        let results = Mutex::new((Vec::new(), DecisionTimes::default()));
        let play = || -> Result<(), EvaluationError> {
            let mut scheduler = make()?;
            let follow = scheduler.follows_events();
            let mut kept = Vec::new();
            let episodes = std::iter::from_fn(|| {
                let number = next.fetch_add(1, Ordering::Relaxed);
                (number < self.episodes).then(|| (number, (self.make)(number, follow)))
            });
            let times = play_batch(
                episodes,
                batch,
                &mut *scheduler,
                |number, simulation| {
                    kept.push((number, (self.summarise)(&simulation)));
                    (self.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, self.episodes);
                },
                || (self.progress)(done.load(Ordering::Relaxed), self.episodes),
            )?;
            let mut results = results.lock().expect("no thread panics while it holds the lock");
            results.0.append(&mut kept);
            results.1.merge(&times);
            Ok(())
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.thread_count()).map(|_| scope.spawn(play)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        let (kept, times) = results.into_inner().expect("no thread panics while it holds the lock");
        Ok((in_order(kept), times))
    }

    fn thread_count(&self) -> usize {
        let threads = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        threads.min(self.episodes.max(1) as usize)
    }
}

fn in_order<S>(mut kept: Vec<(u64, S)>) -> Vec<S> {
    kept.sort_by_key(|(number, _)| *number);
    kept.into_iter().map(|(_, one)| one).collect()
}
