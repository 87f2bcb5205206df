//! Who takes part.

use common::trajectory::Scenario;
use simulator::{Scheduler, UnknownScheduler, heuristic};

/// Name of the reference that knows all jobs of `slots` in advance.
pub const CLAIRVOYANT_INSERTION: &str = "clairvoyant_insertion";

/// Somebody who is evaluated.
pub enum Contender<'a> {
    /// A rule by name: each thread has one of its own.
    Heuristic(String),
    /// A scheduler that exists once and is asked in batches, e.g. a learnt policy.
    Single(&'a mut dyn Scheduler),
    /// The reference of `slots`.
    ClairvoyantInsertion,
}

impl<'a> Contender<'a> {
    /// The rule (or reference) called `name`.
    ///
    /// # Errors
    /// For an unknown name; the error lists the known ones.
    pub fn by_name(name: &str, scenario: Scenario) -> Result<Contender<'a>, UnknownScheduler> {
        if name == CLAIRVOYANT_INSERTION && scenario == Scenario::Slots {
            return Ok(Contender::ClairvoyantInsertion);
        }
        match heuristic(name, scenario) {
            Ok(_) => Ok(Contender::Heuristic(name.to_owned())),
            Err(mut error) => {
                if scenario == Scenario::Slots {
                    error.known.push(CLAIRVOYANT_INSERTION.to_owned());
                }
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
            Contender::ClairvoyantInsertion => CLAIRVOYANT_INSERTION.to_owned(),
        }
    }
}
