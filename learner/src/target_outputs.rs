//! What the target networks say of every state of a batch.

use std::ops::Range;

use common::trajectory::Choice;
use configuration::Algorithm;
use policy::EpisodeFacts;
use tch::Tensor;
use torch_extension::process_group::ProcessGroup;

use crate::LearnerError;
use crate::ahead::one_ahead;
use crate::batch::Batch;
use crate::cuts::Cuts;
use crate::networks::Networks;
use crate::rank_states::{Collator, RankStates, chunks};

/// Outputs of the target networks.
pub(crate) struct TargetOutputs {
    /// Value of each state, in units of the return scale; bootstrap states come after those of the steps. In Q-learning: the Q-value of
    /// the decision that the network which learns likes most.
    pub(crate) values: Vec<f32>,
    /// Log-probability of each step's decision; in Q-learning its Q-value.
    pub(crate) of_decisions: Vec<f32>,
}

/// Evaluates the target networks on the states of `batch`. Each number is computed by one rank and then sent to all.
pub(crate) fn target_outputs(
    networks: &Networks,
    collator: &Collator,
    ranks: Option<&ProcessGroup>,
    batch: &Batch,
    cuts: &Cuts,
) -> Result<TargetOutputs, LearnerError> {
    let steps = batch.steps.len();
    let (taken, bootstraps) = batch.states.split_at(steps);
    let mut ranges = chunks(taken);
    ranges.extend(chunks(bootstraps).into_iter().map(|range| range.start + steps..range.end + steps));
    let mut all = vec![[0.0; 2]; batch.states.len()];
    let collate =
        |range: &Range<usize>| collator.collate(&batch.states, cuts, &range.clone().collect::<Vec<_>>());
    one_ahead(&ranges, collate, |range, states| {
        let states = states?;
        let places = states.places.iter().map(|place| range.start + place);
        let facts: Vec<EpisodeFacts> = places.clone().map(|place| batch.facts[place]).collect();
        let values = tch::no_grad(|| match networks.algorithm {
            Algorithm::PolicyGradient => values(networks, ranks, &states, &facts),
            Algorithm::Dqn => best_q_values(networks, ranks, &states),
        })?;
        places.clone().zip(values).for_each(|(place, value)| all[place][0] = value);
        if range.end <= steps {
            let choices: Vec<Choice> = places.clone().map(|place| batch.steps[place].choice).collect();
            let decided = tch::no_grad(|| of_decisions(networks, ranks, &states, &choices))?;
            places.zip(decided).for_each(|(place, output)| all[place][1] = output);
        }
        Ok::<_, LearnerError>(())
    })?;
    let all = sum_over_ranks(all, ranks)?;
    Ok(TargetOutputs {
        values: all.iter().map(|[value, _]| *value).collect(),
        of_decisions: all[..steps].iter().map(|[_, output]| *output).collect(),
    })
}

/// The entries of the other ranks are zero, so the sum is exact.
fn sum_over_ranks(all: Vec<[f32; 2]>, ranks: Option<&ProcessGroup>) -> Result<Vec<[f32; 2]>, LearnerError> {
    let Some(ranks) = ranks else { return Ok(all) };
    let sum = Tensor::from_slice(all.as_flattened());
    ranks.all_reduce(&sum)?;
    Ok(Vec::<f32>::try_from(&sum)?.as_chunks().0.to_vec())
}

fn values(
    networks: &Networks,
    ranks: Option<&ProcessGroup>,
    states: &RankStates,
    facts: &[EpisodeFacts],
) -> Result<Vec<f32>, LearnerError> {
    let Some(graph) = &states.graph else { return Ok(Vec::new()) };
    Ok(Vec::try_from(&networks.target_value.forward(graph, facts, ranks)?)?)
}

fn best_q_values(
    networks: &Networks,
    ranks: Option<&ProcessGroup>,
    states: &RankStates,
) -> Result<Vec<f32>, LearnerError> {
    let Some(graph) = &states.graph else { return Ok(Vec::new()) };
    let best = networks.policy.best_choices(graph, ranks)?;
    Ok(Vec::try_from(&networks.target_policy.q_values(graph, &best, 0.0, ranks)?)?)
}

fn of_decisions(
    networks: &Networks,
    ranks: Option<&ProcessGroup>,
    states: &RankStates,
    taken: &[Choice],
) -> Result<Vec<f32>, LearnerError> {
    let Some(graph) = &states.graph else { return Ok(Vec::new()) };
    let outputs = match networks.algorithm {
        Algorithm::PolicyGradient => {
            networks.target_policy.evaluate(graph, taken, 0.0, ranks)?.log_probability
        }
        Algorithm::Dqn => networks.target_policy.q_values(graph, taken, 0.0, ranks)?,
    };
    Ok(Vec::try_from(&outputs)?)
}
