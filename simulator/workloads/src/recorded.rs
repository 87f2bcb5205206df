//! What both workloads made of traces use: parts of a trace, scaling by thinning and replication, and limits on the work of one
//! function.

use common::seed::FastRng;
use common::{RunSeed, Stream};
use configuration::TraceConfig;
use engine::serverless::{ArrivalProcess, FunctionDescription, NextArrival, Part, Span, tier};
use rand::Rng;

pub(super) const MINUTE: f64 = 60.0;

/// Minutes of a trace from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Minutes {
    pub first: u32,
    pub last: u32,
}

impl Minutes {
    pub fn seconds(self) -> f64 {
        f64::from(self.last - self.first + 1) * MINUTE
    }
}

impl From<[u32; 2]> for Minutes {
    fn from([first, last]: [u32; 2]) -> Self {
        Minutes { first, last }
    }
}

/// The minutes of a trace that each part is taken from.
pub(super) struct TraceParts {
    /// Minutes of each part, indexed by [`Part`].
    pub parts: [Minutes; 3],
    pub scaled_on: Minutes,
}

impl TraceParts {
    pub fn new(config: &TraceConfig) -> Self {
        let parts = [config.training_minutes, config.validation_minutes, config.test_minutes];
        let scaled_on = config.scale_minutes.unwrap_or(config.training_minutes);
        TraceParts { parts: parts.map(Minutes::from), scaled_on: scaled_on.into() }
    }

    /// All ranges of minutes that the trace must have.
    pub fn ranges(&self) -> impl Iterator<Item = [u32; 2]> + '_ {
        self.parts.iter().chain([&self.scaled_on]).map(|minutes| [minutes.first, minutes.last])
    }

    /// A span of a part; at a random place where it is shorter than that.
    pub fn span(&self, episode: RunSeed, part: Part, seconds: f64) -> Span {
        let all = self.parts[part as usize].seconds();
        if seconds == 0.0 || seconds >= all {
            return Span { part, start: 0.0, seconds: all };
        }
        let start = (all - seconds) * episode.rng(Stream::Scenario, 0).random::<f64>();
        Span { part, start, seconds }
    }

    /// The minute in which a span begins.
    pub fn first_minute(&self, span: Span) -> u32 {
        self.parts[span.part as usize].first + (span.start / MINUTE) as u32
    }
}

/// An invocation as a trace has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recorded {
    /// Seconds since the start of its minute, where the trace states them.
    pub offset: Option<f64>,
    /// Its duration, where the trace states it.
    pub seconds: Option<f64>,
}

/// Invocations of one function, minute by minute.
pub(super) trait RecordedMinutes: Clone + Send {
    /// Those of a minute; `None` behind the last one.
    fn minute(&self, minute: u32) -> Option<impl Iterator<Item = Recorded> + '_>;
}

/// Recorded arrivals, thinned or replicated: the first copy comes when the trace says, others at times of their own in the
/// same minute; so do all where the trace only has counts.
#[derive(Clone)]
pub(super) struct Scaled<R> {
    recorded: R,
    /// The minute that is drawn next.
    minute: u32,
    /// When it begins, in seconds from the start of the part.
    minute_start: f64,
    start: f64,
    end: f64,
    copies: f64,
    /// Arrivals of the minute before that, the latest first.
    drawn: Vec<NextArrival>,
}

impl<R: RecordedMinutes> Scaled<R> {
    /// Arrivals in `span`, which begins in minute `minute`, each `copies` times on average.
    pub fn new(recorded: R, minute: u32, span: Span, copies: f64) -> Self {
        Scaled {
            recorded,
            minute,
            minute_start: MINUTE * (span.start / MINUTE).floor(),
            start: span.start,
            end: span.start + span.seconds,
            copies,
            drawn: Vec::new(),
        }
    }

    /// `None` behind the last minute.
    fn draw_minute(&mut self, rng: &mut FastRng) -> Option<()> {
        for one in self.recorded.minute(self.minute)? {
            let one_more = rng.random::<f64>() < self.copies.fract();
            for copy in 0..self.copies as u64 + u64::from(one_more) {
                let own = one.offset.filter(|_| copy == 0);
                let at = self.minute_start + own.unwrap_or_else(|| MINUTE * rng.random::<f64>());
                if (self.start..self.end).contains(&at) {
                    self.drawn.push(NextArrival { at: at - self.start, seconds: one.seconds });
                }
            }
        }
        self.drawn.sort_by(|one, other| other.at.total_cmp(&one.at));
        self.minute += 1;
        self.minute_start += MINUTE;
        Some(())
    }
}

impl<R: RecordedMinutes + 'static> ArrivalProcess for Scaled<R> {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        loop {
            if let Some(arrival) = self.drawn.pop() {
                return Some(arrival);
            }
            if self.minute_start >= self.end {
                return None;
            }
            self.draw_minute(rng)?;
        }
    }
}

/// Work of each function, memory × time, when function `place` comes `count(place)` times.
pub(super) fn work(functions: &[FunctionDescription], count: impl Fn(usize) -> f64) -> Vec<f64> {
    let of = |(place, function): (usize, &FunctionDescription)| {
        // A trace's durations are those at the default size, whatever that is.
        let mean = function.law.mean(1.0);
        (mean.io_seconds + mean.cpu_seconds) * f64::from(tier(function.peak_memory_mb)) * count(place)
    };
    functions.iter().enumerate().map(of).collect()
}

/// Fraction of its invocations that each function keeps so that none has more than `most` of the remaining work.
pub(super) fn kept_fractions(totals: &[f64], most: f64) -> Vec<f64> {
    let mut order: Vec<f64> = totals.to_vec();
    order.sort_by(|a, b| b.total_cmp(a));
    let mut rest: f64 = totals.iter().sum();
    let mut limit = f64::INFINITY;
    for (limited, &total) in order.iter().enumerate() {
        // With `limited` functions at the limit: limit = most · (rest + limited · limit).
        let free = 1.0 - most * limited as f64;
        limit = if free > 0.0 { most * rest / free } else { total };
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
            let kept = kept_fractions(&totals, 0.2);
            let left: Vec<f64> = totals.iter().zip(&kept).map(|(total, kept)| total * kept).collect();
            let sum: f64 = left.iter().sum();
            let largest = left.iter().copied().fold(0.0, f64::max);
            assert!(largest <= 0.2 * sum * (1.0 + 1e-9), "{left:?}");
            assert!((largest - 0.2 * sum).abs() < 1e-9 || kept.iter().all(|&kept| kept == 1.0), "{left:?}");
        }
    }
}
