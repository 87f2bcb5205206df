//! The realised load of every workload hits the asked load within 1% over a long run.

use std::path::Path;

use common::cluster::{NodeSpec, StageSpec};
use common::{RunSeed, Stream};
use configuration::{ServerlessConfig, TraceConfig, WorkloadKind};
use engine::serverless::{Coming, EpisodeSource, Part, RESOURCES, Workload};
use workloads::serverless_workload;

/// Load of the arrivals of `episodes` episodes of `seconds` (0: all of a part) each, asked to be `asked`.
fn realised(config: ServerlessConfig, seconds: f64, asked: f64, episodes: u64) -> f64 {
    let nodes = config.nodes.clone();
    let config = ServerlessConfig {
        window_seconds: seconds.max(1.0),
        validation_window_seconds: seconds,
        test_window_seconds: seconds,
        ..config
    };
    let workload = serverless_workload(&config).expect("a workload of defaults or of the bundled samples");
    // Training minutes are those that a trace is scaled on; a range of none takes all of them.
    let part = if config.workload == WorkloadKind::Trace { Part::Training } else { Part::Test };
    let (mut demand, mut time) = ([0.0; RESOURCES], 0.0);
    for episode in 0..episodes {
        let episode = RunSeed(7).episode(Stream::Test, episode);
        time += seconds;
        for coming in workload.arrivals(EpisodeSource { episode, part, load: asked }).stream {
            for (place, (function, passed)) in called(&workload, &coming).into_iter().enumerate() {
                let coming = Coming { seed: coming.seed.wrapping_add(place as u64), ..coming };
                let mut work = workload.draw(function, &coming).work;
                work.megabits += passed;
                demand[0] += work.cpu_seconds;
                let memory = workload.cluster().functions[function as usize].default_memory_mb;
                demand[1] += f64::from(memory) * workload.reference_seconds(function, &work);
                demand[2] += work.megabits;
            }
        }
    }
    let sum = |of: fn(&NodeSpec) -> f64| nodes.iter().map(of).sum::<f64>() * time;
    [
        demand[0] / sum(|node| f64::from(node.cpu_millicores) / 1000.0 * node.speed),
        demand[1] / sum(|node| f64::from(node.memory_mb)),
        demand[2] / sum(|node| f64::from(node.network_mbps)),
    ]
    .into_iter()
    .fold(0.0, f64::max)
}

/// The functions that an arrival calls, each with the data that is passed to it, Mbit.
fn called(workload: &Workload, coming: &Coming) -> Vec<(u32, f64)> {
    let cluster = workload.cluster();
    match (coming.subject as usize).checked_sub(cluster.functions.len()) {
        None => vec![(coming.subject, 0.0)],
        Some(workflow) => {
            let stages = cluster.workflows[workflow].stages.iter();
            let passed = |stage: &StageSpec| stage.inputs.iter().map(|edge| edge.megabits).sum();
            stages.map(|stage| (stage.function.0, passed(stage))).collect()
        }
    }
}

fn nodes() -> Vec<NodeSpec> {
    let node = NodeSpec {
        cpu_millicores: 8000,
        memory_mb: 8192,
        network_mbps: 4000,
        speed: 1.0,
        price_class: 1.0,
        zone: 0,
    };
    vec![node; 4]
}

fn synthetic(workload: WorkloadKind) -> ServerlessConfig {
    ServerlessConfig { nodes: nodes(), workload, ..ServerlessConfig::default() }
}

fn within_one_percent(realised: f64, asked: f64) {
    assert!((realised / asked - 1.0).abs() < 0.01, "asked for {asked}, came to {realised}");
}

#[test]
fn steady_hits_its_load() {
    within_one_percent(realised(synthetic(WorkloadKind::Steady), 2e4, 0.9, 1), 0.9);
}

#[test]
fn bursty_hits_its_load() {
    // Few arrivals in a long time: what varies is how often it spikes.
    within_one_percent(realised(synthetic(WorkloadKind::Bursty), 1e6, 0.02, 6), 0.02);
}

#[test]
fn periodic_hits_its_load() {
    // Whole days, whatever time they begin at.
    within_one_percent(realised(synthetic(WorkloadKind::Periodic), 5.0 * 86_400.0, 0.2, 2), 0.2);
}

#[test]
fn mixed_hits_its_load() {
    within_one_percent(realised(synthetic(WorkloadKind::Mixed), 1e5, 0.9, 1), 0.9);
}

#[test]
fn workflow_hits_its_load() {
    within_one_percent(realised(synthetic(WorkloadKind::Workflow), 1e5, 0.9, 1), 0.9);
}

fn trace(trace: TraceConfig) -> ServerlessConfig {
    ServerlessConfig { trace: Some(trace), ..synthetic(WorkloadKind::Trace) }
}

#[test]
fn the_trace_of_2019_hits_its_load() {
    let file = |name: &str| Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/azure2019").join(name));
    let config = trace(TraceConfig {
        invocations: file("invocations.csv"),
        durations: file("durations.csv"),
        memory: file("memory.csv"),
        training_minutes: [480, 779],
        validation_minutes: [780, 839],
        test_minutes: [840, 959],
        max_function_share: Some(0.2),
        ..TraceConfig::default()
    });
    within_one_percent(realised(config, 300.0 * 60.0, 0.7, 3), 0.7);
}

#[test]
fn the_trace_of_2021_hits_its_load() {
    let config = trace(TraceConfig {
        events: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/azure2021/events.csv")),
        training_minutes: [1, 60],
        validation_minutes: [61, 70],
        test_minutes: [71, 108],
        max_function_share: Some(0.2),
        ..TraceConfig::default()
    });
    within_one_percent(realised(config.clone(), 3600.0, 0.7, 4), 0.7);
    // Thinned: many episodes, for each keeps few invocations.
    within_one_percent(realised(config, 3600.0, 0.01, 1000), 0.01);
}

/// A bundled configuration; its paths are relative to the root of the repository.
fn bundled(name: &str) -> ServerlessConfig {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join(format!("configs/evaluate/{name}.toml"));
    let mut config = configuration::load(&file, &[]).expect("it is valid").simulator.serverless;
    if let Some(trace) = &mut config.trace {
        let files = [&mut trace.invocations, &mut trace.durations, &mut trace.memory, &mut trace.events];
        files.into_iter().flatten().for_each(|path| *path = root.join(&*path));
    }
    config
}

#[test]
fn every_bundled_workload_offers_a_usable_episode() {
    for name in ["steady", "bursty", "periodic", "mixed", "workflow", "azure2019", "azure2021"] {
        let workload = serverless_workload(&bundled(name)).expect("it can be made");
        let source = EpisodeSource { episode: RunSeed(1), part: Part::Test, load: 1.0 };
        let expected: f64 = workload.arrivals(source).expected.iter().sum();
        assert!((10_000.0..40_000.0).contains(&expected), "{name}: {expected} invocations");
    }
}

#[test]
fn what_is_expected_is_what_comes() {
    for name in ["steady", "periodic", "mixed", "azure2019", "azure2021"] {
        let workload = serverless_workload(&bundled(name)).expect("it can be made");
        let (mut came, mut expected) = (0.0, 0.0);
        for episode in 0..40 {
            let episode = RunSeed(3).episode(Stream::Test, episode);
            let arrivals = workload.arrivals(EpisodeSource { episode, part: Part::Test, load: 1.0 });
            expected += arrivals.expected.iter().sum::<f64>();
            came += arrivals.stream.count() as f64;
        }
        assert!((came / expected - 1.0).abs() < 0.02, "{name}: {came} came, {expected} were expected");
    }
}
