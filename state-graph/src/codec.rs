//! States as bytes: consecutive states share every section that did not change.
//!
//! A state is: a mask of `u32` (bit s: section s is that of the previous state; bit 31: *wait* is allowed; bit 30: the
//! indices are those of the previous state), the counts as `u32` little-endian (node types, edge types, options), then
//! the features of each section whose bit is clear as `f32` little-endian, then the indices as `u32` unless shared.

use crate::state_graph::{SECTIONS, StateGraph};
use crate::{EDGE_TYPES, NODE_TYPES, Schema};

const MAY_WAIT: u32 = 1 << 31;
const SAME_INDICES: u32 = 1 << 30;
const COUNTS: usize = NODE_TYPES + EDGE_TYPES + 1;
/// Largest count that is accepted in a state. A larger count means that the bytes are damaged.
const MAX_COUNT: u32 = 100_000_000;

/// Most bytes that the states of one trajectory may take in memory: states that repeat the one before are 46 bytes on the wire.
const MAX_DECODED_BYTES: usize = 512 << 20;

/// Why bytes cannot be decoded into states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateGraphError {
    /// The bytes end within a state.
    #[error("state {state} is cut off: {needed} more bytes expected, {left} left")]
    CutOff {
        /// Index of the state, counted from 0.
        state: usize,
        /// Bytes that the next part of the state needs.
        needed: usize,
        /// Bytes that remain in the input.
        left: usize,
    },
    /// A state shares a section with a previous state that is not there or has another size.
    #[error("state {state} shares section {section} with a state in which it has another size")]
    NothingToShare {
        /// Index of the state, counted from 0.
        state: usize,
        /// Index of the section, counted from 0; the number of sections stands for the indices.
        section: usize,
    },
    /// A count is larger than any state may have.
    #[error("state {state} claims {count} rows in one section")]
    TooLarge {
        /// Index of the state, counted from 0.
        state: usize,
        /// The number of nodes, edges or options that the bytes announce.
        count: u32,
    },
    /// The states together are larger than those of any trajectory.
    #[error("state {state} makes the states larger than {MAX_DECODED_BYTES} bytes")]
    TooMuch {
        /// Index of the state, counted from 0.
        state: usize,
    },
    /// An index points outside its table.
    #[error("state {state} has an index outside its table")]
    BadIndex {
        /// Index of the state, counted from 0.
        state: usize,
    },
    /// The number of states differs from the announced one.
    #[error("{found} states where {expected} were announced")]
    Count {
        /// Number of states that the caller announced.
        expected: usize,
        /// Number of states that were read; there are more bytes where it is the announced one.
        found: usize,
    },
}

/// Writes states one after the other.
#[derive(Debug, Default)]
pub struct StateGraphEncoder {
    bytes: Vec<u8>,
    previous: Option<StateGraph>,
}

