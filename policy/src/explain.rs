//! Why a policy decided as it did: the probability of every alternative, and whom the decisive node listened to.

use common::trajectory::Choice;
use serde::Serialize;
use state_graph::{EdgeType, NODE_TYPES, StateGraph};

use crate::PolicyError;
use crate::batch::GraphBatch;
use crate::network::PolicyNetwork;

/// Something that the policy could do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredOption {
    /// The way to act, as the schema names it: `start_size_0`, for example.
    pub way: String,
    /// What is acted upon: an invocation or job, for example.
    pub subject: String,
    /// Where: the node on which it starts, for example.
    pub object: String,
    /// Its probability, 0–1.
    pub probability: f64,
    /// Whether the policy's prior would decide so.
    pub prior: bool,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// What one node of the graph contributed to what the decisive node heard in one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heard {
    /// Layer, from 1.
    pub layer: usize,
    /// Type of the edge.
    pub edge: String,
    /// The node that was heard.
    pub from: String,
    /// Attention, mean over the heads, 0–1; those of a layer add up to 1.
    pub attention: f64,
}

/// Why one decision was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// All options, the most probable first.
    pub options: Vec<ScoredOption>,
    /// Probability of *wait*, 0–1; `None` where it was not allowed.
    pub wait: Option<f64>,
    /// Whether the prior would wait.
    pub prior_waits: bool,
    /// The node of the graph whose attention is shown: the subject of the decision or, where the policy waited, the most probable
    /// one.
    pub listener: Option<String>,
    /// Whom it listened to, by layer, the strongest first.
    pub heard: Vec<Heard>,
}

/// `names` are those of the state's nodes, by type.
pub(crate) fn explain(
    network: &PolicyNetwork,
    state: &StateGraph,
    choice: Choice,
    names: &[Vec<String>; NODE_TYPES],
) -> Result<Explanation, PolicyError> {
    tch::no_grad(|| {
        let logs = network.evaluate_all(state)?;
        let mut order: Vec<usize> = (0..state.options as usize).collect();
        order.sort_by(|&one, &other| logs[other].total_cmp(&logs[one]));
        let options = order.iter().map(|&option| scored(network, state, choice, names, option, logs[option]));
        let decisive = match choice {
            Choice::Act(option) => Some(option as usize),
            Choice::Wait => order.first().copied(),
        };
        let listener = decisive.map(|option| state.option_indices()[0][option]);
        let heard = listener.map_or(Ok(Vec::new()), |listener| heard(network, state, names, listener))?;
        let schema = network.schema();
        Ok(Explanation {
            options: options.collect(),
            wait: state.may_wait.then(|| logs[state.options as usize].exp()),
            prior_waits: schema.has_prior() && state.globals(schema).last() == Some(&1.0),
            listener: listener.map(|listener| name(state, names, listener)),
            heard,
        })
    })
}

fn name(state: &StateGraph, names: &[Vec<String>; NODE_TYPES], node: u32) -> String {
    let (kind, number) = state.node_at(node);
    let known = names[kind as usize].get(number as usize);
    known.cloned().unwrap_or_else(|| format!("{kind:?} {number}").to_lowercase())
}

fn scored(
    network: &PolicyNetwork,
    state: &StateGraph,
    choice: Choice,
    names: &[Vec<String>; NODE_TYPES],
    option: usize,
    log_probability: f64,
) -> ScoredOption {
    let [subjects, ways, objects] = state.option_indices();
    let schema = network.schema();
    let width = schema.options.len();
    let mark = || state.option_features(schema)[(option + 1) * width - 1];
    ScoredOption {
        way: schema.ways[ways[option] as usize].clone(),
        subject: name(state, names, subjects[option]),
        object: name(state, names, objects[option]),
        probability: log_probability.exp(),
        prior: schema.has_prior() && mark() == 1.0,
        chosen: choice == Choice::Act(option as u32),
    }
}

fn heard(
    network: &PolicyNetwork,
    state: &StateGraph,
    names: &[Vec<String>; NODE_TYPES],
    listener: u32,
) -> Result<Vec<Heard>, PolicyError> {
    let batch = GraphBatch::collate(network.schema(), &[state]);
    let mut heard = Vec::new();
    // Rows of one graph are its nodes in their order.
    let entering = network.encoder().attention_of(&batch, i64::from(listener))?;
    for (layer, edges) in entering.into_iter().enumerate() {
        let first = heard.len();
        for (edge, attention) in edges {
            let from = name(state, names, edge.source as u32);
            // The relation of an edge is twice its type, plus one for the reverse direction.
            let edge = EdgeType::ALL[edge.relation as usize / 2].name().to_owned();
            heard.push(Heard { layer: layer + 1, edge, from, attention });
        }
        heard[first..].sort_by(|one, other| other.attention.total_cmp(&one.attention));
    }
    Ok(heard)
}
