use std::fmt;
use std::str::FromStr;

use common::trajectory::Scenario;
use common::{ActionKind, EdgeType};
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the rows that messages are made of are kept as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// Four bytes a number.
    #[default]
    F32,
    /// Two: the upper half of an `f32`, three decimal digits.
    Bf16,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Storage::F32 => "f32",
            Storage::Bf16 => "bf16",
        })
    }
}

impl FromStr for Storage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Storage::F32, Storage::Bf16].into_iter().find(|storage| storage.to_string() == text);
        known.ok_or_else(|| format!("`{text}` is neither f32 nor bf16"))
    }
}

/// What a network sees of a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    /// Every node, and the edges between them.
    #[default]
    Graph,
    /// One vector: the cluster's features, then those of the first 16 functions, 16 worker nodes and 32 invocations. An option is seen
    /// with the features of its two ends.
    Flat,
}

/// Shape of the graph networks. The value network has the policy's shape and weights of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// What the networks see of a state; "flat" is what graphs are compared with.
    #[garde(custom(flat_has_no_edges(self)))]
    pub encoder: EncoderKind,
    /// Width of every embedding; divisible by `heads`.
    #[garde(range(min = 8, max = 1024), custom(divisible_by(self.heads)))]
    pub width: usize,
    /// Attention heads.
    #[garde(range(min = 1, max = 64))]
    pub heads: usize,
    /// Message-passing layers; 0: every node is seen alone and in the pools only, which is what edges are compared with.
    #[garde(range(max = 16))]
    pub layers: usize,
    /// Message-passing layers of the value network.
    #[garde(range(max = 16))]
    pub value_layers: usize,
    /// Whether the graph has rows for applications, tenants, zones and the whole cluster. Each layer pools members into them by
    /// attention and sends what they know back down, so it takes two layers for a node to hear of others of its group. Only on
    /// clusters.
    #[garde(skip)]
    pub levels: bool,
    /// A node hears at most so many edges of each type, drawn anew for every decision (an edge stays where either of its ends draws
    /// it); 0: all. For large clusters: cost then follows nodes, not pairs of what waits and where it may go.
    #[garde(range(max = 1_000_000))]
    #[schemars(extend("x-unit" = "edges"))]
    pub neighbours: usize,
    /// Edge types that the networks do not see, for ablations: "instance-of", "warm", "allocation", "request", "sharing", "temporal",
    /// "dependency", "function-of", "resource-of", "group-of".
    #[garde(custom(edges_are_there(self)))]
    pub hidden_edges: Vec<EdgeType>,
    /// The kinds of decisions that the policy makes: "start", "wait", "hold" and, on clusters, "reserve", "evict", "keep_alive",
    /// "release", "pre_warm". What it does not decide is done as the simulator's configuration says.
    #[garde(custom(holds_start))]
    pub actions: Vec<ActionKind>,
    /// A rule that the policy starts from: where the rule would decide so, a score of `prior_weight` is added, and the network learns
    /// when to differ. A scheduler that decides
    /// nothing beyond `actions`, for example "sjf+reserve"; empty: none.
    #[garde(length(max = 200))]
    pub prior: String,
    /// Score that the prior's decision gets, in nats: at 4, and before anything is learnt, it is 55 times as probable as another one.
    #[garde(range(min = 0.0, max = 20.0))]
    #[schemars(extend("x-unit" = "nats"))]
    pub prior_weight: f64,
    /// Dropout on the attention output while learning; never on where importance ratios are computed.
    #[garde(range(min = 0.0, max = 0.9))]
    pub dropout: f64,
    /// How learners keep what nodes send along their edges and hear with, in memory and between ranks; arithmetic is always in
    /// `f32`. Actors decide in `f32` either way, so with `bf16` importance ratios differ from 1 even where actor and learner have the
    /// same weights: a log-probability by about a thousandth on average, at worst measured a hundredth
    /// (docs/decisions/bf16-storage.md). It saves memory and bytes exchanged, not time.
    #[garde(skip)]
    pub storage: Storage,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        PolicyConfig {
            encoder: EncoderKind::Graph,
            width: 64,
            heads: 4,
            layers: 2,
            value_layers: 1,
            levels: false,
            neighbours: 0,
            hidden_edges: Vec::new(),
            actions: vec![ActionKind::Start, ActionKind::Wait],
            prior: String::new(),
            prior_weight: 4.0,
            dropout: 0.0,
            storage: Storage::F32,
        }
    }
}

