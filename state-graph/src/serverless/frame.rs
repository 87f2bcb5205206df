//! The part of a cluster that a state shows.

use std::collections::{BTreeMap, BTreeSet};

use common::cluster::StartOption;
use common::ids::{ContainerId, FunctionId, InvocationId};
use common::{SimTime, upward_ranks};

use super::container::{Container, Work};
use super::features::{self, MBPS_PER_VCPU, Path};
use super::option_rows::OptionRows;
use super::tracker::ServerlessGraph;
use crate::{EdgeType, NodeType, StateGraph, StateGraphBuilder};

/// Most running invocations that a state shows: those that are expected to finish first.
pub const RUNNING_WINDOW: usize = 16;
/// Most functions whose oldest pending invocation a state shows as a candidate: those that have waited longest. The number is
/// large, because a policy that prefers short functions leaves long ones waiting, and these would fill a small window.
pub const PENDING_WINDOW: usize = 64;
/// Most functions that a state shows because their oldest invocation waits and cannot start anywhere, those that have waited longest.
pub const STUCK_WINDOW: usize = 16;
/// Idle containers of each node whose functions are shown: those that are evicted first.
const VICTIMS: usize = 2;
/// Containers that are compared for each one that is shown. They are kept in the order of the times at which they were due when
/// they began; how long one goes on depends on how long it has run, and is computed for these alone.
const COMPARED: usize = 2;

/// What the numbered functions and invocations of a state are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legend {
    /// By number: the function.
    pub functions: Vec<FunctionId>,
    /// By number: the function, and the invocation where it waits; a running one has none.
    pub invocations: Vec<(FunctionId, Option<InvocationId>)>,
}

/// Where the nodes of a frame are.
struct Frame<'a> {
    now: SimTime,
    builder: &'a mut StateGraphBuilder,
    /// Functions that are shown, ascending; their places are their numbers in the state.
    functions: Vec<usize>,
    resources: Vec<u32>,
    /// Invocations by function: when they arrived, whether they met a cold start, and their numbers in the state.
    invocations: BTreeMap<usize, Vec<(SimTime, bool, u32)>>,
    /// By workflow: estimated seconds from each stage to the end.
    paths: BTreeMap<u32, Vec<f64>>,
}

impl Frame<'_> {
    fn function(&self, function: usize) -> Option<u32> {
        self.functions.binary_search(&function).ok().map(|place| place as u32)
    }

    /// Adds an invocation with the edge to its function.
    fn invocation(&mut self, row: &[f32], function: usize, is_pending: bool) -> u32 {
        let node = self.builder.node(NodeType::Invocation, row);
        if let Some(function) = self.function(function) {
            let pending = [f32::from(u8::from(is_pending))];
            self.builder.edge(EdgeType::InstanceOf, node, function, &pending);
        }
        node
    }
}

impl ServerlessGraph {
    /// The state at `now`. Option i of the state is `options[i]`; the caller passes them sorted by (invocation, size,
    /// node). The memory of `builder` is reused.
    pub fn state(
        &self,
        now: SimTime,
        options: &[StartOption],
        builder: &mut StateGraphBuilder,
    ) -> StateGraph {
        builder.clear();
        builder.globals(&features::global(self, now));
        let running = self.next_to_finish(&self.busy, RUNNING_WINDOW, now);
        let stuck = self.stuck(options);
        let functions = self.shown_functions(options, &stuck, &running);
        for &function in &functions {
            builder.node(NodeType::Function, &features::function(self, function, now));
        }
        let resources = (0..self.nodes.len())
            .map(|node| builder.node(NodeType::Resource, &features::resource(self, node, now)))
            .collect();
        let (invocations, paths) = (BTreeMap::new(), BTreeMap::new());
        let mut frame = Frame { now, builder, functions, resources, invocations, paths };
        self.add_edges_of_functions(&mut frame);
        self.add_running(&running, &mut frame);
        self.add_candidates(options, &mut frame);
        for (_, work) in stuck {
            self.add_pending(work, false, &mut frame);
        }
        add_temporal(&mut frame);
        builder.may_wait(true);
        builder.build()
    }

