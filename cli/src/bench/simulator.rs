//! How fast the simulator is alone: one thread, a rule, no graph.

use std::fs;
use std::time::Instant;

use common::RunSeed;
use common::cluster::NodeSpec;
use common::trajectory::Scenario;
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig, SteadyConfig, WorkloadKind};
use engine::serverless::{Part, ServerlessSimulation};
use engine::{ClusterView, DecisionRequest, Interests, Progress, Simulation};
use heuristics::heuristic;
use state_graph::serverless::ServerlessGraph;
use workloads::Episodes;

use super::figure::Figure;

/// A cluster and a workload to measure on.
struct Case {
    name: &'static str,
    functions: u32,
    nodes: usize,
    /// Memory of a node, MB, and its CPU, millicores.
    node: (u32, u32),
    load: f64,
    /// Share of a duration that goes into data; more than 0 adds a phase.
    network_share: f64,
    scheduler: &'static str,
    /// Observations of each function before the episode.
    history: u32,
    /// Median duration of a function, seconds.
    median_seconds: f64,
}

/// 100 functions on 10 nodes, warm-first, fixed keep-alive; durations are 30% I/O and 70% CPU, as trace functions' are.
const STANDARD: Case = Case {
    name: "simulator",
    functions: 100,
    nodes: 10,
    node: (16_384, 10_000),
    load: 0.7,
    network_share: 0.0,
    scheduler: "fcfs",
    history: 100,
    median_seconds: 0.7,
};

/// Number of decisions between two counts of a graph's edges, because counting takes long.
const LOOKS_AT_SIZE: u64 = 1000;

/// One played episode.
struct Played {
    set_up_seconds: f64,
    seconds: f64,
    invocations: u64,
    events: u64,
    /// Time spent on keeping the state graph, seconds.
    graph_seconds: f64,
    graph_edges: usize,
}

/// Measures; `seconds` is about how long the standard case runs.
pub(super) fn measure(seconds: f64) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let length = episode_length(&STANDARD, seconds)?;
    play(&STANDARD, length / 5.0, false)?;
    let before = peak_mb();
    for case in [
        Case { ..STANDARD },
        Case { name: "simulator_sjf", scheduler: "sjf", ..STANDARD },
        Case { name: "simulator_three_phases", network_share: 0.1, ..STANDARD },
    ] {
        let played = play(&case, length, false)?;
        figures.push(rate(&case, &played));
    }
    let what =
        format!("more peak memory after {length:.0} s than after {:.0} s of simulated time", length / 5.0);
    figures.push(figure("simulator_memory_growth", peak_mb() - before, "MB", what));
    // Here the queue grows as long as the episode lasts.
    let overload = Case { name: "simulator_overload", load: 1.1, ..STANDARD };
    figures.push(rate(&overload, &play(&overload, length / 5.0, false)?));
    figures.extend(graphs()?);
    figures.extend(large()?);
    Ok(figures)
}

/// The cost of keeping a state graph from the events, by its size.
fn graphs() -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (functions, nodes) in [(100, 10), (1000, 100), (10_000, 1000), (100_000, 10_000)] {
        let case = Case { name: "graph", functions, nodes, history: 1, ..STANDARD };
        // As many simulated seconds as give every size some hundred thousand events.
        let played = play(&case, (1_500.0 / nodes as f64).max(0.5), true)?;
        let cost = played.graph_seconds / played.events.max(1) as f64 * 1e9;
        let what = format!(
            "{} edges, {} nodes, {} events",
            played.graph_edges,
            functions as usize + nodes,
            played.events
        );
        figures.push(figure("simulator_graph_event", cost, "ns/event", what));
    }
    Ok(figures)
}

/// A million functions on ten thousand nodes.
fn large() -> anyhow::Result<Vec<Figure>> {
    let case = Case {
        name: "simulator_large",
        functions: 1_000_000,
        nodes: 10_000,
        load: 0.5,
        history: 1,
        median_seconds: 2.0,
        ..STANDARD
    };
    let played = play(&case, 2.0, false)?;
    let what = "1,000,000 functions, 10,000 nodes".to_owned();
    Ok(vec![
        rate(&case, &played),
        figure("simulator_large_set_up", played.set_up_seconds, "s", what.clone()),
        figure("simulator_large_memory", peak_mb(), "MB peak", what),
    ])
}

