use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::addresses::MetricsAddress;
use crate::{ActorConfig, GroupConfig};
use crate::{Device, Schedule, Seconds};

/// How the services take turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Everybody at their own pace; repeats statistically.
    #[default]
    Async,
    /// Fixed turns; one seed gives the same bits.
    Lockstep,
}

/// Where the policy's advantage comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Advantage {
    /// V-trace, with the value network as baseline.
    Vtrace,
    /// The same-seed group baseline; needs `learner.group`.
    Group,
}

/// What the policy network learns to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// A distribution over decisions, by an importance-sampled policy gradient with a value network.
    #[default]
    PolicyGradient,
    /// The return of each decision (its Q-value), by double Q-learning with a target network; actors are ε-greedy. There is no
    /// value network, no entropy and no group: those keys mean nothing then.
    Dqn,
}

/// How the learner learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LearnerConfig {
    /// Turn-taking.
    #[garde(skip)]
    pub mode: Mode,
    /// "policy-gradient", or "dqn" (double Q-learning, for comparison).
    #[garde(skip)]
    pub algorithm: Algorithm,
    /// Ends the run: environment steps (recorded decisions) learnt from.
    #[garde(range(min = 1, max = 1_000_000_000_000_000_u64))]
    pub budget_steps: u64,
    /// Ends the run after this wall time, too; 0: no limit.
    #[garde(range(min = 0.0, max = 1e7))]
    pub wall_limit_minutes: f64,
    /// Decisions in one batch; a version is published after each batch.
    #[garde(range(min = 1, max = 16_777_216))]
    pub batch_steps: usize,
    /// Passes over each batch.
    #[garde(range(min = 1, max = 64))]
    pub epochs: usize,
    /// Minibatches a pass.
    #[garde(range(min = 1, max = 4096))]
    pub minibatches: usize,
    /// Share of a batch that comes out of the table `replayed`, from what was learnt from before.
    #[garde(range(min = 0.0, max = 0.95))]
    pub replayed_share: f64,
    /// Where that table samples by priority, β of the importance weights (items × probability)^−β that make up for it: 1
    /// wholly, 0 not at all (Schaul et al. 2016, arXiv 1511.05952).
    #[garde(range(min = 0.0, max = 1.0))]
    pub importance_exponent: f64,
    /// Items more than this many published versions old are dropped and counted.
    #[garde(range(min = 1, max = 1_000_000))]
    pub max_lag: u64,
    /// A scheduler that the policy learns to decide like, as a start for later runs (`--init-from`): half of the environments play the
    /// scheduler and half the policy, the policy's loss is the cross-entropy of what the scheduler would decide, and the value network
    /// learns the returns. Empty: the policy plays and learns from its own returns.
    #[garde(length(max = 200))]
    pub imitate: String,
    /// What the policy gradient is weighted with.
    #[garde(skip)]
    pub advantage: Advantage,
    /// The group baseline.
    #[garde(dive)]
    pub group: Option<GroupConfig>,
    /// V-trace: truncation of the importance weight in the temporal difference.
    #[garde(range(min = 0.001, max = 1000.0))]
    pub rho_bar: f64,
    /// V-trace: truncation of the trace's importance weight.
    #[garde(range(min = 0.0, max = 1000.0))]
    pub c_bar: f64,
    /// V-trace: trace decay.
    #[garde(range(min = 0.0, max = 1.0))]
    pub lambda: f64,
    /// Advantages, which are brought to a root mean square of 1 first, are bounded to plus and minus this.
    #[garde(range(min = 0.1, max = 1e9))]
    pub advantage_clip: f64,
    /// IMPACT's clip of the ratio to the target policy.
    #[garde(range(min = 0.01, max = 10.0))]
    pub ratio_clip: f64,
    /// The target networks are copied every so many batches.
    #[garde(range(min = 1, max = 1_000_000_000))]
    #[schemars(extend("x-unit" = "batches"))]
    pub target_period: u64,
    /// The policy that is validated, kept and played is the running mean of the weights: after each batch this fraction of the old mean
    /// stays. 0: the weights as they are. Actors play those as they are in any case.
    #[garde(range(min = 0.0, max = 0.9999))]
    pub average_decay: f64,
    /// Learning rate.
    #[garde(dive, custom(not_nothing))]
    pub learning_rate: Schedule,
    /// Weight of the normalised entropy.
    #[garde(dive, custom(leaves_something))]
    pub entropy_cost: Schedule,
    /// Weight of the value loss.
    #[garde(range(min = 0.0, max = 1e6), custom(baseline_learns(self)))]
    pub value_cost: f64,
    /// Gradients are scaled down to this norm.
    #[garde(range(min = 1e-6, max = 1e9))]
    pub max_gradient_norm: f64,
    /// Ends the run when this many updates in a row had to be skipped because they were not finite.
    #[garde(range(min = 1))]
    pub max_skipped_updates: u32,
    /// Evaluation on validation seeds every so many batches.
    #[garde(range(min = 1, max = 1_000_000_000))]
    #[schemars(extend("x-unit" = "batches"))]
    pub evaluate_every: u64,
    /// Checkpoint every so many batches.
    #[garde(range(min = 1, max = 1_000_000_000))]
    #[schemars(extend("x-unit" = "batches"))]
    pub checkpoint_every: u64,
    /// Newest checkpoints that are kept, beside the best.
    #[garde(range(min = 1, max = 1000))]
    pub keep_checkpoints: usize,
    /// Threads of the learner's tensor operations, of each rank where there are several; 0: every core, shared out evenly.
    #[garde(range(max = 1024))]
    pub threads: usize,
    /// One rank of the learner for each, started on this machine: `["cpu", "cpu"]` are two that learn together.
    #[garde(length(min = 1, max = 64))]
    pub devices: Vec<Device>,
    /// Deadline of what all ranks do together; so long at most a lost rank goes unnoticed.
    #[garde(range(min = 1.0, max = 3600.0))]
    pub rank_deadline_seconds: Seconds,
    /// States with at least so many edges (both directions counted) are spread over all ranks; smaller ones stay whole.
    #[garde(range(min = 1, max = 1_000_000_000_000_000_u64))]
    #[schemars(extend("x-unit" = "edges"))]
    pub partition_edges: u64,
    /// Where the learner's service listens for health checks and metrics; none by default.
    #[garde(skip)]
    pub metrics_address: Option<MetricsAddress>,
}

