//! What is true of a function: how its work is distributed and how a duration comes about. Schedulers never see it.

use std::sync::Arc;

use common::seed::FastRng;
use configuration::ServerlessConfig;
use rand::Rng as _;
use rand_distr::{Distribution, StandardNormal};

/// Percentiles at which a trace states durations.
const PERCENTILES: [f64; 7] = [0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1.0];
/// A duration is never shorter, in seconds.
pub const SHORTEST: f64 = 0.001;
/// The 95th percentile of the standard normal distribution.
const NORMAL_P95: f64 = 1.644_853_627;

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

impl Work {
    /// A reference duration of which `io_share` is I/O and the rest CPU time on `vcpus` vCPUs.
    #[must_use]
    pub fn split(seconds: f64, io_share: f64, vcpus: f64) -> Work {
        Work {
            megabits: 0.0,
            io_seconds: io_share * seconds,
            cpu_seconds: (1.0 - io_share) * seconds * vcpus,
            input_size: 1.0,
        }
    }

    fn scaled(self, factor: f64) -> Work {
        Work {
            megabits: self.megabits * factor,
            io_seconds: self.io_seconds * factor,
            cpu_seconds: self.cpu_seconds * factor,
            ..self
        }
    }
}

/// How the work of a function's invocations is distributed, noise aside.
pub trait WorkLaw: Send + Sync {
    /// Work of one invocation of a function that can use `vcpus` vCPUs at its default size.
    fn draw(&self, rng: &mut FastRng, vcpus: f64) -> Work;

    /// Mean work of one invocation with `vcpus` vCPUs.
    fn mean(&self, vcpus: f64) -> Work;

    /// 95th percentile of the reference duration in seconds at `vcpus` vCPUs and `mbps` Mbit/s, under log-normal noise of
    /// mean 1 with σ `noise`.
    fn p95(&self, vcpus: f64, mbps: f64, noise: f64) -> f64;
}

/// Work in proportion to a log-normal input size: CPU time to the power `sensitivity` of it, data linearly, I/O not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputScaled {
    /// Work at input size 1.
    pub typical: Work,
    /// Exponent of the input size in CPU time.
    pub sensitivity: f64,
    /// σ of the logarithm of the input size, whose median is 1.
    pub input_sigma: f64,
}

impl WorkLaw for InputScaled {
    fn draw(&self, rng: &mut FastRng, _vcpus: f64) -> Work {
        if self.input_sigma == 0.0 {
            return self.typical;
        }
        let normal: f64 = StandardNormal.sample(rng);
        let input_size = (self.input_sigma * normal).exp();
        let grown = if self.sensitivity == 1.0 { input_size } else { input_size.powf(self.sensitivity) };
        Work {
            megabits: self.typical.megabits * input_size,
            io_seconds: self.typical.io_seconds,
            cpu_seconds: self.typical.cpu_seconds * grown,
            input_size,
        }
    }

    fn mean(&self, _vcpus: f64) -> Work {
        Work {
            megabits: self.typical.megabits * log_normal_moment(self.input_sigma, 1.0),
            cpu_seconds: self.typical.cpu_seconds * log_normal_moment(self.input_sigma, self.sensitivity),
            ..self.typical
        }
    }

    /// From the log-normal distribution with the duration's mean and variance (Fenton and Wilkinson's approximation of a
    /// sum of log-normals, here of fully dependent ones).
    fn p95(&self, vcpus: f64, mbps: f64, noise: f64) -> f64 {
        let (io, data, cpu) =
            (self.typical.io_seconds, self.typical.megabits / mbps, self.typical.cpu_seconds / vcpus);
        let moment = |power: f64| log_normal_moment(self.input_sigma, power);
        let grows = self.sensitivity;
        let mean = io + data * moment(1.0) + cpu * moment(grows);
        let square = io * io
            + data * data * moment(2.0)
            + cpu * cpu * moment(2.0 * grows)
            + 2.0 * (io * data * moment(1.0) + io * cpu * moment(grows) + data * cpu * moment(1.0 + grows));
        let sigma = ((square / (mean * mean)).ln() + noise * noise).max(0.0).sqrt();
        mean * (NORMAL_P95 * sigma - sigma * sigma / 2.0).exp()
    }
}

/// E[X^power] of a log-normal X with median 1.
fn log_normal_moment(sigma: f64, power: f64) -> f64 {
    ((sigma * power).powi(2) / 2.0).exp()
}

/// A reference duration drawn from its inverse CDF, piecewise linear through seven percentiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PercentileCurve {
    /// At 0, 1, 25, 50, 75, 99 and 100%, in seconds.
    pub seconds: [f64; 7],
    /// Fraction of a duration that is I/O.
    pub io_share: f64,
}

impl PercentileCurve {
    /// The duration at probability `fraction`, seconds.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> f64 {
        inverse_cdf(&self.seconds, fraction)
    }
}

impl WorkLaw for PercentileCurve {
    fn draw(&self, rng: &mut FastRng, vcpus: f64) -> Work {
        Work::split(self.quantile(rng.random()).max(SHORTEST), self.io_share, vcpus)
    }

    fn mean(&self, vcpus: f64) -> Work {
        Work::split(mean_duration(&self.seconds), self.io_share, vcpus)
    }

