//! The whole configuration, part by part.

use common::seed::RunSeed;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::sound_name;
use crate::{
    ActorConfig, EvaluationConfig, LearnerConfig, PolicyConfig, ReplayConfig, RewardConfig, SimulatorConfig,
    TransportConfig, actor, collisions, learner, policy, reward, table_checks,
};

/// The whole configuration of a training run; every service reads the part that it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Version of this file's layout; 1.
    #[garde(custom(known_schema))]
    pub schema: u32,
    /// Names the run folder and the report.
    #[garde(custom(sound_name))]
    pub name: String,
    /// All randomness of the run derives from it.
    #[garde(skip)]
    pub seed: RunSeed,
    /// What is simulated.
    #[garde(dive)]
    pub simulator: SimulatorConfig,
    /// What is learnt from.
    #[garde(dive, custom(reward::mode_fits(self.simulator.scenario)))]
    #[serde(default)]
    pub reward: RewardConfig,
    /// The networks.
    #[garde(dive, custom(policy::plays(self.simulator.scenario)))]
    #[serde(default)]
    pub policy: PolicyConfig,
    /// Actors.
    #[garde(dive, custom(actor::segments_end_well(self.simulator.scenario, &self.reward)))]
    #[serde(default)]
    pub actor: ActorConfig,
    /// Replay shards.
    #[garde(dive, custom(table_checks::serve_all(&self.actor, &self.learner)))]
    #[serde(default)]
    pub replay: ReplayConfig,
    /// The learner.
    #[garde(dive, custom(learner::goes_together(&self.actor)))]
    #[serde(default)]
    pub learner: LearnerConfig,
    /// How policies are compared, while training and at the end.
    #[garde(dive)]
    #[serde(default)]
    pub evaluation: EvaluationConfig,
    /// Where the services find each other.
    #[garde(dive, custom(collisions::do_not_collide(&self.actor, &self.replay, &self.learner)))]
    #[serde(default)]
    pub transport: TransportConfig,
}

fn known_schema(schema: &u32, _context: &()) -> garde::Result {
    if *schema == 1 {
        return Ok(());
    }
    Err(garde::Error::new(format!("is {schema}; this version of Longshore reads schema = 1")))
}
