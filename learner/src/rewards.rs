//! What V-trace sums up: rewards as they were played, or what they were more than those of the others of a group.

use common::trajectory::Step;

use crate::LearnerError;
use crate::batch::{Batch, TrajectorySpan};
use crate::vtrace::{Vtrace, VtraceInput, VtraceParameters, vtrace};

/// The rewards of one trajectory, as V-trace reads them: one entry a step.
pub(crate) struct Rewards {
    rewards: Vec<f32>,
    discounts: Vec<f32>,
    /// Whether the value of the state after the last step counts.
    bootstraps: bool,
    /// From each step on, what returns of the group typically differ by; empty where there is no group.
    pub(crate) spreads: Vec<f32>,
}

impl Rewards {
    /// Those of every trajectory, as they were played.
    pub(crate) fn as_played(batch: &Batch) -> Vec<Self> {
        batch.trajectories.iter().map(|span| Self::played(batch, span)).collect()
    }

    /// Those of every trajectory, beyond what the others of its group got.
    ///
    /// # Errors
    /// [`LearnerError::Config`] where a step has no group.
    pub(crate) fn beyond_groups(batch: &Batch) -> Result<Vec<Self>, LearnerError> {
        let of = |span: &TrajectorySpan| Self::relative(&batch.steps[span.steps.clone()]);
        batch.trajectories.iter().map(of).collect::<Option<_>>().ok_or_else(|| {
            LearnerError::Config(
                "learner.advantage is \"group\", but actors send no group returns".to_owned(),
            )
        })
    }

    fn played(batch: &Batch, span: &TrajectorySpan) -> Self {
        let steps = &batch.steps[span.steps.clone()];
        Rewards {
            rewards: steps.iter().map(|step| step.weighted_reward).collect(),
            discounts: steps.iter().map(|step| step.discount).collect(),
            bootstraps: true,
            spreads: Vec::new(),
        }
    }

    /// Such that their discounted sum from each step on is the difference of the returns.
    fn relative(steps: &[Step]) -> Option<Self> {
        let differences: Vec<f32> = steps
            .iter()
            .map(|step| step.group.map(|group| group.own - group.others))
            .collect::<Option<_>>()?;
        let mut discounts: Vec<f32> = steps.iter().map(|step| step.discount).collect();
        // The return of the last step reaches to the end of the episode already.
        discounts.last_mut().into_iter().for_each(|last| *last = 0.0);
        let next = differences.iter().skip(1).chain(&[0.0]);
        let rewards = differences.iter().zip(&discounts).zip(next);
        Some(Rewards {
            rewards: rewards.map(|((own, discount), next)| own - discount * next).collect(),
            spreads: steps.iter().filter_map(|step| step.group).map(|group| group.spread).collect(),
            discounts,
            bootstraps: false,
        })
    }

    /// V-trace, all in units of the reward; `values` of all states of the batch.
    pub(crate) fn vtrace(
        &self,
        span: &TrajectorySpan,
        log_ratios: &[f32],
        values: &[f32],
        parameters: VtraceParameters,
    ) -> Vtrace {
        let input = VtraceInput {
            log_ratios: &log_ratios[span.steps.clone()],
            rewards: &self.rewards,
            discounts: &self.discounts,
            values: &values[span.steps.clone()],
            bootstrap: span.bootstrap.filter(|_| self.bootstraps).map_or(0.0, |state| values[state]),
        };
        vtrace(input, parameters)
    }
}

/// The rewards from each step to the end of its trajectory, discounted.
pub(crate) fn returns(rewards: &[Rewards]) -> Vec<f32> {
    let mut all = Vec::new();
    for rewards in rewards {
        let start = all.len();
        let mut sum = 0.0;
        for (reward, discount) in rewards.rewards.iter().zip(&rewards.discounts).rev() {
            sum = reward + discount * sum;
            all.push(sum);
        }
        all[start..].reverse();
    }
    all
}
