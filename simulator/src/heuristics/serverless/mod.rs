//! Schedulers of scenario `serverless`, made of parts that combine by name: order + size + placement + keep-alive, e.g.
//! `srpt+default+hiku+hybrid-histogram`, or `srpt+hiku+hybrid-histogram` without what is the default; and the short names of well-known combinations.

mod alignment;
mod composed;
mod hash;
pub mod keep_alive;
mod naming;
pub mod order;
pub mod placement;
mod size;

use common::{Action, SimTime};

use composed::Starts;
pub use composed::{Composed, MakeKeepAlive};
use keep_alive::{Belady, Fixed, GreedyDual, HybridHistogram};
use naming::Parts;
use order::Order;
use placement::Placer;
pub use size::Size;

use super::names::knob;
use crate::scheduler::Scheduler;
use crate::serverless::ServerlessView;

// The knobs below are the best on tuning episodes of the seven workloads in `configs/evaluate` (10 seeds at 70, 90 and 110%
// load; least product of primary and guard relative to `sjf`, geometric means over workloads and loads); docs/schedulers.md
// has the figures.

/// Knob of Tetris.
const TETRIS_KNOB: f64 = 0.9;
/// Share of its estimate that a job waits for a warm container.
const WAIT_WARM: f64 = 8.0;
/// What is expected to take longer than so many seconds is withheld, for so many times its estimate.
const WITHHOLD_LONGER_THAN: f64 = 1.0;
const WITHHOLD_PATIENCE: f64 = 0.5;
/// How far above the average a node may be loaded under consistent hashing.
const CH_BL_BOUND: f64 = 1.5;
const CH_RLU_BOUND: f64 = 2.0;
/// How noisy loads look to CH-RLU.
const HASHING_NOISE: f64 = 0.1;
/// A node with no load at all is never refused, whatever the name says.
const SMALLEST_BOUND: f64 = 1.0;

/// Names that [`by_name`] knows; X stands for a number.
pub(super) const NAMES: &[&str] = &[
    "fcfs",
    "sjf",
    "packer",
    "tetris",
    "tetris_kX",
    "wait_warm",
    "wait_warm_X",
    "heft",
    "ORDER+SIZE+PLACEMENT+KEEP-ALIVE",
];

/// Orders by name.
pub const ORDERS: &[&str] = &[
    "fcfs",
    "sjf",
    "srpt",
    "wspt",
    "svf",
    "hrrn",
    "withhold",
    "withhold_X",
    "drf",
    "critical-path",
    "packer",
    "tetris",
    "tetris_kX",
];
/// Sizes by name.
pub const SIZES: &[&str] = &["default", "smallest", "largest"];
/// Placements by name.
pub const PLACEMENTS: &[&str] = &[
    "warm-first",
    "wait-warm",
    "wait-warm_X",
    "hiku",
    "least-loaded",
    "power-of-two",
    "best-fit",
    "best-aligned",
    "hermod",
    "ch-bl",
    "ch-bl_X",
    "ch-rlu",
    "ch-rlu_X",
    "earliest-finish",
];
/// Keep-alive rules by name.
pub const KEEP_ALIVES: &[&str] = &["configured", "fixed_X", "hybrid-histogram", "greedy-dual", "belady"];

/// The one name of the scheduler that is called so.
///
/// # Errors
/// What is wrong with the name.
pub(super) fn canonical(name: &str) -> Result<String, String> {
    Ok(Parts::of(name)?.name())
}

/// The scheduler that is called so.
pub(super) fn by_name(name: &str) -> Result<Box<dyn Scheduler>, String> {
    let parts = Parts::of(name)?;
    let make = || {
        Some(Composed::new(
            parts.name(),
            order_named(&parts.order)?,
            size_named(&parts.size)?,
            placement_named(&parts.placement)?,
            keep_alive_named(&parts.keep_alive)?,
        ))
    };
    // Every part that has a name has a rule too.
    let scheduler: Box<dyn Scheduler> = Box::new(make().ok_or_else(|| "is no scheduler".to_owned())?);
    Ok(scheduler)
}

