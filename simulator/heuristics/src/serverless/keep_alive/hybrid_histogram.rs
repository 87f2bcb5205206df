use std::cmp::Reverse;
use std::collections::BinaryHeap;

use common::SimTime;
use common::cluster::ClusterEvent;
use common::ids::FunctionId;

use super::{FellIdle, KeepAlive, PreWarm};
use engine::Interests;
use engine::serverless::ServerlessView;

/// Bins of a minute over four hours.
const BINS: usize = 240;
const MINUTE: f64 = 60.0;
/// Percentiles of the idle times between which a container is kept, and the margin around them.
const HEAD: f64 = 0.05;
const TAIL: f64 = 0.99;
const MARGIN: f64 = 0.1;
/// The histogram is trusted from this coefficient of variation of its bin counts on, and from so many idle times on.
const TRUSTED_VARIATION: f64 = 2.0;
const TRUSTED_COUNT: u32 = 10;
/// And while no more than this fraction of the idle times lies beyond its range.
const BEYOND_SHARE: f64 = 0.5;
/// Keep-alive without a trusted histogram, minutes.
const STANDARD_MINUTES: f64 = 10.0;

/// The hybrid histogram policy of Azure Functions (Shahrad et al., ATC 2020), per function and without its time-series model
/// for idle times beyond four hours: a container goes as soon as it falls idle where the next invocation usually comes much
/// later, is started again shortly before the 5th percentile of the idle times, and kept until shortly after the 99th.
#[derive(Clone, Default)]
pub struct HybridHistogram {
    functions: Vec<Function>,
    /// When a container of a function is to be started again, the earliest first.
    wake_ups: BinaryHeap<Reverse<(SimTime, FunctionId)>>,
}

#[derive(Clone, Default)]
struct Function {
    /// Idle times by minute; empty until there is one.
    bins: Vec<u32>,
    counted: u32,
    beyond: u32,
    /// When it last fell idle, unless it was called since.
    idle_since: Option<SimTime>,
    /// How long a container that was started early is kept from then on.
    kept_after_wake_up: Option<SimTime>,
}

/// When a container goes and comes again, seconds after it fell idle.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Window {
    pre_warm: f64,
    keep_alive: f64,
}

impl Function {
    fn idled(&mut self, seconds: f64) {
        let bin = (seconds / MINUTE) as usize;
        self.counted += 1;
        if bin >= BINS {
            self.beyond += 1;
            return;
        }
        if self.bins.is_empty() {
            self.bins = vec![0; BINS];
        }
        self.bins[bin] += 1;
    }

    fn window(&self) -> Window {
        let standard = Window { pre_warm: 0.0, keep_alive: STANDARD_MINUTES * MINUTE };
        let inside = self.counted - self.beyond;
        let mostly_beyond = f64::from(self.beyond) > BEYOND_SHARE * f64::from(self.counted);
        if inside < TRUSTED_COUNT || mostly_beyond || self.variation() < TRUSTED_VARIATION {
            return standard;
        }
        let head = self.percentile(HEAD) * MINUTE * (1.0 - MARGIN);
        let tail = (self.percentile(TAIL) + 1.0) * MINUTE * (1.0 + MARGIN);
        Window { pre_warm: head, keep_alive: tail - head }
    }

    /// The lower end of the bin that holds a percentile, minutes.
    fn percentile(&self, share: f64) -> f64 {
        let wanted = share * f64::from(self.counted - self.beyond);
        let mut seen = 0.0;
        for (bin, &count) in self.bins.iter().enumerate() {
            seen += f64::from(count);
            if count > 0 && seen >= wanted {
                return bin as f64;
            }
        }
        BINS as f64
    }

    /// Coefficient of variation of the bin counts.
    fn variation(&self) -> f64 {
        let mean = f64::from(self.counted - self.beyond) / BINS as f64;
        let square: f64 = self.bins.iter().map(|&count| (f64::from(count) - mean).powi(2)).sum();
        (square / BINS as f64).sqrt() / mean
    }
}

impl HybridHistogram {
    fn function(&mut self, function: FunctionId) -> &mut Function {
        let place = function.0 as usize;
        if self.functions.len() <= place {
            self.functions.resize(place + 1, Function::default());
        }
        &mut self.functions[place]
    }
}

impl KeepAlive for HybridHistogram {
    fn interests(&self) -> Interests {
        Interests { events: true, keep_alive: true, pools: true, ..Interests::default() }
    }

    fn observe(&mut self, view: &ServerlessView<'_>) {
        for event in view.events() {
            if let ClusterEvent::Arrived { function, .. } = event.event {
                let state = self.function(function);
                if let Some(since) = state.idle_since.take() {
                    state.idled(event.at.since(since).seconds());
                }
            }
        }
    }

    fn keep(&mut self, view: &ServerlessView<'_>, container: &FellIdle) -> SimTime {
        let now = view.now();
        let state = self.function(container.function);
        if let Some(kept) = state.kept_after_wake_up.take() {
            return kept;
        }
        state.idle_since = Some(now);
        let window = state.window();
        if window.pre_warm == 0.0 {
            return SimTime::from_seconds(window.keep_alive);
        }
        self.wake_ups.push(Reverse((now + SimTime::from_seconds(window.pre_warm), container.function)));
        SimTime::ZERO
    }

    fn pre_warm(&mut self, view: &ServerlessView<'_>) -> Option<PreWarm> {
        loop {
            let &Reverse((at, function)) = self.wake_ups.peek()?;
            if at > view.now() {
                return None;
            }
            self.wake_ups.pop();
            let somebody = view.busy_containers(function) > 0 || view.warm_nodes(function).next().is_some();
            let state = self.function(function);
            if somebody || state.idle_since.is_none() {
                continue;
            }
            state.kept_after_wake_up = Some(SimTime::from_seconds(state.window().keep_alive));
            return Some(PreWarm { function, size: view.default_size(function) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_idle_times_let_a_container_go_and_come_again() {
        let mut function = Function::default();
        assert_eq!(function.window(), Window { pre_warm: 0.0, keep_alive: 600.0 });
        (0..20).for_each(|_| function.idled(31.0 * MINUTE + 5.0));
        let window = function.window();
        assert!((window.pre_warm - 31.0 * MINUTE * 0.9).abs() < 1e-9);
        assert!((window.pre_warm + window.keep_alive - 32.0 * MINUTE * 1.1).abs() < 1e-9);
    }

    #[test]
    fn spread_or_far_idle_times_are_not_trusted() {
        let mut spread = Function::default();
        (0..BINS).for_each(|bin| spread.idled(MINUTE * (bin as f64 + 0.5)));
        assert_eq!(spread.window().pre_warm, 0.0);
        let mut far = Function::default();
        (0..20).for_each(|_| far.idled(31.0 * MINUTE));
        (0..30).for_each(|_| far.idled(500.0 * MINUTE));
        assert_eq!(far.window().keep_alive, 600.0);
    }
}
