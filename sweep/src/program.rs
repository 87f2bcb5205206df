//! What a trial runs, and what it has spent at each decision.

use std::collections::BTreeMap;

/// The texts of configurations, by their paths.
pub type Configs = BTreeMap<String, String>;

/// What a trial runs.
#[derive(Clone, Debug)]
pub enum Program {
    /// It trains a policy.
    Train {
        /// The configuration that trials share.
        config: String,
        /// Settings of all trials.
        set: Vec<String>,
        /// Environment steps of a whole training.
        steps: u64,
    },
    /// It plays a rule.
    Evaluate {
        /// What the rule is played on.
        configs: Vec<String>,
        /// Settings of all trials.
        set: Vec<String>,
        /// The scheduler with parameters in braces.
        scheduler: String,
        /// The scheduler to beat.
        baseline: String,
    },
}

/// What a trial has spent at a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Environment steps of each run, or episodes of each configuration and load.
    pub spent: u64,
    /// Runs, a seed each.
    pub seeds: u32,
}
