//! A state as one vector of fixed length: the features of the cluster, then those of the first nodes of each type. What lies
//! beyond is not seen; what is not there is zero.

use state_graph::{NODE_TYPES, NodeType, Schema, StateGraph};
use tch::Tensor;

use crate::batch::GraphBatch;

/// Of each node type, how many nodes have a place in the vector.
const PLACES: [usize; NODE_TYPES] = [16, 16, 32, 0];

/// The layout of the vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlatLayout {
    globals: usize,
    /// Features of a node of each type.
    features: [usize; NODE_TYPES],
}

impl FlatLayout {
    pub(crate) fn new(schema: &Schema) -> Self {
        let features = std::array::from_fn(|kind| schema.nodes[kind].len());
        FlatLayout { globals: schema.globals.len(), features }
    }

    /// Length of the vector.
    pub(crate) fn width(&self) -> usize {
        self.globals + (0..NODE_TYPES).map(|kind| self.width_of(kind)).sum::<usize>()
    }

    fn width_of(&self, kind: usize) -> usize {
        PLACES[kind] * self.features[kind]
    }

    /// `[graphs, width]`.
    pub(crate) fn rows(&self, batch: &GraphBatch) -> Tensor {
        let parts =
            (0..NODE_TYPES).filter(|kind| self.width_of(*kind) > 0).map(|kind| self.nodes(batch, kind));
        let parts: Vec<Tensor> = std::iter::once(batch.globals.shallow_clone()).chain(parts).collect();
        Tensor::cat(&parts, 1)
    }

    /// `[graphs, width_of(kind)]`.
    fn nodes(&self, batch: &GraphBatch, kind: usize) -> Tensor {
        let (graphs, places) = (batch.globals.size()[0], PLACES[kind] as i64);
        let options = (batch.globals.kind(), batch.globals.device());
        let table = Tensor::zeros([graphs * places, self.features[kind] as i64], options);
        let Some(features) = &batch.node_features[kind] else { return table.view([graphs, -1]) };
        let owner = &batch.node_graphs[kind];
        // Nodes of a graph lie beside each other: a node's number in its graph is its row less its graph's first row.
        let counts = owner.bincount::<&Tensor>(None, graphs);
        let firsts = counts.cumsum(0, None) - &counts;
        let number = Tensor::arange(features.size()[0], (owner.kind(), owner.device()))
            - firsts.index_select(0, owner);
        let kept = number.lt(places).nonzero().squeeze_dim(1);
        let place = (owner * places + number).index_select(0, &kept);
        table.index_copy(0, &place, &features.index_select(0, &kept)).view([graphs, -1])
    }

    /// Appends the vector of `state`.
    pub(crate) fn push(&self, schema: &Schema, state: &StateGraph, rows: &mut Vec<f32>) {
        rows.extend_from_slice(state.globals(schema));
        for kind in NodeType::ALL {
            let length = self.width_of(kind as usize);
            let features = state.node_features(schema, kind);
            let kept = features.len().min(length);
            rows.extend_from_slice(&features[..kept]);
            rows.resize(rows.len() + length - kept, 0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use state_graph::serverless;

    use super::*;
    use crate::random_states::{SIZES, rng, state_of};

    #[test]
    fn tensors_and_plain_arrays_hold_the_same_vectors() {
        let schema = serverless::schema(SIZES as usize);
        // In some there are more nodes of a type than have a place.
        let states = [[3, 5, 2, 1], [20, 40, 3, 2], [1, 30, 1, 2], [2, 1, 20, 30]]
            .map(|nodes| state_of(&schema, nodes, &mut rng(7)));
        let layout = FlatLayout::new(&schema);
        let mut plain = Vec::new();
        states.iter().for_each(|state| layout.push(&schema, state, &mut plain));
        assert_eq!(plain.len(), states.len() * layout.width());
        let batch = GraphBatch::collate(&schema, &states.iter().collect::<Vec<_>>());
        let rows = layout.rows(&batch);
        assert_eq!(rows.size(), [states.len() as i64, layout.width() as i64]);
        assert_eq!(Vec::<f32>::try_from(rows.flatten(0, -1)).unwrap(), plain);
    }
}
