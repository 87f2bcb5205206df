//! An actor that is told to end, as when actors are scaled down: it sends what it has played, or says what it drops.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::{Service, free_port};

const PATIENCE: Duration = Duration::from_secs(120);

fn write_config(folder: &Path) -> String {
    let [announce, pull, shard] = [(); 3].map(|()| free_port());
    let text = format!(
        "schema = 1\nname = \"endings\"\nseed = 2\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 8\nheads = 2\n\
         layers = 1\n[actor]\nenvironments = 16\n[learner]\nbudget_steps = 100000000\nbatch_steps = 256\nthreads = 1\n\
         checkpoint_every = 2\n[evaluation]\nvalidation_episodes = 2\nloads = [90.0]\nsteps = [50]\n[replay]\n\
         durability = \"memory\"\n[transport]\nshards = [\"tcp://127.0.0.1:{shard}\"]\n\
         weights_announce = \"tcp://127.0.0.1:{announce}\"\nweights_pull = \"tcp://127.0.0.1:{pull}\"\n\
         [replay.tables.fresh]\nsampler = \"fifo\"\nremover = {{ times_sampled = 1 }}\nmax_items = 100\n"
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn signal(name: &str, service: &Service) {
    assert!(Command::new("kill").args([name, &service.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_actor_that_ends_sends_what_it_has_or_says_what_it_drops() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = write_config(folder);
    let run_folder = folder.join("run").display().to_string();
    let shard = Service::start(folder, "shard", "longshore-replay", &["-c", &config, "--shard", "0"]);
    let learner =
        Service::start(folder, "learner", "longshore-learner", &["-c", &config, "--run-folder", &run_folder]);
    // The shard answers again in time, or not.
    for answers in [true, false] {
        let name = format!("actor-{answers}");
        let mut actor = Service::start(folder, &name, "longshore-actor", &["-c", &config]);
        actor.wait_for("actor plays", 1, PATIENCE);
        let learnt = || fs::metadata(folder.join("run/metrics.jsonl")).map_or(0, |file| file.len());
        let (before, start) = (learnt(), Instant::now());
        while learnt() == before {
            assert!(start.elapsed() < PATIENCE, "{}\n{}", learner.log(), actor.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        signal("-STOP", &shard);
        // It plays until nothing more is taken.
        std::thread::sleep(Duration::from_secs(1));
        signal("-TERM", &actor);
        std::thread::sleep(Duration::from_secs(1));
        assert!(!actor.has_ended(), "it does not wait: {}", actor.log());
        if answers {
            signal("-CONT", &shard);
        }
        let asked = Instant::now();
        assert_eq!(actor.wait(PATIENCE), Some(130), "{}", actor.log());
        assert!(asked.elapsed() < Duration::from_secs(10), "{}", actor.log());
        // What no shard had taken yet is dropped in either case; what one had not acknowledged is only where it does not answer.
        assert_eq!(actor.log().contains("were not acknowledged"), !answers, "{}", actor.log());
        signal("-CONT", &shard);
    }
}
