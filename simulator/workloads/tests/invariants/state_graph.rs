//! The state graph that events keep up to date, against one rebuilt from scratch and against what the simulation shows.

use common::ids::{FunctionId, NodeId};
use engine::serverless::ServerlessView;
use proptest::prelude::*;
use state_graph::serverless::{GraphCounts, ServerlessGraph};

use crate::scenario::scenarios;
use crate::{play, start, view};

/// What the graph should count, taken from the view.
fn shown(view: &ServerlessView<'_>) -> GraphCounts {
    let functions = view.spec().functions.len() as u32;
    let mut counts = GraphCounts {
        pending: vec![0; functions as usize],
        busy: (0..functions).map(|function| view.busy_containers(FunctionId(function))).collect(),
        bound_mb: view.nodes().map(|node| node.bound_mb).collect(),
        idle_mb: view.nodes().map(|node| node.evictable_mb).collect(),
        tenant_mb: vec![
            0;
            view.spec().functions.iter().map(|function| function.tenant + 1).max().unwrap_or(0)
                as usize
        ],
        ..GraphCounts::default()
    };
    for line in view.lines() {
        counts.pending[line.function.0 as usize] = line.count;
        let memory_mb = view.spec().functions[line.function.0 as usize].default_memory_mb;
        counts.waiting_mb += u64::from(line.count) * u64::from(memory_mb);
        counts.heads.insert(line.oldest);
    }
    for node in 0..view.spec().nodes.len() {
        for one in view.busy_on(NodeId(node as u32)) {
            let tenant = view.spec().functions[one.function.0 as usize].tenant;
            counts.tenant_mb[tenant as usize] += u64::from(one.memory_mb);
        }
        for one in view.idle_on(NodeId(node as u32)) {
            let key = (one.function.0 as usize, node, one.memory_mb);
            let kept = counts.idle.entry(key).or_insert((0, one.expires));
            *kept = (kept.0 + 1, kept.1.min(one.expires));
        }
    }
    let busy: u32 = counts.busy.iter().sum();
    counts.edges = counts.idle.len() + 2 * busy as usize + view.pending_count();
    counts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]
    #[test]
    fn the_graph_kept_from_events_equals_a_rebuild_and_what_is_shown(scenario in scenarios()) {
        let episodes = scenario.episodes();
        let mut simulation = start(&episodes, &scenario);
        let mut graph = ServerlessGraph::new(view(&simulation).spec());
        play(&mut simulation, &scenario, |simulation| {
            graph.apply(view(simulation).events()).unwrap();
            let kept = graph.counts();
            assert_eq!(kept, graph.recount());
            assert_eq!(kept, shown(&view(simulation)));
        });
    }
}
