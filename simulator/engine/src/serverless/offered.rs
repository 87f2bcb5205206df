//! All invocations of an episode, known in advance: what references are computed from.

use super::arrivals::Coming;
use super::ledger::SLOWDOWN_FLOOR;
use super::simulation::ServerlessSimulation;

/// An invocation of the episode, at its default size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OfferedJob {
    /// Time of arrival, seconds.
    pub arrived: f64,
    /// Index of the function.
    pub function: u32,
    /// Its memory, MB.
    pub memory_mb: u32,
    /// Its transfer and I/O, seconds.
    pub fixed_seconds: f64,
    /// Its CPU phase at reference speed, seconds.
    pub cpu_seconds: f64,
    /// Whether it arrived after the warm-up.
    pub counted: bool,
}

/// All invocations of an episode, by arrival, with the cluster that runs them.
#[derive(Clone, Debug, PartialEq)]
pub struct Offered {
    /// Invocations in order of arrival.
    pub jobs: Vec<OfferedJob>,
    /// (memory in MB, speed) of each node.
    pub nodes: Vec<(u32, f64)>,
}

impl OfferedJob {
    /// Warm duration without contention, on a node of that speed, seconds.
    #[must_use]
    pub fn seconds_at(&self, speed: f64) -> f64 {
        self.fixed_seconds + self.cpu_seconds / speed
    }

    /// Slowdown that a second of latency costs, 1/s.
    #[must_use]
    pub fn weight(&self) -> f64 {
        1.0 / self.seconds_at(1.0).max(SLOWDOWN_FLOOR)
    }
}

impl ServerlessSimulation {
    /// All invocations of this episode, for references; `None` where there are workflows.
    #[must_use]
    pub fn offered(&self) -> Option<Offered> {
        let workload = &self.workload;
        if !workload.cluster.workflows.is_empty() {
            return None;
        }
        let job = |coming: Coming| {
            let model = &workload.models[coming.subject as usize];
            let work = workload.draw(coming.subject, &coming).work;
            let cpu_seconds = work.cpu_seconds / model.usable_vcpus;
            OfferedJob {
                arrived: coming.at.seconds(),
                function: coming.subject,
                memory_mb: workload.cluster.functions[coming.subject as usize].default_memory_mb,
                fixed_seconds: model.reference_seconds(&work) - cpu_seconds,
                cpu_seconds,
                counted: coming.at >= self.rules.counts_from,
            }
        };
        Some(Offered {
            jobs: workload.arrivals(self.source).stream.map(job).collect(),
            nodes: workload.cluster.nodes.iter().map(|node| (node.memory_mb, node.speed)).collect(),
        })
    }
}
