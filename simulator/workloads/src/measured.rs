//! Distributions measured in the Azure Functions trace of 2019, to draw synthetic functions from (Shahrad et al., USENIX ATC
//! 2020).

use engine::serverless::SHORTEST;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Mean durations of functions: μ and σ of the logarithm of seconds.
const DURATION: (f64, f64) = (-0.38, 2.36);
/// Memory of applications: Burr(c, k, scale in MB).
const MEMORY_BURR: (f64, f64, f64) = (11.652, 0.221, 107.083);
/// The tail of that distribution is cut here, MB.
const LARGEST_MB: f64 = 1024.0;
/// Invocations of an application a day, as (share of applications that have at most so many, invocations). The extremes
/// close the curve: once a day, and the 99th percentile again.
const DAILY: [(f64, f64); 7] =
    [(0.0, 1.0), (0.25, 3.0), (0.5, 74.0), (0.75, 584.0), (0.9, 4500.0), (0.99, 333_000.0), (1.0, 333_000.0)];
const SECONDS_PER_DAY: f64 = 86_400.0;

/// Mean duration of a function in seconds, drawn again while it is not between 1 ms and `longest`.
pub(super) fn duration(rng: &mut impl Rng, longest: f64) -> f64 {
    let (mu, sigma) = DURATION;
    loop {
        let normal: f64 = StandardNormal.sample(rng);
        let seconds = (mu + sigma * normal).exp();
        if (SHORTEST..=longest).contains(&seconds) {
            return seconds;
        }
    }
}

/// Memory of an application, MB, at most 1024.
pub(super) fn memory(rng: &mut impl Rng) -> u32 {
    let (c, k, scale) = MEMORY_BURR;
    let memory = scale * ((1.0 - rng.random::<f64>()).powf(-1.0 / k) - 1.0).powf(1.0 / c);
    memory.min(LARGEST_MB).ceil() as u32
}

/// Invocations of an application a second; log-linear between the percentiles.
pub(super) fn application_rate(rng: &mut impl Rng) -> f64 {
    let share = rng.random::<f64>();
    let upper = DAILY[1..DAILY.len() - 1].partition_point(|(percentile, _)| *percentile <= share) + 1;
    let ((low, from), (high, to)) = (DAILY[upper - 1], DAILY[upper]);
    let within = (share - low) / (high - low);
    (from.ln() + within * (to / from).ln()).exp() / SECONDS_PER_DAY
}

/// Functions of an application: half have one, one in ten has 5 to 10, the others 2 to 4.
pub(super) fn application_size(rng: &mut impl Rng) -> u32 {
    match rng.random::<f64>() {
        draw if draw < 0.5 => 1,
        draw if draw < 0.9 => rng.random_range(2..=4),
        _ => rng.random_range(5..=10),
    }
}
