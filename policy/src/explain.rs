//! Why a policy decided as it did: the probability of every alternative, and whom the decisive node listened to.

use common::trajectory::Choice;
use serde::Serialize;
use state_graph::{EdgeType, NODE_TYPES, NodeType, StateGraph};

use crate::PolicyError;
use crate::batch::GraphBatch;
use crate::network::PolicyNetwork;

/// A start that was possible.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredStart {
    /// The invocation or job.
    pub invocation: String,
    /// Where it would start.
    pub node: String,
    /// Index of the size.
    pub size: u32,
    /// Probability of the whole start, 0–1: the product of the three that follow.
    pub probability: f64,
    /// That this invocation starts.
    pub invocation_probability: f64,
    /// That it gets this size, if it starts.
    pub size_probability: f64,
    /// That it starts on this node, with this size.
    pub node_probability: f64,
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// All starts that were possible, the most probable first.
    pub starts: Vec<ScoredStart>,
    /// Probability of *wait*, 0–1; `None` where it was not allowed.
    pub wait: Option<f64>,
    /// Whether the prior would wait.
    pub prior_waits: bool,
    /// The node of the graph whose attention is shown: the invocation that starts or, where the policy waited, the most probable
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
        let total = |option: &usize| logs[*option].iter().sum::<f64>();
        order.sort_by(|one, other| total(other).total_cmp(&total(one)));
        let starts = order.iter().map(|&option| scored(network, state, choice, names, option, logs[option]));
        let decisive = match choice {
            Choice::Start(option) => Some(option as usize),
            Choice::Wait => order.first().copied(),
        };
        let listener = decisive.map(|option| state.option_indices()[0][option]);
        let heard = listener.map_or(Ok(Vec::new()), |listener| heard(network, state, names, listener))?;
        let schema = network.schema();
        Ok(Explanation {
            starts: starts.collect(),
            wait: state.may_wait.then(|| logs[state.options as usize][0].exp()),
            prior_waits: schema.has_prior() && state.globals(schema).last() == Some(&1.0),
            listener: listener.map(|listener| name(names, NodeType::Invocation, listener)),
            heard,
        })
    })
}

fn name(names: &[Vec<String>; NODE_TYPES], kind: NodeType, number: u32) -> String {
    let known = names[kind as usize].get(number as usize);
    known.cloned().unwrap_or_else(|| format!("{kind:?} {number}").to_lowercase())
}

fn scored(
    network: &PolicyNetwork,
    state: &StateGraph,
    choice: Choice,
    names: &[Vec<String>; NODE_TYPES],
    option: usize,
    logs: [f64; 3],
) -> ScoredStart {
    let [invocations, sizes, resources] = state.option_indices();
    let (schema, [invocation, size, node]) = (network.schema(), logs.map(f64::exp));
    let width = schema.options.len();
    let mark = || state.option_features(schema)[(option + 1) * width - 1];
    ScoredStart {
        invocation: name(names, NodeType::Invocation, invocations[option]),
        node: name(names, NodeType::Resource, resources[option]),
        size: sizes[option],
        probability: invocation * size * node,
        invocation_probability: invocation,
        size_probability: size,
        node_probability: node,
        prior: schema.has_prior() && mark() == 1.0,
        chosen: choice == Choice::Start(option as u32),
    }
}

fn heard(
    network: &PolicyNetwork,
    state: &StateGraph,
    names: &[Vec<String>; NODE_TYPES],
    listener: u32,
) -> Result<Vec<Heard>, PolicyError> {
    let batch = GraphBatch::collate(network.schema(), &[state]);
    // Rows of one graph: all functions, all resources, all invocations.
    let [functions, resources, _] = state.nodes;
    let row = i64::from(functions + resources + listener);
    let mut heard = Vec::new();
    for (layer, edges) in network.encoder().attention_of(&batch, row)?.into_iter().enumerate() {
        let first = heard.len();
        for (edge, attention) in edges {
            let source = edge.source as u32;
            let (kind, number) = match source.checked_sub(functions) {
                None => (NodeType::Function, source),
                Some(number) if number < resources => (NodeType::Resource, number),
                Some(number) => (NodeType::Invocation, number - resources),
            };
            // The relation of an edge is twice its type, plus one for the reverse direction.
            let edge = EdgeType::ALL[edge.relation as usize / 2].name().to_owned();
            heard.push(Heard { layer: layer + 1, edge, from: name(names, kind, number), attention });
        }
        heard[first..].sort_by(|one, other| other.attention.total_cmp(&one.attention));
    }
    Ok(heard)
}
