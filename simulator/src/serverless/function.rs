//! What is true of a function: how its durations are distributed and how they come about on a node. Schedulers never
//! see it.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Percentiles at which a trace states durations.
pub(super) const PERCENTILES: [f64; 7] = [0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0];
/// A duration is never shorter, in seconds.
const SHORTEST: f64 = 0.001;

/// Work of one invocation: its three phases in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Data in and out, Mbit.
    pub megabits: f64,
    /// Time that is spent waiting for others, seconds.
    pub io_seconds: f64,
    /// CPU-seconds at reference speed.
    pub cpu_seconds: f64,
    /// Input size; 1.0 is typical.
    pub input_size: f64,
}

/// How work is distributed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Durations {
    /// Work at input size 1, with log-normal input sizes.
    Parts { mean: Work, sensitivity: f64, input_sigma: f64 },
    /// Inverse CDF of the reference duration through [`PERCENTILES`], in seconds.
    Percentiles { seconds: [f64; 7], io_share: f64 },
}

/// Share of CPU (vCPU) and bandwidth (Mbit/s) that comes with memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MemoryShares {
    /// Memory at which a container has one vCPU, MB.
    pub mb_per_vcpu: f64,
    /// Bandwidth with one vCPU, Mbit/s.
    pub mbps_per_vcpu: f64,
}

impl MemoryShares {
    /// vCPUs of a container of `memory_mb`.
    #[must_use]
    pub fn vcpus(self, memory_mb: u32) -> f64 {
        f64::from(memory_mb) / self.mb_per_vcpu
    }

    /// Bandwidth of a container of `memory_mb`, Mbit/s.
    #[must_use]
    pub fn mbps(self, memory_mb: u32) -> f64 {
        self.vcpus(memory_mb) * self.mbps_per_vcpu
    }
}

/// A function as it truly is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FunctionModel {
    pub durations: Durations,
    /// σ of the log-normal noise (of mean 1) on every duration.
    pub noise_sigma: f64,
    /// vCPUs that it can use at most.
    pub parallelism: f64,
    /// vCPUs at its default size.
    pub default_vcpus: f64,
    /// Bandwidth at its default size, Mbit/s.
    pub default_mbps: f64,
    /// 95th percentile of the reference duration, seconds.
    pub p95: f64,
}

impl FunctionModel {
    /// Work of an invocation.
    pub fn draw(&self, rng: &mut impl Rng) -> Work {
        let noise = if self.noise_sigma > 0.0 {
            let normal: f64 = StandardNormal.sample(rng);
            (self.noise_sigma * normal - self.noise_sigma * self.noise_sigma / 2.0).exp()
        } else {
            1.0
        };
        match &self.durations {
            Durations::Percentiles { seconds, io_share } => {
                let seconds = (inverse_cdf(seconds, rng.random()) * noise).max(SHORTEST);
                self.split(seconds, *io_share)
            }
            Durations::Parts { mean, sensitivity, input_sigma } => {
                let normal: f64 = StandardNormal.sample(rng);
                let input_size = (input_sigma * normal).exp();
                Work {
                    megabits: mean.megabits * input_size * noise,
                    io_seconds: mean.io_seconds * noise,
                    cpu_seconds: mean.cpu_seconds * input_size.powf(*sensitivity) * noise,
                    input_size,
                }
            }
        }
    }

    /// Mean work, in closed form.
    pub fn mean(&self) -> Work {
        match &self.durations {
            Durations::Percentiles { seconds, io_share } => self.split(mean_duration(seconds), *io_share),
            Durations::Parts { mean, sensitivity, input_sigma } => Work {
                megabits: mean.megabits * (input_sigma * input_sigma / 2.0).exp(),
                cpu_seconds: mean.cpu_seconds * ((sensitivity * input_sigma).powi(2) / 2.0).exp(),
                ..*mean
            },
        }
    }

    /// Mean reference duration, seconds.
    pub fn mean_seconds(&self) -> f64 {
        self.reference_seconds(&self.mean())
    }

    /// Warm duration of `work` at the default size and reference speed, without a queue, in seconds.
    pub fn reference_seconds(&self, work: &Work) -> f64 {
        work.io_seconds
            + work.megabits / self.default_mbps
            + work.cpu_seconds / self.default_vcpus.min(self.parallelism)
    }

    fn split(&self, seconds: f64, io_share: f64) -> Work {
        Work {
            megabits: 0.0,
            io_seconds: io_share * seconds,
            cpu_seconds: (1.0 - io_share) * seconds * self.default_vcpus.min(self.parallelism),
            input_size: 1.0,
        }
    }
}

/// The value at probability `share`, piecewise linear through the percentiles.
pub(super) fn inverse_cdf(values: &[f64; 7], share: f64) -> f64 {
    let upper = PERCENTILES[1..6].partition_point(|&percentile| percentile <= share) + 1;
    let (low, high) = (PERCENTILES[upper - 1], PERCENTILES[upper]);
    values[upper - 1] + (values[upper] - values[upper - 1]) * (share - low) / (high - low)
}

/// Mean of max(the piecewise linear duration, the shortest one).
fn mean_duration(values: &[f64; 7]) -> f64 {
    let segment = |low: f64, high: f64| {
        if low >= SHORTEST {
            return (low + high) / 2.0;
        }
        if high <= SHORTEST {
            return SHORTEST;
        }
        let above = (high - SHORTEST) / (high - low);
        above * (SHORTEST + high) / 2.0 + (1.0 - above) * SHORTEST
    };
    (0..6)
        .map(|place| {
            (PERCENTILES[place + 1] - PERCENTILES[place]) * segment(values[place], values[place + 1])
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use common::{RunSeed, Stream};

    use super::*;

    #[test]
    fn drawn_durations_have_the_closed_form_mean() {
        let seconds = [0.0, 0.0005, 0.01, 0.2, 1.0, 4.0, 30.0];
        let model = FunctionModel {
            durations: Durations::Percentiles { seconds, io_share: 0.3 },
            noise_sigma: 0.0,
            parallelism: 1.0,
            default_vcpus: 0.1,
            default_mbps: 10.0,
            p95: inverse_cdf(&seconds, 0.95),
        };
        let mut rng = RunSeed(1).rng(Stream::Arrivals, 0);
        let draws = 400_000;
        let total: f64 = (0..draws).map(|_| model.reference_seconds(&model.draw(&mut rng))).sum();
        let mean = model.reference_seconds(&model.mean());
        assert!((total / f64::from(draws) / mean - 1.0).abs() < 0.01, "{total} {mean}");
        assert!((model.p95 - (1.0 + 3.0 * 0.2 / 0.24)).abs() < 1e-12);
        assert!((model.mean().cpu_seconds - 0.07 * mean).abs() < 1e-12);
    }
}
