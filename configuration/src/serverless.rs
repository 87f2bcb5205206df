use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mixture::WorkloadMixture;
use crate::trace::TraceConfig;
use crate::workflow::WorkflowConfig;
use crate::workload::{
    BurstyConfig, MixedConfig, PeriodicConfig, SteadyConfig, SyntheticConfig, WorkloadKind,
};
use common::cluster::NodeSpec;
use common::seed::RunSeed;

/// A cluster of worker nodes that runs functions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerlessConfig {
    /// Worker nodes; in a file an entry with `count` stands for as many.
    #[garde(length(min = 1), inner(custom(crate::nodes::sound_node)))]
    #[serde(deserialize_with = "crate::nodes::expanded")]
    #[schemars(with = "Vec<crate::nodes::NodeGroup>")]
    pub nodes: Vec<NodeSpec>,
    /// Network time between zones in milliseconds; requests are dispatched from zone 0.
    #[garde(custom(square(&self.nodes)), inner(inner(range(min = 0.0, max = 1e6))))]
    pub zone_latency_ms: Vec<Vec<f64>>,
    /// Which workload.
    #[garde(custom(has_its_section(self.trace.as_ref())))]
    pub workload: WorkloadKind,
    /// Offered load to which rates are scaled, percent.
    #[garde(range(min = 0.01, max = 10_000.0))]
    pub load_percent: f64,
    /// `workload = "steady"`.
    #[garde(dive)]
    pub steady: SteadyConfig,
    /// The functions of `bursty` and `periodic`.
    #[garde(dive)]
    pub synthetic: SyntheticConfig,
    /// `workload = "bursty"`.
    #[garde(dive)]
    pub bursty: BurstyConfig,
    /// `workload = "periodic"`.
    #[garde(dive)]
    pub periodic: PeriodicConfig,
    /// `workload = "mixed"`.
    #[garde(dive)]
    pub mixed: MixedConfig,
    /// `workload = "workflow"`.
    #[garde(dive)]
    pub workflow: WorkflowConfig,
    /// `workload = "trace"`.
    #[garde(dive)]
    pub trace: Option<TraceConfig>,
    /// What training and validation are played on in place of `workload` and `load_percent`, as a mixture; none by default.
    #[garde(dive, length(max = 1000), custom(crate::mixture::sound_parts(self.trace.is_some(), self.zone_latency_ms.len())))]
    pub training: Vec<WorkloadMixture>,
    /// Length of a training episode (its arrivals) in seconds, warm-up included.
    #[garde(range(min = 1.0, max = 1e7), custom(beyond_warm_up(self.warm_up_seconds)))]
    pub window_seconds: f64,
    /// The same for validation; 0: the whole range of a trace.
    #[garde(range(min = 0.0, max = 1e7), custom(whole_or_beyond(self.warm_up_seconds)))]
    pub validation_window_seconds: f64,
    /// The same for tests; 0: the whole range of a trace.
    #[garde(range(min = 0.0, max = 1e7), custom(whole_or_beyond(self.warm_up_seconds)))]
    pub test_window_seconds: f64,
    /// Start of every episode that no figure counts. In training `sjf` plays it before the policy is asked.
    #[garde(range(min = 0.0, max = 1e6))]
    pub warm_up_seconds: f64,
    /// What has not finished so long after the last possible arrival is counted as unfinished.
    #[garde(range(min = 0.0, max = 1e6))]
    pub drain_limit_seconds: f64,
    /// In training the policy decides for so long after the last possible arrival; then `sjf` plays what is left, which is
    /// charged like all the rest. (A policy that knows nothing yet would drain for ever.)
    #[garde(range(min = 0.0, max = 1e6))]
    pub training_drain_seconds: f64,
    /// How long an idle container is kept, unless a scheduler decides that itself.
    #[garde(range(min = 0.0, max = 1e6))]
    pub keep_alive_seconds: f64,
    /// How often a scheduler that pre-warms and releases containers is asked about them, in milliseconds.
    #[garde(range(min = 1, max = 3_600_000))]
    pub pool_tick_ms: u64,
    /// Which container runs an invocation that has none ready.
    #[garde(skip)]
    pub binding: Binding,
    /// Functions of different isolation tags never share a node.
    #[garde(skip)]
    pub isolation: bool,
    /// Nodes fail and come back; off by default.
    #[garde(dive)]
    pub failures: Option<FailureConfig>,
    /// After a *wait* the scheduler is asked again after so many milliseconds at the latest.
    #[garde(range(min = 1, max = 60_000))]
    pub ask_again_ms: u64,
    /// Sizes that a scheduler may choose from, as multiples of a function's default memory, ascending.
    #[garde(length(min = 1, max = 16), inner(range(min = 0.001, max = 1000.0)), custom(ascending))]
    pub size_multiples: Vec<f64>,
    /// Memory at which a container has one vCPU; CPU and bandwidth follow memory linearly.
    #[garde(range(min = 1.0, max = 1e7))]
    pub mb_per_vcpu: f64,
    /// Bandwidth of a container that has one vCPU, in Mbit/s.
    #[garde(range(min = 0.001, max = 1e9))]
    pub mbps_per_vcpu: f64,
    /// Observations of each function, at most, that history holds when an episode starts.
    #[garde(range(max = 1_000_000))]
    pub history: u32,
    /// Schedulers see true durations in place of estimates, to show what estimates cost.
    #[garde(skip)]
    pub oracle: bool,
    /// Runtimes with their cold starts.
    #[garde(length(min = 1, max = 1000), dive, custom(any_share))]
    pub runtimes: Vec<RuntimeConfig>,
    /// What is drawn once a function derives from it: runtime, priority, isolation tag, history; of synthetic workloads all
    /// the functions that tests are played with.
    #[garde(skip)]
    pub functions_seed: RunSeed,
    /// The synthetic functions of training and validation derive from it, so that tests have functions that training has not seen.
    #[garde(skip)]
    pub training_functions_seed: RunSeed,
    /// A function's objective is violated when latency exceeds this × the 95th percentile of its reference duration.
    #[garde(range(min = 1.0, max = 1e6))]
    pub slo_factor: f64,
}

