//! Whole studies: what is tried, what is ended, what failed, and what people ask for in the middle.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

mod common;

use std::collections::BTreeSet;
use std::fs;

use ::common::Shutdown;
use common::{RACE, open, run, text};
use sweep::{
    Entry, Origin, RunStatus, State, SweepError, TrialStatus, ask_for_trial, ask_to_stop, read_journal,
};

#[test]
fn a_race_ends_with_the_best_trials_on_all_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let coordinator = run(folder.path(), &text("", &format!("{RACE}\n[held_out]\nseeds = 2")));
    let state = coordinator.state();
    let count = |status| state.trials.iter().filter(|trial| state.status(trial) == status).count();
    // The baseline goes all the way; of nine three go on, of these one; who was promoted early and overtaken comes on top.
    let (finished, pruned) = (count(TrialStatus::Finished), count(TrialStatus::Pruned));
    assert!((2..=3).contains(&finished) && finished + pruned == 10, "{finished} {pruned}");
    // At each rung the best of all that completed it went on.
    for rung in 0..2 {
        let there = state.at_rung(rung);
        let best = there.iter().filter(|number| **number > 0).take(there.len() / 3);
        assert!(best.into_iter().all(|number| state.trials[*number as usize].rung > rung), "{rung}");
    }
    let best = state.best().unwrap();
    let rate = |number: usize| state.trials[number].setting["learner.learning_rate.from"].as_f64().unwrap();
    let nearest = (1..10).min_by(|&one, &other| {
        let off = |number: usize| (rate(number) / 1e-3).ln().abs();
        off(one).total_cmp(&off(other))
    });
    assert_eq!(Some(best.number as usize), nearest);
    // Means over seeds 1 and 2.
    let expected = (rate(best.number as usize) / 1e-3).ln().powi(2) + 10_000.0 / 60_000.0 + 0.015;
    assert!((best.outcomes[2].objectives[0] - expected).abs() < 1e-6, "{expected}");
    // The comparison at the end has seeds that no trial has had.
    assert_eq!(state.held_out, [0, best.number]);
    let seeds: Vec<u32> = best.runs.keys().map(|seed| seed + 1).collect();
    assert_eq!(seeds, [1, 2, 1001, 1002]);
    // A trial that goes on begins where it was stopped.
    let starts =
        fs::read_to_string(folder.path().join(format!("trials/{:04}/seed-1/starts", best.number))).unwrap();
    assert!(starts.lines().skip(1).all(|line| !line.ends_with(" 0")), "{starts}");
}

#[test]
fn what_fails_by_itself_is_told_from_what_the_machine_ended() {
    let folder = tempfile::tempdir().unwrap();
    let epochs = "[parameters.\"learner.epochs\"]\ninteger = [2, 4]";
    let more = "[budget]\ntrials = 3\n[sampler]\nkind = \"random\"\n\
                [[start]]\n\"learner.epochs\" = 2\n[[start]]\n\"learner.epochs\" = 3\n[[start]]\n\"learner.epochs\" = 4";
    let coordinator = run(folder.path(), &text(epochs, more));
    let state = coordinator.state();
    let runs: Vec<_> = state.trials[1..].iter().map(|trial| &trial.runs[&0]).collect();
    assert_eq!((runs[0].attempts, runs[0].status), (1, RunStatus::Finished));
    assert_eq!((runs[1].losses, runs[1].failures, runs[1].status), (1, 0, RunStatus::Finished));
    // Tried again once, and its last lines are kept.
    assert_eq!((runs[2].failures, runs[2].losses, runs[2].status), (2, 0, RunStatus::Failed));
    let (why, log) = runs[2].failure.as_ref().unwrap();
    assert!(why.contains("exit status 9") && log.contains("the loss is not finite"), "{why}: {log}");
}

#[test]
fn a_metric_that_no_run_reports_is_named_beside_those_that_they_do() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = text("", "[budget]\ntrials = 1").replace("eval/score", "eval/scor");
    let mut coordinator = open(folder.path(), Some(&wrong)).unwrap();
    let error = coordinator.run(&Shutdown::new(), &mut |_: &State| {}).unwrap_err().to_string();
    // The baseline failed, so no trial is wasted on it.
    let expected = "the baseline failed, so every trial would: it never reported metric `eval/scor`; it reported `eval/score`";
    assert_eq!(error, expected);
    assert!(coordinator.state().trials[0].runs[&0].attempts == 1);
}

#[test]
fn a_study_that_has_ended_goes_on_when_its_budget_grows() {
    let folder = tempfile::tempdir().unwrap();
    let few = text("", "[budget]\ntrials = 2\n[held_out]\nseeds = 2");
    drop(run(folder.path(), &few));
    let more = few.replace("trials = 2", "trials = 8");
    let coordinator = run(folder.path(), &more);
    let state = coordinator.state();
    assert_eq!(state.trials.len(), 9);
    assert!(state.trials.iter().all(|trial| state.status(trial) == TrialStatus::Finished));
    // Whoever is best now is compared, whoever was before.
    assert_eq!(state.held_out, [0, state.best().unwrap().number]);
    assert_eq!(sweep::held_out(&sweep::Layout::new(folder.path()), state).unwrap().len(), 1);
}

