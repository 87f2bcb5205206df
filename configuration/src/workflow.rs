//! The workload of workflows.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workload::low_then_high;

/// Web services and data pipelines with Poisson arrivals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkflowConfig {
    /// Web services: chains of 2 to 4 short functions with little data.
    #[garde(range(max = 100_000))]
    pub services: u32,
    /// Data pipelines: split, 4 to 8 workers side by side, merge, with much data.
    #[garde(range(max = 100_000), custom(any_workflow(self.services)))]
    pub pipelines: u32,
    /// Share of the pipelines in the work (memory × time), where there are both.
    #[garde(range(min = 0.001, max = 0.999))]
    pub pipeline_share: f64,
    /// Median of the log-normal mean duration of a service's function, seconds.
    #[garde(range(min = 0.001, max = 3600.0))]
    pub service_median_seconds: f64,
    /// The same for a pipeline's.
    #[garde(range(min = 0.001, max = 3600.0))]
    pub pipeline_median_seconds: f64,
    /// σ of both.
    #[garde(range(min = 0.0, max = 3.0))]
    pub duration_sigma: f64,
    /// A service's objective is violated beyond this × its critical path.
    #[garde(range(min = 1.0, max = 1e6))]
    pub service_slo_factor: f64,
    /// The same for a pipeline.
    #[garde(range(min = 1.0, max = 1e6))]
    pub pipeline_slo_factor: f64,
    /// Least and greatest data between two stages of a service, Mbit; drawn log-uniformly.
    #[garde(inner(range(min = 0.001, max = 1e9)), custom(low_then_high))]
    pub service_megabits: [f64; 2],
    /// The same for a pipeline.
    #[garde(inner(range(min = 0.001, max = 1e9)), custom(low_then_high))]
    pub pipeline_megabits: [f64; 2],
    /// σ of the log-normal noise on every duration.
    #[garde(range(min = 0.0, max = 5.0))]
    pub noise_sigma: f64,
}

impl Default for WorkflowConfig {
    fn default() -> Self {
        WorkflowConfig {
            services: 20,
            pipelines: 4,
            pipeline_share: 0.7,
            service_median_seconds: 0.2,
            pipeline_median_seconds: 4.0,
            duration_sigma: 0.7,
            service_slo_factor: 2.0,
            pipeline_slo_factor: 5.0,
            service_megabits: [0.1, 4.0],
            pipeline_megabits: [50.0, 500.0],
            noise_sigma: 0.1,
        }
    }
}

fn any_workflow(services: u32) -> impl FnOnce(&u32, &()) -> garde::Result {
    move |pipelines, _context| {
        if services + pipelines > 0 {
            return Ok(());
        }
        Err(garde::Error::new("is 0 as `services` is; there must be a workflow"))
    }
}
