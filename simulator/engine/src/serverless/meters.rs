//! Rates of use, integrated over time.

use common::cluster::NodeSpec;

use super::outcome::{RESOURCES, Resource, Usage};

const MB_PER_GB: f64 = 1024.0;

/// What is in use now, summed over nodes.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    pub used: [f64; RESOURCES],
    pub allocated: [f64; RESOURCES],
    capacity: [f64; RESOURCES],
    bound_mb: f64,
    idle_mb: f64,
    priced_bound_mb: f64,
    priced_idle_mb: f64,
    usage: Usage,
}

impl Meters {
    pub fn new(nodes: &[NodeSpec]) -> Self {
        Meters {
            used: [0.0; RESOURCES],
            allocated: [0.0; RESOURCES],
            capacity: capacities(nodes),
            bound_mb: 0.0,
            idle_mb: 0.0,
            priced_bound_mb: 0.0,
            priced_idle_mb: 0.0,
            usage: Usage::default(),
        }
    }

    /// Counts `seconds` at the present rates.
    pub fn advance(&mut self, seconds: f64) {
        let usage = &mut self.usage;
        usage.seconds += seconds;
        for resource in 0..RESOURCES {
            usage.used[resource] += self.used[resource] * seconds;
            usage.allocated[resource] += self.allocated[resource] * seconds;
        }
        let gb_seconds = seconds / MB_PER_GB;
        usage.bound_gb_seconds += self.bound_mb * gb_seconds;
        usage.idle_gb_seconds += self.idle_mb * gb_seconds;
        usage.priced_bound_gb_seconds += self.priced_bound_mb * gb_seconds;
        usage.priced_idle_gb_seconds += self.priced_idle_mb * gb_seconds;
    }

    /// Use of the counted time.
    pub fn usage(&self) -> Usage {
        Usage { capacity: self.capacity.map(|capacity| capacity * self.usage.seconds), ..self.usage }
    }

    /// Weights of what is in use: scarcity / capacity.
    pub fn scarce(&self, scarcity: &[f64; RESOURCES]) -> [f64; RESOURCES] {
        std::array::from_fn(|resource| scarcity[resource] / self.capacity[resource])
    }

    /// Σ weight · used now.
    pub fn weighted_use(&self, weights: &[f64; RESOURCES]) -> f64 {
        (0..RESOURCES).map(|resource| weights[resource] * self.used[resource]).sum()
    }

    /// GB of idle containers now.
    pub fn idle_gb(&self) -> f64 {
        self.idle_mb / MB_PER_GB
    }

    /// GB of all containers now, each weighted with its node's price class.
    pub fn priced_gb(&self) -> f64 {
        (self.priced_bound_mb + self.priced_idle_mb) / MB_PER_GB
    }

    /// `bound` and `idle` MB more (or less) are held on a node of that price class.
    pub fn hold(&mut self, bound: f64, idle: f64, price_class: f64) {
        self.bound_mb += bound;
        self.idle_mb += idle;
        self.priced_bound_mb += bound * price_class;
        self.priced_idle_mb += idle * price_class;
        self.allocated[Resource::Memory as usize] += bound + idle;
    }
}

/// Capacity of a cluster by resource; CPU in vCPUs, speed aside.
fn capacities(nodes: &[NodeSpec]) -> [f64; RESOURCES] {
    let sum = |of: fn(&NodeSpec) -> f64| nodes.iter().map(of).sum();
    [
        sum(|node| f64::from(node.cpu_millicores) / 1000.0),
        sum(|node| f64::from(node.memory_mb)),
        sum(|node| f64::from(node.network_mbps)),
    ]
}
