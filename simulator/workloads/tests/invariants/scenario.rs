//! Small random clusters and workloads in which everything that can happen does.

use std::sync::Arc;

use common::cluster::{DataEdge, NodeSpec, StageSpec, WorkflowSpec};
use common::ids::FunctionId;
use common::seed::FastRng;
use common::trajectory::Scenario as Kind;
use common::{RunSeed, Stream};
use configuration::{Binding, FailureConfig, RuntimeConfig, ServerlessConfig, SimulatorConfig, SlotsConfig};
use engine::Interests;
use engine::serverless::{
    ArrivalProcess, FunctionDescription, NextArrival, Span, Work, WorkLaw, WorkloadSource,
};
use proptest::prelude::*;
use rand::Rng;
use rand_distr::{Distribution, Exp1};
use workloads::Episodes;

/// What is on and off; all numbers are drawn from the seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub late_binding: bool,
    pub isolation: bool,
    pub failures: bool,
    pub workflows: bool,
    pub keep_alive: bool,
    pub pools: bool,
    /// Arrivals on a grid of 50 ms, so that much happens at one instant.
    pub at_once: bool,
    /// The first seconds do not count.
    pub warm_up: bool,
    /// Too short a drain for all to finish.
    pub cut_off: bool,
}

prop_compose! {
    pub fn scenarios()(
        seed in any::<u64>(),
        flags in any::<[bool; 9]>(),
    ) -> Scenario {
        let [late_binding, isolation, failures, workflows, keep_alive, pools, at_once, warm_up, cut_off] = flags;
        Scenario { seed, late_binding, isolation, failures, workflows, keep_alive, pools, at_once, warm_up, cut_off }
    }
}

impl Scenario {
    pub fn interests(&self) -> Interests {
        Interests {
            events: true,
            keep_alive: self.keep_alive,
            pools: self.pools,
            evictions: self.pools,
            foresight: false,
        }
    }

    pub fn load(&self) -> f64 {
        RunSeed(self.seed).rng(Stream::Scenario, 2).random_range(0.2..1.8)
    }

    pub fn config(&self) -> ServerlessConfig {
        let mut rng = RunSeed(self.seed).rng(Stream::Scenario, 0);
        let runtime = |median_ms| RuntimeConfig { name: "r".to_owned(), share: 1.0, median_ms, sigma: 0.3 };
        let failures = FailureConfig { mean_up_seconds: 4.0, mean_down_seconds: 1.0 };
        ServerlessConfig {
            nodes: (0..rng.random_range(1..5)).map(|_| node(&mut rng)).collect(),
            zone_latency_ms: vec![vec![0.0, 20.0], vec![20.0, 1.0]],
            test_window_seconds: rng.random_range(2.0..8.0),
            warm_up_seconds: if self.warm_up { 1.5 } else { 0.0 },
            drain_limit_seconds: if self.cut_off { 0.2 } else { 1e5 },
            keep_alive_seconds: [0.0, 0.05, 0.5, 3.0, 600.0][rng.random_range(0..5)],
            binding: if self.late_binding { Binding::Late } else { Binding::Early },
            isolation: self.isolation,
            failures: self.failures.then_some(failures),
            size_multiples: [vec![1.0], vec![0.5, 1.0, 2.0], vec![1.0, 1.5]][rng.random_range(0..3)].clone(),
            history: 3,
            runtimes: [0.0, 50.0, 400.0].map(runtime).to_vec(),
            functions_seed: RunSeed(self.seed),
            ..ServerlessConfig::default()
        }
    }

    pub fn source(&self) -> Fixed {
        let mut rng = RunSeed(self.seed).rng(Stream::Scenario, 1);
        let functions: u32 = rng.random_range(2..7);
        let works: Vec<Work> = (0..functions).map(|_| work(&mut rng)).collect();
        let describe = |(place, &work): (usize, &Work)| {
            let peak = [60, 128, 200, 500][rng.random_range(0..4)];
            let law = Arc::new(Constant(work));
            let one = FunctionDescription::new(format!("f{place}"), place as u32, peak, law);
            FunctionDescription { parallelism: [0.05, 1.0][rng.random_range(0..2)], ..one }
        };
        let descriptions = works.iter().enumerate().map(describe).collect();
        let workflows = if self.workflows { vec![diamond(functions)] } else { Vec::new() };
        Fixed { descriptions, works, workflows, at_once: self.at_once }
    }

