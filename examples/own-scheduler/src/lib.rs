//! A scheduler, an order and a workload of one's own, played beside `sjf`. docs/extending.md explains them step by step.

pub mod order;
pub mod scheduler;
pub mod workload;

use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig};
use engine::serverless::Part;
use engine::{Scheduler, SchedulerError, SetUpError};
use evaluation::{Contender, EvaluationError, ServerlessPlan, ServerlessRecord, evaluate_serverless};
use heuristics::serverless::placement::WaitWarm;
use heuristics::serverless::{Composed, Size};
use workloads::Episodes;

use order::EarliestDeadline;
use scheduler::WarmOldest;
use workload::Photos;

/// The workload on the default cluster: four nodes of 2 GB.
///
/// # Errors
/// When a function fits on no node.
pub fn episodes() -> Result<Episodes, SetUpError> {
    let serverless = ServerlessConfig { test_window_seconds: 600.0, ..ServerlessConfig::default() };
    let config =
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless };
    Episodes::of_workload(&config, Box::new(Photos::new()))
}

/// Makes the rule that decides all by itself.
///
/// # Errors
/// Never; one that loads something may fail here.
pub fn warm_oldest() -> Result<Box<dyn Scheduler>, SchedulerError> {
    Ok(Box::new(WarmOldest::default()))
}

/// Makes a scheduler of an own order and parts that are there already.
///
/// # Errors
/// Never, likewise.
pub fn earliest_deadline() -> Result<Box<dyn Scheduler>, SchedulerError> {
    let placement = WaitWarm { patience: 1.0 };
    Ok(Box::new(Composed::new(
        "earliest-deadline".to_owned(),
        Box::new(EarliestDeadline),
        Size::Default,
        Box::new(placement),
        None,
    )))
}

/// Plays all three on the same `seeds` seeds at 90% load.
///
/// # Errors
/// When a scheduler chooses something impossible.
pub fn compare(episodes: &Episodes, seeds: u32) -> Result<Vec<ServerlessRecord>, EvaluationError> {
    let mut contenders = [
        Contender::Heuristic("sjf".to_owned()),
        Contender::Made { name: "warm-oldest".to_owned(), make: &warm_oldest },
        Contender::Made { name: "earliest-deadline".to_owned(), make: &earliest_deadline },
    ];
    let plan = ServerlessPlan {
        part: Part::Test,
        loads: vec![90.0],
        seeds,
        seed: RunSeed(1),
        stream: Stream::Test,
        threads: 0,
        batch: 1,
        workload: "photos".to_owned(),
    };
    evaluate_serverless(episodes, &mut contenders, &plan, &|_| {}, &Shutdown::new())
}
