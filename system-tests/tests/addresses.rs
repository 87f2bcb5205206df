//! Services find each other by IPv6 and by name, serve metrics where they are told, and refuse addresses that cannot
//! be.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "what is not tried is told to whoever reads the test's output")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use system_tests::{Service, free_port, root, run};

const PATIENCE: Duration = Duration::from_secs(120);

/// A small training run, with its services at these hosts.
fn write_config(folder: &Path, shard: &str, learner: &str) -> String {
    let [announce, pull, port] = [(); 3].map(|()| free_port());
    let text = format!(
        "schema = 1\nname = \"addresses\"\nseed = 2\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 16\nheads = 2\n\
         layers = 1\n[actor]\nenvironments = 16\n[learner]\nbudget_steps = 2000\nbatch_steps = 512\nthreads = 1\nepochs = 1\n\
         [evaluation]\nvalidation_episodes = 2\nloads = [90.0]\nsteps = [50]\n[transport]\nshards = [\"tcp://{shard}:{port}\"]\n\
         weights_announce = \"tcp://{learner}:{announce}\"\nweights_pull = \"tcp://{learner}:{pull}\"\n[replay]\nfolder = \"{}\"\n",
        folder.join("replay").display()
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn services_meet_by_ipv6_and_by_name() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("SKIPPED: this machine has no IPv6");
        return;
    }
    for (shard, learner) in [("[::1]", "localhost"), ("localhost", "[::1]")] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let config = write_config(folder, shard, learner);
        let run_folder = folder.join("run").display().to_string();
        let mut shard = Service::start(folder, "shard", "longshore-replay", &["-c", &config, "--shard", "0"]);
        let mut actor = Service::start(folder, "actor", "longshore-actor", &["-c", &config]);
        let arguments = ["-c", &config, "--run-folder", &run_folder];
        let mut learner = Service::start(folder, "learner", "longshore-learner", &arguments);
        for service in [&mut learner, &mut actor, &mut shard] {
            assert_eq!(service.wait(PATIENCE), Some(0), "{}", service.log());
        }
    }
}

fn get(address: &str, path: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(address) {
        let asked = write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        // Who does not listen yet answers nothing.
        let _ = asked.and_then(|()| stream.read_to_string(&mut answer));
    }
    answer
}

fn train(folder: &Path, settings: &[String]) -> Vec<String> {
    let (config, run_folder) = (root().join("configs/train/slots.toml"), folder.join("run"));
    let mut arguments = vec!["train".to_owned(), "--no-report".to_owned(), "-c".to_owned()];
    arguments.extend([
        config.display().to_string(),
        "--run-folder".to_owned(),
        run_folder.display().to_string(),
    ]);
    settings.iter().for_each(|setting| arguments.extend(["--set".to_owned(), setting.clone()]));
    arguments
}

#[test]
fn train_serves_the_metrics_addresses_of_its_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [(); 2].map(|()| free_port());
    let settings = [
        format!("learner.metrics_address=\"localhost:{one}\""),
        format!("actor.metrics_address=\"127.0.0.1:{other}\""),
    ];
    let training = Service::start(folder.path(), "train", "longshore", &train(folder.path(), &settings));
    let start = Instant::now();
    for address in [format!("localhost:{one}"), format!("127.0.0.1:{other}")] {
        while !get(&address, "/metrics").contains("longshore_learnt_steps_total") {
            assert!(start.elapsed() < PATIENCE, "{address}:\n{}", training.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(get(&address, "/healthz").starts_with("HTTP/1.1 200"));
        assert!(get(&address, "/metrics").contains("longshore_env_steps_total"));
        assert!(get(&address, "/readyz").starts_with("HTTP/1.1 200"));
    }
}

fn refused(program: &str, arguments: &[String], words: &[&str]) {
    let output = run(program, arguments);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{program} {arguments:?}: {text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
}

#[test]
fn an_address_in_use_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let setting = |key: &str| format!("{key}.metrics_address=\"{address}\"");
    let words = [&*address, "metrics_address", "in use", "give another address"];
    refused("longshore", &train(folder.path(), &[setting("learner")]), &words);
    let config = write_config(folder.path(), "127.0.0.1", "127.0.0.1");
    let of = |key: &str| ["-c", &config, "--set", &setting(key)].map(str::to_owned).to_vec();
    refused("longshore-actor", &of("actor"), &words);
    refused("longshore-learner", &of("learner"), &words);
    let shard = ["--shard".to_owned(), "0".to_owned()];
    refused("longshore-replay", &[of("replay"), shard.to_vec()].concat(), &words);
    let bind = ["--bind".to_owned(), format!("tcp://{address}")];
    refused(
        "longshore-replay",
        &[of("actor"), shard.to_vec(), bind.to_vec()].concat(),
        &[&address, "cannot bind"],
    );
    let nowhere = ["--bind".to_owned(), "tcp://no-such-host.invalid:7000".to_owned()];
    let arguments = [of("actor"), shard.to_vec(), nowhere.to_vec()].concat();
    refused("longshore-replay", &arguments, &["no-such-host.invalid", "cannot be resolved"]);
}

#[test]
fn addresses_that_cannot_be_are_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["9101", "host", "tcp://127.0.0.1:9101", "127.0.0.1:0", "127.0.0.1:99999", "::1:9101"] {
        let setting = format!("learner.metrics_address=\"{wrong}\"");
        refused(
            "longshore",
            &train(folder.path(), &[setting]),
            &["learner.metrics_address", wrong, "HOST:PORT"],
        );
    }
    let shards = "transport.shards=[\"tcp://127.0.0.1:7710\", \"tcp://localhost:7710\"]".to_owned();
    refused(
        "longshore",
        &train(folder.path(), &[shards]),
        &["`transport.shards[0]` and `transport.shards[1]`"],
    );
}
