//! How states that are too large for one rank are cut over all of them.

use std::num::NonZeroU32;

use partition::EdgeList;
use policy::messages;
use state_graph::Frame;
use tch::{Kind, Tensor};
use torch_extension::process_group::ProcessGroup;

use crate::LearnerError;
use crate::share::{edges_of, nodes_of, ranks_of};

/// The rank of each node of the states of a batch that are spread over ranks; made once for all passes over the batch.
#[derive(Debug, Default)]
pub(crate) struct Cuts(Vec<Option<Vec<u32>>>);

impl Cuts {
    /// Cuts the states that have `at_least` so many edges. Every rank cuts some of them and tells the others.
    pub(crate) fn of(
        frames: &[Frame],
        at_least: u64,
        group: Option<&ProcessGroup>,
    ) -> Result<Self, LearnerError> {
        let Some(group) = group.filter(|group| group.size() > 1) else { return Ok(Cuts::default()) };
        let is_large = |frame: &&Frame| edges_of(frame) >= at_least;
        let large: Vec<&Frame> = frames.iter().filter(is_large).collect();
        if large.is_empty() {
            return Ok(Cuts::default());
        }
        let parts = ranks_of(group);
        let mut table = Vec::new();
        for (place, frame) in large.iter().enumerate() {
            let nodes = nodes_of(frame) as usize;
            if place % group.size() == group.rank() {
                table.extend(owners(frame, nodes, parts)?.into_iter().map(|owner| owner as i32));
            } else {
                table.resize(table.len() + nodes, 0);
            }
        }
        // Everybody else's entries are zero.
        let table = Tensor::from_slice(&table).to_kind(Kind::Int);
        group.all_reduce(&table)?;
        let mut owners = Vec::<i32>::try_from(&table)?.into_iter().map(|owner| owner as u32);
        let cut = |frame: &Frame| {
            is_large(&frame).then(|| owners.by_ref().take(nodes_of(frame) as usize).collect())
        };
        Ok(Cuts(frames.iter().map(cut).collect()))
    }

    /// The rank of each node of the state at `place` in the batch, where it is spread.
    pub(crate) fn owners(&self, place: usize) -> Option<&[u32]> {
        self.0.get(place)?.as_deref()
    }
}

/// A streaming cut: states of a cluster are dense between invocations and worker nodes, and what would be found by looking
/// longer is small beside what finding it costs (docs/decisions/cutting-states.md).
fn owners(frame: &Frame, nodes: usize, parts: NonZeroU32) -> Result<Vec<u32>, LearnerError> {
    let (sources, targets) = messages(frame);
    let list = EdgeList::new(nodes, &sources, &targets).map_err(policy::PolicyError::from)?;
    Ok(partition::stream(&list, parts))
}