    /// What the state for the same arguments shows.
    #[must_use]
    pub fn legend(&self, now: SimTime, options: &[StartOption]) -> Legend {
        let id = |function: usize| FunctionId(function as u32);
        let running = self.next_to_finish(&self.busy, RUNNING_WINDOW, now);
        let stuck = self.stuck(options);
        let candidates = options
            .chunk_by(|a, b| a.invocation == b.invocation)
            .filter_map(|group| Some((group[0].invocation, self.queue.get(group[0].invocation)?)));
        let waiting = candidates.chain(stuck.iter().copied());
        let running_rows = running.iter().map(|(_, container)| (id(container.function), None));
        let invocations = running_rows
            .chain(waiting.map(|(invocation, work)| (id(work.function), Some(invocation))))
            .collect();
        let functions = self.shown_functions(options, &stuck, &running).into_iter().map(id).collect();
        Legend { functions, invocations }
    }

    /// The busy containers of `agenda` that are expected to fall idle first, with the seconds until then, ascending.
    pub(super) fn next_to_finish(
        &self,
        agenda: &BTreeSet<(SimTime, ContainerId)>,
        most: usize,
        now: SimTime,
    ) -> Vec<(f64, &Container)> {
        let compared = agenda.iter().take(COMPARED * most);
        let mut busy: Vec<(f64, &Container)> = compared
            .filter_map(|(_, id)| {
                let container = self.containers.get(id)?;
                Some((container.remaining(&self.functions[container.function].estimate, now)?, container))
            })
            .collect();
        // The sort is stable, so equal times keep the order of the agenda.
        busy.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        busy.truncate(most);
        busy
    }

    /// The oldest invocations of functions that have none among the options.
    fn stuck(&self, options: &[StartOption]) -> Vec<(InvocationId, &Work)> {
        let has_option =
            |id: InvocationId| options.binary_search_by(|option| option.invocation.cmp(&id)).is_ok();
        self.queue.heads().filter(|(id, _)| !has_option(*id)).take(STUCK_WINDOW).collect()
    }

    fn shown_functions(
        &self,
        options: &[StartOption],
        stuck: &[(InvocationId, &Work)],
        running: &[(f64, &Container)],
    ) -> Vec<usize> {
        let candidates = options.chunk_by(|a, b| a.invocation == b.invocation);
        let mut shown: Vec<usize> =
            candidates.filter_map(|group| Some(self.queue.get(group[0].invocation)?.function)).collect();
        shown.extend(stuck.iter().map(|(_, work)| work.function));
        shown.extend(running.iter().map(|(_, container)| container.function));
        let victims = self.nodes.iter().flat_map(|node| node.idle.iter().take(VICTIMS));
        shown.extend(victims.filter_map(|(_, id)| Some(self.containers.get(id)?.function)));
        shown.sort_unstable();
        shown.dedup();
        shown
    }

    fn add_edges_of_functions(&self, frame: &mut Frame<'_>) {
        for place in 0..frame.functions.len() {
            let (function, place) = (frame.functions[place], place as u32);
            for (&(_, node, memory_mb), agenda) in self.warm.range((function, 0, 0)..(function + 1, 0, 0)) {
                let row = features::warm(self, function, memory_mb, agenda, frame.now);
                frame.builder.edge(EdgeType::Warm, place, frame.resources[node], &row);
            }
            let dependencies = self.workflows.dependencies(function);
            for dependency in dependencies {
                if let Some(consumer) = frame.function(dependency.consumer) {
                    let row = features::dependency(dependency, dependencies.len());
                    frame.builder.edge(EdgeType::Dependency, place, consumer, &row);
                }
            }
        }
        for ((one, other), nodes) in self.sharing() {
            if let (Some(source), Some(target)) = (frame.function(one), frame.function(other)) {
                let row = features::sharing(self, one, other, nodes);
                frame.builder.edge(EdgeType::Sharing, source, target, &row);
            }
        }
    }

