//! Configuration: one TOML file of `schema = 1`, with unknown keys refused and single values set from the command line.

mod actor;
mod addresses;
mod check;
mod collisions;
mod device;
mod evaluation;
mod learner;
mod load;
mod names;
mod nodes;
mod policy;
mod reference;
mod renamed;
mod replay;
mod reward;
mod schema;
mod seconds;
mod serverless;
mod simulator;
mod table_checks;
mod tables;
mod trace;
mod transport;
mod workflow;
mod workload;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use actor::{ActorConfig, GroupConfig, GroupScale};
pub use addresses::{Host, HostPort, LinkAddress, MetricsAddress};
pub use device::Device;
pub use evaluation::EvaluationConfig;
pub use learner::{Advantage, LearnerConfig, Mode, Schedule};
pub use load::{ConfigError, load, parse, parse_earlier};
pub use policy::{PolicyConfig, Storage};
pub use reference::{Entry, entries, reference};
pub use renamed::bring_up_to_date;
pub use replay::{Durability, FRESH_TABLE, REPLAYED_TABLE, ReplayConfig};
pub use reward::RewardConfig;
pub use schema::schema;
pub use seconds::Seconds;
pub use serverless::*;
pub use simulator::*;
pub use tables::{RemoverConfig, SamplerConfig, TableConfig, table_id};
pub use trace::{TraceConfig, TraceFiles};
pub use transport::TransportConfig;
pub use workflow::WorkflowConfig;
pub use workload::*;

use crate::names::sound_name;
use common::seed::RunSeed;

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
    #[garde(dive)]
    #[serde(default)]
    pub reward: RewardConfig,
    /// The networks.
    #[garde(dive)]
    #[serde(default)]
    pub policy: PolicyConfig,
    /// Actors.
    #[garde(dive)]
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
