//! The study file as it is written: what is run, what is varied, what is wanted, and how much it may cost.

use std::collections::BTreeMap;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A study file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-reference" = "longshore sweep reference"))]
pub struct StudyFile {
    /// Version of the format: 1.
    #[garde(range(min = 1, max = 1))]
    pub schema: u32,
    /// Name of the study, and of its folder under `sweeps/`.
    #[garde(custom(configuration::sound_name))]
    pub name: String,
    /// Seed of the sampler: the same seed and the same results give the same suggestions.
    #[garde(skip)]
    pub seed: u64,
    /// A trial trains a policy. Exactly one of `train` and `evaluate` is given.
    #[garde(dive)]
    pub train: Option<TrainProgram>,
    /// A trial plays a rule with parameters of its own.
    #[garde(dive)]
    pub evaluate: Option<EvaluateProgram>,
    /// What is varied: by the key of the configuration, or by the name in the braces of `evaluate.scheduler`.
    #[serde(default)]
    #[garde(dive)]
    pub parameters: BTreeMap<String, ParameterFile>,
    /// What is wanted. With several, no trial is better than another that is better in one of them.
    #[garde(length(min = 1, max = 8), dive)]
    pub objectives: Vec<Objective>,
    /// What a trial must hold. One that holds all of them is better than any that does not.
    #[serde(default)]
    #[garde(length(max = 16), dive)]
    pub constraints: Vec<Constraint>,
    /// How the next trial is chosen.
    #[serde(default)]
    #[garde(dive)]
    pub sampler: SamplerFile,
    /// How weak trials are ended early.
    #[serde(default)]
    #[garde(dive)]
    pub racing: RacingFile,
    /// When the study ends.
    #[garde(dive)]
    pub budget: Budget,
    /// What runs may use.
    #[serde(default)]
    #[garde(dive)]
    pub resources: Resources,
    /// Settings that are tried first, each a table of parameters; what one leaves out is drawn.
    #[serde(default)]
    #[garde(skip)]
    pub start: Vec<BTreeMap<String, Value>>,
    /// The comparison of the best trial with the baseline at the end, on seeds that no trial has used.
    #[garde(dive)]
    pub held_out: Option<HeldOut>,
}

/// What a training trial runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainProgram {
    /// The configuration that all trials share, and that is the baseline.
    #[garde(length(min = 1))]
    pub config: String,
    /// Settings of all trials, each `section.key=value`.
    #[serde(default)]
    #[garde(skip)]
    pub set: Vec<String>,
}

/// What a trial of a rule plays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluateProgram {
    /// Configurations of scenario `serverless`; the objective is the geometric mean over them.
    #[garde(length(min = 1, max = 64))]
    pub configs: Vec<String>,
    /// Settings of all trials, each `section.key=value`.
    #[serde(default)]
    #[garde(skip)]
    pub set: Vec<String>,
    /// The scheduler, with parameters in braces: `sjf+wait-warm_{patience}+reserve_{places}`.
    #[garde(length(min = 1))]
    pub scheduler: String,
    /// The scheduler to beat.
    #[garde(length(min = 1))]
    pub baseline: String,
}

/// The values of one parameter: exactly one of `uniform`, `log_uniform`, `integer` and `choice`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ParameterFile {
    /// Numbers between two ends, all alike.
    #[garde(skip)]
    pub uniform: Option<[f64; 2]>,
    /// Numbers between two ends above 0, all orders of magnitude alike.
    #[garde(skip)]
    pub log_uniform: Option<[f64; 2]>,
    /// Whole numbers between two ends, both included.
    #[garde(skip)]
    pub integer: Option<[i64; 2]>,
    /// With `integer`: all orders of magnitude alike.
    #[garde(skip)]
    pub log: bool,
    /// A list of numbers, texts, lists or tables without order.
    #[garde(skip)]
    pub choice: Option<Vec<Value>>,
    /// The parameter counts only where another one has one of these values.
    #[garde(dive)]
    pub only_if: Option<Condition>,
}