fn flat_has_no_edges(policy: &PolicyConfig) -> impl FnOnce(&EncoderKind, &()) -> garde::Result {
    let layers = policy.layers + policy.value_layers;
    let about_edges = policy.levels || policy.neighbours > 0 || !policy.hidden_edges.is_empty();
    move |encoder, _context| {
        if *encoder == EncoderKind::Graph {
            return Ok(());
        }
        if layers > 0 {
            return Err(garde::Error::new(
                "is \"flat\", which has no edges: set layers = 0 and value_layers = 0",
            ));
        }
        if about_edges {
            return Err(garde::Error::new(
                "is \"flat\", which has no edges: leave levels, neighbours and hidden_edges out",
            ));
        }
        Ok(())
    }
}

fn edges_are_there(policy: &PolicyConfig) -> impl FnOnce(&Vec<EdgeType>, &()) -> garde::Result {
    let (layers, levels) = (policy.layers + policy.value_layers, policy.levels);
    move |hidden, _context| {
        let of_levels = [EdgeType::FunctionOf, EdgeType::ResourceOf, EdgeType::GroupOf];
        if !hidden.is_empty() && layers == 0 {
            return Err(garde::Error::new("hides edges, but without layers none is seen: leave it out"));
        }
        match hidden.iter().find(|kind| of_levels.contains(kind) && !levels) {
            Some(kind) => Err(garde::Error::new(format!(
                "holds \"{}\", which is there only with policy.levels = true",
                kind.name()
            ))),
            None => Ok(()),
        }
    }
}

fn divisible_by(heads: usize) -> impl FnOnce(&usize, &()) -> garde::Result {
    move |width, _context| {
        if heads > 0 && width % heads == 0 {
            return Ok(());
        }
        Err(garde::Error::new(format!("is {width}, which {heads} heads do not divide")))
    }
}

/// Refuses decisions that the scenario does not ask for.
pub(crate) fn plays(scenario: Scenario) -> impl FnOnce(&PolicyConfig, &()) -> garde::Result {
    move |policy, _context| {
        if policy.levels && scenario == Scenario::Slots {
            return Err(garde::Error::new(
                "levels is true, but `slots` has one machine and no functions: leave it out",
            ));
        }
        let in_slots = [ActionKind::Start, ActionKind::Wait, ActionKind::Hold];
        let other = policy.actions.iter().find(|kind| !in_slots.contains(kind));
        match other.filter(|_| scenario == Scenario::Slots) {
            Some(kind) => Err(garde::Error::new(format!(
                "actions holds \"{}\", which `slots` does not have: there are \"start\", \"wait\" and \"hold\"",
                kind.name()
            ))),
            None => Ok(()),
        }
    }
}

fn holds_start(actions: &[ActionKind], _context: &()) -> garde::Result {
    let twice = actions.iter().enumerate().find(|(place, kind)| actions[..*place].contains(kind));
    match twice {
        Some((_, kind)) => Err(garde::Error::new(format!("names \"{}\" twice", kind.name()))),
        None if actions.contains(&ActionKind::Start) => Ok(()),
        None => Err(garde::Error::new("must hold \"start\": without starts nothing ever runs")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storages_are_read_as_they_are_written() {
        for storage in [Storage::F32, Storage::Bf16] {
            assert_eq!(storage.to_string().parse(), Ok(storage));
            let config: PolicyConfig = toml::from_str(&format!("storage = \"{storage}\"")).unwrap();
            assert_eq!(config.storage, storage);
        }
        let refused = toml::from_str::<PolicyConfig>("storage = \"f16\"").unwrap_err().to_string();
        assert!(["f16", "f32", "bf16"].iter().all(|name| refused.contains(name)), "{refused}");
        assert_eq!("f16".parse::<Storage>(), Err("`f16` is neither f32 nor bf16".to_owned()));
    }
}
