//! Frames as bytes: consecutive frames share every section that did not change.
//!
//! A frame is: a mask of `u16` (bit s: section s is that of the previous frame; bit 15: *wait* is allowed; bit 14: the
//! indices are those of the previous frame), the counts as `u32` little-endian (node types, edge types, options), then
//! the features of each section whose bit is clear as `f32` little-endian, then the indices as `u32` unless shared.

use crate::frame::{Frame, SECTIONS};
use crate::schema::{EDGE_TYPES, NODE_TYPES, Schema};

const MAY_WAIT: u16 = 1 << 15;
const SAME_INDICES: u16 = 1 << 14;
const COUNTS: usize = NODE_TYPES + EDGE_TYPES + 1;
/// No state is larger: what claims more is damage, not data.
const MAX_COUNT: u32 = 100_000_000;

/// Why bytes are no frames.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The bytes end within a frame.
    #[error("frame {frame} is cut off: {needed} more bytes expected, {left} left")]
    CutOff {
        /// Which frame.
        frame: usize,
        /// Bytes that the next part takes.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A frame shares a section with a previous frame that is not there or has another size.
    #[error("frame {frame} shares section {section} with a frame in which it has another size")]
    NothingToShare {
        /// Which frame.
        frame: usize,
        /// Which section.
        section: usize,
    },
    /// A count that no state has.
    #[error("frame {frame} claims {count} rows in one section")]
    TooLarge {
        /// Which frame.
        frame: usize,
        /// The count.
        count: u32,
    },
    /// An index points outside its table.
    #[error("frame {frame} has an index outside its table")]
    BadIndex {
        /// Which frame.
        frame: usize,
    },
    /// Another number of frames than announced.
    #[error("{found} frames where {expected} were announced")]
    Count {
        /// Announced.
        expected: usize,
        /// Found.
        found: usize,
    },
}

/// Writes frames one after the other.
#[derive(Debug, Default)]
pub struct FrameEncoder {
    bytes: Vec<u8>,
    previous: Option<Frame>,
}

impl FrameEncoder {
    /// Appends `frame`.
    pub fn push(&mut self, schema: &Schema, frame: Frame) {
        let sections = frame.sections(schema);
        let mut mask = if frame.may_wait { MAY_WAIT } else { 0 };
        if let Some(previous) = &self.previous {
            let before = previous.sections(schema);
            for section in 0..SECTIONS {
                if previous.features[before[section].clone()] == frame.features[sections[section].clone()] {
                    mask |= 1 << section;
                }
            }
            if previous.indices == frame.indices {
                mask |= SAME_INDICES;
            }
        }
        self.bytes.extend_from_slice(&mask.to_le_bytes());
        for count in frame.nodes.iter().chain(&frame.edges).chain([&frame.options]) {
            self.bytes.extend_from_slice(&count.to_le_bytes());
        }
        for (section, range) in sections.into_iter().enumerate() {
            if mask & (1 << section) == 0 {
                self.bytes.extend(frame.features[range].iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        if mask & SAME_INDICES == 0 {
            self.bytes.extend(frame.indices.iter().flat_map(|value| value.to_le_bytes()));
        }
        self.previous = Some(frame);
    }

    /// The bytes of all frames; the encoder is empty afterwards.
    #[must_use]
    pub fn finish(&mut self) -> Vec<u8> {
        self.previous = None;
        std::mem::take(&mut self.bytes)
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was pushed since the last [`FrameEncoder::finish`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Reads frames back, checking every count and index.
#[derive(Debug)]
pub struct FrameDecoder<'a> {
    bytes: &'a [u8],
    frame: usize,
}

impl<'a> FrameDecoder<'a> {
    /// Reads exactly `count` frames.
    ///
    /// # Errors
    /// [`FrameError`] where the bytes are damaged.
    pub fn decode_all(schema: &Schema, bytes: &'a [u8], count: usize) -> Result<Vec<Frame>, FrameError> {
        let mut decoder = FrameDecoder { bytes, frame: 0 };
        let mut frames: Vec<Frame> = Vec::new();
        while !decoder.bytes.is_empty() {
            let next = decoder.next_frame(schema, frames.last())?;
            frames.push(next);
        }
        if frames.len() != count {
            return Err(FrameError::Count { expected: count, found: frames.len() });
        }
        Ok(frames)
    }

    fn take(&mut self, needed: usize) -> Result<&'a [u8], FrameError> {
        let (head, tail) = self.bytes.split_at_checked(needed).ok_or(FrameError::CutOff {
            frame: self.frame,
            needed,
            left: self.bytes.len(),
        })?;
        self.bytes = tail;
        Ok(head)
    }

    fn next_frame(&mut self, schema: &Schema, previous: Option<&Frame>) -> Result<Frame, FrameError> {
        let mask = self.take(2)?;
        let mask = u16::from_le_bytes([mask[0], mask[1]]);
        let mut frame = self.read_counts()?;
        frame.may_wait = mask & MAY_WAIT != 0;
        let before = previous.map(|previous| (previous, previous.sections(schema)));
        for (section, range) in frame.sections(schema).into_iter().enumerate() {
            if mask & (1 << section) == 0 {
                let bytes = self.take(range.len() * 4)?;
                frame
                    .features
                    .extend(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])));
            } else {
                let shared =
                    before.as_ref().map(|(previous, ranges)| &previous.features[ranges[section].clone()]);
                let shared = shared.filter(|shared| shared.len() == range.len());
                let missing = FrameError::NothingToShare { frame: self.frame, section };
                frame.features.extend_from_slice(shared.ok_or(missing)?);
            }
        }
        frame.indices = self.read_indices(&frame, mask, previous)?;
        if !indices_fit(&frame, schema) {
            return Err(FrameError::BadIndex { frame: self.frame });
        }
        self.frame += 1;
        Ok(frame)
    }

    fn read_counts(&mut self) -> Result<Frame, FrameError> {
        let bytes = self.take(4 * COUNTS)?;
        let mut counts = [0_u32; COUNTS];
        for (count, b) in counts.iter_mut().zip(bytes.chunks_exact(4)) {
            *count = u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            if *count > MAX_COUNT {
                return Err(FrameError::TooLarge { frame: self.frame, count: *count });
            }
        }
        let mut frame = Frame::default();
        frame.nodes.copy_from_slice(&counts[..NODE_TYPES]);
        frame.edges.copy_from_slice(&counts[NODE_TYPES..NODE_TYPES + EDGE_TYPES]);
        frame.options = counts[COUNTS - 1];
        Ok(frame)
    }

    fn read_indices(
        &mut self,
        frame: &Frame,
        mask: u16,
        previous: Option<&Frame>,
    ) -> Result<Vec<u32>, FrameError> {
        let edges: usize = frame.edges.iter().map(|&count| count as usize).sum();
        let length = 2 * edges + 3 * frame.options as usize;
        if mask & SAME_INDICES == 0 {
            let bytes = self.take(length * 4)?;
            return Ok(bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect());
        }
        let shared = previous.filter(|previous| previous.indices.len() == length);
        let missing = FrameError::NothingToShare { frame: self.frame, section: SECTIONS };
        Ok(shared.ok_or(missing)?.indices.clone())
    }
}

fn indices_fit(frame: &Frame, schema: &Schema) -> bool {
    let below = |indices: &[u32], bound: u32| indices.iter().all(|&index| index < bound);
    let edges = crate::EdgeType::ALL.iter().all(|&kind| {
        let (sources, targets) = frame.edge_ends(kind);
        below(sources, frame.nodes[kind.source() as usize])
            && below(targets, frame.nodes[kind.target() as usize])
    });
    let [invocations, sizes, resources] = frame.option_indices();
    edges
        && below(invocations, frame.nodes[crate::NodeType::Invocation as usize])
        && below(sizes, schema.sizes as u32)
        && below(resources, frame.nodes[crate::NodeType::Resource as usize])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EdgeType, FrameBuilder, NodeType, slots};
    use proptest::prelude::*;

