//! A workload: photos that come at any time, and reports that come all at once, every minute.

use std::sync::Arc;

use common::RunSeed;
use common::seed::FastRng;
use engine::serverless::{
    ArrivalProcess, FunctionDescription, InputScaled, NextArrival, Span, Work, WorkloadSource,
};
use rand::Rng;

/// Photos a second and reports a second, before the rates are scaled to a load.
const RATES: [f64; 2] = [10.0, 0.5];

/// Two functions: a short one that is called at random and a long one that is called on the minute.
pub struct Photos {
    functions: [FunctionDescription; 2],
}

impl Photos {
    /// The two functions.
    #[must_use]
    pub fn new() -> Self {
        let typical =
            |io_seconds, cpu_seconds| Work { megabits: 1.0, io_seconds, cpu_seconds, input_size: 1.0 };
        let law = |typical| Arc::new(InputScaled { typical, sensitivity: 1.0, input_sigma: 0.3 });
        let photo = law(typical(0.05, 0.02));
        let report = law(typical(0.5, 1.0));
        Photos {
            functions: [
                FunctionDescription::new("photo".to_owned(), 0, 200, photo),
                FunctionDescription::new("report".to_owned(), 1, 700, report),
            ],
        }
    }
}

impl Default for Photos {
    fn default() -> Self {
        Photos::new()
    }
}

impl WorkloadSource for Photos {
    fn functions(&self) -> &[FunctionDescription] {
        &self.functions
    }

    fn rates(&self) -> Vec<f64> {
        RATES.to_vec()
    }

    fn arrivals(
        &self,
        subject: usize,
        scale: f64,
        _span: Span,
        _episode: RunSeed,
    ) -> Box<dyn ArrivalProcess> {
        let rate = RATES[subject] * scale;
        if subject == 0 {
            Box::new(AtRandom { rate, last: 0.0 })
        } else {
            Box::new(OnTheMinute { rate, count: 0 })
        }
    }
}

/// Uniform gaps from nothing to twice the mean.
#[derive(Clone)]
struct AtRandom {
    /// Arrivals a second.
    rate: f64,
    last: f64,
}

impl ArrivalProcess for AtRandom {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        self.last += 2.0 * rng.random::<f64>() / self.rate;
        Some(NextArrival::at(self.last))
    }
}

/// All arrivals of a minute at its start.
#[derive(Clone)]
struct OnTheMinute {
    /// Arrivals a second.
    rate: f64,
    count: u64,
}

impl ArrivalProcess for OnTheMinute {
    fn next(&mut self, _rng: &mut FastRng) -> Option<NextArrival> {
        let minute = (self.count as f64 / (60.0 * self.rate)).floor();
        self.count += 1;
        Some(NextArrival::at(60.0 * minute))
    }
}