#[test]
fn one_coordinator_a_study_and_the_second_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path(), Some(&text("", RACE))).unwrap();
    let error = open(folder.path(), Some(&text("", RACE))).err().unwrap();
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    assert_eq!(::common::ExitStatus::exit_code(&error), ::common::ExitCode::Locked);
}

#[test]
fn people_add_trials_widen_ranges_and_stop_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let few = text("", "[budget]\ntrials = 4");
    let mut coordinator = open(folder.path(), Some(&few)).unwrap();
    let mut looks = 0;
    let ended = coordinator.run(&Shutdown::new(), &mut |state: &State| {
        looks += 1;
        if state.trials.len() == 2 {
            ask_to_stop(folder.path()).unwrap();
        }
    });
    assert!(matches!(ended, Err(SweepError::Interrupted { .. })) && looks > 0);
    assert!(coordinator.state().running().is_empty());
    drop(coordinator);
    // A rate beyond the range is refused until the range has grown.
    let wide = few.replace("[1e-4, 1e-2]", "[1e-4, 1e-1]");
    let rate = |value: f64| [("learner.learning_rate.from".to_owned(), serde_json::json!(value))].into();
    ask_for_trial(folder.path(), &rate(0.05)).unwrap();
    let coordinator = run(folder.path(), &wide);
    let state = coordinator.state();
    let person: Vec<_> = state.trials.iter().filter(|trial| trial.origin == Origin::Person).collect();
    assert_eq!((person.len(), &person[0].setting), (1, &rate(0.05)));
    assert!(state.trials.iter().all(|trial| state.status(trial) == TrialStatus::Finished));
    assert!(fs::read_dir(folder.path().join("requests")).unwrap().next().is_none());
    drop(coordinator);
    let error = open(folder.path(), Some(&few)).err().unwrap().to_string();
    assert!(error.contains("learner.learning_rate.from") && error.contains("may only grow"), "{error}");
}

#[test]
fn the_median_ends_the_weaker_half_and_no_race_ends_none() {
    for (racing, pruned) in [("median\"\nfree_trials = 2", 1..8), ("none\"", 0..1)] {
        let folder = tempfile::tempdir().unwrap();
        let rungs = "rungs = [{ steps = 20000 }, { steps = 60000 }]";
        let more = format!("[budget]\ntrials = 8\n[racing]\nrule = \"{racing}\n{rungs}");
        let coordinator = run(folder.path(), &text("", &more));
        let state = coordinator.state();
        let count = state.trials.iter().filter(|trial| state.status(trial) == TrialStatus::Pruned).count();
        assert!(pruned.contains(&count), "{racing}: {count}");
        assert!(state.trials.iter().all(|trial| trial.outcomes.len() == 2 || trial.pruned.is_some()));
    }
}

#[test]
fn a_journal_that_was_read_again_suggests_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let more = format!("{RACE}\n[sampler]\nrandom_trials = 3");
    drop(run(folder.path(), &text("", &more)));
    let entries = read_journal(folder.path()).unwrap();
    let mut suggested = BTreeSet::new();
    for (place, timed) in entries.iter().enumerate() {
        let Entry::Trial { origin: Origin::Sampler, setting, trial, .. } = &timed.entry else { continue };
        let state = State::of(&entries[..place]).unwrap().unwrap();
        let mut sampler = sweep::Sampler::new(&state.study.sampler, state.study.seed);
        let again = sampler.suggest(&state.study.space, &state.known(), None).unwrap();
        assert_eq!(again, sweep::Suggestion::Setting(setting.clone()), "trial {trial}");
        suggested.insert(trial);
    }
    assert_eq!(suggested.len(), 9);
}

#[test]
fn the_report_is_one_page_with_everything_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let epochs = "[parameters.\"learner.epochs\"]\nchoice = [2, 4]";
    let coordinator = run(folder.path(), &text(epochs, &format!("{RACE}\n[held_out]\nseeds = 2")));
    let page = sweep::report(&sweep::Layout::new(folder.path()), coordinator.state());
    let parsed = roxmltree::Document::parse_with_options(
        &page,
        roxmltree::ParsingOptions { allow_dtd: true, ..roxmltree::ParsingOptions::default() },
    );
    let parsed = parsed.unwrap();
    let sections: Vec<&str> = parsed.descendants().filter_map(|node| node.attribute("id")).collect();
    for id in ["trials", "held-out", "curves", "parameters", "rungs", "failures"] {
        assert!(sections.contains(&id), "{id}: {sections:?}");
    }
    // Trials with `epochs = 4` diverge: their last lines are shown.
    assert!(page.contains("the loss is not finite") && page.contains("exit status 9"));
    assert!(!page.contains("NaN"));
    let links = parsed.descendants().filter_map(|node| node.attribute("href").or(node.attribute("src")));
    assert!(links.into_iter().all(|link| link.starts_with('#')));
}
