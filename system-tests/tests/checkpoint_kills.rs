//! A learner that is killed with -9 at any rename, sync or removal of its checkpoints: every checkpoint that has its name is whole,
//! `best` is as good as its score says, and the run goes on from the newest. The kills are injected by `strace`.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "what is not tried is told to whoever reads the test's output")]

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use common::ids::Digest;
use serde_json::Value;
use system_tests::{programs, root};

/// System calls after which the disk holds something else than before.
const OPERATIONS: [&str; 4] = ["fsync", "rename", "renameat2", "unlinkat"];

struct Run {
    folder: tempfile::TempDir,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = "schema = 1\nname = \"kills\"\nseed = 5\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 8\nheads = 2\n\
                    layers = 1\n[actor]\nenvironments = 8\n[learner]\nmode = \"lockstep\"\nminibatches = 2\nthreads = 1\n\
                    checkpoint_every = 1\nkeep_checkpoints = 2\nevaluate_every = 1\nbudget_steps = 700\n[evaluation]\n\
                    validation_episodes = 2\nloads = [90.0]\nsteps = [50]\nthreads = 1\n";
        fs::write(folder.path().join("config.toml"), text).unwrap();
        Run { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Trains to the end of the budget; where something is to be injected, under `strace`.
    fn train(&self, injected: Option<&str>) -> ExitStatus {
        let program = programs().join("longshore");
        let mut command = match injected {
            None => Command::new(program),
            Some(what) => {
                let mut strace = Command::new("strace");
                let operation = what.split(':').next().unwrap();
                strace.args(["-f", "-o", "/dev/null", "-e", &format!("trace={operation}")]);
                strace.args(["-e", &format!("inject={what}")]).arg(program);
                strace
            }
        };
        command.args(["train", "--no-report", "-c"]).arg(self.path("config.toml"));
        command.arg("--run-folder").arg(self.path("run"));
        command.current_dir(root()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
    }

    /// The names of the checkpoints. Each is whole, but for those beyond the newest two, of which a kill may leave a part.
    fn checkpoints(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("run/checkpoints")).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| !name.contains('.')).collect();
        // The newest version first, `best` last.
        names.sort_by(|one, other| other.cmp(one));
        let kept = names.iter().take(2).chain(names.iter().filter(|name| *name == "best"));
        kept.for_each(|name| check_whole(&self.path("run/checkpoints").join(name)));
        names
    }

    fn newest_version(&self) -> Option<u64> {
        self.checkpoints().iter().filter_map(|name| name.strip_prefix('v')?.parse().ok()).max()
    }
}

/// Compares every file of a checkpoint with its manifest.
fn check_whole(folder: &Path) {
    let manifest = json(&folder.join("manifest.json"));
    for (name, entry) in manifest["files"].as_object().unwrap() {
        let bytes = fs::read(folder.join(name)).unwrap();
        assert_eq!(entry["bytes"], bytes.len() as u64, "{}/{name}", folder.display());
        assert_eq!(entry["sha256"], Digest::of(&bytes).to_string(), "{}/{name}", folder.display());
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .unwrap()
}

/// Kills a fresh run before its `number`-th call of `operation`; false where it came to its end first.
fn kill_at(operation: &str, number: usize) -> bool {
    let (run, case) = (Run::new(), format!("{operation} {number}"));
    let ended = run.train(Some(&format!("{operation}:signal=KILL:when={number}")));
    if ended.success() {
        return false;
    }
    assert_eq!(ended.signal(), Some(9), "{case}: {ended}");
    let before = run.newest_version();
    if let Some(version) = before {
        let state = json(&run.path(&format!("run/checkpoints/v{version:08}/learner.json")));
        let best = json(&run.path("run/checkpoints/best/manifest.json"));
        let (promised, is) = (state["best"].as_f64().unwrap(), best["validation"].as_f64().unwrap());
        assert!(is <= promised, "{case}: `best` has {is}, and its score says {promised}");
    }
    assert!(run.train(None).success(), "{case}: the run does not go on");
    assert!(run.newest_version() >= before, "{case}: it went on from before {before:?}");
    let entries = fs::read_dir(run.path("run/checkpoints")).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> =
        entries.filter(|name| !run.checkpoints().contains(&name.to_string_lossy().into())).collect();
    assert!(left.is_empty(), "{case}: {left:?} stay");
    true
}

/// The `number`-th call of `operation` fails, where there are so many.
fn fail_at(operation: &str, number: usize) {
    let run = Run::new();
    let ended = run.train(Some(&format!("{operation}:error=EIO:when={number}")));
    // Before anything is learnt it is an error that names the file; later it is tried again.
    let code = ended.code();
    assert!(matches!(code, Some(0 | 12)), "{operation} {number}: {ended}");
    if code == Some(0) {
        assert!(
            run.newest_version().is_some() && run.path("run/checkpoints/best").is_dir(),
            "{operation} {number}"
        );
    }
}

fn has_strace() -> bool {
    let found =
        Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
    if !found {
        eprintln!("SKIPPED: `strace` injects the kills; it is not installed");
    }
    found
}

#[test]
fn a_learner_killed_while_it_saves_loses_no_checkpoint() {
    if has_strace() {
        // Through all that the first checkpoints do.
        let syncs = (7..).step_by(12).take_while(|number| kill_at("fsync", *number)).count();
        assert!(syncs >= 3, "{syncs} kills");
        assert!(kill_at("renameat2", 1), "no checkpoint was replaced");
    }
}

#[test]
#[ignore = "long: part of `./run soak`"]
fn a_learner_killed_at_every_operation_loses_no_checkpoint() {
    if has_strace() {
        for operation in OPERATIONS {
            let kills = (1..10_000).take_while(|number| kill_at(operation, *number)).count();
            eprintln!("{kills} kills at {operation}");
            assert!(kills > 0, "{operation} is never called");
        }
    }
}

#[test]
#[ignore = "long: part of `./run soak`"]
fn an_operation_that_fails_once_ends_no_learning() {
    if has_strace() {
        for operation in OPERATIONS {
            (1..40).step_by(3).for_each(|number| fail_at(operation, number));
        }
    }
}
