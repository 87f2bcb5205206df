//! Training on several workloads and loads at once.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::trace::TraceConfig;
use crate::workload::WorkloadKind;
use common::cluster::NodeSpec;

/// A part of what `serverless` trains on: one workload, with loads drawn uniformly from a range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadMixture {
    /// Relative weight.
    #[garde(range(min = 0.0, max = 1e9))]
    pub weight: f64,
    /// Which workload; its functions and arrivals are those of the sections of `simulator.serverless`.
    #[garde(custom(fresh_if_synthetic(self.fresh_functions)))]
    pub workload: WorkloadKind,
    /// Lowest and highest load, percent.
    #[garde(inner(range(min = 0.01, max = 10_000.0)), custom(crate::workload::low_then_high))]
    #[schemars(extend("x-unit" = "%"))]
    pub loads: [f64; 2],
    /// Each episode draws functions of its own, so that none can be learnt by heart; synthetic workloads only.
    #[serde(default)]
    #[garde(skip)]
    pub fresh_functions: bool,
    /// Worker nodes of this part; those of `simulator.serverless` where it is left out.
    #[serde(default, deserialize_with = "crate::nodes::expanded")]
    #[garde(inner(custom(crate::nodes::sound_node)))]
    #[schemars(with = "Vec<crate::nodes::NodeGroup>")]
    pub nodes: Vec<NodeSpec>,
    /// A trace of this part alone, with `workload = "trace"`; `simulator.serverless.trace` where it is left out.
    #[serde(default)]
    #[garde(dive)]
    pub trace: Option<TraceConfig>,
}

fn fresh_if_synthetic(fresh: bool) -> impl FnOnce(&WorkloadKind, &()) -> garde::Result {
    move |workload, _context| {
        if fresh && *workload == WorkloadKind::Trace {
            return Err(garde::Error::new("is \"trace\": fresh_functions needs a synthetic workload"));
        }
        Ok(())
    }
}

/// Checks the parts against the rest of the section: whether it has a trace, and for how many zones it gives latencies.
pub(crate) fn sound_parts(
    whole_trace: bool,
    zones: usize,
) -> impl FnOnce(&Vec<WorkloadMixture>, &()) -> garde::Result {
    move |parts, _context| {
        let farthest = parts.iter().flat_map(|part| &part.nodes).map(|node| node.zone as usize + 1).max();
        if let Some(needed) = farthest.filter(|needed| *needed > zones) {
            return Err(garde::Error::new(format!(
                "has nodes in {needed} zones, but zone_latency_ms has {zones} rows; give one for each zone"
            )));
        }
        if !parts.is_empty() && parts.iter().all(|part| part.weight <= 0.0) {
            return Err(garde::Error::new("has no part with a weight above 0: no episode could be drawn"));
        }
        let traceless = |part: &WorkloadMixture| part.workload == WorkloadKind::Trace && part.trace.is_none();
        if !whole_trace && parts.iter().any(traceless) {
            return Err(garde::Error::new(
                "has a part with workload = \"trace\", which needs a `trace` of its own or a section \
                 [simulator.serverless.trace]",
            ));
        }
        Ok(())
    }
}
