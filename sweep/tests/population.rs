//! Population-based training: the weakest end, copies of the strongest go on from their checkpoints, and both are asserted.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

mod common;

use std::fs;

use common::{open, run, text};
use sweep::{Entry, Origin, State, Trial, TrialStatus, read_journal};

const POPULATION: &str = "[budget]\ntrials = 6\n[sampler]\nkind = \"random\"\n[racing]\nrule = \"population\"\none_in = 3\n\
                          rungs = [{ steps = 20000 }, { steps = 40000 }, { steps = 60000 }]";

#[test]
fn the_weakest_are_replaced_by_copies_that_go_on_from_the_strongest() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = run(folder.path(), &text("", POPULATION));
    let state = coordinator.state();
    // Two of six are replaced at each of two rungs.
    let copies: Vec<&Trial> = state.trials.iter().filter(|trial| trial.origin == Origin::Copy).collect();
    let count = |status| state.trials.iter().filter(|trial| state.status(trial) == status).count();
    assert_eq!((state.trials.len(), copies.len()), (11, 4));
    assert_eq!((count(TrialStatus::Finished), count(TrialStatus::Pruned)), (7, 4));
    for copy in copies {
        let from = copy.copied_from.unwrap();
        let source = &state.trials[from.trial as usize];
        assert_eq!(copy.outcomes[..=from.rung], source.outcomes[..=from.rung]);
        assert_ne!(copy.setting, source.setting);
        // It goes on behind the rung, from what the source had then, though the source went on, too.
        let starts = folder.path().join(format!("trials/{:04}/seed-1/starts", copy.number));
        let starts = fs::read_to_string(starts).unwrap();
        let kept = folder.path().join(format!("trials/{:04}/checkpoint-{}/steps", from.trial, from.rung + 1));
        let kept = fs::read_to_string(kept).unwrap();
        assert_eq!(starts.lines().next().unwrap(), format!("start at {}", kept.trim()));
        assert!(copy.runs[&0].points[0].0 > state.study.rungs[from.rung].spent);
    }
    // Nobody is judged before all of the population have come as far, and the same journal gives the same copies.
    let entries = read_journal(folder.path()).unwrap();
    for (place, timed) in entries.iter().enumerate() {
        let Entry::Trial { copied_from: Some(from), .. } = &timed.entry else { continue };
        let before = State::of(&entries[..place]).unwrap().unwrap();
        let alive = before.trials[1..].iter().filter(|trial| trial.pruned.is_none());
        assert!(alive.into_iter().all(|trial| trial.outcomes.len() > from.rung));
        let mut sampler = sweep::Sampler::new(&before.study.sampler, before.study.seed);
        assert_eq!(
            sweep::next(&before, &mut sampler, 1, &[]).unwrap(),
            sweep::Step::Decide(timed.entry.clone())
        );
    }
}

#[test]
fn a_copy_that_goes_on_with_another_setting_than_its_trial_fails() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("trials")).unwrap();
    fs::write(folder.path().join("trials/wrong"), "").unwrap();
    let coordinator = run(folder.path(), &text("", POPULATION));
    let state = coordinator.state();
    let copies: Vec<&Trial> = state.trials.iter().filter(|trial| trial.origin == Origin::Copy).collect();
    assert!(!copies.is_empty());
    for copy in copies {
        assert_eq!(state.status(copy), TrialStatus::Failed);
        let (why, _) = copy.runs[&0].failure.as_ref().unwrap();
        assert!(why.contains("another setting than its trial: `learner.learning_rate.from` is 0.5"), "{why}");
    }
}

#[test]
fn a_study_that_has_begun_becomes_no_population() {
    let folder = tempfile::tempdir().unwrap();
    let race = POPULATION.replace("\"population\"", "\"median\"");
    drop(run(folder.path(), &text("", &race)));
    let error = open(folder.path(), Some(&text("", POPULATION))).err().unwrap().to_string();
    assert!(error.contains("key `racing.rule`: may not change to or from"), "{error}");
}
