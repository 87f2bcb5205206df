use common::SimTime;
use common::ids::{ContainerId, NodeId};

use super::{FellIdle, KeepAlive};
use engine::Interests;
use engine::serverless::ServerlessView;

/// Longer than any episode, seconds: containers go only when memory is needed.
const FOREVER: f64 = 1e6;

/// A reference that knows the future (after Belady 1966): a container whose function is never called again goes at once;
/// when memory is needed, the one whose function is called last goes. It is no bound: containers differ in size, and stages of
/// workflows are not foreseen.
#[derive(Clone)]
pub struct Belady;

impl KeepAlive for Belady {
    fn interests(&self) -> Interests {
        Interests { keep_alive: true, evictions: true, foresight: true, ..Interests::default() }
    }

    fn keep(&mut self, view: &ServerlessView<'_>, container: &FellIdle) -> SimTime {
        match view.foreseen_arrival(container.function) {
            Some(_) => SimTime::from_seconds(FOREVER),
            None => SimTime::ZERO,
        }
    }

    fn victim(&mut self, view: &ServerlessView<'_>, node: NodeId) -> Option<ContainerId> {
        let never = SimTime(u64::MAX);
        let next_use = |function| view.foreseen_arrival(function).unwrap_or(never);
        view.idle_on(node).max_by_key(|container| next_use(container.function)).map(|container| container.id)
    }
}
