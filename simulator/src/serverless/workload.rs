//! A workload: functions with their truths, and the episodes that seeds make of them.

use common::cluster::{ClusterSpec, NodeSpec};
use common::config::{ServerlessConfig, WorkloadKind};
use common::{RunSeed, SimTime, Stream};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::arrivals::{Arrival, Window};
use super::estimates::Estimator;
use super::function::{Durations, FunctionModel, MemoryShares, inverse_cdf};
use super::outcome::RESOURCES;
use super::specs::{self, ColdStart};
use super::steady::{self, SteadySource};
use super::trace::TraceSource;
use crate::error::SimulatorError;

/// Memory tiers in MB.
const TIERS: [u32; 8] = [128, 256, 512, 1024, 1769, 3008, 5120, 10_240];
/// Draws behind a p95 that has no closed form.
const P95_DRAWS: usize = 4000;

/// Which part of a workload an episode is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What policies learn from.
    Training,
    /// What checkpoints are chosen on.
    Validation,
    /// What only the report sees.
    Test,
}

/// A function as a source of arrivals describes it.
pub(super) struct Described {
    pub name: String,
    pub application: u32,
    pub peak_memory_mb: u32,
    pub durations: Durations,
    pub noise_sigma: f64,
    /// Invocations of it that history holds at most.
    pub history: u64,
}

enum Source {
    Steady(SteadySource),
    Trace(TraceSource),
}

impl Source {
    fn open(
        config: &ServerlessConfig,
        shares: MemoryShares,
    ) -> Result<(Source, Vec<Described>), SimulatorError> {
        if let (WorkloadKind::Trace, Some(trace)) = (config.workload, &config.trace) {
            let (source, described) = TraceSource::read(trace)?;
            return Ok((Source::Trace(source), described));
        }
        let (source, described) = steady::functions(&config.steady, config.functions_seed, shares);
        Ok((Source::Steady(source), described))
    }

    /// Thins what has too large a share of the work, memory × time.
    fn limit_shares(&mut self, models: &[FunctionModel], tiers: &[u32]) {
        if let Source::Trace(trace) = self {
            let work = |(model, &tier): (&FunctionModel, &u32)| model.mean_seconds() * f64::from(tier);
            trace.limit_shares(&models.iter().zip(tiers).map(work).collect::<Vec<_>>());
        }
    }

    /// Arrivals of each function a second, before scaling.
    fn rates(&self) -> Vec<f64> {
        match self {
            Source::Steady(steady) => steady.rates.clone(),
            Source::Trace(trace) => trace.rates(),
        }
    }
}

/// Everything about functions and arrivals that is made once; simulations share it.
pub struct Workload {
    pub(super) cluster: ClusterSpec,
    pub(super) shares: MemoryShares,
    pub(super) models: Vec<FunctionModel>,
    pub(super) cold_starts: Vec<ColdStart>,
    pub(super) estimators: Vec<Estimator>,
    /// Memory of each size of each function, MB; `None` where it is below the peak.
    pub(super) sizes: Vec<Vec<Option<u32>>>,
    pub(super) scarcity: [f64; RESOURCES],
    /// Offered load without scaling.
    unscaled_load: f64,
    source: Source,
    warm_up: SimTime,
    windows: [f64; 3],
}

impl Workload {
    /// Makes the functions, and reads the trace where one is configured.
    ///
    /// # Errors
    /// When a trace file is missing or malformed, no function fits on any node, or nothing ever arrives.
    pub fn new(config: &ServerlessConfig) -> Result<Self, SimulatorError> {
        let shares = MemoryShares { mb_per_vcpu: config.mb_per_vcpu, mbps_per_vcpu: config.mbps_per_vcpu };
        let (mut source, described) = Source::open(config, shares)?;
        let models: Vec<FunctionModel> = described.iter().map(|one| model(one, shares)).collect();
        let tiers: Vec<u32> = described.iter().map(|one| tier(one.peak_memory_mb)).collect();
        source.limit_shares(&models, &tiers);
        let loads = offered_loads(&config.nodes, &models, &tiers, &source.rates());
        let unscaled_load = loads.iter().copied().fold(0.0, f64::max);
        if unscaled_load <= 0.0 {
            return Err(SimulatorError::NoArrivals);
        }
        let mut workload = Workload {
            cluster: ClusterSpec {
                nodes: config.nodes.clone(),
                size_multiples: config.size_multiples.clone(),
                ..ClusterSpec::default()
            },
            shares,
            models,
            cold_starts: Vec::new(),
            estimators: Vec::new(),
            sizes: Vec::new(),
            scarcity: loads.map(|load| load / loads.iter().sum::<f64>()),
            unscaled_load,
            source,
            warm_up: SimTime::from_seconds(config.warm_up_seconds),
            windows: [config.window_seconds, config.validation_window_seconds, config.test_window_seconds],
        };
        workload.specify(config, &described, &tiers)?;
        Ok(workload)
    }

