//! The books of an episode: reward and outcome. All is kept as rates that events change, so an event costs O(1)
//! however many jobs are in the system.

use common::SimTime;
use common::reward::Reward;

use super::meters::Meters;
use super::outcome::{FunctionOutcome, RESOURCES, SLO_FACTORS, ServerlessOutcome};

/// USD for a GB·s, and for one request.
const USD_PER_GB_SECOND: f64 = 1.66667e-5;
const USD_PER_REQUEST: f64 = 0.2e-6;
/// Shortest reference duration of a slowdown, seconds: a delay of 20 ms does not matter to a call of 1 ms.
pub const SLOWDOWN_FLOOR: f64 = 0.1;

/// What a job in the system weighs, fixed when it arrives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weights {
    /// `1 / max(T_ref, floor)`, in 1/s.
    pub plain: f64,
    /// The same × `N/(F·N_f·S_f)`.
    pub fair: f64,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    pub function: u32,
    pub latency: f64,
    pub reference: f64,
    /// Latency at which the function's objective breaks, and its p95, seconds.
    pub objective: f64,
    pub p95: f64,
    pub cold: bool,
    /// Number of starts that were lost when their node failed.
    pub retries: u32,
    /// Arrived after the warm-up.
    pub counted: bool,
    pub finished: bool,
}

#[derive(Clone, Copy, Debug)]
struct FunctionBooks {
    /// `N / (F · N_f)` over the expected arrivals of the episode.
    balance: f64,
    finished: u64,
    slowdown_sum: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Accrued {
    latency: f64,
    fairness: f64,
    utilisation: f64,
    slo: f64,
    cost: f64,
    idle_memory: f64,
    cold_starts: f64,
}

/// Accounts of an episode: reward, resource use and outcome.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    pub meters: Meters,
    /// Scarcity / capacity.
    scarce: [f64; RESOURCES],
    counts_from: SimTime,
    now: SimTime,
    in_system: usize,
    plain: f64,
    fair: f64,
    accrued: Accrued,
    functions: Vec<FunctionBooks>,
    outcome: ServerlessOutcome,
}

impl Ledger {
    /// `expected`: how many invocations of each function the episode can be expected to have.
    pub fn new(meters: Meters, scarcity: [f64; RESOURCES], counts_from: SimTime, expected: &[f64]) -> Self {
        let all: f64 = expected.iter().sum();
        // Of Poisson arrivals: the chance that a function comes at all, and how often it comes if it does.
        let comes = |mean: f64| -(-mean).exp_m1();
        let present: f64 = expected.iter().map(|&mean| comes(mean)).sum();
        let books = |&mean: &f64| FunctionBooks {
            balance: if mean > 0.0 { all * comes(mean) / (present * mean) } else { 0.0 },
            finished: 0,
            slowdown_sum: 0.0,
        };
        Ledger {
            scarce: meters.scarce(&scarcity),
            meters,
            counts_from,
            now: SimTime::ZERO,
            in_system: 0,
            plain: 0.0,
            fair: 0.0,
            accrued: Accrued::default(),
            functions: expected.iter().map(books).collect(),
            outcome: ServerlessOutcome {
                functions: vec![FunctionOutcome::default(); expected.len()],
                ..ServerlessOutcome::default()
            },
        }
    }

    /// Counts the time until `now`, as far as it lies behind the warm-up.
    pub fn advance(&mut self, now: SimTime) {
        let seconds = now.since(self.now.max(self.counts_from)).seconds();
        self.now = now;
        if seconds == 0.0 {
            return;
        }
        self.meters.advance(seconds);
        self.accrued.latency -= self.plain * seconds;
        self.accrued.fairness -= self.fair * seconds;
        self.accrued.utilisation += self.meters.weighted_use(&self.scarce) * seconds;
        self.accrued.cost -= self.meters.priced_gb() * seconds * USD_PER_GB_SECOND;
        self.accrued.idle_memory -= self.meters.idle_gb() * seconds;
    }

