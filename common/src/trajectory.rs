//! What an actor records and a learner learns from. Replay shards read the header alone; the body is opaque to them.

use serde::{Deserialize, Serialize};

use crate::ids::{ActorId, Digest, GroupId, Incarnation, PolicyVersion, RunId, SequenceNumber};
use crate::seed::RunSeed;
use crate::time::SimTime;

/// Which scenario an episode plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Multi-resource job slots.
    Slots,
    /// A cluster of worker nodes running functions.
    Serverless,
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Scenario::Slots => "slots",
            Scenario::Serverless => "serverless",
        })
    }
}

/// What everybody on the way may read of a trajectory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryHeader {
    /// The run that it belongs to.
    pub run: RunId,
    /// Who played it.
    pub actor: ActorId,
    /// Which life of that actor.
    pub incarnation: Incarnation,
    /// Its number among those that this incarnation sent to this shard; set when it is sent.
    pub sequence: SequenceNumber,
    /// Its place in the order in which this incarnation finished its trajectories, over all shards.
    pub ordinal: u64,
    /// Scenario.
    pub scenario: Scenario,
    /// Seed of the episode.
    pub episode: RunSeed,
    /// Rollouts of one arrival sequence share a group.
    pub group: Option<GroupId>,
    /// Policy version at its first step.
    pub first_version: PolicyVersion,
    /// Policy version at its last step.
    pub last_version: PolicyVersion,
    /// Initial priority for prioritised sampling; infinity: as large as the largest that is known.
    pub priority: f32,
    /// Digest of the observation and action schema.
    pub schema: Digest,
    /// Steps in the body.
    pub steps: u32,
}

/// Which of its options a policy took at each stage, as places in the frame's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// No start.
    Wait,
    /// The start with this place in the frame's option table.
    Start(u32),
}

/// Parts of the reward, each an integral since the previous decision, before weighting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reward {
    /// −∫ Σ 1/T_ref over jobs in the system.
    pub latency: f32,
    /// The same with each job weighted towards the geometric mean over functions.
    pub fairness: f32,
    /// ∫ Σ scarcity · used / capacity.
    pub utilisation: f32,
    /// −1 for each violated objective.
    pub slo: f32,
    /// −USD.
    pub cost: f32,
}

/// Return of a rollout from a decision on, and the mean return of its group's others from the same time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupReturn {
    /// Discounted weighted reward from this decision on.
    pub own: f32,
    /// Mean over the other rollouts of the group from the same simulated time on.
    pub others: f32,
    /// Root mean square of `own − others` over all decisions of the group.
    pub spread: f32,
}

/// One recorded decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When it was taken.
    pub time: SimTime,
    /// Simulated time until the next recorded decision (or the end of the episode).
    pub elapsed: SimTime,
    /// What was done, as the cluster understood it.
    pub action: crate::Action,
    /// The same as places in the frame's tables.
    pub choice: Choice,
    /// Log-probability of each stage under the policy that acted.
    pub log_probability: [f32; 3],
    /// Reward between this decision and the next recorded one.
    pub reward: Reward,
    /// The weighted sum of the reward's parts that is learnt from.
    pub weighted_reward: f32,
    /// Discount over `elapsed`.
    pub discount: f32,
    /// Value estimate of the acting policy, or 0.
    pub value: f32,
    /// With the group baseline only.
    pub group: Option<GroupReturn>,
}

/// A piece of an episode: its steps, and the states as opaque bytes (one frame a step, and one more where the episode
/// goes on after the last step).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryBody {
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Offered load of the episode (1.0 is 100%), for statistics by load.
    pub load: f32,
    /// Length of the episode's arrivals, for the same statistics.
    pub horizon: SimTime,
    /// Whether the episode ended with the last step; otherwise a bootstrap frame follows.
    pub ended: bool,
}
