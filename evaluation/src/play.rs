//! Plays many episodes with one scheduler, which is asked for all that wait at once.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use common::Action;
use engine::{DecisionRequest, Progress as Advanced, Scheduler, Simulation};

use crate::decision_times::DecisionTimes;
use crate::error::EvaluationError;

/// Shortest time between two calls of `alive`.
const BETWEEN_SIGNS: Duration = Duration::from_millis(100);

/// Plays numbered episodes, up to `batch` of them side by side: whenever one ends the next takes its place. `finished`
/// receives each episode when it ends, with the decision times since the previous one. `alive` is called between
/// decisions, at most every 100 ms, and may interrupt the evaluation.
///
/// # Errors
/// When the scheduler fails or chooses something impossible; [`EvaluationError::Interrupted`] when `alive` said so.
pub fn play_batch(
    episodes: impl IntoIterator<Item = (u64, Simulation)>,
    batch: usize,
    scheduler: &mut dyn Scheduler,
    mut finished: impl FnMut(u64, Simulation, DecisionTimes),
    mut alive: impl FnMut() -> ControlFlow<()>,
) -> Result<(), EvaluationError> {
    let mut source = episodes.into_iter();
    let mut environments: Vec<Option<(u64, Simulation)>> = Vec::new();
    environments.resize_with(batch.max(1), || None);
    let mut decisions = Vec::new();
    let mut times = DecisionTimes::default();
    let mut sign = None;
    loop {
        let now = Instant::now();
        if sign.is_none_or(|sign| now.duration_since(sign) >= BETWEEN_SIGNS) {
            sign = Some(now);
            if alive().is_break() {
                return Err(EvaluationError::Interrupted);
            }
        }
        for (place, environment) in environments.iter_mut().enumerate() {
            let mut ended = |number, simulation| finished(number, simulation, std::mem::take(&mut times));
            to_next_decision(place, environment, &mut source, scheduler, &mut ended);
        }
        let requests: Vec<DecisionRequest<'_>> = environments
            .iter()
            .enumerate()
            .filter_map(|(environment, playing)| {
                playing.as_ref().map(|(_, one)| DecisionRequest { environment, view: one.view() })
            })
            .collect();
        if requests.is_empty() {
            return Ok(());
        }
        let asked = requests.len();
        decisions.clear();
        let start = Instant::now();
        scheduler.decide(&requests, &mut decisions)?;
        times.add(start.elapsed(), asked);
        apply(&mut environments, &decisions, asked, &*scheduler)?;
    }
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
            let Some(next) = source.next() else { return };
            *environment = Some(next);
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
    actions: &[Action],
    asked: usize,
    scheduler: &dyn Scheduler,
) -> Result<(), EvaluationError> {
    if actions.len() != asked {
        return Err(EvaluationError::DecisionCount {
            scheduler: scheduler.name().to_owned(),
            given: actions.len(),
            asked,
        });
    }
    for ((_, simulation), action) in environments.iter_mut().flatten().zip(actions) {
        simulation.apply(*action).map_err(|cause| EvaluationError::Action {
            scheduler: scheduler.name().to_owned(),
            action: *action,
            cause,
        })?;
    }
    Ok(())
}
