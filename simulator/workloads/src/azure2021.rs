//! Workload *trace*: the invocations of the Azure Functions trace of 2021, replayed with their own durations.
//!
//! The trace has no memory, so each function's is drawn from the distribution measured in the trace of 2019.

use std::path::Path;
use std::sync::Arc;

use common::seed::FastRng;
use common::{RunSeed, Stream};
use configuration::TraceConfig;
use engine::serverless::{
    ArrivalProcess, FunctionDescription, Part, SHORTEST, Span, Work, WorkLaw, WorkloadSource,
};
use rand::Rng as _;

use crate::measured;
use crate::recorded::{MINUTE, Minutes, Recorded, RecordedMinutes, Scaled, TraceParts, kept_fractions, work};
use crate::trace::{Azure2021, TraceError, TraceEvent};

/// Stream numbers of the memory of functions lie behind those of other properties.
const MEMORIES: u64 = 3 << 32;

/// The invocations by function and how they are scaled.
pub(super) struct EventSource {
    functions: Vec<FunctionDescription>,
    events: Vec<Events>,
    parts: TraceParts,
    /// Fraction of its invocations that each function keeps.
    kept: Vec<f64>,
}

impl EventSource {
    /// Reads the file; `seed` draws the memory of the functions.
    ///
    /// # Errors
    /// When it is missing or malformed, or does not cover the configured minutes.
    pub fn read(config: &TraceConfig, path: &Path, seed: RunSeed) -> Result<Self, TraceError> {
        let trace = Azure2021::read(path, config.lenient)?;
        let parts = TraceParts::new(config);
        parts.ranges().try_for_each(|minutes| trace.check_minutes(path, minutes))?;
        let mut by_function = vec![Vec::new(); trace.functions.len()];
        trace.events.iter().for_each(|event| by_function[event.function as usize].push(*event));
        let events: Vec<Events> = by_function.into_iter().map(|events| Events(events.into())).collect();
        let describe = |(place, function): (usize, &crate::trace::EventFunction)| {
            let seen = events[place].between(parts.scaled_on);
            let law = RecordedDurations::new(
                if seen.is_empty() { &events[place].0 } else { seen },
                config.io_share,
            );
            let memory = measured::memory(&mut seed.rng(Stream::Functions, MEMORIES + place as u64));
            FunctionDescription {
                application: function.application,
                noise_sigma: config.noise_sigma,
                io_share: config.io_share,
                history: seen.len() as u64,
                ..FunctionDescription::new(function.key.function.clone(), place as u32, memory, Arc::new(law))
            }
        };
        let functions: Vec<FunctionDescription> = trace.functions.iter().enumerate().map(describe).collect();
        let count = |place: usize| events[place].between(parts.scaled_on).len() as f64;
        let kept = match config.max_function_share {
            Some(share) => kept_fractions(&work(&functions, count), share),
            None => vec![1.0; functions.len()],
        };
        Ok(EventSource { functions, events, parts, kept })
    }
}

impl WorkloadSource for EventSource {
    fn functions(&self) -> &[FunctionDescription] {
        &self.functions
    }

    fn rates(&self) -> Vec<f64> {
        let scaled_on = self.parts.scaled_on;
        let count = |events: &Events| events.between(scaled_on).len() as f64;
        self.events
            .iter()
            .zip(&self.kept)
            .map(|(one, kept)| kept * count(one) / scaled_on.seconds())
            .collect()
    }

    fn span(&self, episode: RunSeed, part: Part, seconds: f64) -> Span {
        self.parts.span(episode, part, seconds)
    }

    fn arrivals(&self, subject: usize, scale: f64, span: Span, _episode: RunSeed) -> Box<dyn ArrivalProcess> {
        let first = self.parts.first_minute(span);
        Box::new(Scaled::new(self.events[subject].clone(), first, span, self.kept[subject] * scale))
    }

    fn expected(&self, subject: usize, scale: f64, span: Span) -> Option<f64> {
        let origin = MINUTE * f64::from(self.parts.parts[span.part as usize].first - 1);
        let start = origin + span.start;
        let inside = self.events[subject].within(start, start + span.seconds);
        Some(inside.len() as f64 * self.kept[subject] * scale)
    }
}

/// Invocations of one function by arrival.
#[derive(Clone)]
struct Events(Arc<[TraceEvent]>);

impl Events {
    /// Those that arrive from `start` until before `end`, in seconds since the start of the trace.
    fn within(&self, start: f64, end: f64) -> &[TraceEvent] {
        let from = self.0.partition_point(|event| event.arrival < start);
        let to = self.0.partition_point(|event| event.arrival < end);
        &self.0[from..to]
    }

    fn between(&self, minutes: Minutes) -> &[TraceEvent] {
        self.within(MINUTE * f64::from(minutes.first - 1), MINUTE * f64::from(minutes.last))
    }
}

impl RecordedMinutes for Events {
    fn minute(&self, minute: u32) -> Option<impl Iterator<Item = Recorded> + '_> {
        let start = MINUTE * f64::from(minute - 1);
        let recorded = move |event: &TraceEvent| Recorded {
            offset: Some(event.arrival - start),
            seconds: Some(event.seconds),
        };
        Some(self.between(Minutes { first: minute, last: minute }).iter().map(recorded))
    }
}

/// The durations that a function had, each as likely as the others: what history and the load of a trace are made of.
struct RecordedDurations {
    /// Recorded durations in seconds, ascending.
    seconds: Vec<f64>,
    io_share: f64,
}

impl RecordedDurations {
    fn new(events: &[TraceEvent], io_share: f64) -> Self {
        let mut seconds: Vec<f64> = events.iter().map(|event| event.seconds.max(SHORTEST)).collect();
        seconds.sort_by(f64::total_cmp);
        RecordedDurations { seconds, io_share }
    }
}

impl WorkLaw for RecordedDurations {
    fn draw(&self, rng: &mut FastRng, vcpus: f64) -> Work {
        Work::split(self.seconds[rng.random_range(0..self.seconds.len())], self.io_share, vcpus)
    }

    fn mean(&self, vcpus: f64) -> Work {
        Work::split(self.seconds.iter().sum::<f64>() / self.seconds.len() as f64, self.io_share, vcpus)
    }

    /// Noise is neglected: durations of a trace vary far more.
    fn p95(&self, _vcpus: f64, _mbps: f64, _noise: f64) -> f64 {
        self.seconds[(self.seconds.len() - 1) * 95 / 100]
    }
}