fn rate(case: &Case, played: &Played) -> Figure {
    let what = format!(
        "{} functions, {} nodes, {:.0}% load, {}: {} invocations in {:.2} s",
        case.functions,
        case.nodes,
        case.load * 100.0,
        case.scheduler,
        played.invocations,
        played.seconds
    );
    figure(case.name, played.invocations as f64 / played.seconds, "invocations/s", what)
}

fn figure(name: &str, value: f64, unit: &'static str, what: String) -> Figure {
    Figure { schema: 1, name: format!("serverless/{name}"), value, unit, threads: 1, what }
}

/// Simulated seconds that take about `seconds` to play.
fn episode_length(case: &Case, seconds: f64) -> anyhow::Result<f64> {
    let trial = play(case, 60.0, false)?;
    Ok((60.0 * seconds / trial.seconds.max(1e-3)).max(60.0))
}

fn episodes(case: &Case, length: f64) -> anyhow::Result<Episodes> {
    let node = NodeSpec {
        cpu_millicores: case.node.1,
        memory_mb: case.node.0,
        network_mbps: 10_000,
        speed: 1.0,
        price_class: 1.0,
        zone: 0,
    };
    let steady = SteadyConfig {
        functions: case.functions,
        median_seconds: case.median_seconds,
        network_share: case.network_share,
        ..SteadyConfig::default()
    };
    let serverless = ServerlessConfig {
        nodes: vec![node; case.nodes],
        workload: WorkloadKind::Steady,
        load_percent: 100.0 * case.load,
        steady,
        window_seconds: length,
        warm_up_seconds: 0.0,
        history: case.history,
        ..ServerlessConfig::default()
    };
    let config =
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless };
    Ok(Episodes::new(&config)?)
}

/// Plays one episode, with a graph that follows its events or without.
fn play(case: &Case, length: f64, with_graph: bool) -> anyhow::Result<Played> {
    let start = Instant::now();
    let episodes = episodes(case, length)?;
    let mut scheduler = heuristic(case.scheduler, Scenario::Serverless)?;
    let interests = Interests { events: with_graph, ..scheduler.interests() };
    let mut simulation = episodes.serverless(RunSeed(1), Part::Test, case.load, interests);
    let mut graph = with_graph
        .then(|| episodes.workload().map(|workload| ServerlessGraph::new(workload.cluster())))
        .flatten();
    let mut played = Played {
        set_up_seconds: start.elapsed().as_secs_f64(),
        seconds: 0.0,
        invocations: 0,
        events: 0,
        graph_seconds: 0.0,
        graph_edges: 0,
    };
    let mut decisions = Vec::new();
    let mut decided = 0_u64;
    let start = Instant::now();
    while simulation.advance() == Progress::Decision {
        let view = simulation.view();
        if let (Some(graph), ClusterView::Serverless(view)) = (&mut graph, view) {
            let before = Instant::now();
            graph.apply(view.events())?;
            played.graph_seconds += before.elapsed().as_secs_f64();
            played.events += view.events().len() as u64;
            decided += 1;
            if decided.is_multiple_of(LOOKS_AT_SIZE) {
                played.graph_edges = played.graph_edges.max(graph.edge_count());
            }
        }
        decisions.clear();
        scheduler.decide(&[DecisionRequest { environment: 0, view }], &mut decisions)?;
        simulation.apply(decisions[0])?;
    }
    played.seconds = start.elapsed().as_secs_f64();
    played.invocations = invocations(&simulation);
    Ok(played)
}

fn invocations(simulation: &Simulation) -> u64 {
    simulation.as_serverless().map_or(0, ServerlessSimulation::arrived)
}

/// Peak memory of this process so far, MB; 0 where the system does not tell.
fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
