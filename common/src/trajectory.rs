//! What an actor records and a learner learns from. Replay shards read only the header; the body is opaque to them.

use serde::{Deserialize, Serialize};

use crate::ids::{ActorId, Incarnation, PolicyVersion, SequenceNumber};
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

/// The part of a trajectory that shards read, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryHeader {
    /// The actor that played it.
    pub actor: ActorId,
    /// That actor's incarnation.
    pub incarnation: Incarnation,
    /// Its number among those that this incarnation sends to this shard; set when it is sent.
    pub sequence: SequenceNumber,
    /// Its place in the order in which this incarnation has finished its trajectories, over all shards.
    pub ordinal: u64,
    /// Policy version at its first step.
    pub first_version: PolicyVersion,
    /// Policy version at its last step.
    pub last_version: PolicyVersion,
    /// Initial priority for prioritised sampling; infinity means the largest that the learner has set. A larger one counts as that.
    pub priority: f32,
    /// Steps in the body.
    pub steps: u32,
}

/// Which of its options a policy took, as a place in the tables of a state graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// Does nothing until the next decision.
    Wait,
    /// The option with this place in the state graph's table.
    Act(u32),
}

/// Return of a rollout from a decision on, and the mean return of the others of its group from the same time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupReturn {
    /// Discounted weighted reward from this decision on.
    pub own: f32,
    /// Mean over the other rollouts of the group from the same simulated time on.
    pub others: f32,
    /// Root mean square over all rollouts of the group of what each differs by from the others, from the same time on.
    pub spread: f32,
}

/// Ends of the stretches of time from a decision on over which arrivals to come are counted, in seconds.
pub const FORESIGHT: [f64; 4] = [2.0, 8.0, 32.0, f64::INFINITY];

/// What arrives within each stretch of [`FORESIGHT`]: count, urgency and work ([`crate::Arrived`]).
pub type ToCome = [[f32; 3]; FORESIGHT.len()];

/// An instant of an episode, with what no policy sees and a baseline may know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// Simulated time.
    pub time: SimTime,
    /// Sum of 1 / reference duration over what is in the system, 1/s.
    pub urgency: f32,
    /// Arrivals to come.
    pub to_come: ToCome,
}

/// One recorded decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When it was made.
    pub moment: Moment,
    /// What was done, as places in the tables of the step's state.
    pub choice: Choice,
    /// Its log-probability under the policy that acted, nats.
    pub log_probability: f32,
    /// Weighted sum of the reward's parts between this decision and the next recorded one (or the end of the episode),
    /// discounted to the time of this decision.
    pub weighted_reward: f32,
    /// Discount over the same time, 0 to 1.
    pub discount: f32,
    /// Returns for the group baseline, where it is used.
    pub group: Option<GroupReturn>,
}

/// The steps of a trajectory, and facts of its episode. The states are another block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryBody {
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Part of the training mixture that the episode was drawn from, counted from 1, for statistics by part; 0: there is no mixture.
    pub part: u32,
    /// Offered load of the episode (1.0 is 100%), for statistics by load.
    pub load: f32,
    /// Length of the episode's arrivals, for the same statistics.
    pub horizon: SimTime,
    /// When the state after the last step was reached, which follows those of the steps to bootstrap from; none where the episode
    /// ended with the last step.
    pub after: Option<Moment>,
}
