//! What is known of a worker node.

use std::collections::BTreeSet;

use common::SimTime;
use common::ids::ContainerId;

use super::function::DecayingRate;

/// Functions that a node remembers as started there lately.
pub(super) const RECENT: usize = 4;
/// Time constant of the rate of starts, seconds.
pub(super) const STARTS_WINDOW: f64 = 60.0;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NodeState {
    /// Memory of containers that start or run, MB.
    pub(super) bound_mb: u32,
    /// Memory of idle containers, MB.
    pub(super) idle_mb: u32,
    pub(super) busy: u32,
    /// Idle containers, those that expire first at the front. With one keep-alive for all, which is the usual case, this is the
    /// order in which a start evicts them.
    pub(super) idle: BTreeSet<(SimTime, ContainerId)>,
    /// The node has failed; nothing can start on it.
    pub(super) down: bool,
    /// Rate of container starts.
    pub(super) starts: DecayingRate,
    /// Functions that started here last, the latest first, without repetition.
    pub(super) recent: Vec<usize>,
}

impl NodeState {
    pub(super) fn note_start(&mut self, at: SimTime, function: usize) {
        self.starts.add(at, STARTS_WINDOW);
        self.recent.retain(|&known| known != function);
        self.recent.insert(0, function);
        self.recent.truncate(RECENT);
    }

    pub(super) fn bind(&mut self, memory_mb: u32) {
        self.bound_mb += memory_mb;
        self.busy += 1;
    }

    pub(super) fn unbind(&mut self, memory_mb: u32) {
        self.bound_mb = self.bound_mb.saturating_sub(memory_mb);
        self.busy = self.busy.saturating_sub(1);
    }

    pub(super) fn enlist(&mut self, id: ContainerId, expires: SimTime, memory_mb: u32) {
        self.idle.insert((expires, id));
        self.idle_mb += memory_mb;
    }

    pub(super) fn delist(&mut self, id: ContainerId, expires: SimTime, memory_mb: u32) {
        if self.idle.remove(&(expires, id)) {
            self.idle_mb = self.idle_mb.saturating_sub(memory_mb);
        }
    }
}
