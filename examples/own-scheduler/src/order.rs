//! An order: who goes first. Size, placement and keep-alive come from parts that are there already.

use common::ids::InvocationId;
use engine::serverless::{Line, ServerlessView};
use heuristics::serverless::order::Order;

/// Earliest deadline first (Jackson 1955): what came first, plus the latency at which its objective breaks by the estimates.
pub struct EarliestDeadline;

impl Order for EarliestDeadline {
    fn rank(&self, view: &ServerlessView<'_>, line: &Line) -> Option<(f64, InvocationId)> {
        let function = &view.spec().functions[line.function.0 as usize];
        let allowed = function.slo_factor * view.estimate(line.function).p95;
        Some((line.arrived.seconds() + allowed, line.oldest))
    }
}
