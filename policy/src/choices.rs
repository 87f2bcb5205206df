//! The possible decisions in each state of a batch, as tables on the CPU.

use std::ops::Range;

use common::trajectory::Choice;
use state_graph::{NodeType, Schema, StateGraph};

/// The options of each graph.
#[derive(Debug, Default)]
pub(crate) struct Choices {
    /// `[graphs + 1]`: index of each graph's first option; the last entry is the number of options.
    pub(crate) starts: Vec<usize>,
    /// `[options]`: graph of each option.
    pub(crate) graphs: Vec<i64>,
    /// Embedding rows of all subjects, each once in its graph, and of all objects likewise.
    pub(crate) ends: [Vec<i64>; 2],
    /// `[options]`: each option's subject, as a place in `ends[0]`, and its object, as a place in `ends[1]`.
    pub(crate) places: [Vec<i64>; 2],
    /// `[options]`: each option's way.
    pub(crate) ways: Vec<i64>,
    /// `[options, option features]`: the features of each option, as in the state.
    pub(crate) features: Vec<f32>,
    /// `[graphs, parts]`: how much each part of the reward counts; nothing where weights are fixed.
    pub(crate) preferences: Vec<f32>,
    /// `[graphs]`: whether *wait* is allowed.
    pub(crate) may_wait: Vec<bool>,
    /// `[options]` and `[graphs]` where there is a prior, else empty: 1 for the option that it would take, or for *wait*.
    prior_options: Vec<f32>,
    prior_waits: Vec<f32>,
    /// `[options]`: −ln of how many options of its kind its graph has, nats; 0 for starts.
    handicaps: Vec<f32>,
    /// By way: the first way of its kind, `None` for starts.
    kinds: Vec<Option<usize>>,
    /// By node of the graph that is being added: its place in `ends`, below 0 where it has none yet; its memory is used again.
    known: [Vec<i64>; 2],
}

impl Choices {
    /// Number of options of all graphs.
    pub(crate) fn options(&self) -> usize {
        self.ways.len()
    }

    /// The options of a graph, as indices into the tables.
    pub(crate) fn of(&self, graph: usize) -> Range<usize> {
        self.starts[graph]..self.starts[graph + 1]
    }

    /// Number of alternatives of a graph, *wait* included.
    pub(crate) fn alternatives(&self, graph: usize) -> usize {
        self.of(graph).len() + usize::from(self.may_wait[graph])
    }

    /// The rows of `taken`, one decision a graph, in a table of scores: options first, then *wait* of each graph.
    pub(crate) fn rows(&self, taken: &[Choice]) -> Vec<i64> {
        let row = |(graph, choice): (usize, &Choice)| match choice {
            Choice::Act(option) => (self.starts[graph] + *option as usize) as i64,
            Choice::Wait => (self.options() + graph) as i64,
        };
        taken.iter().enumerate().map(row).collect()
    }

    /// The decision with the highest of `scores` in each graph, the first of equals.
    pub(crate) fn best(&self, scores: &[f32]) -> Vec<Choice> {
        let best_of = |graph: usize| {
            let options = self.of(graph);
            let wait = self.may_wait[graph].then(|| (Choice::Wait, scores[self.options() + graph]));
            let acts =
                scores[options].iter().zip(0_u32..).map(|(score, option)| (Choice::Act(option), *score));
            let mut all = acts.chain(wait);
            let first = all.next().unwrap_or((Choice::Wait, 0.0));
            all.fold(first, |best, other| if other.1 > best.1 { other } else { best }).0
        };
        (0..self.may_wait.len()).map(best_of).collect()
    }

    /// `[options + graphs]`: what is added to the scores of the options and then of *wait* in each graph, nats. What the prior would
    /// do gains `prior`. The options of a kind (all holds, all pre-warms, …) share the weight of one: before anything is
    /// learnt, sixty of them are together as likely as *wait*. Starts don't share: they are what a policy is there for.
    pub(crate) fn offsets(&self, prior: Option<f32>) -> Vec<f32> {
        let waits = std::iter::repeat_n(0.0, self.may_wait.len());
        let mut offsets: Vec<f32> = self.handicaps.iter().copied().chain(waits).collect();
        if let Some(weight) = prior {
            let marks = self.prior_options.iter().chain(&self.prior_waits);
            offsets.iter_mut().zip(marks).for_each(|(offset, mark)| *offset += weight * mark);
        }
        offsets
    }

