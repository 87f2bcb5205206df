//! Workload *workflow*: web services (short chains with little data and tight objectives) and data pipelines (a split, workers
//! side by side, a merge, with much data between them); arrivals are Poisson, and functions are called as stages only.

use std::sync::Arc;

use common::cluster::{DataEdge, StageSpec, WorkflowSpec};
use common::ids::FunctionId;
use common::{RunSeed, Stream};
use configuration::WorkflowConfig;
use engine::serverless::{
    ArrivalProcess, FunctionDescription, InputScaled, MemoryShares, Span, WorkloadSource,
};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::measured;
use crate::poisson::Poisson;
use crate::recorded::work;
use crate::synthetic::{NETWORK_SHARE, typical_work};

/// Stream numbers of the workflows lie behind those of the functions' other properties.
const WORKFLOWS: u64 = 7 << 32;
/// A pipeline's functions need at least so many MB, for its data has to go somewhere.
const PIPELINE_MB: u32 = 512;

/// The workflows and their functions.
pub(super) struct Workflows {
    functions: Vec<FunctionDescription>,
    workflows: Vec<WorkflowSpec>,
    /// Runs of each workflow a second.
    rates: Vec<f64>,
}

impl Workflows {
    /// Draws services, then pipelines.
    pub fn new(config: &WorkflowConfig, seed: RunSeed, shares: MemoryShares) -> Self {
        let mut workflows = Workflows { functions: Vec::new(), workflows: Vec::new(), rates: Vec::new() };
        for number in 0..config.services + config.pipelines {
            let mut draw =
                Draw { config, shares, rng: seed.rng(Stream::Functions, WORKFLOWS + u64::from(number)) };
            if number < config.services {
                workflows.add_service(number, &mut draw);
            } else {
                workflows.add_pipeline(number, &mut draw);
            }
        }
        workflows.share_work(config);
        workflows
    }

    fn add_service(&mut self, number: u32, draw: &mut Draw<'_, impl Rng>) {
        let length = draw.rng.random_range(2..=4);
        let mut stages: Vec<StageSpec> = Vec::new();
        for place in 0..length {
            let name = format!("service-{number}-{place}");
            let function =
                self.add_function(draw.function(name, number, draw.config.service_median_seconds, 0));
            let megabits = draw.megabits(draw.config.service_megabits);
            let inputs = stages.len().checked_sub(1).map(|from| DataEdge { from: from as u32, megabits });
            stages.push(StageSpec { function, inputs: inputs.into_iter().collect() });
        }
        let slo_factor = draw.config.service_slo_factor;
        self.workflows.push(WorkflowSpec { name: format!("service-{number}"), stages, slo_factor });
        self.rates.push(draw.log_normal(1.0, 1.0));
    }

    fn add_pipeline(&mut self, number: u32, draw: &mut Draw<'_, impl Rng>) {
        let workers = draw.rng.random_range(4..=8);
        let median = draw.config.pipeline_median_seconds;
        let mut function = |draw: &mut Draw<'_, _>, role: &str, seconds: f64| {
            self.add_function(draw.function(
                format!("pipeline-{number}-{role}"),
                number,
                seconds,
                PIPELINE_MB,
            ))
        };
        let split = function(draw, "split", median / 4.0);
        let worker = function(draw, "work", median);
        let merge = function(draw, "merge", median / 2.0);
        let mut stages = vec![StageSpec { function: split, inputs: Vec::new() }];
        for _ in 0..workers {
            let megabits = draw.megabits(draw.config.pipeline_megabits);
            stages.push(StageSpec { function: worker, inputs: vec![DataEdge { from: 0, megabits }] });
        }
        let results = |from| DataEdge { from, megabits: draw.megabits(draw.config.pipeline_megabits) / 4.0 };
        stages.push(StageSpec { function: merge, inputs: (1..=workers).map(results).collect() });
        let slo_factor = draw.config.pipeline_slo_factor;
        self.workflows.push(WorkflowSpec { name: format!("pipeline-{number}"), stages, slo_factor });
        self.rates.push(draw.log_normal(1.0, 1.0));
    }

    fn add_function(&mut self, function: FunctionDescription) -> FunctionId {
        self.functions.push(function);
        FunctionId(self.functions.len() as u32 - 1)
    }

    /// Gives services and pipelines their shares of the work, where there are both.
    fn share_work(&mut self, config: &WorkflowConfig) {
        let each = work(&self.functions, |_| 1.0);
        let run = |workflow: &WorkflowSpec| -> f64 {
            workflow.stages.iter().map(|stage| each[stage.function.0 as usize]).sum()
        };
        let total: Vec<f64> =
            self.workflows.iter().zip(&self.rates).map(|(one, rate)| rate * run(one)).collect();
        let (services, pipelines) = total.split_at(config.services as usize);
        let shares = [1.0 - config.pipeline_share, config.pipeline_share];
        let factors = [services, pipelines].map(|part| part.iter().sum::<f64>());
        for (place, rate) in self.rates.iter_mut().enumerate() {
            let part = usize::from(place >= config.services as usize);
            *rate *= shares[part] / factors[part];
        }
    }
}

impl WorkloadSource for Workflows {
    fn functions(&self) -> &[FunctionDescription] {
        &self.functions
    }

    fn workflows(&self) -> &[WorkflowSpec] {
        &self.workflows
    }

    fn rates(&self) -> Vec<f64> {
        let mut rates = vec![0.0; self.functions.len()];
        rates.extend(&self.rates);
        rates
    }

    fn arrivals(
        &self,
        subject: usize,
        scale: f64,
        _span: Span,
        _episode: RunSeed,
    ) -> Box<dyn ArrivalProcess> {
        let rate = subject.checked_sub(self.functions.len()).map_or(0.0, |workflow| self.rates[workflow]);
        Box::new(Poisson::new(rate * scale))
    }
}

/// Draws the properties of one workflow.
struct Draw<'a, R> {
    config: &'a WorkflowConfig,
    shares: MemoryShares,
    rng: R,
}

impl<R: Rng> Draw<'_, R> {
    fn function(
        &mut self,
        name: String,
        application: u32,
        median: f64,
        least_mb: u32,
    ) -> FunctionDescription {
        let seconds = self.log_normal(median, self.config.duration_sigma);
        let memory = measured::memory(&mut self.rng).max(least_mb);
        let typical = typical_work(seconds, memory, 1.0, NETWORK_SHARE, self.shares);
        let law = InputScaled { typical, sensitivity: 1.0, input_sigma: 0.0 };
        FunctionDescription {
            tenant: application,
            noise_sigma: self.config.noise_sigma,
            ..FunctionDescription::new(name, application, memory, Arc::new(law))
        }
    }

    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let normal: f64 = StandardNormal.sample(&mut self.rng);
        median * (sigma * normal).exp()
    }

    fn megabits(&mut self, [low, high]: [f64; 2]) -> f64 {
        low * (high / low).powf(self.rng.random())
    }
}
