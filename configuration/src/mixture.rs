//! Training on several workloads and loads at once.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::trace::TraceConfig;
use crate::workload::WorkloadKind;
use crate::{ServerlessConfig, SimulatorConfig};
use common::cluster::NodeSpec;
use common::trajectory::Scenario;

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
    #[garde(inner(custom(crate::serverless::sound_node)))]
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

/// What training consists of: a workload and the loads that it is played at.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingPart {
    /// Name for logs and metrics.
    pub name: String,
    /// Relative weight.
    pub weight: f64,
    /// Lowest and highest load, percent.
    pub loads: [f64; 2],
    /// Whether each episode draws functions of its own.
    pub fresh_functions: bool,
    /// The configuration of this workload alone, at the middle of its loads.
    pub config: ServerlessConfig,
}

impl ServerlessConfig {
    /// The parts that `training` lists; without one the configured workload at its load.
    #[must_use]
    pub fn training_parts(&self) -> Vec<TrainingPart> {
        if self.training.is_empty() {
            return vec![TrainingPart {
                name: self.workload.to_string(),
                weight: 1.0,
                loads: [self.load_percent; 2],
                fresh_functions: false,
                config: self.clone(),
            }];
        }
        self.training.iter().map(|part| self.part(part)).collect()
    }

    fn part(&self, part: &WorkloadMixture) -> TrainingPart {
        let WorkloadMixture { weight, workload, loads, fresh_functions, nodes, trace } = part;
        TrainingPart {
            name: workload.to_string(),
            weight: *weight,
            loads: *loads,
            fresh_functions: *fresh_functions,
            config: ServerlessConfig {
                workload: *workload,
                load_percent: f64::midpoint(loads[0], loads[1]),
                nodes: if nodes.is_empty() { self.nodes.clone() } else { nodes.clone() },
                trace: trace.clone().or_else(|| self.trace.clone()),
                training: Vec::new(),
                ..self.clone()
            },
        }
    }
}

impl SimulatorConfig {
    /// Configurations on which a policy that learns on a mixture is validated, with a name and loads each: every part at both ends of its
    /// loads. Empty where there is no mixture.
    #[must_use]
    pub fn validation_parts(&self) -> Vec<(String, SimulatorConfig, Vec<f64>)> {
        if self.scenario == Scenario::Slots || self.serverless.training.is_empty() {
            return Vec::new();
        }
        let parts = self.serverless.training_parts().into_iter().filter(|part| part.weight > 0.0);
        parts
            .map(|part| {
                let mut loads = part.loads.to_vec();
                loads.dedup();
                (part.name, SimulatorConfig { serverless: part.config, ..self.clone() }, loads)
            })
            .collect()
    }
}
