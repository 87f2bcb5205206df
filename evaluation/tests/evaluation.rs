//! Whole evaluations: the same whatever the threads and the batch, and known results.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::path::Path;

use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig, SteadyConfig};
use engine::serverless::Part;
use evaluation::{
    Contender, EvaluationError, ServerlessPlan, SlotsPlan, SlotsPoint, evaluate_jobs, evaluate_serverless,
    evaluate_slots, read_jobs, serverless_picture, serverless_table, slots_picture, slots_table,
};
use heuristics::heuristic;
use workloads::Episodes;

fn episodes(scenario: Scenario) -> Episodes {
    let serverless = ServerlessConfig {
        steady: SteadyConfig { functions: 6, ..SteadyConfig::default() },
        window_seconds: 60.0,
        warm_up_seconds: 10.0,
        ..ServerlessConfig::default()
    };
    Episodes::new(&SimulatorConfig { scenario, slots: SlotsConfig::default(), serverless }).unwrap()
}

fn plan(threads: usize, batch: usize) -> SlotsPlan {
    SlotsPlan {
        loads: vec![90.0, 130.0],
        steps: vec![50, 200],
        episodes: 40,
        seed: RunSeed(7),
        stream: Stream::Test,
        threads,
        batch,
    }
}

fn slots(threads: usize) -> Vec<SlotsPoint> {
    let mut contenders = ["tetris", "fcfs_strict", "clairvoyant_insertion"]
        .map(|name| Contender::by_name(name, Scenario::Slots).unwrap());
    evaluate_slots(&episodes(Scenario::Slots), &mut contenders, &plan(threads, 1), &|_| (), &Shutdown::new())
        .unwrap()
}

#[test]
fn points_do_not_depend_on_threads_or_batches() {
    let points = slots(1);
    assert_eq!(points, slots(3));
    for batch in [1, 7, 100] {
        let mut tetris = heuristic("tetris", Scenario::Slots).unwrap();
        let mut contenders = [Contender::Single(&mut *tetris)];
        let batched = evaluate_slots(
            &episodes(Scenario::Slots),
            &mut contenders,
            &plan(1, batch),
            &|_| (),
            &Shutdown::new(),
        )
        .unwrap();
        let expected: Vec<&SlotsPoint> = points.iter().filter(|point| point.scheduler == "tetris").collect();
        assert_eq!(batched.iter().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn tables_and_pictures_show_what_was_measured() {
    let points = slots(2);
    let table = slots_table(&points);
    assert!(table.contains("50 steps, 40 episodes") && table.contains("clairvoyant_insertion"), "{table}");
    let svg = slots_picture(&points, &["tetris"]).unwrap();
    for words in ["200 steps", "offered load (% of capacity)", "mean slowdown", "fcfs_strict"] {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn serverless_records_have_every_metric_and_paired_differences() {
    let mut contenders = ["fcfs", "sjf"].map(|name| Contender::by_name(name, Scenario::Serverless).unwrap());
    let plan = ServerlessPlan {
        part: Part::Test,
        loads: vec![50.0, 90.0],
        seeds: 4,
        seed: RunSeed(1),
        stream: Stream::Test,
        threads: 2,
        batch: 1,
        workload: "steady".to_owned(),
    };
    let records = evaluate_serverless(
        &episodes(Scenario::Serverless),
        &mut contenders,
        &plan,
        &|_| (),
        &Shutdown::new(),
    )
    .unwrap();
    assert_eq!(records.len(), 4);
    let json = serde_json::to_value(&records[1]).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["scenario"], "serverless");
    assert!(json["slowdown"]["low"].as_f64().unwrap() <= json["slowdown"]["mean"].as_f64().unwrap());
    assert!(json["cold_start_rate"]["mean"].as_f64().unwrap() > 0.0);
    assert_eq!(json["differences"][0]["against"], "fcfs");
    let difference = json["differences"][0]["mean"].as_f64().unwrap();
    let means = records[1].metrics["slowdown"].mean - records[0].metrics["slowdown"].mean;
    assert!((difference - means).abs() < 1e-9);
    assert!(serverless_table(&records).contains("slowdown_mean"));
    assert!(serverless_picture(&records, &[]).unwrap().contains("geometric mean over functions"));
}

#[test]
fn given_jobs_are_played_as_known() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../simulator/data/slots_fixtures.json"));
    let sequences = read_jobs(path).unwrap();
    let mut contenders = ["fcfs_strict", "clairvoyant_insertion"]
        .map(|name| Contender::by_name(name, Scenario::Slots).unwrap());
    let records = evaluate_jobs(&sequences, &mut contenders).unwrap();
    assert_eq!(records.len(), 6);
    let text = std::fs::read_to_string(path).unwrap();
    let known: serde_json::Value = serde_json::from_str(&text).unwrap();
    let known = &known["sequences"][2];
    let record = serde_json::to_value(&records[4]).unwrap();
    assert_eq!(record["start"], known["policies"]["fcfs_strict"]["start"]);
    assert_eq!(record["dropped"].as_array().unwrap().len(), 7);
    let insertion = known["clairvoyant_insertion_slowdown"].as_f64().unwrap();
    assert!((records[5].slowdown - insertion).abs() < 1e-9);
}

#[test]
fn bad_files_and_names_are_named() {
    let error = Contender::by_name("sfj", Scenario::Slots).err().unwrap().to_string();
    assert!(
        error.contains("`sfj`")
            && error.contains("the nearest are `sjf`")
            && error.contains("docs/schedulers.md"),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.json");
    assert!(matches!(read_jobs(&path), Err(EvaluationError::Read { .. })));
    let job = r#"{"id": 0, "length": 2, "demand": [11, 1], "arrival": 3}"#;
    let text = |job: &str| {
        format!(
            r#"{{"sequences": [{{"name": "s", "steps": 9, "slots": 5, "capacity": [10, 10], "backlog": 3, "jobs": [{job}]}}]}}"#
        )
    };
    std::fs::write(&path, text(job)).unwrap();
    let error = read_jobs(&path).err().unwrap().to_string();
    let place = "jobs.json: `sequences[0].jobs[0].demand[0]`: is 11";
    assert!(error.contains(place) && error.contains("from 0 to 10"), "{error}");
    std::fs::write(&path, text(&job.replace("2,", "\"two\","))).unwrap();
    let error = read_jobs(&path).err().unwrap().to_string();
    assert!(error.contains("sequences[0].jobs[0].length"), "{error}");
}