impl LearnerConfig {
    /// The group baseline that actors play for; none where a scheduler is imitated or Q-values are learnt, because nothing is compared.
    #[must_use]
    pub fn played_group(&self) -> Option<&GroupConfig> {
        self.group.as_ref().filter(|_| self.imitate.is_empty() && self.algorithm == Algorithm::PolicyGradient)
    }

    /// Threads of one of the ranks that are started on this machine; 0: every core.
    #[must_use]
    pub fn threads_of_rank(&self) -> usize {
        if self.threads > 0 || self.devices.len() < 2 {
            return self.threads;
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (cores / self.devices.len()).max(1)
    }
}

/// Values that single keys cannot judge.
pub(crate) fn goes_together(actor: &ActorConfig) -> impl FnOnce(&LearnerConfig, &()) -> garde::Result {
    move |learner, _context| {
        let fail = |message: &str| Err(garde::Error::new(message));
        if learner.advantage == Advantage::Group && learner.group.is_none() {
            return fail("advantage = \"group\" needs learner.group, e.g. group = { rollouts = 8 }");
        }
        if learner.algorithm == Algorithm::Dqn && learner.target_period == 1 {
            return fail(
                "algorithm = \"dqn\" needs a target_period above 1: a target network that is copied before each batch is none",
            );
        }
        if learner.algorithm == Algorithm::Dqn && !learner.imitate.is_empty() {
            return fail("algorithm = \"dqn\" imitates nothing: leave learner.imitate out");
        }
        if let Some(group) = &learner.group
            && group.rollouts > 0
            && !actor.environments.is_multiple_of(group.rollouts)
        {
            return fail("group.rollouts must divide actor.environments");
        }
        if learner.minibatches > learner.batch_steps {
            return fail("minibatches must not be more than batch_steps: some would be empty");
        }
        if learner.mode == Mode::Lockstep && learner.replayed_share > 0.0 {
            return fail("mode = \"lockstep\" needs replayed_share = 0: a turn learns from its own episodes");
        }
        if learner.mode == Mode::Lockstep && actor.segment_seconds > 0.0 {
            return fail(
                "mode = \"lockstep\" needs actor.segment_seconds = 0: a turn consists of whole episodes",
            );
        }
        if learner.mode == Mode::Lockstep && learner.wall_limit_minutes > 0.0 {
            return fail("mode = \"lockstep\" needs wall_limit_minutes = 0: a clock repeats nothing");
        }
        Ok(())
    }
}

fn not_nothing(rate: &Schedule, _context: &()) -> garde::Result {
    if rate.from > 0.0 || rate.to > 0.0 {
        return Ok(());
    }
    Err(garde::Error::new(
        "is 0 from the start to the end: nothing would be learnt; give e.g. { from = 6e-4, to = 1e-4 }",
    ))
}

/// Beyond it the entropy drowns everything that is to be learnt: advantages and entropy are both of order one.
const MOST_ENTROPY_COST: f64 = 100.0;

fn leaves_something(cost: &Schedule, _context: &()) -> garde::Result {
    if cost.from.max(cost.to) <= MOST_ENTROPY_COST {
        return Ok(());
    }
    Err(garde::Error::new(format!(
        "is {{ from = {}, to = {} }}; beyond {MOST_ENTROPY_COST} nothing but chance would be learnt",
        cost.from, cost.to
    )))
}

fn baseline_learns(learner: &LearnerConfig) -> impl FnOnce(&f64, &()) -> garde::Result {
    let needed = learner.advantage == Advantage::Vtrace && learner.algorithm == Algorithm::PolicyGradient;
    move |cost, _context| {
        if *cost > 0.0 || !needed {
            return Ok(());
        }
        Err(garde::Error::new(
            "is 0: with learner.advantage = \"vtrace\" the baseline would never learn; give e.g. 0.5",
        ))
    }
}

impl Default for LearnerConfig {
    fn default() -> Self {
        LearnerConfig {
            mode: Mode::Async,
            algorithm: Algorithm::PolicyGradient,
            budget_steps: 1_000_000,
            wall_limit_minutes: 0.0,
            batch_steps: 16_384,
            epochs: 2,
            minibatches: 8,
            replayed_share: 0.0,
            importance_exponent: 1.0,
            max_lag: 8,
            imitate: String::new(),
            advantage: Advantage::Vtrace,
            group: None,
            rho_bar: 1.0,
            c_bar: 1.0,
            lambda: 1.0,
            advantage_clip: 10.0,
            ratio_clip: 0.2,
            target_period: 1,
            average_decay: 0.0,
            learning_rate: Schedule::linear(6e-4, 1e-4),
            entropy_cost: Schedule::linear(0.01, 0.001),
            value_cost: 0.5,
            max_gradient_norm: 1.0,
            max_skipped_updates: 16,
            evaluate_every: 10,
            checkpoint_every: 10,
            keep_checkpoints: 3,
            threads: 0,
            devices: vec![Device::Cpu],
            rank_deadline_seconds: Seconds(30.0),
            partition_edges: 50_000,
            metrics_address: None,
        }
    }
}
