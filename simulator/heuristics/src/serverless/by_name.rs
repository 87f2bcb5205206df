//! Schedulers made of the parts that a name gives.

use common::SimTime;
use engine::Scheduler;

use super::composed::{Composed, MakeKeepAlive};
use super::keep_alive::{Belady, Fixed, GreedyDual, HybridHistogram};
use super::naming::Parts;
use super::order::{self, Order};
use super::parts::{
    CH_BL_BOUND, CH_RLU_BOUND, HASHING_NOISE, SMALLEST_BOUND, TETRIS_KNOB, WAIT_WARM, WITHHOLD_LONGER_THAN,
    WITHHOLD_PATIENCE,
};
use super::placement::{self, Placer};
use super::size::Size;
use crate::names::{knob, reservations};

/// The one name of the scheduler that is called so.
///
/// # Errors
/// What is wrong with the name.
pub(crate) fn canonical(name: &str) -> Result<String, String> {
    Ok(Parts::of(name)?.name())
}

/// The scheduler that is called so.
pub(crate) fn by_name(name: &str) -> Result<Box<dyn Scheduler>, String> {
    let parts = Parts::of(name)?;
    let make = || {
        let composed = Composed::new(
            parts.name(),
            order_named(&parts.order)?,
            size_named(&parts.size)?,
            placement_named(&parts.placement)?,
            keep_alive_named(&parts.keep_alive)?,
        );
        let most = reservations(&parts.reservations).unwrap_or(0);
        Some(composed.with_reservations(most))
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
#[allow(
    clippy::option_option,
    reason = "a name that is known and a part that is left to the configuration differ"
)]
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
