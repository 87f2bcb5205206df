//! [`ActionHeads`] on plain arrays.

use torch_extension::inference::Linear;

use super::buffers::{gather, gather_adding, sized};
use super::encoder::States;
use crate::PolicyError;
use crate::heads::ActionHeads;
use crate::parameters::numbers;

#[derive(Debug)]
pub(super) struct PlainHeads {
    ends: [Linear; 2],
    context: Linear,
    ways: Vec<f32>,
    features: Option<Linear>,
    score: Linear,
    preference: Option<Linear>,
    wait: [Linear; 2],
    prior: Option<f32>,
    space: Space,
}

/// Memory of one forward pass.
#[derive(Debug, Default)]
struct Space {
    rows: Vec<f32>,
    projected: Vec<f32>,
    hidden: Vec<f32>,
    scores: Vec<f32>,
}

impl PlainHeads {
    pub(super) fn new(heads: &ActionHeads) -> Result<Self, PolicyError> {
        let [subject, object] = &heads.ends;
        Ok(PlainHeads {
            ends: [subject.plain(false)?, object.plain(false)?],
            context: heads.context.plain(false)?,
            ways: numbers(&heads.ways)?,
            features: heads.features.as_ref().map(|features| features.plain(false)).transpose()?,
            score: heads.score.plain(false)?,
            preference: heads.preference.as_ref().map(|preference| preference.plain(false)).transpose()?,
            wait: [heads.wait[0].plain(true)?, heads.wait[1].plain(false)?],
            prior: heads.prior,
            space: Space::default(),
        })
    }

    /// See [`super::Inference::scores`].
    pub(super) fn scores(&mut self, states: &States) -> &[f32] {
        let width = self.context.outputs();
        let (choices, space) = (&states.choices, &mut self.space);
        let (options, graphs) = (choices.options(), states.context.len() / width);
        gather(&self.ways, width, &choices.ways, &mut space.hidden);
        for ((end, nodes), places) in self.ends.iter().zip(&choices.ends).zip(&choices.places) {
            gather(&states.nodes, width, nodes, &mut space.rows);
            end.apply(&space.rows, sized(&mut space.projected, nodes.len() * width));
            gather_adding(&space.projected, width, places, &mut space.hidden);
        }
        self.context.apply(&states.context, sized(&mut space.projected, graphs * width));
        gather_adding(&space.projected, width, &choices.graphs, &mut space.hidden);
        if let Some(features) = &self.features {
            features.add_to(&choices.features, &mut space.hidden);
        }
        space.hidden.iter_mut().for_each(|number| *number = number.max(0.0));
        let (acts, waits) = sized(&mut space.scores, options + graphs).split_at_mut(options);
        self.score.apply(&space.hidden, acts);
        let hidden = sized(&mut space.projected, graphs * width);
        self.wait[0].apply(&states.context, hidden);
        self.wait[1].apply(hidden, waits);
        if let Some(preference) = &self.preference {
            let ways = preference.outputs() - 1;
            let table = sized(&mut space.projected, graphs * (ways + 1));
            preference.apply(&choices.preferences, table);
            let cells = choices.preference_cells(ways);
            space.scores.iter_mut().zip(cells).for_each(|(score, cell)| *score += table[cell]);
        }
        let offsets = choices.offsets(self.prior);
        space.scores.iter_mut().zip(offsets).for_each(|(score, offset)| *score += offset);
        &space.scores
    }
}