/// Nodes that fail. What ran there starts anew elsewhere and is counted as a retry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailureConfig {
    /// Mean of the exponential time that a node is up, seconds.
    #[garde(range(min = 1.0, max = 1e9))]
    pub mean_up_seconds: f64,
    /// Mean of the exponential time that it is down, seconds.
    #[garde(range(min = 0.001, max = 1e9))]
    pub mean_down_seconds: f64,
}

/// A runtime and how long its containers take to start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuntimeConfig {
    /// Name.
    #[garde(custom(crate::names::sound_name))]
    pub name: String,
    /// Relative share of the functions.
    #[garde(range(min = 0.0, max = 1e9))]
    pub share: f64,
    /// Median of the log-normal cold start, milliseconds.
    #[garde(range(min = 0.0, max = 1e7))]
    pub median_ms: f64,
    /// Its σ.
    #[garde(range(min = 0.0, max = 5.0))]
    pub sigma: f64,
}

impl Default for ServerlessConfig {
    fn default() -> Self {
        let node = |speed| NodeSpec {
            cpu_millicores: 2000,
            memory_mb: 2048,
            network_mbps: 1000,
            speed,
            price_class: 1.0,
            zone: 0,
        };
        ServerlessConfig {
            nodes: [1.0, 1.0, 1.25, 0.8].map(node).to_vec(),
            zone_latency_ms: vec![vec![0.0]],
            workload: WorkloadKind::Steady,
            load_percent: 70.0,
            steady: SteadyConfig::default(),
            synthetic: SyntheticConfig::default(),
            bursty: BurstyConfig::default(),
            periodic: PeriodicConfig::default(),
            mixed: MixedConfig::default(),
            workflow: WorkflowConfig::default(),
            trace: None,
            training: Vec::new(),
            window_seconds: 360.0,
            validation_window_seconds: 0.0,
            test_window_seconds: 0.0,
            warm_up_seconds: 60.0,
            drain_limit_seconds: 1800.0,
            training_drain_seconds: 15.0,
            keep_alive_seconds: 600.0,
            pool_tick_ms: 1000,
            binding: Binding::Early,
            isolation: false,
            failures: None,
            ask_again_ms: 100,
            size_multiples: vec![1.0],
            mb_per_vcpu: 1769.0,
            mbps_per_vcpu: 600.0,
            history: 100,
            oracle: false,
            runtimes: default_runtimes(),
            functions_seed: RunSeed(2019),
            training_functions_seed: RunSeed(2018),
            slo_factor: 5.0,
        }
    }
}

