//! What the numbers of a state mean: a name for every feature of every node type, edge type, option and global.

use std::ops::Range;

use common::ids::Digest;
use common::reward::RewardPart;
use common::{EDGE_TYPES, NODE_TYPES};

use crate::Way;

/// The feature names of one scenario; their counts are the widths of the networks' inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// Names of the features of the whole cluster.
    pub globals: Vec<String>,
    /// Names of each node type's features, indexed by [`NodeType`].
    pub nodes: [Vec<String>; NODE_TYPES],
    /// Names of each edge type's features, indexed by [`EdgeType`].
    pub edges: [Vec<String>; EDGE_TYPES],
    /// Names of an option's features; an option is one decision that is possible: a way to act on a pair of nodes.
    pub options: Vec<String>,
    /// Names of the ways to act: starting with each of the container sizes, for example.
    pub ways: Vec<String>,
}

/// The last feature of an option, and of the cluster, where a policy has a prior: 1 for what the prior would do.
const PRIOR: &str = "prior";

/// Start of the names of the cluster's features that say how much each part of the reward counts.
const PREFERENCE: &str = "preference_";

impl Schema {
    /// This schema with a feature of the cluster for each of `parts` of the reward: how much the part counts. It comes before
    /// [`Schema::with_prior`].
    #[must_use]
    pub fn with_preference(mut self, parts: &[RewardPart]) -> Self {
        self.globals.extend(parts.iter().map(|part| format!("{PREFERENCE}{}", part.name())));
        self
    }

    /// The parts of the reward whose count a state holds, in its order.
    #[must_use]
    pub fn preference_parts(&self) -> Vec<RewardPart> {
        let named = self.globals.iter().filter_map(|name| name.strip_prefix(PREFERENCE));
        named.filter_map(RewardPart::by_name).collect()
    }

    /// Where [`Schema::preference_parts`] lie among the cluster's features.
    #[must_use]
    pub fn preference_columns(&self) -> Range<usize> {
        let is_preference = |name: &String| name.starts_with(PREFERENCE);
        let first = self.globals.iter().position(is_preference).unwrap_or(self.globals.len());
        first..first + self.preference_parts().len()
    }

    /// This schema with one more feature of options and of the cluster, which `StateGraph::mark_prior` fills.
    #[must_use]
    pub fn with_prior(mut self) -> Self {
        self.options.push(PRIOR.to_owned());
        self.globals.push(PRIOR.to_owned());
        self
    }

    /// This schema for a policy that acts in `ways`.
    #[must_use]
    pub fn with_ways(self, ways: &[Way]) -> Self {
        Schema { ways: ways.iter().map(Way::name).collect(), ..self }
    }

    /// Whether states say what the prior would do.
    #[must_use]
    pub fn has_prior(&self) -> bool {
        self.globals.last().is_some_and(|name| name == PRIOR)
    }

    /// A digest of all names. Services with equal digests use the same features.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = format!("globals={};ways={};", self.globals.join(","), self.ways.join(","));
        for names in self.nodes.iter().chain(&self.edges).chain([&self.options]) {
            text.push_str(&names.join(","));
            text.push(';');
        }
        Digest::of(text.as_bytes())
    }
}

/// Copies literals into a list of names.
pub(crate) fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}