    /// Draws what a platform knows of the functions.
    fn specify(
        &mut self,
        config: &ServerlessConfig,
        described: &[Described],
        tiers: &[u32],
    ) -> Result<(), SimulatorError> {
        for (place, (one, &memory)) in described.iter().zip(tiers).enumerate() {
            let drawn = specs::draw(config, place, one, memory)?;
            self.cluster.functions.push(drawn.spec);
            self.cold_starts.push(drawn.cold_start);
            self.sizes.push(drawn.sizes);
        }
        let scale = config.load / self.unscaled_load;
        self.estimators = specs::history(config, described, &self.models, &self.cold_starts, scale);
        self.cluster.estimates = self.estimators.iter().map(Estimator::get).collect();
        Ok(())
    }

    /// What an observer needs before the first event.
    #[must_use]
    pub fn cluster(&self) -> &ClusterSpec {
        &self.cluster
    }

    /// Arrivals of an episode at offered load `load` (1.0 is 100%).
    #[must_use]
    pub fn window(&self, episode: RunSeed, part: Part, load: f64) -> Window {
        let scale = load / self.unscaled_load;
        let seconds = self.windows[part as usize];
        match &self.source {
            Source::Steady(steady) => {
                let seconds = if seconds == 0.0 { self.windows[0] } else { seconds };
                steady.draw(self, episode, scale, seconds)
            }
            Source::Trace(trace) => trace.draw(self, episode, part, scale, seconds),
        }
    }

    /// Length of the start of an episode that no figure counts.
    #[must_use]
    pub fn warm_up(&self) -> SimTime {
        self.warm_up
    }

    /// An arrival of `function` at `at`.
    pub(super) fn arrival(&self, function: usize, at: SimTime, rngs: &mut ArrivalRngs) -> Arrival {
        let work = self.models[function].draw(&mut rngs.work);
        let cold_draw = StandardNormal.sample(&mut rngs.cold);
        Arrival { at, function: function as u32, cold_draw, work }
    }
}

/// Random numbers of one function's arrivals: when and what, and the cold starts apart from them.
pub(super) struct ArrivalRngs {
    pub work: ChaCha8Rng,
    cold: ChaCha8Rng,
}

impl ArrivalRngs {
    pub fn new(episode: RunSeed, function: usize) -> Self {
        ArrivalRngs {
            work: episode.rng(Stream::Arrivals, function as u64),
            cold: episode.rng(Stream::Execution, function as u64),
        }
    }
}

fn model(one: &Described, shares: MemoryShares) -> FunctionModel {
    let memory = tier(one.peak_memory_mb);
    let mut model = FunctionModel {
        durations: one.durations.clone(),
        noise_sigma: one.noise_sigma,
        parallelism: 1.0,
        default_vcpus: shares.vcpus(memory),
        default_mbps: shares.mbps(memory),
        p95: 0.0,
    };
    model.p95 = match &model.durations {
        Durations::Percentiles { seconds, .. } if model.noise_sigma == 0.0 => {
            inverse_cdf(seconds, 0.95).max(0.001)
        }
        _ => drawn_p95(&model),
    };
    model
}

fn drawn_p95(model: &FunctionModel) -> f64 {
    let mut rng = RunSeed(0).rng(Stream::Functions, 0);
    let mut draws: Vec<f64> =
        (0..P95_DRAWS).map(|_| model.reference_seconds(&model.draw(&mut rng))).collect();
    draws.sort_by(f64::total_cmp);
    draws[P95_DRAWS * 95 / 100]
}

/// The smallest tier that holds `peak_mb`; the peak itself above the largest.
pub(super) fn tier(peak_mb: u32) -> u32 {
    TIERS.into_iter().find(|&tier| tier >= peak_mb).unwrap_or(peak_mb)
}

/// Offered load of CPU, memory and network at these rates (1/s).
fn offered_loads(
    nodes: &[NodeSpec],
    models: &[FunctionModel],
    tiers: &[u32],
    rates: &[f64],
) -> [f64; RESOURCES] {
    let mut demand = [0.0; RESOURCES];
    for ((model, &tier), rate) in models.iter().zip(tiers).zip(rates) {
        let mean = model.mean();
        demand[0] += rate * mean.cpu_seconds;
        demand[1] += rate * f64::from(tier) * model.reference_seconds(&mean);
        demand[2] += rate * mean.megabits;
    }
    let sum = |of: fn(&NodeSpec) -> f64| nodes.iter().map(of).sum::<f64>();
    [
        demand[0] / sum(|node| f64::from(node.cpu_millicores) / 1000.0 * node.speed),
        demand[1] / sum(|node| f64::from(node.memory_mb)),
        demand[2] / sum(|node| f64::from(node.network_mbps)),
    ]
}