    /// A job enters the system.
    pub fn arrived(&mut self, function: u32, reference: f64) -> Weights {
        let books = &self.functions[function as usize];
        let slowdown = if books.finished == 0 { 1.0 } else { books.slowdown_sum / books.finished as f64 };
        let plain = 1.0 / reference.max(SLOWDOWN_FLOOR);
        let weights = Weights { plain, fair: plain * books.balance / slowdown };
        self.in_system += 1;
        self.plain += weights.plain;
        self.fair += weights.fair;
        weights
    }

    /// A job leaves it.
    pub fn ended(&mut self, ending: &Ending, weights: Weights) {
        self.in_system -= 1;
        // Rounding errors of the running sums end with an empty system.
        self.plain = if self.in_system == 0 { 0.0 } else { self.plain - weights.plain };
        self.fair = if self.in_system == 0 { 0.0 } else { self.fair - weights.fair };
        let slowdown = (ending.latency / ending.reference.max(SLOWDOWN_FLOOR)).max(1.0);
        let books = &mut self.functions[ending.function as usize];
        books.finished += 1;
        books.slowdown_sum += slowdown;
        let violated = ending.latency > ending.objective;
        if self.now >= self.counts_from {
            self.accrued.slo -= f64::from(u8::from(violated));
            self.accrued.cost -= USD_PER_REQUEST;
            self.accrued.cold_starts -= f64::from(u8::from(ending.cold));
        }
        if ending.counted {
            self.count(ending, slowdown, violated);
        }
    }

    /// A run of a workflow ended after `latency` seconds, whose critical path in reference durations is `reference`.
    pub fn run_ended(&mut self, latency: f64, reference: f64, slo_factor: f64, finished: bool) {
        let workflows = &mut self.outcome.workflows;
        workflows.slowdowns.record((latency / reference.max(SLOWDOWN_FLOOR)).max(1.0));
        workflows.latencies.record(latency);
        workflows.violations += u64::from(latency > slo_factor * reference);
        workflows.unfinished += u64::from(!finished);
    }

    /// See [`crate::Simulation::urgency`].
    pub fn urgency(&self) -> f64 {
        self.plain
    }

    /// Reward since the last call.
    pub fn take_reward(&mut self) -> Reward {
        let accrued = std::mem::take(&mut self.accrued);
        Reward {
            latency: accrued.latency as f32,
            fairness: accrued.fairness as f32,
            utilisation: accrued.utilisation as f32,
            slo: accrued.slo as f32,
            cost: accrued.cost as f32,
            idle_memory: accrued.idle_memory as f32,
            cold_starts: accrued.cold_starts as f32,
        }
    }

    /// The outcome so far.
    pub fn outcome(&self) -> ServerlessOutcome {
        ServerlessOutcome { usage: self.meters.usage(), ..self.outcome.clone() }
    }

    fn count(&mut self, ending: &Ending, slowdown: f64, violated: bool) {
        let outcome = &mut self.outcome;
        let function = &mut outcome.functions[ending.function as usize];
        function.arrivals += 1;
        function.slowdown_sum += slowdown;
        outcome.slowdowns.record(slowdown);
        outcome.latencies.record(ending.latency);
        outcome.cold_starts += u64::from(ending.cold);
        outcome.unfinished += u64::from(!ending.finished);
        outcome.retries += u64::from(ending.retries);
        outcome.violations += u64::from(violated);
        for (count, factor) in outcome.violations_at.iter_mut().zip(SLO_FACTORS) {
            *count += u64::from(ending.latency > factor * ending.p95);
        }
    }
}

impl ServerlessOutcome {
    /// Price of the counted time in USD: allocated GB·s (initialisation included, idle ones not) and requests.
    #[must_use]
    pub fn cost_usd(&self) -> f64 {
        self.usage.priced_bound_gb_seconds * USD_PER_GB_SECOND
            + self.slowdowns.count() as f64 * USD_PER_REQUEST
    }
}
