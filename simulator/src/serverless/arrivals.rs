//! The invocations of an episode, drawn in advance: all schedulers meet the very same ones.

use common::SimTime;

use super::function::Work;

/// An invocation that will come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// When.
    pub at: SimTime,
    /// Of which function.
    pub function: u32,
    /// Standard normal draw behind its cold start, should it meet one: the same for every scheduler.
    pub cold_draw: f32,
    /// What it has to do.
    pub work: Work,
}

/// The arrivals of an episode and the time that they cover.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Arrivals by time.
    pub arrivals: Vec<Arrival>,
    /// No arrival comes later.
    pub horizon: SimTime,
}

impl Window {
    /// Brings arrivals into order.
    #[must_use]
    pub fn new(mut arrivals: Vec<Arrival>, horizon: SimTime) -> Self {
        // Stable, so that equal times keep the order of functions.
        arrivals.sort_by_key(|arrival| arrival.at);
        Window { arrivals, horizon }
    }

    /// Arrivals of each of `functions` functions.
    #[must_use]
    pub fn counts(&self, functions: usize) -> Vec<u64> {
        let mut counts = vec![0; functions];
        for arrival in &self.arrivals {
            counts[arrival.function as usize] += 1;
        }
        counts
    }
}
