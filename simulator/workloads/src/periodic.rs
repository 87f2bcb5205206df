//! Workload *periodic*: rates that follow the time of the day and of the hour, and timers that fire on the clock.

use std::f64::consts::TAU;

use common::seed::FastRng;
use common::{RunSeed, Stream};
use configuration::{PeriodicConfig, SyntheticConfig};
use engine::serverless::{
    ArrivalProcess, FunctionDescription, MemoryShares, NextArrival, Part, Span, WorkloadSource,
};
use rand::Rng as _;

use crate::poisson::exponential;
use crate::synthetic::Synthetic;

const DAY: f64 = 86_400.0;
const HOUR: f64 = 3600.0;
/// Periods of timers in seconds; each is as likely as the others.
const PERIODS: [f64; 4] = [60.0, 300.0, 900.0, 3600.0];
/// Stream numbers of the timers lie behind those of the functions' other properties.
const TIMERS: u64 = 5 << 32;

/// The functions, and which of them are called by timers.
pub(super) struct Periodic {
    synthetic: Synthetic,
    /// Period of each function's timer in seconds, where it has one.
    periods: Vec<Option<f64>>,
    cycles: PeriodicConfig,
}

impl Periodic {
    /// Draws the functions; a timer's calls its own once a period.
    pub fn new(
        cycles: &PeriodicConfig,
        functions: &SyntheticConfig,
        seed: RunSeed,
        shares: MemoryShares,
    ) -> Self {
        let mut synthetic = Synthetic::draw(functions, seed, shares);
        let mut periods = Vec::new();
        for (place, rate) in synthetic.rates.iter_mut().enumerate() {
            let mut rng = seed.rng(Stream::Functions, TIMERS + place as u64);
            let timed = rng.random::<f64>() < cycles.timer_share;
            let period = timed.then(|| PERIODS[rng.random_range(0..PERIODS.len())]);
            if let Some(period) = period {
                *rate = 1.0 / period;
            }
            periods.push(period);
        }
        synthetic.limit_shares(functions.max_function_share);
        Periodic { synthetic, periods, cycles: cycles.clone() }
    }
}

impl WorkloadSource for Periodic {
    fn functions(&self) -> &[FunctionDescription] {
        &self.synthetic.functions
    }

    fn rates(&self) -> Vec<f64> {
        self.synthetic.rates.clone()
    }

    /// Begins at a random time of the day.
    fn span(&self, episode: RunSeed, part: Part, seconds: f64) -> Span {
        Span { part, start: DAY * episode.rng(Stream::Scenario, 0).random::<f64>(), seconds }
    }

    fn arrivals(&self, subject: usize, scale: f64, span: Span, _episode: RunSeed) -> Box<dyn ArrivalProcess> {
        let rate = self.synthetic.rates[subject] * scale;
        match self.periods[subject] {
            Some(period) => Box::new(Timer {
                period,
                calls: rate * period,
                jitter: self.cycles.timer_jitter_seconds,
                // The first firing may have been before the start and its calls after it.
                firing: (span.start / period).floor() * period - span.start,
                drawn: Vec::new(),
            }),
            None => Box::new(Cyclic { rate, cycles: self.cycles.clone(), start: span.start, now: 0.0 }),
        }
    }

    fn expected(&self, subject: usize, scale: f64, span: Span) -> Option<f64> {
        let mean = self.synthetic.rates[subject] * scale * span.seconds;
        if self.periods[subject].is_some() {
            return Some(mean);
        }
        let end = span.start + span.seconds;
        // The integral of the sine of a cycle, over its length.
        let wave =
            |length: f64| ((TAU * span.start / length).cos() - (TAU * end / length).cos()) / TAU * length;
        let swing = self.cycles.day_amplitude * wave(DAY) + self.cycles.hour_amplitude * wave(HOUR);
        Some(mean * (1.0 + swing / span.seconds))
    }
}

/// Poisson arrivals at a rate that swings.
#[derive(Clone)]
struct Cyclic {
    /// Mean arrivals a second.
    rate: f64,
    cycles: PeriodicConfig,
    /// Time of the day at which the episode begins, seconds.
    start: f64,
    now: f64,
}

impl ArrivalProcess for Cyclic {
    /// By thinning arrivals at the greatest rate.
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        let (day, hour) = (self.cycles.day_amplitude, self.cycles.hour_amplitude);
        let greatest = 1.0 + day + hour;
        loop {
            self.now += exponential(rng) / (self.rate * greatest);
            let clock = TAU * (self.start + self.now);
            let swung = 1.0 + day * (clock / DAY).sin() + hour * (clock / HOUR).sin();
            if rng.random::<f64>() * greatest < swung {
                return Some(NextArrival::at(self.now));
            }
        }
    }
}

/// Calls on the clock.
#[derive(Clone)]
struct Timer {
    period: f64,
    /// Calls a firing, on average.
    calls: f64,
    jitter: f64,
    /// The firing that is drawn next, seconds since the start of the episode.
    firing: f64,
    /// Calls of the firing before that, the latest first.
    drawn: Vec<f64>,
}

impl ArrivalProcess for Timer {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        loop {
            if let Some(at) = self.drawn.pop() {
                return Some(NextArrival::at(at));
            }
            let one_more = rng.random::<f64>() < self.calls.fract();
            for _ in 0..self.calls as u64 + u64::from(one_more) {
                let at = self.firing + self.jitter * rng.random::<f64>();
                if at >= 0.0 {
                    self.drawn.push(at);
                }
            }
            self.drawn.sort_by(|one, other| other.total_cmp(one));
            self.firing += self.period;
        }
    }
}
