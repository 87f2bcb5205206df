//! States of the `slots` scenario: one resource node, an invocation node for each visible or running job, allocation
//! edges for running jobs and request edges for visible ones; backlog and arrivals are global. Small enough to be
//! built anew at each decision.

use common::slots::{ARRIVAL_MEMORY, PROFILE, RESOURCES, RunningJob, SlotsObservation, VisibleJob};

use crate::schema::names;
use crate::{EdgeType, NodeType, Schema, StateGraph, StateGraphBuilder};

/// Longest job, in simulator steps; job lengths are divided by it.
const LONGEST: f32 = 15.0;

/// Names of every feature.
#[must_use]
pub fn schema() -> Schema {
    let machine =
        (0..RESOURCES).flat_map(|resource| (0..PROFILE).map(move |step| format!("free_{resource}_{step}")));
    let mut nodes: [Vec<String>; crate::NODE_TYPES] = Default::default();
    nodes[NodeType::Resource as usize] = machine.collect();
    nodes[NodeType::Invocation as usize] = names(&[
        "length",
        "inverse_length",
        "demand_0",
        "demand_1",
        "waited_log",
        "waited",
        "remaining",
        "running",
        "fits_now",
        "earliest_fit",
        "long",
        "held",
    ]);
    let mut edges: [Vec<String>; crate::EDGE_TYPES] = Default::default();
    edges[EdgeType::Allocation as usize] = names(&["given_0", "given_1", "remaining"]);
    edges[EdgeType::Request as usize] = names(&["fits_now", "earliest_fit", "headroom_0", "headroom_1"]);
    Schema {
        globals: names(&[
            "backlog",
            "since_last_arrival",
            "recent_arrivals",
            "visible",
            "running",
            "free_0",
            "free_1",
            "arrivals_quiet",
            "visible_long",
            "visible_work",
            "since_last_arrival_short",
            "missed_arrivals",
        ]),
        nodes,
        edges,
        options: Vec::new(),
        ways: names(&["start"]),
    }
}

/// The visible jobs that fit now and are not held back, lowest slot first: those about which something can be decided.
pub fn offered(observation: &SlotsObservation) -> impl Iterator<Item = &VisibleJob> {
    observation.visible.iter().filter(|job| is_offered(job))
}

fn is_offered(job: &VisibleJob) -> bool {
    job.earliest_fit == 0 && job.held == 0
}

/// The state of an observation. Its options are those of the [`offered`] jobs in their order, each with all `ways` ways to act.
/// `builder` lends its memory.
pub fn state(observation: &SlotsObservation, ways: usize, builder: &mut StateGraphBuilder) -> StateGraph {
    builder.clear();
    builder.globals(&globals(observation));
    let mut profile = [0.0; RESOURCES * PROFILE];
    for (resource, row) in observation.free.iter().enumerate() {
        for (step, &free) in row.iter().enumerate() {
            profile[resource * PROFILE + step] = free as f32 / observation.capacity[resource] as f32;
        }
    }
    let machine = builder.node(NodeType::Resource, &profile);
    for job in &observation.visible {
        visible_job(observation, job, ways, machine, builder);
    }
    for job in &observation.running {
        running_job(observation, job, machine, builder);
    }
    builder.may_wait(observation.may_wait);
    builder.build()
}

fn globals(observation: &SlotsObservation) -> [f32; 12] {
    let long = observation.visible.iter().filter(|job| job.length >= 10).count();
    let work: u32 = observation.visible.iter().map(|job| job.length * job.demand.iter().sum::<u32>()).sum();
    // Arrivals expected since the last one at the recent rate. A high number suggests that no more will come.
    let active = (ARRIVAL_MEMORY - observation.since_last_arrival).max(1);
    let rate = observation.recent_arrivals as f32 / active as f32;
    let missed = observation.since_last_arrival as f32 * rate;
    let free = |resource: usize| observation.free[resource][0] as f32 / observation.capacity[resource] as f32;
    [
        observation.backlog as f32 / 30.0,
        observation.since_last_arrival as f32 / ARRIVAL_MEMORY as f32,
        observation.recent_arrivals as f32 / ARRIVAL_MEMORY as f32,
        observation.visible.len() as f32 / 10.0,
        observation.running.len() as f32 / 10.0,
        free(0),
        free(1),
        f32::from(u8::from(observation.since_last_arrival >= ARRIVAL_MEMORY)),
        long as f32 / 10.0,
        work as f32 / 500.0,
        (observation.since_last_arrival as f32 / 5.0).min(1.0),
        (missed / 5.0).min(2.0),
    ]
}

