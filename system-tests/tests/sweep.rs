//! `longshore sweep` as a process that is killed with -9, on a disk that fills up: no trial is lost or run twice.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use common::{RunSeed, Stream};
use rand::Rng;
use sweep::{End, Entry, Origin, Sampler, State, Suggestion, TrialStatus, read_journal};
use system_tests::{Service, root, run};

/// Kills of the test that always runs; `LONGSHORE_KILLS` asks for more.
const KILLS: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(300);

/// A race of trials that take a second; with `longshore train` replaced by a script that does nothing else.
fn write_study(folder: &Path, trials: u32) -> PathBuf {
    let text = format!(
        "schema = 1\nname = \"kills\"\nseed = 3\n[train]\nconfig = \"configs/train/slots.toml\"\n\
         set = [\"learner.budget_steps=60000\"]\n\
         [parameters.\"learner.learning_rate.from\"]\nlog_uniform = [1e-4, 1e-2]\n\
         [[objectives]]\nmetric = \"eval/score\"\ndirection = \"minimise\"\n\
         [sampler]\nrandom_trials = 4\n[budget]\ntrials = {trials}\n[resources]\ncores = 2\nrestarts = 10000\n\
         [racing]\nrule = \"successive_halving\"\n\
         rungs = [{{ steps = 20000 }}, {{ steps = 60000 }}, {{ steps = 60000, seeds = 2 }}]\n"
    );
    let path = folder.join("study.toml");
    fs::write(&path, text).unwrap();
    path
}

fn arguments(study: &Path, folder: &Path) -> Vec<String> {
    let program = root().join("sweep/tests/trial.sh");
    let all = [
        Path::new("sweep"),
        Path::new("run"),
        study,
        Path::new("--folder"),
        folder,
        Path::new("--program"),
        &program,
    ];
    all.iter().map(|part| part.display().to_string()).collect()
}

/// The process groups of runs that have noted no end.
fn running(folder: &Path) -> Vec<i32> {
    let trials = fs::read_dir(folder.join("trials")).into_iter().flatten().flatten();
    let jobs =
        trials.flat_map(|trial| fs::read_dir(trial.path().join("jobs")).into_iter().flatten().flatten());
    let pids = jobs
        .map(|job| job.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pid"));
    pids.filter(|path| !path.with_extension("exit").exists())
        .filter_map(|path| fs::read_to_string(path).ok()?.split_once(' ')?.0.parse().ok())
        .collect()
}

fn kill(target: &str) {
    // A process that has just ended is as good as killed.
    let _ = Command::new("kill").args(["-9", "--", target]).stderr(std::process::Stdio::null()).status();
}

/// What must hold of a journal, however often its coordinator was killed.
fn check(folder: &Path, trials: usize) {
    let entries = read_journal(folder).unwrap();
    let state = State::of(&entries).unwrap().unwrap();
    assert_eq!(state.trials.len(), trials + 1);
    assert!(state.running().is_empty());
    let ended = |status| matches!(status, TrialStatus::Finished | TrialStatus::Pruned);
    assert!(state.trials.iter().all(|trial| ended(state.status(trial))));
    assert!(state.trials.iter().any(|trial| trial.number > 0 && trial.outcomes.len() == 3));
    // No run is started again after it has finished, and no start has a number twice.
    let mut finished = BTreeMap::new();
    let mut attempts = BTreeMap::new();
    for (place, timed) in entries.iter().enumerate() {
        match &timed.entry {
            Entry::Ended { run, how: End::Finished, .. } => {
                assert!(finished.insert(*run, place).is_none(), "{run:?}");
            }
            Entry::Started { run, attempt, .. } => {
                assert!(!finished.contains_key(run), "{run:?} is run twice");
                let before = attempts.insert(*run, *attempt);
                assert!(before.is_none_or(|before| before <= *attempt));
            }
            // The sampler suggests from the journal before a trial what it suggested then, bit for bit.
            Entry::Trial { origin: Origin::Sampler, setting, trial, .. } => {
                let before = State::of(&entries[..place]).unwrap().unwrap();
                let mut sampler = Sampler::new(&before.study.sampler, before.study.seed);
                let again = sampler.suggest(&before.study.space, &before.known(), None).unwrap();
                assert_eq!(again, Suggestion::Setting(setting.clone()), "trial {trial}");
            }
            _ => {}
        }
    }
}

#[test]
fn kills_of_coordinator_and_trials_lose_nothing() {
    let kills = std::env::var("LONGSHORE_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    let folder = tempfile::tempdir().unwrap();
    let study = folder.path().join("kills");
    let trials = 8 + kills / 2;
    let file = write_study(folder.path(), trials);
    let arguments = arguments(&file, &study);
    let start = || Service::start(folder.path(), "sweep", "longshore", &arguments);
    let mut rng = RunSeed(11).rng(Stream::Execution, 0);
    let mut coordinator = start();
    for _ in 0..kills {
        std::thread::sleep(Duration::from_millis(rng.random_range(100..1500)));
        let runs = running(&study);
        if rng.random::<bool>() && !runs.is_empty() {
            kill(&format!("-{}", runs[rng.random_range(0..runs.len())]));
        } else {
            // It may have reached its end.
            let _ = coordinator.kill();
            coordinator = start();
        }
    }
    let since = Instant::now();
    while !coordinator.has_ended() {
        assert!(since.elapsed() < PATIENCE, "{}", coordinator.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    check(&study, trials as usize);
    // What has ended stays as it is.
    let before = read_journal(&study).unwrap().len();
    assert!(run("longshore", &arguments).status.success());
    assert_eq!(read_journal(&study).unwrap().len(), before);
}

#[test]
fn a_study_on_a_full_disk_ends_with_its_file_named_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = system_tests::SmallDisk::mount(&folder.path().join("disk")) else { return };
    let study = disk.path().join("study");
    let file = write_study(folder.path(), 4);
    let arguments = arguments(&file, &study);
    let mut coordinator = Service::start(folder.path(), "full", "longshore", &arguments);
    std::thread::sleep(Duration::from_secs(2));
    disk.leave(0);
    let since = Instant::now();
    while !coordinator.has_ended() {
        assert!(since.elapsed() < PATIENCE, "{}", coordinator.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = coordinator.log();
    assert!(log.contains("No space left on device") && log.contains("/disk/study/"), "{log}");
    let before = State::of(&read_journal(&study).unwrap()).unwrap().unwrap();
    fs::remove_file(disk.path().join("filler")).unwrap();
    let output = run("longshore", &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    check(&study, 4);
    let after = State::of(&read_journal(&study).unwrap()).unwrap().unwrap();
    for (before, after) in before.trials.iter().zip(&after.trials) {
        assert_eq!(before.setting, after.setting);
        assert!(after.outcomes.starts_with(&before.outcomes));
    }
}
