//! The longest paths of a workflow.

use crate::cluster::WorkflowSpec;
use crate::ids::FunctionId;

/// Expected length of the longest path from each stage to the end, the stage included, in seconds (HEFT's upward rank,
/// Topcuoglu et al. 2002, on estimates and with `mbps` for the data).
#[must_use]
pub fn upward_ranks(spec: &WorkflowSpec, seconds: impl Fn(FunctionId) -> f64, mbps: f64) -> Vec<f64> {
    let mut behind = vec![0.0_f64; spec.stages.len()];
    let mut ranks = vec![0.0; spec.stages.len()];
    for (place, stage) in spec.stages.iter().enumerate().rev() {
        ranks[place] = seconds(stage.function) + behind[place];
        for edge in &stage.inputs {
            let path = ranks[place] + edge.megabits / mbps;
            let longest = &mut behind[edge.from as usize];
            *longest = longest.max(path);
        }
    }
    ranks
}
