//! Plays episodes to their ends, many at a time: a heuristic and a network go through the same.

use simulator::{ActionError, DecisionRequest, Progress, Scheduler, SchedulerError, Simulation};

/// Why an episode could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The scheduler could not decide.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// It decided what is not possible.
    #[error("scheduler `{scheduler}` decided what the cluster refuses: {source}")]
    Refused {
        /// Its name.
        scheduler: String,
        /// Why.
        source: ActionError,
    },
}

/// Plays every episode that `next` gives, keeping up to `together` alive, and hands each to `finished` with its number
/// (0 for the first that `next` gave). One call of [`Scheduler::decide`] answers all that ask.
///
/// # Errors
/// [`PlayError`].
pub fn play(
    scheduler: &mut dyn Scheduler,
    together: usize,
    mut next: impl FnMut() -> Option<Simulation>,
    mut finished: impl FnMut(usize, &Simulation),
) -> Result<(), PlayError> {
    let mut alive: Vec<Option<(usize, Simulation)>> = (0..together.max(1)).map(|_| None).collect();
    let mut decisions = Vec::new();
    let mut started = 0;
    let mut exhausted = false;
    loop {
        for (environment, place) in alive.iter_mut().enumerate() {
            while place.is_none() && !exhausted {
                let Some(mut simulation) = next() else {
                    exhausted = true;
                    break;
                };
                scheduler.episode_started(environment);
                if simulation.advance() == Progress::Decision {
                    *place = Some((started, simulation));
                } else {
                    finished(started, &simulation);
                }
                started += 1;
            }
        }
        let requests: Vec<DecisionRequest<'_>> = alive
            .iter()
            .enumerate()
            .filter_map(|(environment, place)| {
                let (_, simulation) = place.as_ref()?;
                Some(DecisionRequest { environment, view: simulation.view() })
            })
            .collect();
        if requests.is_empty() {
            return Ok(());
        }
        decisions.clear();
        scheduler.decide(&requests, &mut decisions)?;
        drop(requests);
        let asking = alive.iter_mut().filter(|place| place.is_some());
        for (place, decision) in asking.zip(&decisions) {
            let Some((number, simulation)) = place else { continue };
            simulation.apply(decision.action).map_err(|source| PlayError::Refused {
                scheduler: scheduler.name().to_owned(),
                source,
            })?;
            if simulation.advance() == Progress::Finished {
                finished(*number, simulation);
                *place = None;
            }
        }
    }
}
