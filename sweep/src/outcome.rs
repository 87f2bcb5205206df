//! What a trial came to, and which of several is better.

use crate::entry::Values;
use crate::program::Program;
use crate::study::Study;
use crate::study_file::{Objective, Take};

/// What a trial came to at a rung.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Each objective, mean over seeds, so that less is better: negative where more is better.
    pub objectives: Vec<f64>,
    /// By how much constraints are missed in all, as a share of their bounds; 0 where all hold.
    pub missed: f64,
}

/// What one run measured up to `spent`; `None` where it has reported nothing yet. All figures are of one report: what a trial came to
/// is something that it was.
#[must_use]
pub fn of_run(study: &Study, points: &[(u64, Values)], spent: u64) -> Option<Outcome> {
    // Up to the first report that has spent as much.
    let end = points.iter().position(|(at, _)| *at >= spent).map_or(points.len(), |place| place + 1);
    let mut reports = points[..end].iter().filter_map(|(_, values)| of_report(study, values));
    // An evaluation that plays more episodes has measured the same again, and better.
    let is_training = matches!(study.program, Program::Train { .. });
    match study.objectives.first()?.take {
        Take::Best if is_training => {
            let key = |outcome: &Outcome| (outcome.missed, outcome.objectives[0]);
            reports.min_by(|one, other| {
                let (one, other) = (key(one), key(other));
                one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
            })
        }
        Take::Best | Take::Last => reports.next_back(),
    }
}

/// What one report says; `None` where a metric is missing.
fn of_report(study: &Study, values: &Values) -> Option<Outcome> {
    let objective = |objective: &Objective| Some(values.get(&objective.metric)? * objective.direction.sign());
    let missed = study.constraints.iter().enumerate().map(|(number, constraint)| {
        let value = values.get(&study.constraint_key(number))?;
        Some(((value - constraint.at_most) / constraint.at_most.abs().max(1e-9)).max(0.0))
    });
    Some(Outcome {
        objectives: study.objectives.iter().map(objective).collect::<Option<_>>()?,
        missed: missed.sum::<Option<f64>>()?,
    })
}

/// The mean over runs.
#[must_use]
pub fn mean(outcomes: &[Outcome]) -> Option<Outcome> {
    let first = outcomes.first()?;
    let count = outcomes.len() as f64;
    let objective = |place: usize| outcomes.iter().map(|one| one.objectives[place]).sum::<f64>() / count;
    Some(Outcome {
        objectives: (0..first.objectives.len()).map(objective).collect(),
        missed: outcomes.iter().map(|one| one.missed).sum::<f64>() / count,
    })
}

/// Indices of `outcomes`, the best first; of equals the first. What holds all constraints comes before what does not; then what
/// misses less; then by the objective, or, with several, by how many layers of others are better in all, and then by how far an
/// outcome is from its neighbours (NSGA-II, Deb et al. 2002).
#[must_use]
pub fn best_first(outcomes: &[&Outcome]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..outcomes.len()).collect();
    let several = outcomes.first().is_some_and(|one| one.objectives.len() > 1);
    let layers = if several { layers(outcomes) } else { vec![(0, 0.0); outcomes.len()] };
    places.sort_by(|&one, &other| {
        let (a, b) = (outcomes[one], outcomes[other]);
        let by_objective = || {
            if several {
                layers[one].0.cmp(&layers[other].0).then(layers[other].1.total_cmp(&layers[one].1))
            } else {
                a.objectives[0].total_cmp(&b.objectives[0])
            }
        };
        a.missed.total_cmp(&b.missed).then_with(by_objective).then(one.cmp(&other))
    });
    places
}

/// Whether `one` is at least as good in everything and better in something.
#[must_use]
pub fn dominates(one: &Outcome, other: &Outcome) -> bool {
    let pairs = || one.objectives.iter().zip(&other.objectives);
    pairs().all(|(one, other)| one <= other) && pairs().any(|(one, other)| one < other)
}

/// Of each outcome its layer, 0 being dominated by none, and its distance from its neighbours in that layer.
fn layers(outcomes: &[&Outcome]) -> Vec<(usize, f64)> {
    let mut placed = vec![(usize::MAX, 0.0); outcomes.len()];
    let mut left: Vec<usize> = (0..outcomes.len()).collect();
    for layer in 0.. {
        if left.is_empty() {
            break;
        }
        let is_first =
            |&&place: &&usize| !left.iter().any(|&other| dominates(outcomes[other], outcomes[place]));
        let first: Vec<usize> = left.iter().filter(is_first).copied().collect();
        for (place, distance) in distances(outcomes, &first) {
            placed[place] = (layer, distance);
        }
        left.retain(|place| !first.contains(place));
    }
    placed
}

