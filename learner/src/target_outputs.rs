//! What the target networks say of every state of a batch.

use std::ops::Range;

use common::trajectory::Choice;
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
    /// Value of each state, in units of the return scale; bootstrap states come after those of the steps.
    pub(crate) values: Vec<f32>,
    /// Log-probability of each step's decision.
    pub(crate) log_probabilities: Vec<f32>,
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
        let values = tch::no_grad(|| values(networks, ranks, &states, &facts))?;
        places.clone().zip(values).for_each(|(place, value)| all[place][0] = value);
        if range.end <= steps {
            let choices: Vec<Choice> = places.clone().map(|place| batch.steps[place].choice).collect();
            let logs = tch::no_grad(|| log_probabilities(networks, ranks, &states, &choices))?;
            places.zip(logs).for_each(|(place, log)| all[place][1] = log);
        }
        Ok::<_, LearnerError>(())
    })?;
    let all = sum_over_ranks(all, ranks)?;
    Ok(TargetOutputs {
        values: all.iter().map(|[value, _]| *value).collect(),
        log_probabilities: all[..steps].iter().map(|[_, log]| *log).collect(),
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

fn log_probabilities(
    networks: &Networks,
    ranks: Option<&ProcessGroup>,
    states: &RankStates,
    taken: &[Choice],
) -> Result<Vec<f32>, LearnerError> {
    let Some(graph) = &states.graph else { return Ok(Vec::new()) };
    let evaluation = networks.target_policy.evaluate(graph, taken, 0.0, ranks)?;
    Ok(Vec::try_from(&evaluation.log_probability)?)
}