/// Medians measured on AWS for small zip functions, by runtime.
fn default_runtimes() -> Vec<RuntimeConfig> {
    [
        ("python", 0.35, 83.0),
        ("node", 0.35, 140.0),
        ("java", 0.1, 237.0),
        ("dotnet", 0.1, 252.0),
        ("go", 0.1, 49.0),
    ]
    .map(|(name, share, median_ms)| RuntimeConfig { name: name.to_owned(), share, median_ms, sigma: 0.4 })
    .to_vec()
}

/// When an invocation that starts cold gets its container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// At its start: it waits until the container that was started for it is ready.
    Early,
    /// When one is ready: it takes the first container of its function and size, the oldest invocation first.
    Late,
}

fn has_its_section(trace: Option<&TraceConfig>) -> impl FnOnce(&WorkloadKind, &()) -> garde::Result {
    let missing = trace.is_none();
    move |workload, _context| {
        if *workload == WorkloadKind::Trace && missing {
            return Err(garde::Error::new(
                "is \"trace\", which needs a section [simulator.serverless.trace]",
            ));
        }
        Ok(())
    }
}

fn square(nodes: &[NodeSpec]) -> impl FnOnce(&Vec<Vec<f64>>, &()) -> garde::Result {
    let zones = nodes.iter().map(|node| node.zone as usize + 1).max().unwrap_or(1);
    move |matrix, _context| {
        let sound = |row: &Vec<f64>| row.len() >= zones && row.iter().all(|&latency| latency >= 0.0);
        if matrix.len() >= zones && matrix.iter().all(sound) {
            return Ok(());
        }
        Err(garde::Error::new(format!(
            "must be {zones} rows of {zones} milliseconds, as many as there are zones"
        )))
    }
}

fn beyond_warm_up(warm_up: f64) -> impl FnOnce(&f64, &()) -> garde::Result {
    move |window, _context| {
        if *window > warm_up {
            return Ok(());
        }
        Err(garde::Error::new(format!(
            "is {window}, which warm_up_seconds = {warm_up} fills: nothing would be left to decide or to count; give more than that"
        )))
    }
}

/// 0 stands for the whole range of a trace.
fn whole_or_beyond(warm_up: f64) -> impl FnOnce(&f64, &()) -> garde::Result {
    move |window, context| if *window == 0.0 { Ok(()) } else { beyond_warm_up(warm_up)(window, context) }
}

fn any_share(runtimes: &[RuntimeConfig], _context: &()) -> garde::Result {
    if runtimes.iter().any(|runtime| runtime.share > 0.0) {
        return Ok(());
    }
    Err(garde::Error::new("has no runtime with a share above 0: no function could be given one"))
}

fn ascending(multiples: &[f64], _context: &()) -> garde::Result {
    if multiples.iter().all(|&multiple| multiple > 0.0) && multiples.is_sorted_by(|a, b| a < b) {
        return Ok(());
    }
    Err(garde::Error::new("must be positive and strictly ascending, e.g. [0.5, 1.0, 2.0]"))
}
