//! What is known of a worker node.

use std::collections::BTreeSet;

use common::SimTime;
use common::ids::ContainerId;

use super::function::DecayingRate;

/// Functions that a node remembers as started there lately.
pub(super) const RECENT: usize = 4;
/// Time constant of the rate of starts and of the average of bound memory, seconds.
pub(super) const RECENT_SECONDS: f64 = 60.0;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct NodeState {
    /// Memory of containers that start or run, MB.
    pub(super) bound_mb: u32,
    /// Memory of idle containers, MB.
    pub(super) idle_mb: u32,
    /// Moving average of `bound_mb` until `averaged_at`, MB.
    average_bound_mb: f64,
    averaged_at: SimTime,
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
        self.starts.add(at, RECENT_SECONDS);
        self.recent.retain(|&known| known != function);
        self.recent.insert(0, function);
        self.recent.truncate(RECENT);
    }

    /// Moving average of the memory of containers that start or run, MB.
    pub(super) fn bound_lately(&self, now: SimTime) -> f64 {
        let kept = (-now.since(self.averaged_at).seconds() / RECENT_SECONDS).exp();
        kept * self.average_bound_mb + (1.0 - kept) * f64::from(self.bound_mb)
    }

    fn average(&mut self, at: SimTime) {
        self.average_bound_mb = self.bound_lately(at);
        self.averaged_at = at;
    }

    pub(super) fn bind(&mut self, at: SimTime, memory_mb: u32) {
        self.average(at);
        self.bound_mb += memory_mb;
        self.busy += 1;
    }

    pub(super) fn unbind(&mut self, at: SimTime, memory_mb: u32) {
        self.average(at);
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
