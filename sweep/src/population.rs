//! Population-based training (Jaderberg et al. 2017): at each rung the weakest trials end, and copies of the strongest go on in their place,
//! from the same checkpoints, with settings changed a little. All trials wait for each other at a rung, so that what is copied is what
//! was judged.

use common::Stream;
use rand::Rng;

use crate::entry::{CopiedFrom, Entry, Origin};
use crate::space::{Setting, Space};
use crate::state::State;
use crate::study_file::RacingFile;
use crate::trial::{Trial, TrialStatus};

/// Draws of copies are numbered from here; those of suggestions come before, and fillers are counted from the end.
const FIRST_DRAW: u64 = 1 << 62;

/// What is to be decided once all trials of the population have completed a rung: an end, a copy, or that a trial goes on.
pub(crate) fn decision(state: &State) -> Option<Entry> {
    let goes_on =
        |trial: &&Trial| trial.pruned.is_none() && !matches!(state.status(trial), TrialStatus::Failed);
    let members: Vec<&Trial> =
        state.active().filter(|trial| trial.origin != Origin::Baseline).filter(goes_on).collect();
    let rung = members.iter().map(|trial| trial.rung).min()?;
    let is_complete = members.iter().all(|trial| trial.outcomes.len() > rung);
    if !is_complete || rung + 1 == state.study.rungs.len() {
        return None;
    }
    let judged = judged(state, rung);
    let replaced = judged.len() / state.study.racing.one_in as usize;
    let weakest = judged.iter().rev().take(replaced);
    if let Some(trial) = weakest.into_iter().find(|trial| trial.pruned.is_none()) {
        return Some(Entry::Pruned { trial: trial.number, rung });
    }
    let copies = judged.iter().take(replaced).map(|source| CopiedFrom { trial: source.number, rung });
    let is_missing = |from: &CopiedFrom| !state.trials.iter().any(|trial| trial.copied_from == Some(*from));
    if let Some(from) = copies.into_iter().find(is_missing) {
        return Some(copy(state, from));
    }
    let next = judged.into_iter().find(|trial| trial.rung == rung && trial.pruned.is_none())?;
    Some(Entry::Promoted { trial: next.number, rung: rung + 1 })
}

/// The trials that were judged at a rung, the best first, also after some of them have ended there or gone on.
fn judged(state: &State, rung: usize) -> Vec<&Trial> {
    let there = state.at_rung(rung).into_iter().map(|number| &state.trials[number as usize]);
    there
        .filter(|trial| trial.origin != Origin::Baseline)
        // A copy that was made at this rung was not judged at it.
        .filter(|trial| trial.copied_from.is_none_or(|from| from.rung < rung))
        .collect()
}

fn copy(state: &State, from: CopiedFrom) -> Entry {
    let trial = state.trials.len() as u64;
    let mut rng = state.study.seed.rng(Stream::Sweep, FIRST_DRAW + trial);
    let source = &state.trials[from.trial as usize].setting;
    let setting = changed(&state.study.space, source, &state.study.racing, &mut rng);
    Entry::Trial { trial, origin: Origin::Copy, setting, copied_from: Some(from) }
}

/// A setting like `source`: each parameter a little more or less, or, with some probability, drawn anew.
fn changed(space: &Space, source: &Setting, racing: &RacingFile, rng: &mut impl Rng) -> Setting {
    let mut setting = Setting::new();
    for parameter in &space.parameters {
        // All are drawn for each parameter, so that the draws of one do not depend on what another is.
        let (place, luck, is_more) = (rng.random::<f64>(), rng.random::<f64>(), rng.random::<bool>());
        if !space.counts(parameter, &setting) {
            continue;
        }
        let value = match source.get(&parameter.key) {
            Some(value) if luck >= racing.redraw => {
                parameter.range.scaled(value, if is_more { racing.perturb } else { 1.0 / racing.perturb })
            }
            _ => parameter.range.at(place),
        };
        setting.insert(parameter.key.clone(), value);
    }
    setting
}

#[cfg(test)]
mod tests {
    use common::RunSeed;
    use serde_json::json;

    use super::*;
    use crate::space::{Parameter, Range};

    #[test]
    fn a_copy_has_settings_within_their_ranges_that_differ_by_the_factor_or_are_new() {
        let parameter = |key: &str, range| Parameter { key: key.to_owned(), range, only_if: None };
        let mut space = Space {
            parameters: vec![
                parameter("rate", Range::LogUniform(1e-4, 1e-2)),
                parameter("epochs", Range::Integer(1, 8)),
                parameter("kind", Range::Choice(vec![json!("a"), json!("b")])),
            ],
        };
        space.parameters.push(Parameter {
            key: "only".to_owned(),
            range: Range::Uniform(0.0, 1.0),
            only_if: Some((2, vec![json!("b")])),
        });
        let source: Setting = [("rate", json!(0.009)), ("epochs", json!(2)), ("kind", json!("a"))]
            .map(|(k, v)| (k.into(), v))
            .into();
        let racing = RacingFile { redraw: 0.0, ..RacingFile::default() };
        let mut seen = std::collections::BTreeSet::new();
        for draw in 0..100 {
            let setting = changed(&space, &source, &racing, &mut RunSeed(1).rng(Stream::Sweep, draw));
            assert!(space.check(&setting).is_ok(), "{setting:?}");
            assert!(!setting.contains_key("only"));
            seen.insert(json!(setting).to_string());
        }
        // Twice two neighbours: 0.009 · 1.25 is cut at the end of its range, and 2 · 1.25 is one more, not the same.
        let expected: Vec<String> = [(0.0072, 1), (0.0072, 3), (0.01, 1), (0.01, 3)]
            .map(|(rate, epochs)| json!({"epochs": epochs, "kind": "a", "rate": rate}).to_string())
            .into();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), {
            let mut expected = expected;
            expected.sort();
            expected
        });
        let all_new = RacingFile { redraw: 1.0, ..RacingFile::default() };
        let drawn: Vec<Setting> = (0..50)
            .map(|draw| changed(&space, &source, &all_new, &mut RunSeed(1).rng(Stream::Sweep, draw)))
            .collect();
        assert!(drawn.iter().any(|setting| setting.contains_key("only")));
        assert!(drawn.iter().all(|setting| space.check(setting).is_ok()));
    }
}
