use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How policies are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// Heuristics beside the policy.
    #[garde(length(min = 1))]
    pub schedulers: Vec<String>,
    /// Validation episodes of each point while training.
    #[garde(range(min = 1, max = 1_000_000))]
    pub validation_episodes: u32,
    /// Unseen episodes of each point in the report.
    #[garde(range(min = 1, max = 10_000_000))]
    pub test_episodes: u32,
    /// `slots`: loads in percent.
    #[garde(length(min = 1), inner(range(min = 0.01, max = 10_000.0)))]
    #[schemars(extend("x-unit" = "%"))]
    pub loads: Vec<f64>,
    /// `slots`: episode lengths in steps.
    #[garde(length(min = 1), inner(range(min = 2, max = 1_000_000)))]
    #[schemars(extend("x-unit" = "steps"))]
    pub steps: Vec<u32>,
    /// Threads over which episodes of heuristics are spread; 0: every core.
    #[garde(range(max = 1024))]
    pub threads: usize,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        EvaluationConfig {
            // Rules of both scenarios.
            schedulers: vec!["sjf".to_owned(), "tetris".to_owned()],
            validation_episodes: 50,
            test_episodes: 500,
            loads: vec![10.0, 50.0, 90.0, 110.0, 130.0, 184.5],
            steps: vec![50, 200],
            threads: 0,
        }
    }
}
