use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ServerlessConfig;
use common::trajectory::Scenario;

/// What is simulated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatorConfig {
    /// Which of the two scenarios.
    #[garde(skip)]
    pub scenario: Scenario,
    /// `slots`.
    #[garde(dive)]
    #[serde(default)]
    pub slots: SlotsConfig,
    /// `serverless`.
    #[garde(dive)]
    #[serde(default)]
    pub serverless: ServerlessConfig,
}

/// Multi-resource job slots (DeepRM's setting).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SlotsConfig {
    /// Visible slots.
    #[garde(range(min = 1, max = 1000))]
    pub visible: u32,
    /// Places in the backlog.
    #[garde(range(min = 0, max = 1_000_000))]
    pub backlog: u32,
    /// Units of each resource.
    #[garde(range(min = 10, max = 1000))]
    pub capacity: u32,
    /// What a dropped job costs: the slowdown that it is deemed to have had. Without it dropping would pay.
    #[garde(range(min = 0.0, max = 1e6))]
    pub drop_penalty: f64,
    /// Training episodes, as a mixture of lengths and loads.
    #[garde(dive, length(min = 1, max = 1000), custom(any_part))]
    pub training: Vec<SlotsMixture>,
}

/// A part of the training mixture: episodes of one length with loads drawn uniformly from a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotsMixture {
    /// Relative weight.
    #[garde(range(min = 0.0, max = 1e9))]
    pub weight: f64,
    /// Episode length in steps.
    #[garde(range(min = 2, max = 100_000))]
    pub steps: u32,
    /// Lowest and highest load, percent.
    #[garde(inner(range(min = 1.0, max = 368.0)), custom(crate::workload::low_then_high))]
    #[schemars(extend("x-unit" = "%"))]
    pub loads: [f64; 2],
}

impl Default for SlotsConfig {
    fn default() -> Self {
        SlotsConfig {
            visible: 10,
            backlog: 60,
            capacity: 10,
            drop_penalty: 50.0,
            training: vec![SlotsMixture { weight: 1.0, steps: 50, loads: [10.0, 190.0] }],
        }
    }
}

fn any_part(parts: &[SlotsMixture], _context: &()) -> garde::Result {
    if parts.iter().any(|part| part.weight > 0.0) {
        return Ok(());
    }
    Err(garde::Error::new("has no part with a weight above 0: no episode could be drawn"))
}
