//! The programs that are measured, and how each is started.

use std::path::{Path, PathBuf};
use std::process::Command;

use configuration::Storage;
use tch::Device;

use crate::measure::Order;
use crate::work::{Pass, Work};

/// Where the peers' program lies, seen from the repository's root.
const SCRIPT: &str = "bench/peers/encoder/epoch.py";
/// Makes glibc keep freed memory and use huge pages.
const TUNABLES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=68719476736:glibc.malloc.top_pad=268435456";

/// One that is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    /// As tables show it.
    pub name: &'static str,
    runs: Runs,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Runs {
    /// This program again, with projections kept so.
    Ours(Storage),
    /// A peer: the Python of its environment, its name there, and whether the allocator is tuned.
    Peer { python: PathBuf, peer: &'static str, tuned: bool },
}

fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(number) => format!("cuda:{number}"),
        _ => "cpu".to_owned(),
    }
}

/// Those that take such work on such a device: this project's network once for each of `storages`, and peers where `peers` has
/// their environment.
pub(crate) fn contenders(
    work: Work,
    device: Device,
    storages: &[Storage],
    peers: Option<&Path>,
) -> Vec<Contender> {
    let peer = |name, folder: &str, peer, tuned| {
        let python = peers?.join(folder).join("bin/python");
        python.exists().then_some(Contender { name, runs: Runs::Peer { python, peer, tuned } })
    };
    // What allocates memory of a GPU is not glibc, and the environment of DGL computes on processors only.
    let on_cpu = |contender: Option<Contender>| contender.filter(|_| device == Device::Cpu);
    let ours = storages.iter().map(|&storage| {
        let name = match (work.is_typed(), storage) {
            (true, Storage::F32) => "longshore",
            (true, Storage::Bf16) => "longshore-bf16",
            (false, Storage::F32) => "longshore-gatv2",
            (false, Storage::Bf16) => "longshore-gatv2-bf16",
        };
        Contender { name, runs: Runs::Ours(storage) }
    });
    let peers = if work.is_typed() {
        vec![peer("pyg-gatv2-edges", "pyg", "pyg-gatv2-edges", false)]
    } else {
        vec![
            peer("pyg-gatv2", "pyg", "pyg-gatv2", false),
            on_cpu(peer("pyg-gatv2-tuned", "pyg", "pyg-gatv2", true)),
            peer("pyg-gat", "pyg", "pyg-gat", false),
            on_cpu(peer("dgl-gatv2", "dgl", "dgl-gatv2", false)),
        ]
    };
    ours.chain(peers.into_iter().flatten()).collect()
}

impl Contender {
    /// Whether it is this project's.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.runs, Runs::Ours(_))
    }

    /// The process that measures it. `graph` is the file of the work; `memory_gb` what a peer may take.
    pub(crate) fn command(&self, program: &Path, order: &Order, graph: &Path, memory_gb: f64) -> Command {
        let mut command = match &self.runs {
            Runs::Ours(storage) => {
                let mut command = Command::new(program);
                command.args(["bench", "encoder-measure", "--work", &order.work.to_string()]);
                command.args(["--storage", &storage.to_string()]);
                command
            }
            Runs::Peer { python, peer, tuned } => {
                let mut command = Command::new(python);
                command
                    .args([SCRIPT, "--peer", peer, "--memory-gb", &format!("{memory_gb:.1}"), "--graph"])
                    .arg(graph);
                if *tuned {
                    command.env("GLIBC_TUNABLES", TUNABLES);
                }
                command
            }
        };
        command.args(["--device", &device_name(order.device)]);
        command.args(["--threads", &order.threads.to_string(), "--repeats", &order.repeats.to_string()]);
        if order.pass == Pass::Inference {
            command.arg("--inference");
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_without_an_environment_are_left_out() {
        let names = |peers| -> Vec<&str> {
            let all = contenders(Work::Batch, Device::Cpu, &[Storage::F32], peers);
            all.into_iter().map(|one| one.name).collect()
        };
        assert_eq!(names(None), ["longshore-gatv2"]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("dgl/bin")).unwrap();
        std::fs::write(folder.path().join("dgl/bin/python"), "").unwrap();
        assert_eq!(names(Some(folder.path())), ["longshore-gatv2", "dgl-gatv2"]);
        assert_eq!(contenders(Work::Batch, Device::Cuda(0), &[Storage::F32], Some(folder.path())).len(), 1);
    }

    #[test]
    fn every_storage_takes_turns() {
        let names = contenders(Work::States, Device::Cpu, &[Storage::F32, Storage::Bf16], None);
        assert_eq!(names.iter().map(|one| one.name).collect::<Vec<_>>(), ["longshore", "longshore-bf16"]);
    }
}