/// The crowding distance of each of `layer`.
fn distances(outcomes: &[&Outcome], layer: &[usize]) -> Vec<(usize, f64)> {
    let mut distance = vec![0.0_f64; layer.len()];
    for objective in 0..outcomes[layer[0]].objectives.len() {
        let value = |place: usize| outcomes[layer[place]].objectives[objective];
        let mut order: Vec<usize> = (0..layer.len()).collect();
        order.sort_by(|&one, &other| value(one).total_cmp(&value(other)));
        let (first, last) = (order[0], order[order.len() - 1]);
        let width = (value(last) - value(first)).max(f64::MIN_POSITIVE);
        distance[first] = f64::INFINITY;
        distance[last] = f64::INFINITY;
        for window in order.windows(3) {
            distance[window[1]] += (value(window[2]) - value(window[0])) / width;
        }
    }
    layer.iter().copied().zip(distance).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(objectives: &[f64], missed: f64) -> Outcome {
        Outcome { objectives: objectives.to_vec(), missed }
    }

    fn study(program: &str, more: &str) -> Study {
        let config = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"serverless\"\n";
        let text = format!(
            "schema = 1\nname = \"t\"\nseed = 1\n{program}\n[[objectives]]\nmetric = \"a\"\ndirection = \"minimise\"\n\
             [budget]\ntrials = 3\n{more}"
        );
        Study::parse(&text, "test", [("c".to_owned(), config.to_owned())].into()).unwrap()
    }

    fn points(values: &[(u64, &[(&str, f64)])]) -> Vec<(u64, Values)> {
        let values = values.iter().map(|(spent, values)| {
            (*spent, values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect())
        });
        values.collect()
    }

    #[test]
    fn all_figures_of_a_training_are_of_its_best_report_that_holds_the_constraints() {
        let train = "[train]\nconfig = \"c\"\n[parameters.\"learner.epochs\"]\ninteger = [1, 3]";
        let more = "[[objectives]]\nmetric = \"b\"\ndirection = \"maximise\"\n[[constraints]]\nmetric = \"c\"\nat_most = 2.0\n";
        let reports = points(&[
            (10, &[("a", 1.0), ("b", 5.0), ("c", 3.0)]),
            (20, &[("a", 2.0), ("b", 6.0), ("c", 1.0)]),
            (30, &[("a", 3.0), ("b", 9.0), ("c", 1.0)]),
            (40, &[("a", 0.1), ("b", 0.0), ("c", 0.0)]),
        ]);
        assert_eq!(of_run(&study(train, more), &reports, 30), Some(outcome(&[2.0, -6.0], 0.0)));
        assert_eq!(of_run(&study(train, more), &reports, 10), Some(outcome(&[1.0, -5.0], 0.5)));
    }

    #[test]
    fn an_evaluation_counts_with_the_most_episodes() {
        let evaluate = "[evaluate]\nconfigs = [\"c\"]\nscheduler = \"sjf+reserve_{n}\"\nbaseline = \"sjf\"\n\
                        [parameters.n]\ninteger = [1, 3]\n[racing]\nrungs = [{ episodes = 1 }, { episodes = 2 }]";
        let reports = points(&[(1, &[("a", 1.0)]), (2, &[("a", 1.5)])]);
        assert_eq!(of_run(&study(evaluate, ""), &reports, 2), Some(outcome(&[1.5], 0.0)));
    }

    #[test]
    fn constraints_come_before_objectives() {
        let all = [outcome(&[1.0], 0.2), outcome(&[3.0], 0.0), outcome(&[2.0], 0.0), outcome(&[0.0], 0.1)];
        assert_eq!(best_first(&all.iter().collect::<Vec<_>>()), [2, 1, 3, 0]);
    }

    #[test]
    fn with_several_objectives_no_dominated_trial_comes_before_one_that_is_not() {
        let all = [
            outcome(&[2.0, 2.0], 0.0),
            outcome(&[1.0, 3.0], 0.0),
            outcome(&[3.0, 1.0], 0.0),
            outcome(&[3.0, 3.0], 0.0),
            outcome(&[1.9, 2.1], 0.0),
        ];
        let order = best_first(&all.iter().collect::<Vec<_>>());
        assert_eq!(order[4], 3);
        // The ends of the front first, then what is alone.
        assert_eq!(order[..2], [1, 2]);
    }
}
