//! A study whose settings Optuna suggests, from a PostgreSQL that two coordinators share, one of which is killed.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "what is not tried is told to whoever reads the test's output")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use sweep::{Origin, State, TrialStatus, read_journal};
use system_tests::{Service, free_port, root, run};

const PATIENCE: Duration = Duration::from_secs(240);
const TRIALS: usize = 24;

/// A database server on loopback, ended when it is dropped.
struct Database {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Database {
    fn start(programs: PathBuf, folder: &Path) -> Self {
        let database = Database { programs, folder: folder.join("database"), port: free_port() };
        fs::write(folder.join("password"), "secret\n").unwrap();
        fs::create_dir(&database.folder).unwrap();
        if is_root() {
            // The server refuses to run as root.
            for path in [folder, &database.folder, &folder.join("password")] {
                assert!(Command::new("chown").arg("postgres").arg(path).status().unwrap().success());
            }
        }
        let data = database.folder.join("data").display().to_string();
        let password = format!("--pwfile={}", folder.join("password").display());
        database.run("initdb", &["-D", &data, "-A", "scram-sha-256", &password, "-U", "me"]);
        let options = format!("-p {} -k {} -h 127.0.0.1", database.port, database.folder.display());
        let log = database.folder.join("log").display().to_string();
        database.run("pg_ctl", &["-D", &data, "-o", &options, "-l", &log, "-w", "start"]);
        let port = database.port.to_string();
        database.run("createdb", &["-h", "127.0.0.1", "-p", &port, "-U", "me", "optuna"]);
        database
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.programs.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        // Its output goes to no pipe: the server would hold it open.
        let status =
            command.args(arguments).env("PGPASSWORD", "secret").stdout(std::process::Stdio::null()).status();
        assert!(status.unwrap().success(), "{arguments:?}");
    }

    fn url(&self) -> String {
        format!("postgresql+psycopg://me:secret@127.0.0.1:{}/optuna", self.port)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let data = self.folder.join("data").display().to_string();
        self.run("pg_ctl", &["-D", &data, "-m", "immediate", "stop"]);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Where the server's programs are and a Python that has Optuna; nothing where one is missing.
fn installed() -> Option<(PathBuf, PathBuf)> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs =
        versions.map(|version| version.path().join("bin")).find(|bin| bin.join("postgres").exists());
    let python = std::env::var_os("LONGSHORE_OPTUNA_PYTHON").map(PathBuf::from);
    let (Some(programs), Some(python)) = (programs, python) else {
        eprintln!(
            "SKIPPED: needs PostgreSQL (apt-get install postgresql) and LONGSHORE_OPTUNA_PYTHON, a Python with optuna and psycopg[binary]"
        );
        return None;
    };
    Some((programs, python))
}

fn study(folder: &Path, storage: &Path) -> PathBuf {
    let text = format!(
        "schema = 1\nname = \"shared\"\nseed = 3\n[train]\nconfig = \"configs/train/slots.toml\"\n\
         set = [\"learner.budget_steps=60000\"]\n\
         [parameters.\"learner.learning_rate.from\"]\nlog_uniform = [1e-4, 1e-2]\n\
         [parameters.\"learner.advantage\"]\nchoice = [\"vtrace\", \"group\"]\n\
         [parameters.\"learner.group.rollouts\"]\nchoice = [4, 8]\nonly_if = {{ key = \"learner.advantage\", is = [\"group\"] }}\n\
         [[objectives]]\nmetric = \"eval/score\"\ndirection = \"minimise\"\n\
         [sampler]\nkind = \"optuna\"\nstorage = \"{}\"\n[budget]\ntrials = {TRIALS}\n\
         [resources]\ncores = 2\nrestarts = 100\n\
         [racing]\nrule = \"successive_halving\"\n\
         rungs = [{{ steps = 20000 }}, {{ steps = 60000 }}, {{ steps = 60000, seeds = 2 }}]\n",
        storage.display()
    );
    let path = folder.join("study.toml");
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn two_coordinators_share_a_study_in_a_database_and_a_kill_loses_nothing() {
    let Some((programs, python)) = installed() else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = Database::start(programs, folder.path());
    let storage = folder.path().join("storage");
    fs::write(&storage, database.url()).unwrap();
    let file = study(folder.path(), &storage);
    let folders = ["one", "two"].map(|name| folder.path().join(name));
    let arguments = |own: &Path| -> Vec<String> {
        let program = root().join("sweep/tests/trial.sh");
        let words = [Path::new("sweep"), Path::new("run"), &file, Path::new("--folder"), own];
        let more = [Path::new("--program"), &program, Path::new("--python"), &python];
        words.iter().chain(&more).map(|word| word.display().to_string()).collect()
    };
    let start = |own: &Path, name: &str| Service::start(folder.path(), name, "longshore", &arguments(own));
    let mut coordinators = vec![start(&folders[0], "one"), start(&folders[1], "two")];
    std::thread::sleep(Duration::from_secs(4));
    let _ = coordinators[0].kill();
    coordinators[0] = start(&folders[0], "one");
    let since = Instant::now();
    for coordinator in &mut coordinators {
        while !coordinator.has_ended() {
            assert!(since.elapsed() < PATIENCE, "{}", coordinator.log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let states = folders.each_ref().map(|folder| State::of(&read_journal(folder).unwrap()).unwrap().unwrap());
    let mut settings = BTreeSet::new();
    let mut suggested = 0;
    for state in &states {
        for trial in state.trials.iter().filter(|trial| trial.origin == Origin::Sampler) {
            assert!(matches!(state.status(trial), TrialStatus::Finished | TrialStatus::Pruned));
            settings.insert(serde_json::to_string(&trial.setting).unwrap());
            suggested += 1;
        }
        assert!(state.trials.len() > 3, "each has a part of the trials");
    }
    assert_eq!((suggested, settings.len()), (TRIALS, TRIALS), "none is tried twice, and all are");
    // The database knows what each came to.
    let told = asked(
        &python,
        &format!(
            "import optuna\n\
             study = optuna.load_study(study_name='shared', storage={:?})\n\
             print(sorted(trial.state.name for trial in study.trials).count('PRUNED'), study.best_value, len(study.trials))",
            database.url()
        ),
    );
    let told = String::from_utf8(told.stdout).unwrap();
    let finished: Vec<f64> = states
        .iter()
        .flat_map(|state| state.trials[1..].iter().filter(|trial| trial.outcomes.len() == 3))
        .map(|trial| trial.outcomes[2].objectives[0])
        .collect();
    let best = finished.iter().copied().fold(f64::INFINITY, f64::min);
    let expected = format!("{} {best} {TRIALS}", TRIALS - finished.len());
    assert_eq!(told.trim(), expected);
    // It becomes a study file with its best trials first.
    let imported = folder.path().join("imported.toml");
    let words =
        ["sweep", "import", "optuna", "STORAGE", "--study", "shared", "-c", "configs/train/slots.toml", "-o"];
    let mut words: Vec<String> = words.map(str::to_owned).into();
    words[3] = storage.display().to_string();
    words.extend([imported.display().to_string(), "--python".to_owned(), python.display().to_string()]);
    assert!(run("longshore", &words).status.success());
    let text = fs::read_to_string(&imported).unwrap();
    assert_eq!(text.matches("\n[[start]]").count(), finished.len().min(10), "{text}");
    assert!(
        text.contains("[parameters.\"learner.group.rollouts\"]")
            || text.contains("[parameters.'learner.group.rollouts']"),
        "{text}"
    );
}

fn asked(python: &Path, program: &str) -> Output {
    Command::new(python).args(["-c", program]).output().unwrap()
}
