//! A workload made ready: functions with their truths, what is known of them, and the episodes that seeds make.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::cluster::{ClusterSpec, NodeSpec};
use common::seed::FastRng;
use common::{RunSeed, SimTime};
use configuration::ServerlessConfig;
use rand::SeedableRng as _;
use rand_distr::{Distribution, StandardNormal};

use super::arrivals::{ArrivalStream, Coming};
use super::estimates::Estimator;
use super::function::{FunctionModel, MemoryShares, Work};
use super::outcome::RESOURCES;
use super::source::{FunctionDescription, Part, Span, WorkloadSource};
use super::specs::{self, ColdStart};
use crate::error::SetUpError;

/// Memory tiers in MB.
const TIERS: [u32; 8] = [128, 256, 512, 1024, 1769, 3008, 5120, 10_240];

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
    /// Memory of all nodes, MB.
    memory_mb: f64,
    /// Offered load without scaling.
    unscaled_load: f64,
    source: Box<dyn WorkloadSource>,
    warm_up: SimTime,
    windows: [f64; 3],
}

/// What an arriving invocation has to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drawn {
    /// Its work, at reference speed.
    pub work: Work,
    /// Standard normal draw behind its cold start, should it meet one: the same for every scheduler.
    pub cold_draw: f32,
}

/// What determines the arrivals of an episode.
#[derive(Clone, Copy, Debug)]
pub struct EpisodeSource {
    /// The seed that everything in the episode is drawn from.
    pub episode: RunSeed,
    /// Which part of the workload it is taken from.
    pub part: Part,
    /// Offered load; 1.0 is 100%.
    pub load: f64,
}

/// An episode's arrivals, with how many of each function are to be expected.
pub struct EpisodeArrivals {
    /// The arrivals, by time.
    pub stream: ArrivalStream,
    /// Expected number of invocations of each function, those of workflow stages included.
    pub expected: Vec<f64>,
}

impl Workload {
    /// Makes a source ready to be played on the configured cluster.
    ///
    /// # Errors
    /// When a function fits on no node, or nothing ever arrives.
    pub fn new(config: &ServerlessConfig, source: Box<dyn WorkloadSource>) -> Result<Self, SetUpError> {
        let shares = MemoryShares::new(config);
        let models: Vec<FunctionModel> = source.functions().iter().map(|one| model(one, shares)).collect();
        let tiers: Vec<u32> = source.functions().iter().map(|one| tier(one.peak_memory_mb)).collect();
        let loads = offered_loads(&config.nodes, &models, &tiers, &*source);
        let unscaled_load = loads.iter().copied().fold(0.0, f64::max);
        if unscaled_load <= 0.0 {
            return Err(SetUpError::NoArrivals);
        }
        let mut workload = Workload {
            cluster: ClusterSpec {
                nodes: config.nodes.clone(),
                workflows: source.workflows().to_vec(),
                size_multiples: config.size_multiples.clone(),
                ..ClusterSpec::default()
            },
            shares,
            models,
            cold_starts: Vec::new(),
            estimators: Vec::new(),
            sizes: Vec::new(),
            memory_mb: config.nodes.iter().map(|node| f64::from(node.memory_mb)).sum(),
            scarcity: loads.map(|load| load / loads.iter().sum::<f64>()),
            unscaled_load,
            source,
            warm_up: SimTime::from_seconds(config.warm_up_seconds),
            windows: [config.window_seconds, config.validation_window_seconds, config.test_window_seconds],
        };
        workload.specify(config, &tiers)?;
        Ok(workload)
    }

    /// Draws what a platform knows of the functions.
    fn specify(&mut self, config: &ServerlessConfig, tiers: &[u32]) -> Result<(), SetUpError> {
        let described = self.source.functions();
        for (place, (one, &memory)) in described.iter().zip(tiers).enumerate() {
            let drawn = specs::draw(config, place, one, memory)?;
            self.cluster.functions.push(drawn.spec);
            self.cold_starts.push(drawn.cold_start);
            self.sizes.push(drawn.sizes);
        }
        let scale = config.load_percent / 100.0 / self.unscaled_load;
        self.estimators = specs::history(config, described, &self.models, &self.cold_starts, scale);
        self.cluster.estimates = self.estimators.iter().map(Estimator::get).collect();
        Ok(())
    }

    /// What an observer needs before the first event.
    #[must_use]
    pub fn cluster(&self) -> &ClusterSpec {
        &self.cluster
    }

    /// When each function will be called in an episode; stages of workflows are not foreseen.
    pub(super) fn foresee(&self, source: EpisodeSource) -> Vec<Vec<SimTime>> {
        let mut times = vec![Vec::new(); self.models.len()];
        for coming in self.arrivals(source).stream {
            if let Some(function) = times.get_mut(coming.subject as usize) {
                function.push(coming.at);
            }
        }
        times
    }

