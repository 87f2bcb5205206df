use std::collections::HashMap;

use common::SimTime;
use common::ids::{ContainerId, FunctionId, NodeId};

use super::{FellIdle, KeepAlive};
use engine::Interests;
use engine::serverless::ServerlessView;

/// Longer than any episode, seconds: containers go only when memory is needed.
const FOREVER: f64 = 1e6;

/// `FaasCache` (Fuerst and Sharma, ASPLOS 2021): containers are a cache under the Greedy-Dual-Size-Frequency policy (Cherkasova
/// 1998). Nothing expires; when memory is needed the container with the lowest *clock + invocations × cold start / memory*
/// goes, and the clock moves up to that. Invocations are counted from the start of the episode.
#[derive(Clone, Default)]
pub struct GreedyDual {
    clock: f64,
    invocations: HashMap<FunctionId, u64>,
    priorities: HashMap<ContainerId, f64>,
}

impl KeepAlive for GreedyDual {
    fn interests(&self) -> Interests {
        Interests { keep_alive: true, evictions: true, ..Interests::default() }
    }

    fn keep(&mut self, view: &ServerlessView<'_>, container: &FellIdle) -> SimTime {
        let count = self.invocations.entry(container.function).or_insert(0);
        *count += 1;
        let cold = view.estimate(container.function).cold_start;
        let worth = *count as f64 * cold / f64::from(container.memory_mb);
        self.priorities.insert(container.container, self.clock + worth);
        SimTime::from_seconds(FOREVER)
    }

    fn victim(&mut self, view: &ServerlessView<'_>, node: NodeId) -> Option<ContainerId> {
        let priority = |id: &ContainerId| self.priorities.get(id).copied().unwrap_or(0.0);
        let idle = view.idle_on(node).map(|container| container.id);
        let victim = idle.min_by(|one, other| priority(one).total_cmp(&priority(other)))?;
        self.clock = self.clock.max(priority(&victim));
        self.priorities.remove(&victim);
        Some(victim)
    }
}