    /// Pairs of functions, the lower number first, with the number of nodes on which both started lately.
    fn sharing(&self) -> BTreeMap<(usize, usize), u32> {
        let mut pairs = BTreeMap::new();
        for node in &self.nodes {
            for (place, &one) in node.recent.iter().enumerate() {
                for &other in &node.recent[place + 1..] {
                    *pairs.entry((one.min(other), one.max(other))).or_insert(0) += 1;
                }
            }
        }
        pairs
    }

    fn add_running(&self, running: &[(f64, &Container)], frame: &mut Frame<'_>) {
        for &(remaining, container) in running {
            let path = container.phase.work().map_or(Path::default(), |work| self.path(work, frame));
            let row = features::running(self, container, remaining, path);
            let node = frame.invocation(&row, container.function, false);
            let row = features::allocation(container, remaining, frame.now);
            frame.builder.edge(EdgeType::Allocation, node, frame.resources[container.node], &row);
            if let Some(work) = container.phase.work() {
                let entry = (work.arrived, container.phase.is_cold(), node);
                frame.invocations.entry(container.function).or_default().push(entry);
            }
        }
    }

    fn add_candidates(&self, options: &[StartOption], frame: &mut Frame<'_>) {
        let rows = OptionRows::new(self, options, frame.now);
        for group in options.chunk_by(|a, b| a.invocation == b.invocation) {
            let Some(work) = self.queue.get(group[0].invocation) else { continue };
            let node = self.add_pending(work, true, frame);
            for (option, row) in group.iter().zip(rows.of(work, group)) {
                let resource = frame.resources[option.node.0 as usize];
                frame.builder.edge(EdgeType::Request, node, resource, &row);
                frame.builder.option(node, option.size, resource, &row);
            }
        }
    }

    fn add_pending(&self, work: &Work, fits: bool, frame: &mut Frame<'_>) -> u32 {
        let soonest = self.next_to_finish(&self.busy_of[work.function], 1, frame.now);
        let soonest = soonest.first().map(|(remaining, _)| *remaining);
        let path = self.path(work, frame);
        let row = features::pending(self, work, fits, soonest, path, frame.now);
        let node = frame.invocation(&row, work.function, true);
        frame.invocations.entry(work.function).or_default().push((work.arrived, false, node));
        node
    }

    fn path(&self, work: &Work, frame: &mut Frame<'_>) -> Path {
        let Some(stage) = work.stage else { return Path::default() };
        let estimate = |function: FunctionId| self.functions[function.0 as usize].estimate.mean;
        let compute = || {
            let workflow = self.spec.workflows.get(stage.workflow as usize);
            workflow.map_or_else(Vec::new, |workflow| upward_ranks(workflow, estimate, MBPS_PER_VCPU))
        };
        let seconds = frame.paths.entry(stage.workflow).or_insert_with(compute);
        Path {
            depth: self.workflows.depth(stage),
            seconds: seconds.get(stage.stage as usize).copied(),
            siblings: self.workflows.siblings(stage),
        }
    }
}

/// Joins the invocations of each function in the order of their arrival.
fn add_temporal(frame: &mut Frame<'_>) {
    for invocations in frame.invocations.values_mut() {
        invocations.sort_by_key(|&(arrived, _, node)| (arrived, node));
        for pair in invocations.windows(2) {
            let [(before, first_cold, source), (after, second_cold, target)] = [pair[0], pair[1]];
            let gap = after.since(before).seconds();
            let row = features::temporal(gap, first_cold, second_cold);
            frame.builder.edge(EdgeType::Temporal, source, target, &row);
        }
    }
}
