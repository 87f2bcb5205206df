//! Workload *trace*: arrivals from the counts a minute of the Azure Functions trace of 2019.

use std::sync::Arc;

use common::config::TraceConfig;
use common::seed::FastRng;
use common::{RunSeed, Stream};
use rand::Rng;

use super::{FunctionDescription, Part, Span, WorkloadSource};
use crate::serverless::arrivals::{ArrivalProcess, NextArrival};
use crate::serverless::function::PercentileCurve;
use crate::serverless::trace::{TraceError, TraceFiles};
use crate::serverless::workload::tier;

const MINUTE: f64 = 60.0;

/// Minutes of a trace from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Minutes {
    first: u32,
    last: u32,
}

impl Minutes {
    fn seconds(self) -> f64 {
        f64::from(self.last - self.first + 1) * MINUTE
    }
}

/// Counts a minute and how they are scaled.
pub(super) struct TraceSource {
    functions: Vec<FunctionDescription>,
    /// By function, by minute from `first_minute` on.
    counts: Vec<Arc<[u32]>>,
    first_minute: u32,
    /// By [`Part`].
    parts: [Minutes; 3],
    scaled_on: Minutes,
    /// Share of its invocations that each function keeps.
    kept: Vec<f64>,
}

impl TraceSource {
    /// Reads the three files.
    ///
    /// # Errors
    /// When one is missing or malformed, or does not cover the configured minutes.
    pub fn read(config: &TraceConfig) -> Result<Self, TraceError> {
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
            functions: Vec::new(),
            counts: Vec::new(),
            first_minute: files.first_minute,
            parts: parts.map(minutes),
            scaled_on: minutes(scaled_on),
            kept: Vec::new(),
        };
        for function in files.functions {
            let law = PercentileCurve {
                seconds: function.percentiles_ms.map(|ms| ms / 1000.0),
                io_share: config.io_share,
            };
            let memory = (function.memory_mb.ceil() as u32).max(1);
            source.counts.push(function.counts.into());
            source.kept.push(1.0);
            let place = source.functions.len();
            source.functions.push(FunctionDescription {
                application: function.application,
                noise_sigma: config.noise_sigma,
                io_share: config.io_share,
                history: source.count(place, source.scaled_on),
                ..FunctionDescription::new(function.name, place as u32, memory, Arc::new(law))
            });
        }
        if let Some(share) = config.max_function_share {
            source.limit_shares(share);
        }
        Ok(source)
    }

    /// Thins functions down to the largest share of the work, memory × time, that is allowed.
    fn limit_shares(&mut self, share: f64) {
        let work = |(place, function): (usize, &FunctionDescription)| {
            // A trace's durations are those at the default size, whatever that is.
            let seconds = function.law.mean(1.0);
            let seconds = seconds.io_seconds + seconds.cpu_seconds;
            seconds * f64::from(tier(function.peak_memory_mb)) * self.count(place, self.scaled_on) as f64
        };
        let totals: Vec<f64> = self.functions.iter().enumerate().map(work).collect();
        self.kept = kept_shares(&totals, share);
    }

    fn count(&self, function: usize, minutes: Minutes) -> u64 {
        let from = (minutes.first - self.first_minute) as usize;
        let to = (minutes.last - self.first_minute) as usize;
        self.counts[function][from..=to].iter().map(|&count| u64::from(count)).sum()
    }
}

impl WorkloadSource for TraceSource {
    fn functions(&self) -> &[FunctionDescription] {
        &self.functions
    }

    fn rates(&self) -> Vec<f64> {
        let seconds = self.scaled_on.seconds();
        self.kept
            .iter()
            .enumerate()
            .map(|(place, kept)| kept * self.count(place, self.scaled_on) as f64 / seconds)
            .collect()
    }

    /// At a random place where it is shorter than the part.
    fn span(&self, episode: RunSeed, part: Part, seconds: f64) -> Span {
        let all = self.parts[part as usize].seconds();
        if seconds == 0.0 || seconds >= all {
            return Span { part, start: 0.0, seconds: all };
        }
        let start = (all - seconds) * episode.rng(Stream::Scenario, 0).random::<f64>();
        Span { part, start, seconds }
    }

    fn arrivals(&self, subject: usize, scale: f64, span: Span, _episode: RunSeed) -> Box<dyn ArrivalProcess> {
        Box::new(Counted {
            counts: self.counts[subject].clone(),
            place: self.first_place(span),
            minute_start: MINUTE * (span.start / MINUTE).floor(),
            start: span.start,
            end: span.start + span.seconds,
            copies: self.kept[subject] * scale,
            drawn: Vec::new(),
        })
    }

    fn expected(&self, subject: usize, scale: f64, span: Span) -> Option<f64> {
        let first = self.first_place(span);
        let mut minute_start = MINUTE * (span.start / MINUTE).floor();
        let mut sum = 0.0;
        for &count in &self.counts[subject][first..] {
            let inside =
                (minute_start + MINUTE).min(span.start + span.seconds) - minute_start.max(span.start);
            if inside <= 0.0 {
                break;
            }
            sum += f64::from(count) * inside / MINUTE;
            minute_start += MINUTE;
        }
        Some(sum * self.kept[subject] * scale)
    }
}

impl TraceSource {
    /// Place of the minute in which a span begins among the counts.
    fn first_place(&self, span: Span) -> usize {
        let minute = self.parts[span.part as usize].first + (span.start / MINUTE) as u32;
        (minute - self.first_minute) as usize
    }
}

/// Arrivals at random times within their minutes, thinned or replicated.
struct Counted {
    counts: Arc<[u32]>,
    /// Place of the minute that is drawn next.
    place: usize,
    /// When it begins, in seconds from the start of the part.
    minute_start: f64,
    start: f64,
    end: f64,
    copies: f64,
    /// Arrivals of the minute before that, the latest first.
    drawn: Vec<f64>,
}

impl ArrivalProcess for Counted {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        loop {
            if let Some(at) = self.drawn.pop() {
                return Some(NextArrival::at(at));
            }
            if self.minute_start >= self.end {
                return None;
            }
            self.draw_minute(rng)?;
        }
    }
}

impl Counted {
    /// `None` behind the last minute.
    fn draw_minute(&mut self, rng: &mut FastRng) -> Option<()> {
        let count = *self.counts.get(self.place)?;
        for _ in 0..count {
            let one_more = rng.random::<f64>() < self.copies.fract();
            for _ in 0..self.copies as u64 + u64::from(one_more) {
                let at = self.minute_start + MINUTE * rng.random::<f64>();
                if (self.start..self.end).contains(&at) {
                    self.drawn.push(at - self.start);
                }
            }
        }
        self.drawn.sort_by(|one, other| other.total_cmp(one));
        self.place += 1;
        self.minute_start += MINUTE;
        Some(())
    }
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