    /// Noise is neglected: durations of a trace vary far more.
    fn p95(&self, _vcpus: f64, _mbps: f64, _noise: f64) -> f64 {
        self.quantile(0.95).max(SHORTEST)
    }
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
    /// Takes both ratios from the configuration.
    #[must_use]
    pub fn new(config: &ServerlessConfig) -> Self {
        MemoryShares { mb_per_vcpu: config.mb_per_vcpu, mbps_per_vcpu: config.mbps_per_vcpu }
    }

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
#[derive(Clone)]
pub(super) struct FunctionModel {
    pub law: Arc<dyn WorkLaw>,
    /// σ of the log-normal noise (of mean 1) on every duration.
    pub noise_sigma: f64,
    /// Fraction of a duration that is I/O, where a trace states durations one by one.
    pub io_share: f64,
    /// vCPUs that it can use at most.
    pub parallelism: f64,
    /// vCPUs that it can use at its default size.
    pub usable_vcpus: f64,
    /// Bandwidth at its default size, Mbit/s.
    pub default_mbps: f64,
    /// 95th percentile of the reference duration, seconds.
    pub p95: f64,
}

impl FunctionModel {
    /// Work of an invocation, of the given reference duration where there is one.
    pub fn draw(&self, rng: &mut FastRng, seconds: Option<f64>) -> Work {
        let work = match seconds {
            Some(seconds) => Work::split(seconds.max(SHORTEST), self.io_share, self.usable_vcpus),
            None => self.law.draw(rng, self.usable_vcpus),
        };
        if self.noise_sigma == 0.0 {
            return work;
        }
        let normal: f64 = StandardNormal.sample(rng);
        work.scaled((self.noise_sigma * normal - self.noise_sigma * self.noise_sigma / 2.0).exp())
    }

    /// Mean work of one invocation at the default size.
    pub fn mean(&self) -> Work {
        self.law.mean(self.usable_vcpus)
    }

    /// Warm duration of `work` at the default size and reference speed, without a queue, in seconds.
    pub fn reference_seconds(&self, work: &Work) -> f64 {
        let transfer = if work.megabits > 0.0 { work.megabits / self.default_mbps } else { 0.0 };
        work.io_seconds + transfer + work.cpu_seconds / self.usable_vcpus
    }
}

/// The value at probability `fraction`, piecewise linear through the percentiles.
fn inverse_cdf(values: &[f64; 7], fraction: f64) -> f64 {
    let upper = PERCENTILES[1..6].partition_point(|&percentile| percentile <= fraction) + 1;
    let (low, high) = (PERCENTILES[upper - 1], PERCENTILES[upper]);
    values[upper - 1] + (values[upper] - values[upper - 1]) * (fraction - low) / (high - low)
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

    fn model(law: impl WorkLaw + 'static, noise_sigma: f64) -> FunctionModel {
        let law: Arc<dyn WorkLaw> = Arc::new(law);
        let p95 = law.p95(0.1, 10.0, noise_sigma);
        FunctionModel {
            law,
            noise_sigma,
            io_share: 0.3,
            parallelism: 1.0,
            usable_vcpus: 0.1,
            default_mbps: 10.0,
            p95,
        }
    }

    fn drawn(model: &FunctionModel) -> Vec<f64> {
        let mut rng = RunSeed(1).fast_rng(Stream::Arrivals, 0);
        let mut draws: Vec<f64> =
            (0..400_000).map(|_| model.reference_seconds(&model.draw(&mut rng, None))).collect();
        draws.sort_by(f64::total_cmp);
        draws
    }

    #[test]
    fn drawn_durations_have_the_closed_form_mean() {
        let seconds = [0.0, 0.0005, 0.01, 0.2, 1.0, 4.0, 30.0];
        let model = model(PercentileCurve { seconds, io_share: 0.3 }, 0.0);
        let draws = drawn(&model);
        let mean = model.reference_seconds(&model.mean());
        assert!((draws.iter().sum::<f64>() / draws.len() as f64 / mean - 1.0).abs() < 0.01, "{mean}");
        assert!((model.p95 - (1.0 + 3.0 * 0.2 / 0.24)).abs() < 1e-12);
        assert!((model.mean().cpu_seconds - 0.07 * mean).abs() < 1e-12);
    }

    #[test]
    fn input_sizes_and_noise_have_the_stated_mean_and_nearly_the_stated_p95() {
        let typical = Work { megabits: 2.0, io_seconds: 0.3, cpu_seconds: 0.07, input_size: 1.0 };
        let closed = |model: &FunctionModel| model.reference_seconds(&model.mean());
        for (sensitivity, input_sigma, noise) in [(1.0, 0.2, 0.1), (2.0, 0.3, 0.1), (1.0, 0.0, 0.5)] {
            let model = model(InputScaled { typical, sensitivity, input_sigma }, noise);
            let draws = drawn(&model);
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            assert!((mean / closed(&model) - 1.0).abs() < 0.01, "{mean} {}", closed(&model));
            let p95 = draws[draws.len() * 95 / 100];
            assert!((p95 / model.p95 - 1.0).abs() < 0.03, "{p95} {}", model.p95);
        }
    }
}
