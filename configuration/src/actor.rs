use common::trajectory::Scenario;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RewardConfig;
use crate::addresses::MetricsAddress;

/// How actors play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActorConfig {
    /// Actors that `longshore train` starts in its own process.
    #[garde(range(min = 1, max = 256))]
    pub count: usize,
    /// Environments that one actor steps together, with one forward pass for all of them.
    #[garde(range(min = 1, max = 16384))]
    pub environments: usize,
    /// Longest piece of an episode that is sent as one trajectory, in decisions.
    #[garde(range(min = 1, max = 4096))]
    pub unroll: usize,
    /// One of so many decisions is drawn at random and recorded; the others are the most probable ones, as in an evaluation. So what a
    /// drawn decision leads to is not drowned by thousands of other draws, and states are those that the policy is judged in.
    #[garde(range(min = 1, max = 1024))]
    #[schemars(extend("x-unit" = "decisions"))]
    pub record_one_in: usize,
    /// In `serverless`, episodes are played in segments of so many simulated seconds: all rollouts of a group begin a segment in the
    /// state that the first of them reached in the one before, and what follows a segment is played by `policy.prior`, or `sjf`, for 3 ×
    /// `reward.discount_seconds`, to see what its decisions led to. 0: whole episodes.
    #[garde(range(min = 0.0, max = 1e6))]
    #[schemars(extend("x-unit" = "s"))]
    pub segment_seconds: f64,
    /// Threads of one actor's forward pass, where the actor has a process of its own.
    #[garde(range(min = 1, max = 256))]
    pub threads: usize,
    /// Trajectories kept while shards are away; when it is full the actor pauses and says so.
    #[garde(range(min = 1, max = 1_000_000))]
    pub spool: usize,
    /// Bytes of them, in MiB; a single larger trajectory is kept all the same.
    #[garde(range(min = 1, max = 1_048_576))]
    pub spool_mib: u64,
    /// Where the actor's service listens for health checks and metrics, e.g. `127.0.0.1:9101`; none by default.
    #[garde(skip)]
    pub metrics_address: Option<MetricsAddress>,
}

/// A check that what follows a segment can be played, and ends.
pub(crate) fn segments_end_well(
    scenario: Scenario,
    reward: &RewardConfig,
) -> impl FnOnce(&ActorConfig, &()) -> garde::Result {
    move |actor, _context| {
        let fail = |message: &str| Err(garde::Error::new(message));
        if actor.segment_seconds == 0.0 {
            return Ok(());
        }
        if scenario == Scenario::Slots {
            return fail("segment_seconds must be 0 in `slots`, where no rule plays what follows a segment");
        }
        if reward.discount_seconds == 0.0 {
            return fail(
                "segment_seconds needs reward.discount_seconds: without it, what follows a segment has no end",
            );
        }
        Ok(())
    }
}

impl Default for ActorConfig {
    fn default() -> Self {
        ActorConfig {
            count: 1,
            environments: 64,
            unroll: 64,
            record_one_in: 1,
            segment_seconds: 0.0,
            threads: 1,
            spool: 1024,
            spool_mib: 512,
            metrics_address: None,
        }
    }
}

/// The same-seed group baseline: several rollouts of one arrival sequence, compared at equal simulated times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// Rollouts of each arrival sequence; it divides `actor.environments`.
    #[garde(range(min = 2, max = 256))]
    pub rollouts: usize,
    /// What advantages are divided by.
    #[garde(skip)]
    #[serde(default)]
    pub scale: GroupScale,
}

/// What the advantages of the group baseline are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupScale {
    /// The running root mean square over episodes of like load and length.
    #[default]
    Condition,
    /// The root mean square of what the returns of the group differ by from the same time on, but no less than what is typical: for
    /// workloads in which seconds of a burst bring a hundred times the usual and would drown all others.
    Group,
}
