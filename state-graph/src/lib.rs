//! state-graph.
