//! The schedulers and references of a comparison.

use common::trajectory::Scenario;
use engine::{Scheduler, SchedulerError};
use heuristics::{UnknownScheduler, canonical_name};

use crate::reference::Reference;

/// Makes a scheduler for one thread.
pub type MakeScheduler<'a> = dyn Fn() -> Result<Box<dyn Scheduler>, SchedulerError> + Sync + 'a;

/// A scheduler or a reference that is evaluated.
pub enum Contender<'a> {
    /// A rule by name: each thread has one of its own.
    Heuristic(String),
    /// A scheduler that exists once and is asked in batches.
    Single(&'a mut dyn Scheduler),
    /// A scheduler that is made anew for each thread and asked in batches, e.g. a learnt policy.
    Made {
        /// Name of the scheduler in records and tables.
        name: String,
        /// Makes a new scheduler for a thread.
        make: &'a MakeScheduler<'a>,
    },
    /// A reference that knows every episode in advance: computed, not played.
    Reference(Reference),
}

impl<'a> Contender<'a> {
    /// The rule (or reference) called `name`, in any spelling.
    ///
    /// # Errors
    /// For an unknown name; the error lists the known ones.
    pub fn by_name(name: &str, scenario: Scenario) -> Result<Contender<'a>, UnknownScheduler> {
        if let Some(reference) = Reference::by_name(name, scenario) {
            return Ok(Contender::Reference(reference));
        }
        match canonical_name(name, scenario) {
            Ok(name) => Ok(Contender::Heuristic(name)),
            Err(mut error) => {
                error.known.extend(Reference::all(scenario).iter().map(|one| one.name().to_owned()));
                Err(error)
            }
        }
    }

    /// Its name in tables.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Contender::Heuristic(name) => name.clone(),
            Contender::Single(scheduler) => scheduler.name().to_owned(),
            Contender::Made { name, .. } => name.clone(),
            Contender::Reference(reference) => reference.name().to_owned(),
        }
    }
}