/// When a parameter counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Another parameter of the study.
    #[garde(length(min = 1))]
    pub key: String,
    /// The values with which this one counts.
    #[garde(length(min = 1))]
    pub is: Vec<Value>,
}

/// A figure that is to be small or large.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// With `train` a name of `metrics.jsonl`, e.g. `eval/score`; with `evaluate` a column of the results, e.g. `slowdown`.
    #[garde(length(min = 1))]
    pub metric: String,
    /// Which way is better.
    #[garde(skip)]
    pub direction: Direction,
    /// Which of the reports of a training counts: that which is best in the first objective, or the newest. All objectives and constraints
    /// are taken from one report; of an evaluation it is the newest.
    #[serde(default)]
    #[garde(skip)]
    pub take: Take,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Smaller values are better.
    #[serde(alias = "minimize")]
    Minimise,
    /// Larger values are better.
    #[serde(alias = "maximize")]
    Maximise,
}

impl Direction {
    /// The factor with which less is better: 1, or −1 where more is.
    #[must_use]
    pub fn sign(self) -> f64 {
        match self {
            Direction::Minimise => 1.0,
            Direction::Maximise => -1.0,
        }
    }
}

/// Which of a run's values counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Take {
    /// The best so far, as the checkpoint that a training keeps.
    #[default]
    Best,
    /// The newest.
    Last,
}

/// A figure that a trial must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Constraint {
    /// As for an objective.
    #[garde(length(min = 1))]
    pub metric: String,
    /// The most that it may be; with `of` a multiple of what that scheduler has.
    #[garde(range(min = -1e300, max = 1e300))]
    pub at_most: f64,
    /// With `evaluate`: a scheduler that is played on the same seeds.
    #[garde(inner(length(min = 1)))]
    pub of: Option<String>,
}

/// How the next trial is chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SamplerFile {
    /// The method by which settings are chosen.
    #[garde(skip)]
    pub kind: SamplerKind,
    /// `tpe`: trials drawn at random before the model counts.
    #[garde(range(min = 2, max = 10_000))]
    pub random_trials: u64,
    /// `grid`: points along each `uniform`, `log_uniform` or wide `integer` parameter.
    #[garde(range(min = 2, max = 1000))]
    pub grid_points: u32,
    /// `cma_es`: trials of a generation; 0: 4 + 3 ln(parameters).
    #[garde(range(max = 1000))]
    pub population: u32,
    /// `optuna`: where its study lies: an address without password, e.g. `sqlite:///optuna.db` or `postgresql+psycopg://user@host/name`, or the
    /// path of a file that holds the address.
    #[garde(inner(length(min = 1)))]
    pub storage: Option<String>,
    /// `optuna`: which of its samplers.
    #[garde(skip)]
    pub optuna_sampler: OptunaSampler,
}

impl Default for SamplerFile {
    fn default() -> Self {
        SamplerFile {
            kind: SamplerKind::Tpe,
            random_trials: 10,
            grid_points: 5,
            population: 0,
            storage: None,
            optuna_sampler: OptunaSampler::Tpe,
        }
    }
}

/// A method of choosing the next trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SamplerKind {
    /// Every combination, in order.
    Grid,
    /// Draws that know nothing of each other.
    Random,
    /// A scrambled Sobol sequence: draws that leave no gaps.
    Sobol,
    /// A tree-structured Parzen estimator: where good trials are dense and bad ones are not.
    #[default]
    Tpe,
    /// Evolution of a normal distribution; for ten and more numbers and many trials.
    CmaEs,
    /// A study of Optuna, which coordinators on several machines can share.
    Optuna,
}

/// A sampler of Optuna.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptunaSampler {
    /// Its tree-structured Parzen estimator, with all parameters together.
    #[default]
    Tpe,
    /// A Gaussian process (needs PyTorch in Python).
    Gp,
    /// CMA-ES (needs `cmaes` in Python).
    CmaEs,
    /// Draws that know nothing of each other.
    Random,
}

