//! Workload *trace*: arrivals from the counts a minute of the Azure Functions trace of 2019.

use std::sync::Arc;

use common::RunSeed;
use configuration::TraceConfig;
use engine::serverless::{ArrivalProcess, FunctionDescription, Part, PercentileCurve, Span, WorkloadSource};

use crate::recorded::{MINUTE, Minutes, Recorded, RecordedMinutes, Scaled, TraceParts, kept_fractions, work};
use crate::trace::{Azure2019, Azure2019Paths, TraceError};

/// Counts a minute and how they are scaled.
pub(super) struct CountedSource {
    functions: Vec<FunctionDescription>,
    counts: Vec<Counts>,
    parts: TraceParts,
    /// Fraction of its invocations that each function keeps.
    kept: Vec<f64>,
}

impl CountedSource {
    /// Reads the three files.
    ///
    /// # Errors
    /// When one is missing or malformed, or does not cover the configured minutes.
    pub fn read(config: &TraceConfig, paths: Azure2019Paths<'_>) -> Result<Self, TraceError> {
        let files = Azure2019::read(paths, config.lenient)?;
        let parts = TraceParts::new(config);
        parts.ranges().try_for_each(|minutes| files.check_minutes(paths.invocations, minutes))?;
        let mut source = CountedSource { functions: Vec::new(), counts: Vec::new(), parts, kept: Vec::new() };
        for function in files.functions {
            let law = PercentileCurve {
                seconds: function.percentiles_ms.map(|ms| ms / 1000.0),
                io_share: config.io_share,
            };
            let memory = (function.memory_mb.ceil() as u32).max(1);
            let counts = Counts { first_minute: files.first_minute, counts: function.counts.into() };
            let place = source.functions.len() as u32;
            source.functions.push(FunctionDescription {
                application: function.application,
                noise_sigma: config.noise_sigma,
                io_share: config.io_share,
                history: counts.sum(source.parts.scaled_on),
                ..FunctionDescription::new(function.key.function, place, memory, Arc::new(law))
            });
            source.counts.push(counts);
            source.kept.push(1.0);
        }
        if let Some(share) = config.max_function_share {
            let count = |place: usize| source.counts[place].sum(source.parts.scaled_on) as f64;
            source.kept = kept_fractions(&work(&source.functions, count), share);
        }
        Ok(source)
    }
}

impl WorkloadSource for CountedSource {
    fn functions(&self) -> &[FunctionDescription] {
        &self.functions
    }

    fn rates(&self) -> Vec<f64> {
        let scaled_on = self.parts.scaled_on;
        let rate =
            |(counts, kept): (&Counts, &f64)| kept * counts.sum(scaled_on) as f64 / scaled_on.seconds();
        self.counts.iter().zip(&self.kept).map(rate).collect()
    }

    fn span(&self, episode: RunSeed, part: Part, seconds: f64) -> Span {
        self.parts.span(episode, part, seconds)
    }

    fn arrivals(&self, subject: usize, scale: f64, span: Span, _episode: RunSeed) -> Box<dyn ArrivalProcess> {
        let first = self.parts.first_minute(span);
        Box::new(Scaled::new(self.counts[subject].clone(), first, span, self.kept[subject] * scale))
    }

    fn expected(&self, subject: usize, scale: f64, span: Span) -> Option<f64> {
        let mut minute_start = MINUTE * (span.start / MINUTE).floor();
        let mut sum = 0.0;
        for &count in self.counts[subject].from(self.parts.first_minute(span)) {
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

/// Invocations of a function by minute.
#[derive(Clone)]
struct Counts {
    first_minute: u32,
    counts: Arc<[u32]>,
}

impl Counts {
    fn from(&self, minute: u32) -> &[u32] {
        &self.counts[(minute - self.first_minute) as usize..]
    }

    fn sum(&self, minutes: Minutes) -> u64 {
        let length = (minutes.last - minutes.first + 1) as usize;
        self.from(minutes.first)[..length].iter().map(|&count| u64::from(count)).sum()
    }
}

impl RecordedMinutes for Counts {
    fn minute(&self, minute: u32) -> Option<impl Iterator<Item = Recorded> + '_> {
        let count = *self.counts.get((minute - self.first_minute) as usize)?;
        Some((0..count).map(|_| Recorded { offset: None, seconds: None }))
    }
}
