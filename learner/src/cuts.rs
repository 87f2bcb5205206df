//! States that are too large for one rank, cut over all ranks.

use std::num::NonZeroU32;

use partition::EdgeList;
use policy::messages;
use state_graph::StateGraph;
use tch::{Kind, Tensor};
use torch_extension::process_group::ProcessGroup;

use crate::LearnerError;

/// The rank of each node of the states of a batch that are spread over ranks; made once for all passes over the batch.
#[derive(Debug, Default)]
pub(crate) struct Cuts(Vec<Option<Vec<u32>>>);

impl Cuts {
    /// Cuts the states that have `at_least` so many edges. Each rank cuts some of them and sends the result to the others.
    pub(crate) fn of(
        states: &[StateGraph],
        at_least: u64,
        ranks: Option<&ProcessGroup>,
    ) -> Result<Self, LearnerError> {
        let Some(ranks) = ranks.filter(|ranks| ranks.size() > 1) else { return Ok(Cuts::default()) };
        let is_large = |state: &&StateGraph| edges_of(state) >= at_least;
        let large: Vec<&StateGraph> = states.iter().filter(is_large).collect();
        if large.is_empty() {
            return Ok(Cuts::default());
        }
        let parts = ranks_of(ranks);
        let mut table = Vec::new();
        for (place, state) in large.iter().enumerate() {
            let nodes = nodes_of(state) as usize;
            if place % ranks.size() == ranks.rank() {
                table.extend(owners(state, nodes, parts)?.into_iter().map(|owner| owner as i32));
            } else {
                table.resize(table.len() + nodes, 0);
            }
        }
        // The entries of the other ranks are zero.
        let table = Tensor::from_slice(&table).to_kind(Kind::Int);
        ranks.all_reduce(&table)?;
        let mut owners = Vec::<i32>::try_from(&table)?.into_iter().map(|owner| owner as u32);
        let cut = |state: &StateGraph| {
            is_large(&state).then(|| owners.by_ref().take(nodes_of(state) as usize).collect())
        };
        Ok(Cuts(states.iter().map(cut).collect()))
    }

    /// The rank of each node of the state at `place` in the batch, where it is spread.
    pub(crate) fn owners(&self, place: usize) -> Option<&[u32]> {
        self.0.get(place)?.as_deref()
    }
}

/// A streaming cut: states of a cluster are dense between invocations and worker nodes, and what would be found by looking
/// longer is small beside what finding it costs (docs/decisions/cutting-states.md).
fn owners(state: &StateGraph, nodes: usize, parts: NonZeroU32) -> Result<Vec<u32>, LearnerError> {
    let (sources, targets) = messages(state);
    let list = EdgeList::new(nodes, &sources, &targets).map_err(policy::PolicyError::from)?;
    Ok(partition::stream(&list, parts))
}

/// As many parts as there are ranks.
pub(crate) fn ranks_of(ranks: &ProcessGroup) -> NonZeroU32 {
    NonZeroU32::new(ranks.size() as u32).unwrap_or(NonZeroU32::MIN)
}

/// Nodes of a state.
pub(crate) fn nodes_of(state: &StateGraph) -> u64 {
    state.nodes.iter().map(|&count| u64::from(count)).sum()
}

/// Edges of a state, both directions counted.
pub(crate) fn edges_of(state: &StateGraph) -> u64 {
    2 * state.edges.iter().map(|&count| u64::from(count)).sum::<u64>()
}