impl StateGraphEncoder {
    /// Appends `state`; sections that are equal to those of the previous state are not repeated.
    pub fn push(&mut self, schema: &Schema, state: StateGraph) {
        let sections = state.sections(schema);
        let mut mask = if state.may_wait { MAY_WAIT } else { 0 };
        if let Some(previous) = &self.previous {
            let before = previous.sections(schema);
            for section in 0..SECTIONS {
                if previous.features[before[section].clone()] == state.features[sections[section].clone()] {
                    mask |= 1 << section;
                }
            }
            if previous.indices == state.indices {
                mask |= SAME_INDICES;
            }
        }
        self.bytes.extend_from_slice(&mask.to_le_bytes());
        for count in state.nodes.iter().chain(&state.edges).chain([&state.options]) {
            self.bytes.extend_from_slice(&count.to_le_bytes());
        }
        for (section, range) in sections.into_iter().enumerate() {
            if mask & (1 << section) == 0 {
                self.bytes.extend(state.features[range].iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        if mask & SAME_INDICES == 0 {
            self.bytes.extend(state.indices.iter().flat_map(|value| value.to_le_bytes()));
        }
        self.previous = Some(state);
    }

    /// The bytes of all states; the encoder is empty afterwards.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        self.previous = None;
        std::mem::take(&mut self.bytes)
    }

    /// Number of bytes encoded so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was pushed since the last [`StateGraphEncoder::finish`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Reads states back, checking every count and index.
#[derive(Debug)]
pub struct StateGraphDecoder<'a> {
    bytes: &'a [u8],
    state: usize,
    /// Bytes that all states may still take.
    budget: usize,
}

impl<'a> StateGraphDecoder<'a> {
    /// Reads exactly `count` states.
    ///
    /// # Errors
    /// [`StateGraphError`] where the bytes are damaged.
    pub fn decode_all(
        schema: &Schema,
        bytes: &'a [u8],
        count: usize,
    ) -> Result<Vec<StateGraph>, StateGraphError> {
        let mut decoder = StateGraphDecoder { bytes, state: 0, budget: MAX_DECODED_BYTES };
        let mut states: Vec<StateGraph> = Vec::new();
        while !decoder.bytes.is_empty() && states.len() < count {
            let next = decoder.next_state(schema, states.last())?;
            states.push(next);
        }
        if states.len() != count || !decoder.bytes.is_empty() {
            return Err(StateGraphError::Count { expected: count, found: states.len() });
        }
        Ok(states)
    }

    fn take(&mut self, needed: usize) -> Result<&'a [u8], StateGraphError> {
        let (head, tail) = self.bytes.split_at_checked(needed).ok_or(StateGraphError::CutOff {
            state: self.state,
            needed,
            left: self.bytes.len(),
        })?;
        self.bytes = tail;
        Ok(head)
    }

    fn next_state(
        &mut self,
        schema: &Schema,
        previous: Option<&StateGraph>,
    ) -> Result<StateGraph, StateGraphError> {
        let mask = self.take(4)?;
        let mask = u32::from_le_bytes([mask[0], mask[1], mask[2], mask[3]]);
        let mut state = self.read_counts()?;
        state.may_wait = mask & MAY_WAIT != 0;
        self.spend(&state, schema)?;
        let before = previous.map(|previous| (previous, previous.sections(schema)));
        for (section, range) in state.sections(schema).into_iter().enumerate() {
            if mask & (1 << section) == 0 {
                let bytes = self.take(range.len() * 4)?;
                state
                    .features
                    .extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            } else {
                let shared =
                    before.as_ref().map(|(previous, ranges)| &previous.features[ranges[section].clone()]);
                let shared = shared.filter(|shared| shared.len() == range.len());
                let missing = StateGraphError::NothingToShare { state: self.state, section };
                state.features.extend_from_slice(shared.ok_or(missing)?);
            }
        }
        state.indices = self.read_indices(&state, mask, previous)?;
        if !indices_fit(&state, schema) {
            return Err(StateGraphError::BadIndex { state: self.state });
        }
        self.state += 1;
        Ok(state)
    }

    /// Takes what a state with these counts needs off the budget, before anything is allocated for it.
    fn spend(&mut self, state: &StateGraph, schema: &Schema) -> Result<(), StateGraphError> {
        let features = state.sections(schema).last().map_or(0, |section| section.end);
        let needed = 4 * (features + index_count(state)) + size_of::<StateGraph>();
        self.budget =
            self.budget.checked_sub(needed).ok_or(StateGraphError::TooMuch { state: self.state })?;
        Ok(())
    }

    fn read_counts(&mut self) -> Result<StateGraph, StateGraphError> {
        let bytes = self.take(4 * COUNTS)?;
        let mut counts = [0_u32; COUNTS];
        for (count, b) in counts.iter_mut().zip(bytes.chunks_exact(4)) {
            *count = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            if *count > MAX_COUNT {
                return Err(StateGraphError::TooLarge { state: self.state, count: *count });
            }
        }
        let mut state = StateGraph::default();
        state.nodes.copy_from_slice(&counts[..NODE_TYPES]);
        state.edges.copy_from_slice(&counts[NODE_TYPES..NODE_TYPES + EDGE_TYPES]);
        state.options = counts[COUNTS - 1];
        Ok(state)
    }

    fn read_indices(
        &mut self,
        state: &StateGraph,
        mask: u32,
        previous: Option<&StateGraph>,
    ) -> Result<Vec<u32>, StateGraphError> {
        let length = index_count(state);
        if mask & SAME_INDICES == 0 {
            let bytes = self.take(length * 4)?;
            return Ok(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect());
        }
        let shared = previous.filter(|previous| previous.indices.len() == length);
        let missing = StateGraphError::NothingToShare { state: self.state, section: SECTIONS };
        Ok(shared.ok_or(missing)?.indices.clone())
    }
}

fn index_count(state: &StateGraph) -> usize {
    let edges: usize = state.edges.iter().map(|&count| count as usize).sum();
    2 * edges + 3 * state.options as usize
}

fn indices_fit(state: &StateGraph, schema: &Schema) -> bool {
    let below = |indices: &[u32], bound: u32| indices.iter().all(|&index| index < bound);
    let edges = crate::EdgeType::ALL.iter().all(|&kind| {
        let (sources, targets) = state.edge_ends(kind);
        below(sources, state.nodes[kind.source() as usize])
            && below(targets, state.nodes[kind.target() as usize])
    });
    let [subjects, ways, objects] = state.option_indices();
    // Counts are bounded, so the sum is.
    let nodes = state.nodes.iter().sum();
    edges && below(subjects, nodes) && below(ways, schema.ways.len() as u32) && below(objects, nodes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EdgeType, NodeType, StateGraphBuilder, slots};
    use proptest::prelude::*;

    fn state(jobs: usize, shift: f32) -> StateGraph {
        let schema = slots::schema();
        let mut builder = StateGraphBuilder::default();
        builder.globals(&vec![0.5; schema.globals.len()]);
        builder.node(NodeType::Resource, &vec![0.25; schema.nodes[1].len()]);
        for job in 0..jobs {
            builder.node(NodeType::Invocation, &vec![job as f32 + shift; schema.nodes[2].len()]);
            builder.edge(EdgeType::Request, job as u32, 0, &vec![shift; schema.edges[3].len()]);
            builder.option((NodeType::Invocation, job as u32), 0, (NodeType::Resource, 0), &[]);
        }
        builder.may_wait(jobs.is_multiple_of(2));
        builder.build()
    }

    proptest! {
        #[test]
        fn states_survive_the_trip(list in proptest::collection::vec((0_usize..12, 0_u8..3), 0..20)) {
            let schema = slots::schema();
            let states: Vec<StateGraph> = list.iter().map(|&(jobs, shift)| state(jobs, f32::from(shift))).collect();
            let mut encoder = StateGraphEncoder::default();
            states.iter().for_each(|state| encoder.push(&schema, state.clone()));
            let bytes = encoder.finish();
            prop_assert_eq!(StateGraphDecoder::decode_all(&schema, &bytes, states.len()), Ok(states));
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(cut in 0_usize..400, at in 0_usize..400, bit in 0_u8..8) {
            let schema = slots::schema();
            let mut encoder = StateGraphEncoder::default();
            (0..3).for_each(|jobs| encoder.push(&schema, state(jobs, 0.0)));
            let mut bytes = encoder.finish();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = StateGraphDecoder::decode_all(&schema, &bytes, 3);
            bytes.truncate(cut % bytes.len());
            prop_assert!(StateGraphDecoder::decode_all(&schema, &bytes, 3).is_err());
        }
    }

    #[test]
    fn states_that_repeat_a_large_one_are_read_only_as_far_as_memory_allows() {
        let schema = slots::schema();
        let mut encoder = StateGraphEncoder::default();
        (0..2).for_each(|_| encoder.push(&schema, state(20_000, 0.0)));
        let mut bytes = encoder.finish();
        let repeated = bytes[bytes.len() - 4 - 4 * COUNTS..].to_vec();
        (0..10_000).for_each(|_| bytes.extend_from_slice(&repeated));
        let error = StateGraphDecoder::decode_all(&schema, &bytes, 10_002).unwrap_err();
        assert!(matches!(error, StateGraphError::TooMuch { state } if state < 2000), "{error}");
        // More than was announced is not read at all.
        let error = StateGraphDecoder::decode_all(&schema, &bytes, 2).unwrap_err();
        assert_eq!(error, StateGraphError::Count { expected: 2, found: 2 });
    }

    #[test]
    fn an_equal_state_costs_only_its_head() {
        let schema = slots::schema();
        let mut encoder = StateGraphEncoder::default();
        encoder.push(&schema, state(5, 0.0));
        let first = encoder.len();
        encoder.push(&schema, state(5, 0.0));
        assert!(first > 500);
        assert_eq!(encoder.len() - first, 4 + 4 * COUNTS);
    }
}
