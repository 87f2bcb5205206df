//! The services as processes of their own over loopback with CURVE: they train, and survive a learner killed with -9.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use system_tests::{Service, run};

const PATIENCE: Duration = Duration::from_secs(120);

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Writes a small training configuration with links over loopback and returns its path.
fn write_config(folder: &Path, keys: &Path) -> String {
    let [announce, pull, zero, one] = [(); 4].map(|()| free_port());
    let text = format!(
        "schema = 1\nname = \"processes\"\nseed = 2\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 16\nheads = 2\n\
         layers = 1\n[actor]\nenvironments = 16\n[learner]\nbudget_steps = 40000\nbatch_steps = 512\nthreads = 1\n\
         epochs = 1\nadvantage = \"group\"\ngroup = {{ rollouts = 4 }}\ncheckpoint_every = 2\nevaluate_every = 20\n\
         [evaluation]\nvalidation_episodes = 5\nloads = [90.0]\nsteps = [50]\n[transport]\n\
         shards = [\"tcp://127.0.0.1:{zero}\", \"tcp://127.0.0.1:{one}\"]\n\
         weights_announce = \"tcp://127.0.0.1:{announce}\"\nweights_pull = \"tcp://127.0.0.1:{pull}\"\nkeys = \"{}\"\n[replay]\nfolder = \"{}\"\n",
        keys.display(),
        folder.join("replay").display()
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn make_keys(folder: &Path) -> std::path::PathBuf {
    let keys = folder.join("keys");
    assert!(run("longshore", &["keygen", &keys.display().to_string()]).status.success());
    keys
}

#[test]
fn a_killed_learner_resumes_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write_config(folder, &make_keys(folder));
    let run_folder = folder.join("run").display().to_string();
    let shard = |id: &str| {
        Service::start(folder, &format!("shard-{id}"), "longshore-replay", &["-c", &config, "--shard", id])
    };
    let mut shards = [shard("0"), shard("1")];
    let mut actor = Service::start(folder, "actor", "longshore-actor", &["-c", &config]);
    let learn = || {
        Service::start(folder, "learner", "longshore-learner", &["-c", &config, "--run-folder", &run_folder])
    };
    let mut learner = learn();
    let checkpoint = folder.join("run/checkpoints/v00000008");
    let start = std::time::Instant::now();
    while !checkpoint.exists() {
        assert!(start.elapsed() < PATIENCE, "no checkpoint:\n{}\n{}", learner.log(), actor.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    learner.kill().unwrap();
    let mut learner = learn();
    learner.wait_for("resumed", 1, PATIENCE);
    assert_eq!(learner.wait(PATIENCE), Some(0), "{}", learner.log());
    assert_eq!(actor.wait(PATIENCE), Some(0), "{}", actor.log());
    for shard in &mut shards {
        assert_eq!(shard.wait(PATIENCE), Some(0), "{}", shard.log());
    }
    let record = fs::read_to_string(folder.join("run/run.json")).unwrap();
    assert!(record.contains("\"token\": 2"), "{record}");
}

#[test]
fn a_stranger_without_a_key_and_an_actor_without_a_learner_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write_config(folder, &make_keys(folder));
    let strange = folder.join("strange");
    fs::create_dir(&strange).unwrap();
    let keys = make_keys(&strange);
    let shard = Service::start(folder, "shard", "longshore-replay", &["-c", &config, "--shard", "0"]);
    let run_folder = folder.join("run").display().to_string();
    let keys = format!("transport.keys=\"{}\"", keys.display());
    let patience = "transport.reach_deadline_seconds=4.0";
    let arguments = ["-c", &config, "--run-folder", &run_folder, "--set", &keys, "--set", patience];
    let mut stranger = Service::start(folder, "stranger", "longshore-learner", &arguments);
    assert_eq!(stranger.wait(PATIENCE), Some(6), "{}", stranger.log());
    assert!(stranger.log().contains("could not be reached"), "{}", stranger.log());
    shard.wait_for("refused a connection", 1, PATIENCE);
    let mut actor = Service::start(folder, "actor", "longshore-actor", &["-c", &config, "--set", patience]);
    assert_eq!(actor.wait(PATIENCE), Some(6), "{}", actor.log());
}

#[test]
fn a_learner_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write_config(folder, &make_keys(folder));
    let _zero = Service::start(folder, "shard-0", "longshore-replay", &["-c", &config, "--shard", "0"]);
    let _one = Service::start(folder, "shard-1", "longshore-replay", &["-c", &config, "--shard", "1"]);
    let _actor = Service::start(folder, "actor", "longshore-actor", &["-c", &config]);
    let first = folder.join("first").display().to_string();
    let mut learner =
        Service::start(folder, "first", "longshore-learner", &["-c", &config, "--run-folder", &first]);
    let start = std::time::Instant::now();
    while !folder.join("first/checkpoints/v00000002").exists() {
        assert!(start.elapsed() < PATIENCE, "no checkpoint:\n{}", learner.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    learner.kill().unwrap();
    let second = folder.join("second").display().to_string();
    let mut other =
        Service::start(folder, "second", "longshore-learner", &["-c", &config, "--run-folder", &second]);
    assert_eq!(other.wait(PATIENCE), Some(7), "{}", other.log());
    assert!(other.log().contains("refused"), "{}", other.log());
}