/// How weak trials are ended early.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RacingFile {
    /// Which trials go on at the end of a rung.
    #[garde(skip)]
    pub rule: RacingRule,
    /// `successive_halving`: one in this many goes on. `population`: one in this many is replaced.
    #[garde(range(min = 2, max = 100))]
    pub one_in: u32,
    /// `median`: so many trials go on before any is ended.
    #[garde(range(min = 1, max = 10_000))]
    pub free_trials: u32,
    /// `population`: a number of a copied trial is multiplied with this or divided by it.
    #[garde(range(min = 1.001, max = 100.0))]
    pub perturb: f64,
    /// `population`: the probability with which a parameter of a copied trial is drawn anew instead.
    #[garde(range(min = 0.0, max = 1.0))]
    pub redraw: f64,
    /// What a trial spends until each decision, ascending. Where there is none: the whole budget of a training with one seed.
    #[garde(length(max = 32), dive)]
    pub rungs: Vec<RungFile>,
}

impl Default for RacingFile {
    fn default() -> Self {
        RacingFile {
            rule: RacingRule::None,
            one_in: 3,
            free_trials: 5,
            perturb: 1.25,
            redraw: 0.25,
            rungs: Vec::new(),
        }
    }
}

/// Which trials go on at the end of a rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RacingRule {
    /// All trials go on; nobody is ended early.
    #[default]
    None,
    /// Those among the best `1 / one_in` of the rung, whenever a core is free (ASHA, Li et al. 2020).
    SuccessiveHalving,
    /// Those not worse than the median of the rung so far.
    Median,
    /// All but the weakest, which are replaced by copies of the strongest that go on, from their checkpoints, with settings changed a
    /// little (population-based training, Jaderberg et al. 2017).
    Population,
}

/// What a trial has spent at a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RungFile {
    /// `train`: environment steps of each run.
    #[garde(inner(range(min = 1)))]
    pub steps: Option<u64>,
    /// `evaluate`: episodes of each configuration and load.
    #[garde(inner(range(min = 1, max = 1_000_000)))]
    pub episodes: Option<u64>,
    /// `train`: seeds, a run each; the same ones for all trials.
    #[serde(default = "one")]
    #[garde(range(min = 1, max = 1000))]
    pub seeds: u32,
}

fn one() -> u32 {
    1
}

/// When a study ends: at the first of these.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Trials; those of `start` count, the baseline does not.
    #[garde(inner(range(min = 1, max = 1_000_000)))]
    pub trials: Option<u64>,
    /// Minutes in which a coordinator ran; what runs then is stopped. The comparison at the end comes on top.
    #[garde(inner(range(min = 0.01, max = 1e6)))]
    pub minutes: Option<f64>,
    /// `train`: environment steps of all runs.
    #[garde(inner(range(min = 1)))]
    pub steps: Option<u64>,
    /// No new trials after so many in a row that were no better than the best before them.
    #[garde(inner(range(min = 1, max = 1_000_000)))]
    pub trials_without_gain: Option<u64>,
}

/// What runs may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Cores of all runs together; 0: all of the machine.
    #[garde(range(max = 65_536))]
    pub cores: u32,
    /// Cores of one run: `cores / cores_per_run` runs at once.
    #[garde(range(min = 1, max = 65_536))]
    pub cores_per_run: u32,
    /// GPUs of all runs together, numbered from 0.
    #[garde(range(max = 1024))]
    pub gpus: u32,
    /// GPUs of one run, which sees only them.
    #[garde(range(max = 1024))]
    pub gpus_per_run: u32,
    /// How often a run that failed by its own fault is tried again.
    #[garde(range(max = 100))]
    pub retries: u32,
    /// How often a run that the machine ended is run again, from its checkpoint.
    #[garde(range(max = 10_000))]
    pub restarts: u32,
}

impl Default for Resources {
    fn default() -> Self {
        Resources { cores: 0, cores_per_run: 1, gpus: 0, gpus_per_run: 0, retries: 1, restarts: 100 }
    }
}

/// The comparison at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldOut {
    /// `train`: seeds that no trial has used, a run each of the best trial and of the baseline. `evaluate`: episodes of the test part.
    #[garde(range(min = 2, max = 1_000_000))]
    pub seeds: u32,
}
