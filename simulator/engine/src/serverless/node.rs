//! What a worker node holds.

use common::cluster::NodeSpec;

/// Memory and containers of a worker node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub capacity_mb: u32,
    /// Memory of containers that start or run, MB.
    pub bound_mb: u32,
    pub idle_mb: u32,
    /// Place of the container that has been idle longest, where one is idle.
    pub oldest_idle: Option<u32>,
    pub youngest_idle: Option<u32>,
    /// Places of the containers that start or run, in no particular order.
    pub busy: Vec<u32>,
    /// Isolation tag of the containers on the node, where isolation is enforced.
    pub tag: Option<u32>,
    pub up: bool,
}

impl Node {
    pub fn new(spec: &NodeSpec) -> Self {
        Node {
            capacity_mb: spec.memory_mb,
            bound_mb: 0,
            idle_mb: 0,
            oldest_idle: None,
            youngest_idle: None,
            busy: Vec::new(),
            tag: None,
            up: true,
        }
    }

    /// Memory that can be had, if need be by evicting all that is idle, MB.
    #[inline]
    pub fn obtainable_mb(&self) -> u32 {
        if self.up { self.capacity_mb - self.bound_mb } else { 0 }
    }

    /// Memory that no container holds, MB.
    #[inline]
    pub fn free_mb(&self) -> u32 {
        if self.up { self.capacity_mb - self.bound_mb - self.idle_mb } else { 0 }
    }
}
