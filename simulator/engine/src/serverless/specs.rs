//! What a platform knows of functions before an episode: their properties, drawn once, and a history of durations.

use common::Stream;
use common::cluster::{DurationEstimate, FunctionSpec, Priority};
use configuration::{RuntimeConfig, ServerlessConfig};
use rand::Rng;

use super::estimates::Estimator;
use super::function::FunctionModel;
use super::source::FunctionDescription;
use crate::error::SetUpError;

/// Stream numbers of the histories lie behind those of the functions' properties.
const HISTORIES: u64 = 1 << 32;
/// Isolation tags are drawn from so many.
const ISOLATION_TAGS: u32 = 4;

/// Log-normal cold start.
#[derive(Clone, Copy, Debug)]
pub(super) struct ColdStart {
    median_seconds: f64,
    sigma: f64,
}

impl ColdStart {
    fn new(runtime: &RuntimeConfig) -> Self {
        ColdStart { median_seconds: runtime.median_ms / 1000.0, sigma: runtime.sigma }
    }

    /// The time that belongs to a standard normal draw, in seconds.
    pub fn seconds(self, draw: f32) -> f64 {
        self.median_seconds * (self.sigma * f64::from(draw)).exp()
    }

    fn mean(self) -> f64 {
        self.median_seconds * (self.sigma * self.sigma / 2.0).exp()
    }
}

/// Properties of one function.
pub(super) struct Drawn {
    pub spec: FunctionSpec,
    pub cold_start: ColdStart,
    /// Memory of each size, MB; `None` where it is below the peak or above every node.
    pub sizes: Vec<Option<u32>>,
}

/// Draws the properties of function number `place`, whose default size is `memory` MB.
///
/// # Errors
/// When no size of it fits on any node.
pub(super) fn draw(
    config: &ServerlessConfig,
    place: usize,
    one: &FunctionDescription,
    memory: u32,
) -> Result<Drawn, SetUpError> {
    let mut rng = config.functions_seed.rng(Stream::Functions, place as u64);
    let runtime = draw_runtime(&config.runtimes, &mut rng);
    let spec = FunctionSpec {
        name: one.name.clone(),
        application: one.application,
        tenant: one.tenant,
        default_memory_mb: memory,
        peak_memory_mb: one.peak_memory_mb,
        priority: draw_priority(&mut rng),
        slo_factor: one.slo_factor.unwrap_or(config.slo_factor),
        isolation_tag: rng.random_range(0..ISOLATION_TAGS),
        runtime: runtime as u32,
    };
    let largest = config.nodes.iter().map(|node| node.memory_mb).max().unwrap_or(0);
    let sizes: Vec<Option<u32>> = config
        .size_multiples
        .iter()
        .map(|multiple| (f64::from(memory) * multiple).round() as u32)
        .map(|size| (size >= one.peak_memory_mb && size <= largest).then_some(size))
        .collect();
    if sizes.iter().all(Option::is_none) {
        return Err(SetUpError::FunctionTooLarge {
            function: one.name.clone(),
            peak_mb: one.peak_memory_mb,
            largest_mb: largest,
        });
    }
    Ok(Drawn { spec, cold_start: ColdStart::new(&config.runtimes[runtime]), sizes })
}

/// What the platform has seen of each function before the first episode, when rates are scaled by `scale`.
pub(super) fn history(
    config: &ServerlessConfig,
    described: &[FunctionDescription],
    models: &[FunctionModel],
    cold_starts: &[ColdStart],
    scale: f64,
) -> Vec<Estimator> {
    let mut observed: Vec<Vec<f64>> = Vec::with_capacity(described.len());
    for (place, (one, model)) in described.iter().zip(models).enumerate() {
        let mut rng = config.functions_seed.fast_rng(Stream::Functions, HISTORIES + place as u64);
        let count = (one.history as f64 * scale.max(1.0)).min(f64::from(config.history)) as usize;
        observed.push((0..count).map(|_| model.reference_seconds(&model.draw(&mut rng, None))).collect());
    }
    let prior = typical(&mut observed);
    observed
        .iter_mut()
        .zip(cold_starts)
        .map(|(seconds, cold)| Estimator::from_history(seconds, &prior, cold.mean()))
        .collect()
}

/// What to think of a function that was never seen: the median function.
fn typical(observed: &mut [Vec<f64>]) -> DurationEstimate {
    let unknown = DurationEstimate { mean: 1.0, p95: 3.0, deviation: 1.0, ..DurationEstimate::default() };
    let mut known: Vec<DurationEstimate> = observed
        .iter_mut()
        .filter(|seconds| !seconds.is_empty())
        .map(|seconds| Estimator::from_history(seconds, &unknown, 0.0).get())
        .collect();
    known.sort_by(|a, b| a.mean.total_cmp(&b.mean));
    known.get(known.len() / 2).copied().unwrap_or(unknown)
}

/// One in five is low, one in ten high.
fn draw_priority(rng: &mut impl Rng) -> Priority {
    match rng.random::<f64>() {
        draw if draw < 0.2 => Priority::Low,
        draw if draw < 0.9 => Priority::Normal,
        _ => Priority::High,
    }
}

fn draw_runtime(runtimes: &[RuntimeConfig], rng: &mut impl Rng) -> usize {
    let total: f64 = runtimes.iter().map(|runtime| runtime.share).sum();
    let mut left = rng.random::<f64>() * total;
    for (place, runtime) in runtimes.iter().enumerate() {
        left -= runtime.share;
        if left < 0.0 {
            return place;
        }
    }
    runtimes.len() - 1
}
