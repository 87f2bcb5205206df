//! The settings of one episode.

use common::SimTime;
use configuration::FailureConfig;

use crate::interests::Interests;

/// What varies between episodes of one configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct EpisodeRules {
    /// Offered load of the arrivals, as a fraction; 1.0 is 100%.
    pub load: f64,
    /// Part of the training mixture that the episode was drawn from, counted from 1; 0: there is no mixture.
    pub mixture_part: u32,
    /// How long an idle container is kept, unless the scheduler decides that.
    pub keep_alive: SimTime,
    /// After a *wait* the scheduler is asked again after at most this time.
    pub ask_again: SimTime,
    /// How often a scheduler that pre-warms and releases is asked about it.
    pub pool_tick: SimTime,
    /// The episode ends at most this long after the last arrival; what has not finished by then counts as unfinished.
    pub drain_limit: SimTime,
    /// Network time from zone to zone, [zones, zones]; requests are dispatched from zone 0.
    pub zone_latency: Vec<Vec<SimTime>>,
    /// Reward and outcome count from here on, and arrivals from here on count.
    pub counts_from: SimTime,
    /// The fallback rule decides until here.
    pub asks_from: SimTime,
    /// This long after the last arrival the fallback rule takes over and decides about what is left.
    pub asks_after_horizon: SimTime,
    /// Schedulers see true durations.
    pub oracle: bool,
    /// The first container that is ready takes the oldest invocation that one of its function starts for.
    pub late_binding: bool,
    /// Functions of different isolation tags never share a node.
    pub isolation: bool,
    /// What the scheduler needs or decides beside starts.
    pub interests: Interests,
    /// When nodes fail; `None`: never.
    pub failures: Option<FailureConfig>,
}
