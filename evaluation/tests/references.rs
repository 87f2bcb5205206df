//! What references may claim: a bound below every rule, and no figures that they do not know.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::path::Path;

use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use engine::serverless::Part;
use evaluation::{Contender, ServerlessPlan, ServerlessRecord, evaluate_serverless, serverless_table};
use workloads::Episodes;

const SCHEDULERS: [&str; 6] = ["fcfs", "sjf", "tetris", "wait_warm_0.5", "clairvoyant_insertion", "lp_bound"];

/// Four short episodes of a ready configuration at each load.
fn evaluated(workload: &str, loads: &[f64]) -> Vec<ServerlessRecord> {
    let file = format!("{}/../configs/evaluate/{workload}.toml", env!("CARGO_MANIFEST_DIR"));
    let short = ["window_seconds=90", "warm_up_seconds=10", "drain_limit_seconds=3600"];
    let settings = short.map(|one| format!("simulator.serverless.{one}"));
    let config = configuration::load(Path::new(&file), &settings).unwrap();
    let plan = ServerlessPlan {
        part: Part::Test,
        loads: loads.to_vec(),
        seeds: 4,
        seed: RunSeed(3),
        stream: Stream::Test,
        threads: 2,
        batch: 1,
        workload: workload.to_owned(),
    };
    let mut contenders = SCHEDULERS.map(|name| Contender::by_name(name, Scenario::Serverless).unwrap());
    let episodes = Episodes::new(&config.simulator).unwrap();
    evaluate_serverless(&episodes, &mut contenders, &plan, &|_| (), &Shutdown::new()).unwrap()
}

/// A metric of each seed.
fn by_seed(records: &[ServerlessRecord], load: f64, scheduler: &str, metric: &str) -> Vec<f64> {
    let place = evaluation::METRICS.iter().position(|one| one.key == metric).unwrap();
    let record = records.iter().find(|one| one.load == load && one.scheduler == scheduler).unwrap();
    record.by_seed.values().map(|figures| figures[place]).collect()
}

#[test]
fn no_rule_that_finishes_everything_is_below_the_bound() {
    let loads = [30.0, 90.0, 180.0];
    let mut compared = 0;
    for workload in ["steady", "bursty", "mixed"] {
        let records = evaluated(workload, &loads);
        for load in loads {
            let bounds = by_seed(&records, load, "lp_bound", "slowdown_mean");
            assert!(bounds.iter().all(|bound| *bound >= 1.0), "{workload} {load}: {bounds:?}");
            for scheduler in &SCHEDULERS[..5] {
                let guards = by_seed(&records, load, scheduler, "slowdown_mean");
                let unfinished = by_seed(&records, load, scheduler, "unfinished_rate");
                for ((guard, bound), unfinished) in guards.iter().zip(&bounds).zip(unfinished) {
                    // A reference leaves nothing unfinished and says nothing of it.
                    if unfinished > 0.0 {
                        continue;
                    }
                    compared += 1;
                    assert!(guard >= &(bound - 1e-9), "{workload} {load} {scheduler}: {guard} < {bound}");
                }
            }
        }
    }
    assert!(compared > 100, "only {compared} episodes finished everything");
}

#[test]
fn references_have_the_figures_they_know_and_no_others() {
    let records = evaluated("steady", &[90.0]);
    for (scheduler, known) in
        [("lp_bound", vec!["slowdown_mean"]), ("clairvoyant_insertion", vec!["slowdown", "latency_p99"])]
    {
        for metric in known {
            assert!(by_seed(&records, 90.0, scheduler, metric).iter().all(|value| value.is_finite()));
        }
        for metric in ["cost_usd", "cold_start_rate", "idle_gb_seconds", "cpu_used_of_allocated"] {
            assert!(by_seed(&records, 90.0, scheduler, metric).iter().all(|value| value.is_nan()));
        }
    }
    let json = serde_json::to_value(records.last().unwrap()).unwrap();
    assert!(json["cost_usd"]["mean"].is_null() && json["slowdown_mean"]["mean"].is_number(), "{json}");
    let table = serverless_table(&records);
    assert!(table.contains("(reference)") && !table.contains("seeds of 0 s"), "{table}");
}

#[test]
fn with_workflows_they_are_left_out_and_the_rules_play() {
    let records = evaluated("workflow", &[50.0]);
    let schedulers: Vec<&str> = records.iter().map(|record| record.scheduler.as_str()).collect();
    assert_eq!(schedulers, &SCHEDULERS[..4]);
}
