//! One function on a node with room for one container is a queue with one server, whose mean wait is known.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::path::Path;

use common::RunSeed;
use common::cluster::NodeSpec;
use common::config::{ServerlessConfig, SimulatorConfig, SlotsConfig, TraceConfig, WorkloadKind};
use common::trajectory::Scenario;
use simulator::serverless::Part;
use simulator::{DecisionRequest, Episodes, Progress, heuristic};

/// Service time, seconds.
const SERVICE: f64 = 0.02;

fn one_server(folder: &Path, load: f64) -> SimulatorConfig {
    let write = |name: &str, text: String| {
        std::fs::write(folder.join(name), text).unwrap();
        folder.join(name)
    };
    let minutes: Vec<String> = (0..6).map(|minute| minute.to_string()).collect();
    let trace = TraceConfig {
        invocations: Some(write(
            "i.csv",
            format!("HashApp,HashFunction,{}\na,f{}\n", minutes.join(","), ",3000".repeat(6)),
        )),
        durations: Some(write(
            "d.csv",
            format!(
                "HashApp,HashFunction,{}\na,f{}\n",
                [0, 1, 25, 50, 75, 99, 100].map(|level| format!("percentile_Average_{level}")).join(","),
                format!(",{}", 1000.0 * SERVICE).repeat(7)
            ),
        )),
        memory: Some(write("m.csv", "HashApp,AverageAllocatedMb\na,100\n".to_owned())),
        training_minutes: [0, 5],
        validation_minutes: [0, 5],
        test_minutes: [0, 5],
        io_share: 0.5,
        ..TraceConfig::default()
    };
    let node = NodeSpec {
        cpu_millicores: 1000,
        memory_mb: 128,
        network_mbps: 100,
        speed: 1.0,
        price_class: 1.0,
        zone: 0,
    };
    let serverless = ServerlessConfig {
        nodes: vec![node],
        workload: WorkloadKind::Trace,
        trace: Some(trace),
        load,
        warm_up_seconds: 10.0,
        ..ServerlessConfig::default()
    };
    SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless }
}

#[test]
fn a_queue_with_constant_service_waits_as_pollaczek_and_khinchine_say() {
    let folder = tempfile::tempdir().unwrap();
    for load in [0.5, 0.7] {
        let episodes = Episodes::new(&one_server(folder.path(), load)).unwrap();
        let mut simulation = episodes.serverless(RunSeed(11), Part::Test, load, false);
        let mut fcfs = heuristic("fcfs", Scenario::Serverless).unwrap();
        let mut decisions = Vec::new();
        while simulation.advance() == Progress::Decision {
            decisions.clear();
            let request = DecisionRequest { environment: 0, view: simulation.view() };
            fcfs.decide(&[request], &mut decisions).unwrap();
            simulation.apply(decisions[0].action).unwrap();
        }
        let outcome = simulation.as_serverless().unwrap().outcome();
        assert_eq!(outcome.cold_starts, 0, "the container stays warm");
        let mean = outcome.latencies.mean();
        let expected = SERVICE + load * SERVICE / (2.0 * (1.0 - load));
        assert!((mean / expected - 1.0).abs() < 0.06, "{mean} for {expected} at {load}");
    }
}
