//! The rules of scenario `slots`. Each scores the visible jobs that fit now and starts the best with a score above
//! zero, the lowest slot among equals.

mod backfilling;

use common::Action;
use common::ids::NodeId;
use common::slots::RESOURCES;

use crate::names::{knob, reservations, unknown};
use engine::slots::{SlotsView, WaitingJob};
use engine::{ClusterView, DecisionRequest, Scheduler, SchedulerError};

/// Names that [`by_name`] knows; X stands for a number.
pub(super) const NAMES: &[&str] = &[
    "sjf",
    "packer",
    "tetris",
    "tetris_kX",
    "tetris_hold",
    "fcfs_skip",
    "fcfs_strict",
    "svf",
    "wspt",
    "sjf_waitX",
    "RULE+reserve",
    "RULE+reserve_X",
];

/// The best fixed knob of Tetris, tuned on seeds of its own.
const TETRIS_KNOB: f64 = 0.001;
/// Jobs of this length or longer are the ones that are worth holding back.
const LONG: u32 = 10;

/// Names of the part behind a `+`.
const RESERVATIONS: &[&str] = &["reserve", "reserve_X"];

/// What a rule prefers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    /// Shortest job first.
    Sjf,
    /// Largest alignment of demand and free units.
    Packer,
    /// Alignment weighted by the knob, shortness by the rest.
    Tetris(f64),
    /// Tetris, but no long job before the last step in which one may arrive, which it knows.
    TetrisHold,
    /// Arrival order, skipping what does not fit.
    FcfsSkip,
    /// Arrival order, the head of the line blocks.
    FcfsStrict,
    /// Smallest volume first.
    Svf,
    /// Weighted shortest processing time.
    Wspt,
    /// Shortest first, but a long job is held back until it has waited so many steps.
    SjfWait(f64),
}

struct SlotsHeuristic {
    name: String,
    rule: Rule,
    /// Number of jobs that may have their place reserved.
    most_reservations: usize,
}

/// The rule that is called so.
fn rule_named(name: &str) -> Result<Rule, String> {
    Ok(match name {
        "sjf" => Rule::Sjf,
        "packer" => Rule::Packer,
        "tetris" => Rule::Tetris(TETRIS_KNOB),
        "tetris_hold" => Rule::TetrisHold,
        "fcfs_skip" => Rule::FcfsSkip,
        "fcfs_strict" => Rule::FcfsStrict,
        "svf" => Rule::Svf,
        "wspt" => Rule::Wspt,
        _ => knob(name, "tetris_k", 1.0)
            .map(Rule::Tetris)
            .or_else(|| knob(name, "sjf_wait", f64::INFINITY).map(Rule::SjfWait))
            .ok_or_else(|| unknown(name, "rule", NAMES))?,
    })
}

/// The rule and the number of reservations behind a name.
fn parts_of(name: &str) -> Result<(Rule, usize), String> {
    let Some((rule, part)) = name.split_once('+') else { return Ok((rule_named(name)?, 0)) };
    let rule = rule_named(rule)?;
    let most = reservations(part).ok_or_else(|| unknown(part, "part of a rule's name", RESERVATIONS))?;
    if rule == Rule::FcfsStrict {
        return Err("`fcfs_strict` starts nothing before the head of the line, so a reservation changes nothing; EASY backfilling is `fcfs_skip+reserve`".to_owned());
    }
    Ok((rule, most))
}

/// The one name of the rule that is called so: its number in one form, and without it where it is the tuned one.
///
/// # Errors
/// What is wrong with the name.
pub(super) fn canonical(name: &str) -> Result<String, String> {
    let (rule, most) = parts_of(name)?;
    let rule = match rule {
        Rule::Tetris(TETRIS_KNOB) => "tetris".to_owned(),
        Rule::Tetris(1.0) => "packer".to_owned(),
        Rule::Tetris(knob) => format!("tetris_k{knob}"),
        Rule::SjfWait(steps) => format!("sjf_wait{steps}"),
        _ => name.split('+').next().unwrap_or_default().to_owned(),
    };
    Ok(match most {
        0 => rule,
        1 => format!("{rule}+reserve"),
        most => format!("{rule}+reserve_{most}"),
    })
}

