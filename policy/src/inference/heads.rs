//! [`ActionHeads`] on plain arrays.

use torch_extension::inference::Linear;

use super::buffers::{gather, sized};
use super::encoder::States;
use crate::PolicyError;
use crate::heads::{ActionHeads, StageHead, StageRows};
use crate::parameters::numbers;

#[derive(Debug)]
pub(super) struct PlainHeads {
    candidate: Linear,
    candidate_context: Linear,
    candidate_options: Option<Linear>,
    candidate_score: Linear,
    wait: [Linear; 2],
    size: Stage,
    node: Stage,
    node_resource: Linear,
    prior: Option<f32>,
    space: Space,
}

#[derive(Debug)]
struct Stage {
    invocation: Linear,
    sizes: Vec<f32>,
    options: Option<Linear>,
    score: Linear,
}

/// Memory of one stage's rows.
#[derive(Debug, Default)]
struct Space {
    rows: Vec<f32>,
    added: Vec<f32>,
    hidden: Vec<f32>,
    scores: Vec<f32>,
}

impl PlainHeads {
    pub(super) fn new(heads: &ActionHeads) -> Result<Self, PolicyError> {
        Ok(PlainHeads {
            candidate: heads.candidate.plain(true)?,
            candidate_context: heads.candidate_context.plain(false)?,
            candidate_options: heads
                .candidate_options
                .as_ref()
                .map(|options| options.plain(false))
                .transpose()?,
            candidate_score: heads.candidate_score.plain(false)?,
            wait: [heads.wait[0].plain(true)?, heads.wait[1].plain(false)?],
            size: Stage::new(&heads.size, true)?,
            node: Stage::new(&heads.node, false)?,
            node_resource: heads.node_resource.plain(true)?,
            prior: heads.prior,
            space: Space::default(),
        })
    }

    pub(super) fn which(&mut self, states: &States) -> &[f32] {
        let width = self.candidate.outputs();
        let (choices, space) = (&states.choices, &mut self.space);
        let (candidates, graphs) = (choices.candidate_nodes.len(), states.context.len() / width);
        self.candidate_context.apply(&states.context, sized(&mut space.rows, graphs * width));
        gather(&space.rows, width, &choices.candidate_graphs, &mut space.added);
        if let Some(options) = &self.candidate_options {
            options.add_to(&choices.candidate_features, &mut space.added);
        }
        gather(&states.nodes, width, &choices.candidate_nodes, &mut space.rows);
        let hidden = sized(&mut space.hidden, candidates * width);
        self.candidate.apply_adding(&space.rows, &space.added, hidden);
        let (starts, waits) = sized(&mut space.scores, candidates + graphs).split_at_mut(candidates);
        self.candidate_score.apply(hidden, starts);
        let hidden = sized(&mut space.hidden, graphs * width);
        self.wait[0].apply(&states.context, hidden);
        self.wait[1].apply(hidden, waits);
        if let Some(weight) = self.prior {
            add(starts, &choices.candidate_priors(), weight);
            add(waits, &choices.prior_waits, weight);
        }
        &space.scores
    }

    pub(super) fn size(&mut self, states: &States, rows: &StageRows) -> &[f32] {
        let space = &mut self.space;
        self.size.add_sizes_and_options(rows, space);
        gather(&states.nodes, self.size.invocation.outputs(), &rows.invocations, &mut space.rows);
        let hidden = sized(&mut space.hidden, space.added.len());
        self.size.invocation.apply_adding(&space.rows, &space.added, hidden);
        let scores = sized(&mut space.scores, rows.len());
        self.size.score.apply(hidden, scores);
        if let Some(weight) = self.prior {
            add(scores, &rows.priors(), weight);
        }
        scores
    }

    pub(super) fn node(&mut self, states: &States, rows: &StageRows) -> &[f32] {
        let width = self.node.invocation.outputs();
        let space = &mut self.space;
        self.node.add_sizes_and_options(rows, space);
        gather(&states.nodes, width, &rows.invocations, &mut space.rows);
        self.node.invocation.add_to(&space.rows, &mut space.added);
        gather(&states.nodes, width, &rows.resources, &mut space.rows);
        let hidden = sized(&mut space.hidden, space.added.len());
        self.node_resource.apply_adding(&space.rows, &space.added, hidden);
        let scores = sized(&mut space.scores, rows.len());
        self.node.score.apply(hidden, scores);
        if let Some(weight) = self.prior {
            add(scores, &rows.priors(), weight);
        }
        scores
    }
}

/// Adds `weight` to the scores that are marked with 1.
fn add(scores: &mut [f32], marks: &[f32], weight: f32) {
    scores.iter_mut().zip(marks).for_each(|(score, mark)| *score += weight * mark);
}

impl Stage {
    fn new(head: &StageHead, last: bool) -> Result<Self, PolicyError> {
        Ok(Stage {
            invocation: head.invocation.plain(last)?,
            sizes: numbers(&head.sizes)?,
            options: head.options.as_ref().map(|options| options.plain(false)).transpose()?,
            score: head.score.plain(false)?,
        })
    }

    fn add_sizes_and_options(&self, rows: &StageRows, space: &mut Space) {
        gather(&self.sizes, self.invocation.outputs(), &rows.sizes, &mut space.added);
        if let Some(options) = &self.options {
            options.add_to(&rows.option_features, &mut space.added);
        }
    }
}