    /// `[options + graphs]`: the cell of each option's way, then of each graph's *wait*, in a table `[graphs, ways + 1]`.
    pub(crate) fn preference_cells(&self, ways: usize) -> impl Iterator<Item = usize> {
        let row = move |graph: usize| graph * (ways + 1);
        let acts =
            self.graphs.iter().zip(&self.ways).map(move |(graph, way)| row(*graph as usize) + *way as usize);
        acts.chain((0..self.may_wait.len()).map(move |graph| row(graph) + ways))
    }

    /// Adds the handicaps of a graph's options.
    fn push_handicaps(&mut self, schema: &Schema, ways: &[u32]) {
        if self.kinds.len() != schema.ways.len() {
            self.kinds = kinds(&schema.ways);
        }
        let kind = |way: &u32| self.kinds[*way as usize];
        let mut counts = vec![0_u32; self.kinds.len()];
        ways.iter().filter_map(kind).for_each(|kind| counts[kind] += 1);
        let handicap = |way: &u32| kind(way).map_or(0.0, |kind| -(counts[kind] as f32).ln());
        self.handicaps.extend(ways.iter().map(handicap));
    }

    /// Adds the options of a graph; `embedding` maps a node's type and its number in `state` to its row in the embeddings.
    pub(crate) fn push(
        &mut self,
        state: &StateGraph,
        schema: &Schema,
        graph: i64,
        embedding: impl Fn(NodeType, u32) -> i64,
    ) {
        let width = schema.options.len();
        let [subjects, ways, objects] = state.option_indices();
        let features = state.option_features(schema);
        self.starts.push(self.options());
        self.graphs.extend(std::iter::repeat_n(graph, ways.len()));
        self.ways.extend(ways.iter().map(|&way| i64::from(way)));
        self.features.extend_from_slice(features);
        self.push_handicaps(schema, ways);
        self.preferences.extend_from_slice(&state.globals(schema)[schema.preference_columns()]);
        self.may_wait.push(state.may_wait);
        if schema.has_prior() {
            self.prior_options.extend(features.chunks(width).map(|row| row[width - 1]));
            self.prior_waits.extend(state.globals(schema).last());
        }
        for (side, nodes) in [subjects, objects].into_iter().enumerate() {
            self.push_ends(side, state, nodes, &embedding);
        }
    }

    fn push_ends(
        &mut self,
        side: usize,
        state: &StateGraph,
        nodes: &[u32],
        embedding: &impl Fn(NodeType, u32) -> i64,
    ) {
        let (known, ends) = (&mut self.known[side], &mut self.ends[side]);
        known.clear();
        known.resize(state.nodes.iter().sum::<u32>() as usize, -1);
        for &node in nodes {
            let place = &mut known[node as usize];
            if *place < 0 {
                *place = ends.len() as i64;
                let (kind, number) = state.node_at(node);
                ends.push(embedding(kind, number));
            }
            self.places[side].push(*place);
        }
    }

    /// Removes all graphs and keeps the allocated memory.
    pub(crate) fn clear(&mut self) {
        self.starts.clear();
        self.graphs.clear();
        self.ends.iter_mut().chain(&mut self.places).for_each(Vec::clear);
        self.ways.clear();
        self.features.clear();
        self.preferences.clear();
        self.may_wait.clear();
        self.prior_options.clear();
        self.prior_waits.clear();
        self.handicaps.clear();
    }

    /// Adds the last entry of the index table, after the last graph.
    pub(crate) fn close(&mut self) {
        self.starts.push(self.options());
    }
}

/// By way: the first way of its kind, which is the first word of its name; `None` for starts.
fn kinds(ways: &[String]) -> Vec<Option<usize>> {
    let word = |way: &String| way.split('_').next().unwrap_or_default().to_owned();
    let words: Vec<String> = ways.iter().map(word).collect();
    let first = |own: &String| words.iter().position(|word| word == own);
    words.iter().map(|word| first(word).filter(|_| word != "start")).collect()
}
