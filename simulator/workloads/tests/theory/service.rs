//! How long services take, and the workload of one function that arrives by Poisson.

use std::sync::Arc;

use common::RunSeed;
use common::seed::FastRng;
use engine::serverless::{
    ArrivalProcess, FunctionDescription, NextArrival, Span, Work, WorkLaw, WorkloadSource,
};
use rand::Rng as _;
use rand_distr::{Distribution, Exp1, StandardNormal};

/// Standard normal quantile of 95%.
const NORMAL_P95: f64 = 1.644_853_627;

/// Shape of the distribution of service times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    Constant,
    Exponential,
    /// σ of the logarithm.
    LogNormal(f64),
}

impl Shape {
    pub fn name(self) -> &'static str {
        match self {
            Shape::Constant => "constant",
            Shape::Exponential => "exponential",
            Shape::LogNormal(_) => "log-normal, σ = 1",
        }
    }

    /// E[X²] at mean 1.
    pub fn second_moment(self) -> f64 {
        match self {
            Shape::Constant => 1.0,
            Shape::Exponential => 2.0,
            Shape::LogNormal(sigma) => (sigma * sigma).exp(),
        }
    }

    /// A draw of mean 1.
    fn draw(self, rng: &mut FastRng) -> f64 {
        match self {
            Shape::Constant => 1.0,
            Shape::Exponential => Exp1.sample(rng),
            Shape::LogNormal(sigma) => {
                let normal: f64 = StandardNormal.sample(rng);
                (sigma * normal - sigma * sigma / 2.0).exp()
            }
        }
    }

    fn p95(self) -> f64 {
        match self {
            Shape::Constant => 1.0,
            Shape::Exponential => -f64::ln(0.05),
            Shape::LogNormal(sigma) => (sigma * NORMAL_P95 - sigma * sigma / 2.0).exp(),
        }
    }
}

/// Service times, of which a share is I/O and the rest CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Service {
    pub shape: Shape,
    /// Mean, seconds.
    pub mean: f64,
    pub io_share: f64,
}

impl WorkLaw for Service {
    fn draw(&self, rng: &mut FastRng, vcpus: f64) -> Work {
        Work::split(self.mean * self.shape.draw(rng), self.io_share, vcpus)
    }

    fn mean(&self, vcpus: f64) -> Work {
        Work::split(self.mean, self.io_share, vcpus)
    }

    fn p95(&self, _vcpus: f64, _mbps: f64, _noise: f64) -> f64 {
        self.mean * self.shape.p95()
    }
}

/// One function, called independently of everything.
pub struct OneFunction {
    function: [FunctionDescription; 1],
}

impl OneFunction {
    pub fn new(service: Service, memory_mb: u32) -> Self {
        let function = FunctionDescription::new("customer".to_owned(), 0, memory_mb, Arc::new(service));
        OneFunction { function: [function] }
    }
}

impl WorkloadSource for OneFunction {
    fn functions(&self) -> &[FunctionDescription] {
        &self.function
    }

    fn rates(&self) -> Vec<f64> {
        vec![1.0]
    }

    fn arrivals(&self, _: usize, scale: f64, _: Span, _: RunSeed) -> Box<dyn ArrivalProcess> {
        Box::new(Poisson { rate: scale, last: 0.0 })
    }
}

#[derive(Clone)]
struct Poisson {
    /// Arrivals a second.
    rate: f64,
    last: f64,
}

impl ArrivalProcess for Poisson {
    fn next(&mut self, rng: &mut FastRng) -> Option<NextArrival> {
        self.last -= (1.0 - rng.random::<f64>()).ln() / self.rate;
        Some(NextArrival::at(self.last))
    }
}
