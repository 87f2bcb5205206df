//! What training and validation are played on, part by part.

use common::trajectory::Scenario;

use crate::mixture::WorkloadMixture;
use crate::{ServerlessConfig, SimulatorConfig};

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
        let parts = self.training.iter().enumerate();
        parts.map(|(place, part)| TrainingPart { name: self.name_of(place), ..self.part(part) }).collect()
    }

    /// The workload of the part at `place`; from the second part with the same workload on with its number among them.
    fn name_of(&self, place: usize) -> String {
        let workload = self.training[place].workload;
        let before = self.training[..place].iter().filter(|part| part.workload == workload).count();
        if before == 0 { workload.to_string() } else { format!("{workload}_{}", before + 1) }
    }

    fn part(&self, part: &WorkloadMixture) -> TrainingPart {
        let WorkloadMixture { weight, workload, loads, fresh_functions, nodes, trace } = part;
        TrainingPart {
            name: String::new(),
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