fn visible_job(
    observation: &SlotsObservation,
    job: &VisibleJob,
    ways: usize,
    machine: u32,
    builder: &mut StateGraphBuilder,
) {
    let fits = job.earliest_fit == 0;
    let earliest = job.earliest_fit as f32 / PROFILE as f32;
    let share = |resource: usize| job.demand[resource] as f32 / observation.capacity[resource] as f32;
    let node = builder.node(
        NodeType::Invocation,
        &[
            job.length as f32 / LONGEST,
            1.0 / job.length as f32,
            share(0),
            share(1),
            (1.0 + job.waited as f32).ln() / 4.0,
            (job.waited as f32 / 50.0).min(4.0),
            0.0,
            0.0,
            f32::from(u8::from(fits)),
            earliest,
            f32::from(u8::from(job.length >= 10)),
            (job.held as f32 / LONGEST).min(4.0),
        ],
    );
    let headroom = |resource: usize| {
        (observation.free[resource][0] as f32 - job.demand[resource] as f32)
            / observation.capacity[resource] as f32
    };
    builder.edge(
        EdgeType::Request,
        node,
        machine,
        &[f32::from(u8::from(fits)), earliest, headroom(0), headroom(1)],
    );
    for way in (0..ways as u32).filter(|_| is_offered(job)) {
        builder.option((NodeType::Invocation, node), way, (NodeType::Resource, machine), &[]);
    }
}

fn running_job(
    observation: &SlotsObservation,
    job: &RunningJob,
    machine: u32,
    builder: &mut StateGraphBuilder,
) {
    let share = |resource: usize| job.demand[resource] as f32 / observation.capacity[resource] as f32;
    let remaining = job.remaining as f32 / LONGEST;
    let node = builder.node(
        NodeType::Invocation,
        &[
            job.length as f32 / LONGEST,
            1.0 / job.length as f32,
            share(0),
            share(1),
            0.0,
            0.0,
            remaining,
            1.0,
            0.0,
            0.0,
            f32::from(u8::from(job.length >= 10)),
            0.0,
        ],
    );
    builder.edge(EdgeType::Allocation, node, machine, &[share(0), share(1), remaining]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::InvocationId;

    #[test]
    fn options_are_the_jobs_that_fit() {
        let job = |id: u64, earliest_fit: u32, held: u32| VisibleJob {
            id: InvocationId(id),
            slot: id as u32,
            length: 3,
            demand: [2, 5],
            waited: 1,
            earliest_fit,
            held,
        };
        let observation = SlotsObservation {
            visible: vec![job(0, 0, 0), job(1, 4, 0), job(2, 0, 0), job(3, 0, 6)],
            running: vec![RunningJob { id: InvocationId(9), length: 12, demand: [5, 1], remaining: 7 }],
            free: [[5; PROFILE], [9; PROFILE]],
            capacity: [10, 10],
            may_wait: true,
            ..SlotsObservation::default()
        };
        let state = state(&observation, 2, &mut StateGraphBuilder::default());
        let schema = schema();
        assert_eq!(state.nodes, [0, 1, 5, 0]);
        assert_eq!(state.option_indices(), [&[1, 1, 3, 3][..], &[0, 1, 0, 1], &[0; 4]]);
        assert_eq!(state.edge_ends(EdgeType::Allocation), (&[4][..], &[0][..]));
        assert_eq!(state.node_features(&schema, NodeType::Resource)[PROFILE], 0.9);
        assert_eq!(
            state.features.len(),
            state.sections(&schema)[super::super::state_graph::SECTIONS - 1].end
        );
        assert!(!state.is_forced());
    }
}
