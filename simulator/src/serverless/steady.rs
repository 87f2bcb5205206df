//! Workload *steady*: synthetic functions whose gaps between arrivals are nearly regular.

use common::config::SteadyConfig;
use common::{RunSeed, SimTime, Stream};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::arrivals::Window;
use super::function::{Durations, MemoryShares, Work};
use super::workload::{ArrivalRngs, Described, Workload, tier};

/// Where the duration of a synthetic function goes: I/O, network; the rest is CPU.
const IO_SHARE: f64 = 0.3;
const NETWORK_SHARE: f64 = 0.1;
/// Memory of applications in the Azure 2019 trace: Burr(c, k, scale in MB).
const MEMORY_BURR: (f64, f64, f64) = (11.652, 0.221, 107.083);
/// The longest tail of that distribution is cut here, MB.
const LARGEST_MB: f64 = 1024.0;

/// Rates and regularity of the functions.
pub(super) struct SteadySource {
    /// Arrivals of each function a second, before scaling.
    pub rates: Vec<f64>,
    gap_cv: f64,
}

/// Draws the functions.
pub(super) fn functions(
    config: &SteadyConfig,
    seed: RunSeed,
    shares: MemoryShares,
) -> (SteadySource, Vec<Described>) {
    let mut rates = Vec::new();
    let mut described = Vec::new();
    for place in 0..config.functions {
        // Behind the stream numbers of the functions' other properties.
        let mut rng = seed.rng(Stream::Functions, (2 << 32) + u64::from(place));
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let seconds = config.median_seconds * (config.duration_sigma * normal()).exp();
        // Equal work on average: what takes long is called less often.
        rates.push((config.rate_sigma * normal()).exp() / seconds);
        let (c, k, scale) = MEMORY_BURR;
        let memory = scale * ((1.0 - rng.random::<f64>()).powf(-1.0 / k) - 1.0).powf(1.0 / c);
        let peak_memory_mb = memory.min(LARGEST_MB).ceil() as u32;
        let default_mb = tier(peak_memory_mb);
        let mean = Work {
            megabits: NETWORK_SHARE * seconds * shares.mbps(default_mb),
            io_seconds: IO_SHARE * seconds,
            cpu_seconds: (1.0 - IO_SHARE - NETWORK_SHARE) * seconds * shares.vcpus(default_mb).min(1.0),
            input_size: 1.0,
        };
        described.push(Described {
            name: format!("steady-{place}"),
            application: place,
            peak_memory_mb,
            durations: Durations::Parts { mean, sensitivity: 1.0, input_sigma: config.input_sigma },
            noise_sigma: config.noise_sigma,
            history: u64::MAX,
        });
    }
    (SteadySource { rates, gap_cv: config.gap_cv }, described)
}

impl SteadySource {
    /// Arrivals of `seconds` seconds with rates × `scale`.
    pub fn draw(&self, workload: &Workload, episode: RunSeed, scale: f64, seconds: f64) -> Window {
        let mut arrivals = Vec::new();
        for (function, rate) in self.rates.iter().enumerate() {
            let mut rngs = ArrivalRngs::new(episode, function);
            let gap = 1.0 / (rate * scale);
            // The first gap began before the episode.
            let mut at = gap * rngs.work.random::<f64>();
            while at < seconds {
                arrivals.push(workload.arrival(function, SimTime::from_seconds(at), &mut rngs));
                at += gap * truncated_gap(&mut rngs.work, self.gap_cv);
            }
        }
        Window::new(arrivals, SimTime::from_seconds(seconds))
    }
}

/// A normal draw of mean 1, drawn again while it is not positive.
fn truncated_gap(rng: &mut impl Rng, cv: f64) -> f64 {
    loop {
        let normal: f64 = StandardNormal.sample(rng);
        let gap = 1.0 + cv * normal;
        if gap > 0.0 {
            return gap;
        }
    }
}
