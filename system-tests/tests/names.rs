//! A shard whose name no name server answers: healthy shards and a shutdown do not wait for it.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "what is not tried is told to whoever reads the test's output")]

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use system_tests::{Service, free_port, programs};

const PATIENCE: Duration = Duration::from_secs(120);
/// A name server that takes questions and answers none.
const SILENT_SERVER: &str = "127.0.0.77:53";

/// Binds the silent name server, and writes a file that names it for the resolver.
fn silent_server(folder: &Path) -> Option<UdpSocket> {
    let namespaces =
        Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    let socket = UdpSocket::bind(SILENT_SERVER).ok().filter(|_| namespaces);
    if socket.is_none() {
        eprintln!("SKIPPED: only root can bind port 53 and replace /etc/resolv.conf for one program");
        return None;
    }
    fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.77\noptions timeout:10 attempts:3\n").unwrap();
    socket
}

/// Starts a program that asks the silent name server.
fn start(folder: &Path, name: &str, program: &str, arguments: &[&str]) -> Service {
    let resolver = folder.join("resolv.conf").display().to_string();
    let program = programs().join(program).display().to_string();
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    let words = [&["-m", "sh", "-c", script, &resolver, &program][..], arguments].concat();
    Service::start(folder, name, "/usr/bin/unshare", &words)
}

fn write_config(folder: &Path) -> String {
    let [announce, pull, shard] = [(); 3].map(|()| free_port());
    let text = format!(
        "schema = 1\nname = \"names\"\nseed = 2\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 8\nheads = 2\n\
         layers = 1\n[actor]\nenvironments = 16\n[learner]\nbudget_steps = 6000\nbatch_steps = 512\nthreads = 1\n\
         [evaluation]\nvalidation_episodes = 2\nloads = [90.0]\nsteps = [50]\n[replay]\ndurability = \"memory\"\n[transport]\n\
         shards = [\"tcp://shard-that-is-lost.example:7700\", \"tcp://127.0.0.1:{shard}\"]\n\
         weights_announce = \"tcp://localhost:{announce}\"\nweights_pull = \"tcp://localhost:{pull}\"\n\
         weights_announce_bind = \"tcp://127.0.0.1:{announce}\"\nweights_pull_bind = \"tcp://127.0.0.1:{pull}\"\n"
    );
    let path = folder.join("config.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_name_without_an_answer_stops_neither_other_shards_nor_a_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(_server) = silent_server(folder) else { return };
    let config = write_config(folder);
    let run_folder = folder.join("run").display().to_string();
    let mut shard = start(folder, "shard", "longshore-replay", &["-c", &config, "--shard", "1"]);
    let mut learner =
        start(folder, "learner", "longshore-learner", &["-c", &config, "--run-folder", &run_folder]);
    let mut actor = start(folder, "actor", "longshore-actor", &["-c", &config]);
    for service in [&mut learner, &mut actor, &mut shard] {
        assert_eq!(service.wait(PATIENCE), Some(0), "{}", service.log());
    }
    // Nobody is there any more: both wait for the others, and end when they are told to.
    for (name, program) in [("late-actor", "longshore-actor"), ("late-shard", "longshore-replay")] {
        let arguments = match name {
            "late-actor" => vec!["-c", &config],
            _ => vec!["-c", &config, "--shard", "1"],
        };
        let mut service = start(folder, name, program, &arguments);
        std::thread::sleep(Duration::from_secs(2));
        let asked = Instant::now();
        assert!(Command::new("kill").arg(service.id().to_string()).status().unwrap().success());
        service.wait(PATIENCE);
        assert!(asked.elapsed() < Duration::from_secs(5), "{name}: {}", service.log());
    }
}
