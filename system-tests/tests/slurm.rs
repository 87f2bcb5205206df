//! A study on a Slurm cluster of three nodes, one of which is lost in the middle.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]
#![allow(clippy::print_stderr, reason = "what is not tried is told to whoever reads the test's output")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sweep::{State, TrialStatus, read_journal};
use system_tests::{Service, free_port, root};

const PATIENCE: Duration = Duration::from_secs(240);

/// Three nodes on this machine with their controller and munge, all ended when it is dropped.
struct Cluster {
    folder: PathBuf,
}

impl Cluster {
    /// Nothing where Slurm is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let programs = ["munged", "slurmctld", "slurmd", "sbatch"];
        let is_there = |program: &&str| {
            ["/usr/sbin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(program).exists())
        };
        if !programs.iter().all(is_there) {
            eprintln!("SKIPPED: Slurm is not installed; apt-get install slurm-wlm munge");
            return None;
        }
        let cluster = Cluster { folder: folder.to_owned() };
        cluster.write_config();
        cluster.run(
            "munged",
            &[
                "--force",
                &cluster.flag("key-file", "munge.key"),
                &cluster.flag("socket", "munge.socket"),
                &cluster.flag("pid-file", "munged.pid"),
                &cluster.flag("log-file", "munged.log"),
                &cluster.flag("seed-file", "munged.seed"),
            ],
        );
        cluster.run("slurmctld", &[]);
        for node in 1..=3 {
            cluster.run("slurmd", &["-N", &format!("n{node}")]);
        }
        let since = Instant::now();
        while cluster.asked("sinfo", &["--noheader", "--format=%D %T"]).trim() != "3 idle" {
            assert!(since.elapsed() < PATIENCE, "{}", cluster.asked("sinfo", &[]));
            std::thread::sleep(Duration::from_millis(200));
        }
        Some(cluster)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("slurm.conf")
    }

    fn flag(&self, name: &str, file: &str) -> String {
        format!("--{name}={}", self.folder.join(file).display())
    }

    fn write_config(&self) {
        let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        let (host, folder) = (host.trim(), self.folder.display());
        let nodes: String = (1..=3)
            .map(|node| {
                fs::create_dir_all(self.folder.join(format!("spool/n{node}"))).unwrap();
                format!(
                    "NodeName=n{node} NodeHostname={host} NodeAddr=127.0.0.1 Port={} CPUs=1\n",
                    free_port()
                )
            })
            .collect();
        fs::create_dir_all(self.folder.join("state")).unwrap();
        let text = format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nAuthType=auth/munge\nAuthInfo=socket={folder}/munge.socket\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSlurmUser=root\nSlurmdUser=root\n\
             StateSaveLocation={folder}/state\nSlurmdSpoolDir={folder}/spool/%n\nSlurmctldPidFile={folder}/slurmctld.pid\n\
             SlurmdPidFile={folder}/slurmd-%n.pid\nSlurmctldLogFile={folder}/slurmctld.log\nSlurmdLogFile={folder}/slurmd-%n.log\n\
             SlurmctldPort={}\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core\nMpiDefault=none\nSlurmdTimeout=10\n\
             {nodes}PartitionName=all Nodes=n[1-3] Default=YES MaxTime=INFINITE State=UP\n",
            free_port()
        );
        fs::write(self.config(), text).unwrap();
        let key = self.folder.join("munge.key");
        fs::write(&key, [7; 1024]).unwrap();
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(program);
        let status =
            command.args(arguments).env("SLURM_CONF", self.config()).stdin(Stdio::null()).status().unwrap();
        assert!(status.success(), "{program} cannot be started");
    }

    fn asked(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new(program).args(arguments).env("SLURM_CONF", self.config()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Ends a node as a power cut does: its daemon, the daemons of its steps, and its tasks.
    fn lose(&self, node: &str) {
        let jobs = self.asked("squeue", &["--noheader", "--nodelist", node, "--format=%i"]);
        let pid = fs::read_to_string(self.folder.join(format!("slurmd-{node}.pid"))).unwrap();
        kill_tree(pid.trim());
        for job in jobs.lines() {
            for process in processes_with(&format!("slurmstepd: [{}.", job.trim())) {
                kill_tree(&process);
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for file in ["slurmd-n1.pid", "slurmd-n2.pid", "slurmd-n3.pid", "slurmctld.pid", "munged.pid"] {
            let pid = fs::read_to_string(self.folder.join(file)).unwrap_or_default();
            if !pid.trim().is_empty() {
                // A daemon that has ended is as it should be.
                let _ = Command::new("kill").args(["-9", pid.trim()]).stderr(Stdio::null()).status();
            }
        }
    }
}

/// Process ids whose command line holds `text`.
fn processes_with(text: &str) -> Vec<String> {
    let ids = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let line = |id: &String| fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    ids.filter(|id| id.parse::<u32>().is_ok() && String::from_utf8_lossy(&line(id)).contains(text)).collect()
}

/// Kills a process and everything that it started.
fn kill_tree(pid: &str) {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let _ = Command::new("kill").args(["-9", pid]).stderr(Stdio::null()).status();
    children.split_whitespace().for_each(kill_tree);
}

#[test]
fn a_node_that_is_lost_costs_no_trial() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = Cluster::start(folder.path()) else { return };
    let file = folder.path().join("study.toml");
    let text = "schema = 1\nname = \"slurm\"\nseed = 3\n[train]\nconfig = \"configs/train/slots.toml\"\n\
                set = [\"learner.budget_steps=400000\"]\n\
                [parameters.\"learner.learning_rate.from\"]\nlog_uniform = [1e-4, 1e-2]\n\
                [[objectives]]\nmetric = \"eval/score\"\ndirection = \"minimise\"\n[budget]\ntrials = 8\n[resources]\ncores = 3\n";
    fs::write(&file, text).unwrap();
    let study = folder.path().join("study");
    let program = root().join("sweep/tests/trial.sh");
    let paths = [file, study.clone(), program].map(|path| path.display().to_string());
    let arguments =
        ["sweep", "run", &paths[0], "--folder", &paths[1], "--program", &paths[2], "--on", "slurm"];
    let config = cluster.config().display().to_string();
    let mut coordinator =
        Service::start_in(folder.path(), "sweep", "longshore", &arguments, &[("SLURM_CONF", &config)]);
    std::thread::sleep(Duration::from_secs(4));
    cluster.lose("n2");
    let since = Instant::now();
    while !coordinator.has_ended() {
        assert!(
            since.elapsed() < PATIENCE,
            "{}\n{}",
            coordinator.log(),
            cluster.asked("squeue", &["--states=all"])
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let state = State::of(&read_journal(&study).unwrap()).unwrap().unwrap();
    assert_eq!(state.trials.len(), 9, "{}", coordinator.log());
    assert!(state.trials.iter().all(|trial| state.status(trial) == TrialStatus::Finished));
    let runs = || state.trials.iter().map(|trial| &trial.runs[&0]);
    assert_eq!(runs().map(|run| run.losses).sum::<u32>(), 1, "{}", coordinator.log());
    assert!(runs().all(|run| run.failures == 0 && run.attempts == run.losses + 1));
    assert!(cluster.asked("sinfo", &["--noheader", "--format=%D %T"]).contains("1 down"));
}