    pub fn episodes(&self) -> Episodes {
        let config = SimulatorConfig {
            scenario: Kind::Serverless,
            slots: SlotsConfig::default(),
            serverless: self.config(),
        };
        Episodes::of_workload(&config, Box::new(self.source())).unwrap()
    }
}

fn node(rng: &mut impl Rng) -> NodeSpec {
    NodeSpec {
        cpu_millicores: rng.random_range(100..1000),
        memory_mb: [512, 1024, 1500][rng.random_range(0..3)],
        network_mbps: rng.random_range(20..200),
        speed: [0.5, 1.0, 1.25][rng.random_range(0..3)],
        price_class: [1.0, 2.0][rng.random_range(0..2)],
        zone: rng.random_range(0..2),
    }
}

fn work(rng: &mut impl Rng) -> Work {
    Work {
        megabits: [0.0, 2.0, 10.0][rng.random_range(0..3)],
        io_seconds: [0.0, 0.05, 0.3][rng.random_range(0..3)],
        cpu_seconds: [0.001, 0.01, 0.05][rng.random_range(0..3)],
        input_size: 1.0,
    }
}

/// One stage, two that need it, and one that needs both.
fn diamond(functions: u32) -> WorkflowSpec {
    let edge = |from| DataEdge { from, megabits: 3.0 };
    let stage = |function, inputs| StageSpec { function: FunctionId(function % functions), inputs };
    WorkflowSpec {
        name: "diamond".to_owned(),
        stages: vec![
            stage(0, vec![]),
            stage(1, vec![edge(0)]),
            stage(2, vec![edge(0)]),
            stage(3, vec![edge(1), edge(2)]),
        ],
        slo_factor: 3.0,
    }
}

/// Always the same work.
struct Constant(Work);

impl WorkLaw for Constant {
    fn draw(&self, _rng: &mut FastRng, _vcpus: f64) -> Work {
        self.0
    }

    fn mean(&self, _vcpus: f64) -> Work {
        self.0
    }

    fn p95(&self, vcpus: f64, mbps: f64, _noise: f64) -> f64 {
        self.0.io_seconds + self.0.megabits / mbps + self.0.cpu_seconds / vcpus
    }
}

/// Functions whose every invocation has the same work, so that whoever watches knows how much there was to do.
pub struct Fixed {
    pub descriptions: Vec<FunctionDescription>,
    pub works: Vec<Work>,
    workflows: Vec<WorkflowSpec>,
    at_once: bool,
}

impl WorkloadSource for Fixed {
    fn functions(&self) -> &[FunctionDescription] {
        &self.descriptions
    }

    fn workflows(&self) -> &[WorkflowSpec] {
        &self.workflows
    }

    fn rates(&self) -> Vec<f64> {
        vec![1.0; self.descriptions.len() + self.workflows.len()]
    }

    fn arrivals(&self, _: usize, scale: f64, _: Span, _: RunSeed) -> Box<dyn ArrivalProcess> {
        // Fast functions on large nodes would come thousands of times.
        Box::new(Random { rate: scale.min(8.0), grid: if self.at_once { 0.05 } else { 0.0 }, last: 0.0 })
    }
}

#[derive(Clone)]
struct Random {
    rate: f64,
    /// Seconds; 0: none.
    grid: f64,
    last: f64,
}

impl ArrivalProcess for Random {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        let draw: f64 = Exp1.sample(rng);
        self.last += draw / self.rate;
        let at = if self.grid > 0.0 { (self.last / self.grid).floor() * self.grid } else { self.last };
        Some(NextArrival::at(at))
    }
}
