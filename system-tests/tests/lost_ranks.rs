//! kill -9 of a rank at any point of its life: all end by name and in time, nothing is left behind, and the run goes
//! on.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::Service;

/// How long ranks wait for each other, and the test for an end; generous, because a machine can be busy.
const DEADLINE: &str = "learner.rank_deadline_seconds=10.0";
const PATIENCE: Duration = Duration::from_secs(40);
const TWO: &str = "learner.devices=[\"cpu\",\"cpu\"]";
const ENDLESS: &str = "learner.budget_steps=100000000";
/// A step budget that one round uses up.
const SHORT: &str = "learner.budget_steps=100";
/// Many episodes, so that validation takes a while.
const LONG_VALIDATION: &str = "evaluation.validation_episodes=400";

/// When a rank is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many milliseconds after rank 1's process appeared.
    Since(u64),
    /// When rank 0 has said this.
    Said(&'static str),
    /// So many milliseconds after this was in the folder of checkpoints.
    Written(&'static str, u64),
}

use Moment::{Said, Since, Written};

fn write_config(folder: &Path) -> String {
    let text = "schema = 1\nname = \"ranks\"\nseed = 5\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 16\nheads = 2\n\
                layers = 1\n[actor]\nenvironments = 16\n[learner]\nmode = \"lockstep\"\nminibatches = 4\nevaluate_every = 2\n\
                checkpoint_every = 1\nkeep_checkpoints = 1000\nthreads = 1\n[evaluation]\nvalidation_episodes = 5\n\
                loads = [90.0]\nsteps = [50]\n";
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A run in a folder of its own.
struct Run {
    folder: tempfile::TempDir,
    config: String,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = write_config(folder.path());
        Run { folder, config }
    }

    fn checkpoint(&self, name: &str) -> PathBuf {
        self.folder.path().join("run/checkpoints").join(name)
    }

    fn checkpoints(&self) -> usize {
        let is_whole = |name: String| name.strip_prefix('v').is_some_and(|rest| rest.parse::<u64>().is_ok());
        let names = fs::read_dir(self.checkpoint("")).into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| is_whole(name.clone()))
            .count()
    }

    /// `longshore train` on the run, with `--resume` where there is a checkpoint.
    fn start(&self, name: &str, settings: &[&str]) -> Service {
        let run = self.folder.path().join("run").display().to_string();
        let mut arguments = vec!["train", "-c", &self.config, "--no-report", "--run-folder", &run];
        settings.iter().chain(&[DEADLINE]).for_each(|setting| arguments.extend(["--set", setting]));
        if self.checkpoints() > 0 {
            arguments.push("--resume");
        }
        Service::start(self.folder.path(), name, "longshore", &arguments)
    }

    fn wait_for(&self, moment: Moment, service: &Service) {
        let (is_there, delay): (Box<dyn Fn() -> bool>, u64) = match moment {
            Since(delay) => (Box::new(|| true), delay),
            Said(words) => (Box::new(move || service.log().contains(words)), 0),
            Written(name, delay) => (Box::new(move || self.checkpoint(name).exists()), delay),
        };
        until(&format!("{moment:?}"), service, || is_there().then_some(()));
        std::thread::sleep(Duration::from_millis(delay));
    }

    /// Goes on with one rank until it has learnt something, then with two to the end. Of what it was started with, it
    /// keeps all but its budget.
    fn goes_on(&self, case: &str, settings: &[&str]) {
        let kept: Vec<&str> =
            settings.iter().copied().filter(|setting| ![ENDLESS, SHORT].contains(setting)).collect();
        let before = self.checkpoints();
        let mut one = self.start("one", &[&kept[..], &[ENDLESS]].concat());
        until(case, &one, || (self.checkpoints() > before).then_some(()));
        signal("-TERM", one.id());
        assert_eq!(one.wait(PATIENCE), Some(130), "{case}: {}", one.log());
        let mut two = self.start("two", &[&kept[..], &[SHORT, TWO]].concat());
        assert_eq!(two.wait(PATIENCE), Some(0), "{case}: {}", two.log());
        assert!(two.log().contains("resumed") && two.log().contains("the budget is spent"), "{}", two.log());
    }
}

fn until<T>(what: &str, service: &Service, mut find: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}:\n{}", service.log());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn signal(name: &str, process: u32) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// Rank 1's process, as soon as there is one.
fn rank_1(service: &Service) -> u32 {
    let path = format!("/proc/{0}/task/{0}/children", service.id());
    let child = || fs::read_to_string(&path).ok()?.split_whitespace().next()?.parse().ok();
    until("rank 1 never appeared", service, child)
}

/// Whether it has ended, perhaps without anybody having looked yet.
fn has_ended(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_none_or(|rest| rest.is_empty() || rest.trim_start().starts_with('Z'))
}

#[test]
fn rank_1_may_be_killed_at_any_point() {
    let rounds: &[&str] = &[ENDLESS];
    let validates: &[&str] = &[ENDLESS, LONG_VALIDATION];
    let ends: &[&str] = &[SHORT, LONG_VALIDATION, "learner.evaluate_every=1000"];
    for (moment, settings) in [
        (Since(0), rounds),
        (Since(20), rounds),
        (Since(100), rounds),
        (Since(200), rounds),
        (Since(250), rounds),
        (Since(300), rounds),
        (Since(400), rounds),
        (Since(800), rounds),
        (Said("all ranks have met"), rounds),
        (Written("v00000002.tmp", 0), rounds),
        (Written("v00000001", 400), validates),
        (Written("v00000001", 200), ends),
        (Said("the budget is spent"), &[SHORT]),
    ] {
        let case = format!("{moment:?} {settings:?}");
        let run = Run::new();
        let mut service = run.start("killed", &[settings, &[TWO]].concat());
        let process = rank_1(&service);
        run.wait_for(moment, &service);
        // At the end of the run it may have ended by itself.
        let _ = Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
        let (code, log) = (service.wait(PATIENCE), service.log());
        assert!(has_ended(process), "{case}: rank 1 is left behind:\n{log}");
        if log.contains("the budget is spent") {
            assert_eq!(code, Some(0), "{case}: {log}");
            continue;
        }
        assert_eq!(code, Some(11), "{case}: {log}");
        let words = "rank 1 of the learner was lost: its process was ended by signal 9";
        assert!(log.contains(words), "{case}: {log}");
        run.goes_on(&case, settings);
    }
}

#[test]
fn rank_0_may_be_killed_at_any_point() {
    for (moment, settings) in [
        (Since(0), [ENDLESS].as_slice()),
        (Since(100), &[ENDLESS]),
        (Since(200), &[ENDLESS]),
        (Since(300), &[ENDLESS]),
        (Said("all ranks have met"), &[ENDLESS]),
        (Written("v00000002.tmp", 0), &[ENDLESS]),
        (Written("v00000001", 400), &[ENDLESS, LONG_VALIDATION]),
    ] {
        let case = format!("{moment:?} {settings:?}");
        let run = Run::new();
        let mut service = run.start("killed", &[settings, &[TWO]].concat());
        let process = rank_1(&service);
        run.wait_for(moment, &service);
        service.kill().unwrap();
        until(&format!("{case}: rank 1 outlives rank 0"), &service, || has_ended(process).then_some(()));
        // On a busy machine the others may still be meeting it when it has said that all have met.
        let names = ["rank 0 of the learner was lost", "nothing was heard of rank 0"];
        assert!(names.iter().any(|name| service.log().contains(name)), "{case}: {}", service.log());
        run.goes_on(&case, settings);
    }
}