/// The scheduler that is called so.
pub(super) fn by_name(name: &str) -> Result<Box<dyn Scheduler>, String> {
    let (rule, most_reservations) = parts_of(name)?;
    Ok(Box::new(SlotsHeuristic { name: canonical(name)?, rule, most_reservations }))
}

impl Scheduler for SlotsHeuristic {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(
        &mut self,
        requests: &[DecisionRequest<'_>],
        actions: &mut Vec<Action>,
    ) -> Result<(), SchedulerError> {
        for request in requests {
            let ClusterView::Slots(view) = request.view else {
                return Err(SchedulerError::wrong_scenario(&self.name, &request.view));
            };
            actions.push(self.choose(&view));
        }
        Ok(())
    }
}

impl SlotsHeuristic {
    fn choose(&self, view: &SlotsView<'_>) -> Action {
        let chosen = match self.most_reservations {
            0 => self.rule.first(view),
            most => backfilling::first_beside_reservations(view, &self.rule.ranked(view), most),
        };
        chosen.map_or(Action::Wait, |job| Action::Start { invocation: job.id, memory_mb: 0, node: NodeId(0) })
    }
}

impl Rule {
    /// The job that the rule starts now.
    fn first(self, view: &SlotsView<'_>) -> Option<WaitingJob> {
        if self == Rule::FcfsStrict {
            return view.waiting().min_by_key(|job| job.id).filter(|job| job.fits);
        }
        let scored = self.scored(view).filter(|(_, job)| job.fits);
        let mut best: Option<(f64, WaitingJob)> = None;
        for (score, job) in scored {
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, job));
            }
        }
        best.map(|(_, job)| job)
    }

    /// All visible jobs, the best first.
    fn ranked(self, view: &SlotsView<'_>) -> Vec<WaitingJob> {
        let mut scored: Vec<(f64, WaitingJob)> = self.scored(view).collect();
        // Stable: of equals the lowest slot stays first.
        scored.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        scored.into_iter().map(|(_, job)| job).collect()
    }

    /// Visible jobs with their scores, but for those that the rule holds back.
    fn scored<'a>(self, view: &SlotsView<'a>) -> impl Iterator<Item = (f64, WaitingJob)> + 'a {
        let free = view.free();
        let holds = self == Rule::TetrisHold && !view.horizon_reached();
        let jobs = view.waiting().filter(move |job| !(holds && job.length >= LONG));
        jobs.map(move |job| (self.score(&job, free), job)).filter(|(score, _)| *score > 0.0)
    }

    fn score(self, job: &WaitingJob, free: [u32; RESOURCES]) -> f64 {
        let length = f64::from(job.length);
        let alignment: u32 = free.iter().zip(job.demand).map(|(free, need)| free * need).sum();
        let tetris = |knob: f64| knob * f64::from(alignment) + (1.0 - knob) / length;
        match self {
            Rule::Sjf => 1.0 / length,
            Rule::Packer => f64::from(alignment),
            Rule::Tetris(knob) => tetris(knob),
            Rule::TetrisHold => tetris(TETRIS_KNOB),
            // Never zero, and larger for a lower number.
            Rule::FcfsSkip | Rule::FcfsStrict => 1.0 / (job.id.0 as f64 + 1.0),
            Rule::Svf => 1.0 / (length * f64::from(job.demand.iter().sum::<u32>())),
            Rule::Wspt => 1.0 / (length * length * f64::from(job.demand.iter().copied().max().unwrap_or(0))),
            Rule::SjfWait(steps) if job.length >= LONG && f64::from(job.waited) < steps => 0.0,
            Rule::SjfWait(_) => 1.0 / length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_knob_are_read_and_others_refused() {
        for name in ["tetris_k0.01", "sjf_wait40", "sjf"] {
            assert_eq!(by_name(name).unwrap().name(), name);
        }
        for name in ["tetris_k", "tetris_k2", "tetris_k-1", "sjf_waitx", "fcfs9"] {
            assert!(by_name(name).is_err(), "{name}");
        }
        for (given, right) in
            [("tetris_k0.0010", "tetris"), ("tetris_k1", "packer"), ("sjf_wait40.0", "sjf_wait40")]
        {
            assert_eq!(by_name(given).unwrap().name(), right);
        }
        assert!(by_name("sfj").err().unwrap().contains("the nearest are `sjf`"));
    }
}
