//! What an episode is played by, and what a scheduler is asked.

use common::SimTime;
use common::ids::{ContainerId, FunctionId, NodeId};

use crate::scheduler::Interests;

/// What varies between episodes of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRules {
    /// Offered load that the arrivals were made for; 1.0 is 100%.
    pub load: f64,
    /// How long an idle container is kept, unless the scheduler decides that.
    pub keep_alive: SimTime,
    /// After a *wait* somebody is asked again after so long at the latest.
    pub ask_again: SimTime,
    /// How often a scheduler that pre-warms and releases is asked about it.
    pub pool_tick: SimTime,
    /// What has not finished so long after the horizon never will.
    pub drain_limit: SimTime,
    /// Network time between zones; requests are dispatched from zone 0.
    pub zone_latency: Vec<Vec<SimTime>>,
    /// Reward and outcome count from here on, and arrivals from here on count.
    pub counts_from: SimTime,
    /// `sjf` plays until here.
    pub asks_from: SimTime,
    /// So long after the horizon `sjf` plays on with what is left.
    pub asks_after_horizon: SimTime,
    /// Schedulers see true durations.
    pub oracle: bool,
    /// Functions of different isolation tags never share a node.
    pub isolation: bool,
    /// What the scheduler needs or decides beside starts.
    pub interests: Interests,
}

/// What a scheduler is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Who starts, where and with how much: `Start` or `Wait` (and `Release` from who declared that it decides pools).
    Start,
    /// How long is this container kept, which just fell idle: `KeepAlive`, or `Release`.
    KeepAlive {
        /// The container.
        container: ContainerId,
        /// Its function.
        function: FunctionId,
        /// Where it is.
        node: NodeId,
        /// Its memory, MB.
        memory_mb: u32,
    },
    /// Which containers are pre-warmed and released: `PreWarm` and `Release`, until `Wait`.
    Pools,
}

impl Question {
    /// Whether that container's keep-alive is asked for.
    pub(super) fn is_about(&self, asked: ContainerId) -> bool {
        matches!(self, Question::KeepAlive { container, .. } if *container == asked)
    }
}
