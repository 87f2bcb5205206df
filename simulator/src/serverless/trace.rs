//! Workload *trace*: the files of the Azure Functions trace of 2019, and arrivals from their counts a minute.

mod files;

use common::config::TraceConfig;
use common::{RunSeed, SimTime, Stream};
use rand::Rng;

use super::arrivals::Window;
use super::function::Durations;
use super::workload::{ArrivalRngs, Described, Part, Workload};
pub use files::TraceError;
use files::TraceFiles;

const SECONDS_PER_MINUTE: u32 = 60;

/// Minutes of a trace from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Minutes {
    first: u32,
    last: u32,
}

impl Minutes {
    fn seconds(self) -> f64 {
        f64::from((self.last - self.first + 1) * SECONDS_PER_MINUTE)
    }
}

/// Counts a minute and how they are scaled.
pub(super) struct TraceSource {
    /// By function, by minute from `first_minute` on.
    counts: Vec<Vec<u32>>,
    first_minute: u32,
    /// By [`Part`].
    parts: [Minutes; 3],
    scaled_on: Minutes,
    max_share: Option<f64>,
    /// Share of its invocations that each function keeps.
    kept: Vec<f64>,
}

impl TraceSource {
    /// Reads the three files.
    ///
    /// # Errors
    /// When one is missing or malformed, or does not cover the configured minutes.
    pub fn read(config: &TraceConfig) -> Result<(Self, Vec<Described>), TraceError> {
        let files = TraceFiles::read(&config.invocations, &config.durations, &config.memory)?;
        let range = |[first, last]: [u32; 2]| files.check_minutes(&config.invocations, first, last);
        let parts = [config.training_minutes, config.validation_minutes, config.test_minutes];
        for part in parts {
            range(part)?;
        }
        let scaled_on = config.scale_minutes.unwrap_or(config.training_minutes);
        range(scaled_on)?;
        let minutes = |[first, last]: [u32; 2]| Minutes { first, last };
        let mut source = TraceSource {
            counts: Vec::new(),
            first_minute: files.first_minute,
            parts: parts.map(minutes),
            scaled_on: minutes(scaled_on),
            max_share: config.max_function_share,
            kept: Vec::new(),
        };
        let mut described = Vec::new();
        for function in files.functions {
            source.counts.push(function.counts);
            source.kept.push(1.0);
            described.push(Described {
                name: function.name,
                application: function.application,
                peak_memory_mb: (function.memory_mb.ceil() as u32).max(1),
                durations: Durations::Percentiles {
                    seconds: function.percentiles_ms.map(|ms| ms / 1000.0),
                    io_share: config.io_share,
                },
                noise_sigma: config.noise_sigma,
                history: source.count(source.counts.len() - 1, source.scaled_on),
            });
        }
        Ok((source, described))
    }

    /// Thins functions down to the largest share of the work that is allowed; `work` is that of one invocation.
    pub fn limit_shares(&mut self, work: &[f64]) {
        let Some(share) = self.max_share else { return };
        let totals: Vec<f64> = work
            .iter()
            .enumerate()
            .map(|(place, work)| work * self.count(place, self.scaled_on) as f64)
            .collect();
        self.kept = kept_shares(&totals, share);
    }

    /// Arrivals of each function a second, before scaling.
    pub fn rates(&self) -> Vec<f64> {
        let seconds = self.scaled_on.seconds();
        self.kept
            .iter()
            .enumerate()
            .map(|(place, kept)| kept * self.count(place, self.scaled_on) as f64 / seconds)
            .collect()
    }

    /// Arrivals of a window of `seconds` (0: all of it) in `part`, with rates × `scale`.
    pub fn draw(
        &self,
        workload: &Workload,
        episode: RunSeed,
        part: Part,
        scale: f64,
        seconds: f64,
    ) -> Window {
        let minutes = self.parts[part as usize];
        let (start, end) = place_window(minutes, seconds, episode);
        let mut arrivals = Vec::new();
        let first = minutes.first + (start / f64::from(SECONDS_PER_MINUTE)) as u32;
        for (function, counts) in self.counts.iter().enumerate() {
            let copies = self.kept[function] * scale;
            let mut rngs = ArrivalRngs::new(episode, function);
            for minute in first..=minutes.last {
                let minute_start = f64::from((minute - minutes.first) * SECONDS_PER_MINUTE);
                if minute_start >= end {
                    break;
                }
                for _ in 0..counts[(minute - self.first_minute) as usize] {
                    let one_more = rngs.work.random::<f64>() < copies.fract();
                    for _ in 0..copies as u64 + u64::from(one_more) {
                        let at = minute_start + f64::from(SECONDS_PER_MINUTE) * rngs.work.random::<f64>();
                        let arrival =
                            workload.arrival(function, SimTime::from_seconds(at - start), &mut rngs);
                        if (start..end).contains(&at) {
                            arrivals.push(arrival);
                        }
                    }
                }
            }
        }
        Window::new(arrivals, SimTime::from_seconds(end - start))
    }

    fn count(&self, function: usize, minutes: Minutes) -> u64 {
        let from = (minutes.first - self.first_minute) as usize;
        let to = (minutes.last - self.first_minute) as usize;
        self.counts[function][from..=to].iter().map(|&count| u64::from(count)).sum()
    }
}

/// Start and end of a window in seconds from the start of `minutes`: at a random place where it is shorter.
fn place_window(minutes: Minutes, seconds: f64, episode: RunSeed) -> (f64, f64) {
    let all = minutes.seconds();
    if seconds == 0.0 || seconds >= all {
        return (0.0, all);
    }
    let start = (all - seconds) * episode.rng(Stream::Scenario, 0).random::<f64>();
    (start, start + seconds)
}

/// Share of its invocations that each function keeps so that none has more than `share` of the remaining work.
fn kept_shares(totals: &[f64], share: f64) -> Vec<f64> {
    let mut order: Vec<f64> = totals.to_vec();
    order.sort_by(|a, b| b.total_cmp(a));
    let mut rest: f64 = totals.iter().sum();
    let mut limit = f64::INFINITY;
    for (limited, &total) in order.iter().enumerate() {
        // With `limited` functions at the limit: limit = share · (rest + limited · limit).
        let free = 1.0 - share * limited as f64;
        limit = if free > 0.0 { share * rest / free } else { total };
        // No function is larger than that, or there are too few functions and these are equal now.
        if total <= limit {
            break;
        }
        rest -= total;
    }
    totals.iter().map(|&total| if total > limit { limit / total } else { 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_function_keeps_more_than_its_share() {
        for totals in [vec![80.0, 10.0, 5.0, 5.0, 3.0, 3.0], vec![50.0, 45.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0]] {
            let kept = kept_shares(&totals, 0.2);
            let left: Vec<f64> = totals.iter().zip(&kept).map(|(total, kept)| total * kept).collect();
            let sum: f64 = left.iter().sum();
            let largest = left.iter().copied().fold(0.0, f64::max);
            assert!(largest <= 0.2 * sum * (1.0 + 1e-9), "{left:?}");
            assert!((largest - 0.2 * sum).abs() < 1e-9 || kept.iter().all(|&kept| kept == 1.0), "{left:?}");
        }
    }
}