fn order_named(name: &str) -> Option<Box<dyn Order>> {
    Some(match name {
        "fcfs" => Box::new(order::Fcfs),
        "sjf" => Box::new(order::ShortestJob),
        "srpt" => Box::new(order::ShortestRemaining),
        "wspt" => Box::new(order::WeightedShortest),
        "svf" => Box::new(order::SmallestVolume),
        "hrrn" => Box::new(order::HighestResponseRatio),
        "drf" => Box::new(order::DominantShare),
        "critical-path" => Box::new(order::CriticalPath),
        "packer" => Box::new(order::Tetris { knob: 1.0 }),
        "tetris" => Box::new(order::Tetris { knob: TETRIS_KNOB }),
        "withhold" => withhold(WITHHOLD_PATIENCE),
        _ => match knob(name, "tetris_k", 1.0) {
            Some(knob) => Box::new(order::Tetris { knob }),
            None => withhold(knob(name, "withhold_", f64::INFINITY)?),
        },
    })
}

fn withhold(patience: f64) -> Box<dyn Order> {
    Box::new(order::Withhold { longer_than: WITHHOLD_LONGER_THAN, patience })
}

fn size_named(name: &str) -> Option<Size> {
    match name {
        "default" => Some(Size::Default),
        "smallest" => Some(Size::Smallest),
        "largest" => Some(Size::Largest),
        _ => None,
    }
}

fn placement_named(name: &str) -> Option<Box<dyn Placer>> {
    Some(match name {
        "warm-first" => Box::new(placement::WarmFirst),
        "wait-warm" => Box::new(placement::WaitWarm { patience: WAIT_WARM }),
        "hiku" => Box::new(placement::Hiku),
        "least-loaded" => Box::new(placement::LeastLoaded),
        "power-of-two" => Box::new(placement::PowerOfTwo),
        "best-fit" => Box::new(placement::BestFit),
        "best-aligned" => Box::new(placement::BestAligned),
        "hermod" => Box::new(placement::Hermod),
        "earliest-finish" => Box::new(placement::EarliestFinish),
        "ch-bl" => hashing(CH_BL_BOUND, 0.0),
        "ch-rlu" => hashing(CH_RLU_BOUND, HASHING_NOISE),
        _ => {
            if let Some(patience) = knob(name, "wait-warm_", f64::INFINITY) {
                Box::new(placement::WaitWarm { patience })
            } else if let Some(bound) = knob(name, "ch-bl_", f64::INFINITY) {
                hashing(bound, 0.0)
            } else {
                hashing(knob(name, "ch-rlu_", f64::INFINITY)?, HASHING_NOISE)
            }
        }
    })
}

fn hashing(bound: f64, noise: f64) -> Box<dyn Placer> {
    Box::new(placement::ConsistentHashing { bound: bound.max(SMALLEST_BOUND), noise })
}

/// `Some(None)` is what the configuration says.
fn keep_alive_named(name: &str) -> Option<Option<MakeKeepAlive>> {
    let make: MakeKeepAlive = match name {
        "configured" => return Some(None),
        "hybrid-histogram" => Box::new(|| Box::new(HybridHistogram::default())),
        "greedy-dual" => Box::new(|| Box::new(GreedyDual::default())),
        "belady" => Box::new(|| Box::new(Belady)),
        _ => {
            let minutes = knob(name, "fixed_", f64::INFINITY)?;
            Box::new(move || Box::new(Fixed(SimTime::from_seconds(60.0 * minutes))))
        }
    };
    Some(Some(make))
}

/// What `sjf` does now: it warms clusters up.
pub(crate) fn warm_up(view: &ServerlessView<'_>) -> Action {
    let starts = Starts {
        order: Box::new(order::ShortestJob),
        size: Size::Default,
        placement: Box::new(placement::WarmFirst),
    };
    starts.choose(view)
}