    fn frame(jobs: usize, shift: f32) -> Frame {
        let schema = slots::schema();
        let mut builder = FrameBuilder::default();
        builder.globals(&vec![0.5; schema.globals.len()]);
        builder.node(NodeType::Resource, &vec![0.25; schema.nodes[1].len()]);
        for job in 0..jobs {
            builder.node(NodeType::Invocation, &vec![job as f32 + shift; schema.nodes[2].len()]);
            builder.edge(EdgeType::Request, job as u32, 0, &vec![shift; schema.edges[3].len()]);
            builder.option(job as u32, 0, 0, &[]);
        }
        builder.may_wait(jobs.is_multiple_of(2));
        builder.build()
    }

    proptest! {
        #[test]
        fn frames_survive_the_trip(list in proptest::collection::vec((0_usize..12, 0_u8..3), 0..20)) {
            let schema = slots::schema();
            let frames: Vec<Frame> = list.iter().map(|&(jobs, shift)| frame(jobs, f32::from(shift))).collect();
            let mut encoder = FrameEncoder::default();
            frames.iter().for_each(|frame| encoder.push(&schema, frame.clone()));
            let bytes = encoder.finish();
            prop_assert_eq!(FrameDecoder::decode_all(&schema, &bytes, frames.len()), Ok(frames));
        }

        #[test]
        fn damage_is_an_error_and_never_a_panic(cut in 0_usize..400, at in 0_usize..400, bit in 0_u8..8) {
            let schema = slots::schema();
            let mut encoder = FrameEncoder::default();
            (0..3).for_each(|jobs| encoder.push(&schema, frame(jobs, 0.0)));
            let mut bytes = encoder.finish();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = FrameDecoder::decode_all(&schema, &bytes, 3);
            bytes.truncate(cut % bytes.len());
            prop_assert!(FrameDecoder::decode_all(&schema, &bytes, 3).is_err());
        }
    }

    #[test]
    fn an_equal_frame_costs_only_its_head() {
        let schema = slots::schema();
        let mut encoder = FrameEncoder::default();
        encoder.push(&schema, frame(5, 0.0));
        let first = encoder.len();
        encoder.push(&schema, frame(5, 0.0));
        assert!(first > 500);
        assert_eq!(encoder.len() - first, 2 + 4 * COUNTS);
    }
}
