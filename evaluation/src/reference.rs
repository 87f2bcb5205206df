//! References: figures that no scheduler can reach, because they know the whole episode in advance. They show how much room is
//! left and count in no verdict.

use common::name::printable;
use common::trajectory::Scenario;
use engine::Simulation;
use engine::serverless::Offered;
use heuristics::references;

use crate::metrics::{METRICS, SUMS, figures, sums};
use crate::summary::{Summary, inserted_slots};

/// Part of the names of schedulers whose keep-alive knows when each function is called next.
const CLAIRVOYANT_KEEP_ALIVE: &str = "belady";

/// A reference that is computed from an episode's arrivals, not played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Shortest first, each booked at the earliest time at which it fits.
    ClairvoyantInsertion,
    /// A lower bound on the mean slowdown over invocations of `serverless`, from a linear program.
    LpBound,
}

impl Reference {
    /// Those of a scenario.
    #[must_use]
    pub fn all(scenario: Scenario) -> &'static [Reference] {
        match scenario {
            Scenario::Slots => &[Reference::ClairvoyantInsertion],
            Scenario::Serverless => &[Reference::ClairvoyantInsertion, Reference::LpBound],
        }
    }

    /// The one called `name`.
    #[must_use]
    pub fn by_name(name: &str, scenario: Scenario) -> Option<Self> {
        Reference::all(scenario).iter().copied().find(|one| one.name() == name)
    }

    /// Its name in tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reference::ClairvoyantInsertion => "clairvoyant_insertion",
            Reference::LpBound => "lp_bound",
        }
    }

    /// Computes the figures of an episode before it is played; `None` where they have no meaning: in another scenario,
    /// and with workflows.
    pub(crate) fn summary(self, simulation: &Simulation) -> Option<Summary> {
        match (self, simulation) {
            (Reference::ClairvoyantInsertion, Simulation::Slots(slots)) => Some(inserted_slots(slots)),
            (Reference::LpBound, Simulation::Slots(_)) => None,
            (Reference::ClairvoyantInsertion, Simulation::Serverless(serverless)) => {
                Some(inserted(&serverless.offered()?))
            }
            (Reference::LpBound, Simulation::Serverless(serverless)) => Some(bounded(&serverless.offered()?)),
        }
    }
}

/// Whether what is called so is a reference.
#[must_use]
pub fn is_reference(name: &str) -> bool {
    (name.split('+').skip(1).any(|part| part == CLAIRVOYANT_KEEP_ALIVE) && !name.contains('/'))
        || Reference::by_name(name, Scenario::Serverless).is_some()
}

/// A scheduler's name as tables show it. The name may come from an untrusted results folder.
#[must_use]
pub fn shown_name(name: &str) -> String {
    let shown = printable(name);
    if is_reference(name) { format!("{shown} (reference)") } else { shown }
}

/// Slowdowns and latencies are known; cost, memory and the like are not.
fn inserted(offered: &Offered) -> Summary {
    let functions = offered.jobs.iter().map(|job| job.function as usize + 1).max().unwrap_or(0);
    let outcome = references::serverless_insertion(offered, functions);
    let (all, totals) = (figures(&outcome), sums(&outcome));
    let known = |key: &str| key.starts_with("slowdown") || key.starts_with("latency");
    let mut summary = unknown(totals[0]);
    for (place, _) in METRICS.iter().enumerate().filter(|(_, metric)| known(metric.key)) {
        summary.figures[place] = all[place];
    }
    for (place, key) in SUMS.iter().enumerate() {
        if known(key) || *key == "functions" {
            summary.sums[place] = totals[place];
        }
    }
    summary.slowdowns = outcome.slowdowns.buckets(crate::record::PARTS).collect();
    summary
}

/// The guard alone.
fn bounded(offered: &Offered) -> Summary {
    let bound = references::lp_bound(offered);
    let counted = offered.jobs.iter().filter(|job| job.counted).count() as f64;
    let mut summary = unknown(counted);
    for (place, metric) in METRICS.iter().enumerate() {
        if metric.key == "slowdown_mean" {
            summary.figures[place] = bound;
        }
    }
    for (place, key) in SUMS.iter().enumerate() {
        if *key == "slowdown_sum" {
            summary.sums[place] = bound * counted;
        }
    }
    summary
}

/// Nothing known but the number of invocations; no time has passed.
fn unknown(invocations: f64) -> Summary {
    let mut sums = vec![f64::NAN; SUMS.len()];
    (sums[0], sums[1]) = (invocations, 0.0);
    Summary { figures: vec![f64::NAN; METRICS.len()], sums, slowdowns: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_known_by_their_names() {
        assert!(is_reference("sjf+default+warm-first+belady+reserve"));
        assert!(is_reference("sjf+default+warm-first+belady") && is_reference("lp_bound"));
        assert!(!is_reference("runs/mine+belady") && !is_reference("belady_like") && !is_reference("sjf"));
        assert_eq!(Reference::by_name("lp_bound", Scenario::Slots), None);
        assert_eq!(shown_name("lp_bound"), "lp_bound (reference)");
    }
}