    /// Arrivals of an episode.
    #[must_use]
    pub fn arrivals(&self, EpisodeSource { episode, part, load }: EpisodeSource) -> EpisodeArrivals {
        let scale = load / self.unscaled_load;
        let asked = self.windows[part as usize];
        let mut span = self.source.span(episode, part, asked);
        if span.seconds == 0.0 {
            span.seconds = self.windows[0];
        }
        let subjects = self.models.len() + self.cluster.workflows.len();
        let processes = (0..subjects).map(|subject| self.source.arrivals(subject, scale, span, episode));
        let horizon = SimTime::from_seconds(span.seconds);
        EpisodeArrivals {
            stream: ArrivalStream::new(episode, processes, horizon),
            expected: self.expected(scale, span),
        }
    }

    /// Invocations of each function to be expected in `span`.
    fn expected(&self, scale: f64, span: Span) -> Vec<f64> {
        let rates = self.source.rates();
        let of = |subject: usize| {
            let known = self.source.expected(subject, scale, span);
            known.unwrap_or_else(|| rates[subject] * scale * span.seconds)
        };
        let functions = self.models.len();
        let mut expected: Vec<f64> = (0..functions).map(of).collect();
        for (place, workflow) in self.cluster.workflows.iter().enumerate() {
            let runs = of(functions + place);
            workflow.stages.iter().for_each(|stage| expected[stage.function.0 as usize] += runs);
        }
        expected
    }

    /// Memory of the smallest size of a function, MB.
    pub(super) fn smallest_size(&self, function: u32) -> u32 {
        smallest(&self.sizes[function as usize])
    }

    /// The same as a fraction of the memory of all nodes.
    pub(super) fn smallest_fraction(&self, function: u32) -> f64 {
        f64::from(self.smallest_size(function)) / self.memory_mb
    }

    /// The smallest sizes of all functions in MB, ascending.
    pub(super) fn smallest_sizes(&self) -> BTreeSet<u32> {
        self.sizes.iter().map(|sizes| smallest(sizes)).collect()
    }

    /// Draws what an invocation of `function` has to do.
    #[must_use]
    pub fn draw(&self, function: u32, coming: &Coming) -> Drawn {
        let mut rng = FastRng::seed_from_u64(coming.seed);
        let normal: f64 = StandardNormal.sample(&mut rng);
        let work = self.models[function as usize].draw(&mut rng, coming.seconds);
        Drawn { work, cold_draw: normal as f32 }
    }

    /// Warm duration of `work` of `function` at its default size and reference speed, without a queue, in seconds.
    #[must_use]
    pub fn reference_seconds(&self, function: u32, work: &Work) -> f64 {
        self.models[function as usize].reference_seconds(work)
    }

    /// Length of the start of an episode that no figure counts.
    #[must_use]
    pub fn warm_up(&self) -> SimTime {
        self.warm_up
    }
}

fn model(one: &FunctionDescription, shares: MemoryShares) -> FunctionModel {
    let memory = tier(one.peak_memory_mb);
    let usable_vcpus = shares.vcpus(memory).min(one.parallelism);
    let default_mbps = shares.mbps(memory);
    FunctionModel {
        law: Arc::clone(&one.law),
        noise_sigma: one.noise_sigma,
        io_share: one.io_share,
        parallelism: one.parallelism,
        usable_vcpus,
        default_mbps,
        p95: one.law.p95(usable_vcpus, default_mbps, one.noise_sigma),
    }
}

fn smallest(sizes: &[Option<u32>]) -> u32 {
    sizes.iter().flatten().next().copied().unwrap_or(u32::MAX)
}

/// Smallest memory tier of at least `peak_mb`, MB; `peak_mb` itself above the largest tier.
#[must_use]
pub fn tier(peak_mb: u32) -> u32 {
    TIERS.into_iter().find(|&tier| tier >= peak_mb).unwrap_or(peak_mb)
}

/// Offered load of CPU, memory and network without scaling. Workflows count with their stages and the data between them.
fn offered_loads(
    nodes: &[NodeSpec],
    models: &[FunctionModel],
    tiers: &[u32],
    source: &dyn WorkloadSource,
) -> [f64; RESOURCES] {
    let mut demand = [0.0; RESOURCES];
    let mut add = |function: usize, rate: f64, passed: f64| {
        let (model, mut mean) = (&models[function], models[function].mean());
        mean.megabits += passed;
        demand[0] += rate * mean.cpu_seconds;
        demand[1] += rate * f64::from(tiers[function]) * model.reference_seconds(&mean);
        demand[2] += rate * mean.megabits;
    };
    let rates = source.rates();
    let (own, runs) = rates.split_at(models.len());
    own.iter().enumerate().for_each(|(function, &rate)| add(function, rate, 0.0));
    for (workflow, &rate) in source.workflows().iter().zip(runs) {
        for stage in &workflow.stages {
            let passed = stage.inputs.iter().map(|edge| edge.megabits).sum();
            add(stage.function.0 as usize, rate, passed);
        }
    }
    let sum = |of: fn(&NodeSpec) -> f64| nodes.iter().map(of).sum::<f64>();
    [
        demand[0] / sum(|node| f64::from(node.cpu_millicores) / 1000.0 * node.speed),
        demand[1] / sum(|node| f64::from(node.memory_mb)),
        demand[2] / sum(|node| f64::from(node.network_mbps)),
    ]
}
