//! The part of a cluster that a state shows.

use std::collections::{BTreeMap, BTreeSet};

use common::cluster::StartOption;
use common::ids::{ContainerId, FunctionId, InvocationId, NodeId};
use common::{SimTime, upward_ranks};

use super::container::{Container, Work};
use super::features::{self, MBPS_PER_VCPU};
use super::invocation_rows::{self, Path, Waiting};
use super::levels::{Group, Levels};
use super::offer::{Offer, Subject};
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

/// So long after a call was due it is no longer expected.
const OVERDUE: SimTime = SimTime(60_000_000);
/// Longest hold that a state tells from longer ones, seconds: some end when a container falls idle, whenever that is.
const LONGEST_HOLD: f64 = 60.0;

/// What the numbered functions and invocations of a state are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legend {
    /// By number: the function.
    pub functions: Vec<FunctionId>,
    /// By number: the function, and the invocation where it waits; a running one has none.
    pub invocations: Vec<(FunctionId, Option<InvocationId>)>,
    /// By number: the group, where states have levels.
    pub groups: Vec<Group>,
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
    /// Pending invocations that are shown, with their numbers in the state.
    pending: BTreeMap<InvocationId, u32>,
    offer: &'a Offer<'a>,
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
    /// The state at `now`, with the options of `offer` in their order. The memory of `builder` is reused.
    pub fn state(&self, now: SimTime, offer: &Offer<'_>, builder: &mut StateGraphBuilder) -> StateGraph {
        builder.clear();
        builder.globals(&features::global(self, now));
        let running = self.next_to_finish(&self.busy, RUNNING_WINDOW, now);
        let stuck = self.stuck(offer.starts);
        let functions = self.shown_functions(offer, &stuck, &running);
        for &function in &functions {
            builder.node(NodeType::Function, &features::function(self, function, now));
        }
        let resource = |node: usize| features::resource(self, node, kept_for(offer, node, now), now);
        let resources =
            (0..self.nodes.len()).map(|node| builder.node(NodeType::Resource, &resource(node))).collect();
        let mut frame = Frame {
            now,
            builder,
            functions,
            resources,
            invocations: BTreeMap::new(),
            pending: BTreeMap::new(),
            offer,
            paths: BTreeMap::new(),
        };
        self.add_edges_of_functions(&mut frame);
        self.add_running(&running, &mut frame);
        let rows = OptionRows::new(self, offer.starts, now);
        self.add_candidates(&rows, &mut frame);
        for (id, work) in stuck {
            self.add_pending(id, work, false, &mut frame);
        }
        self.add_others(&rows, &mut frame);
        add_temporal(&mut frame);
        if self.levels {
            Levels::of(self, &frame.functions).add_to(frame.builder, self.memory_mb);
        }
        builder.may_wait(offer.may_wait);
        builder.build()
    }

    /// What the state for the same arguments shows.
    #[must_use]
    pub fn legend(&self, now: SimTime, offer: &Offer<'_>) -> Legend {
        let id = |function: usize| FunctionId(function as u32);
        let running = self.next_to_finish(&self.busy, RUNNING_WINDOW, now);
        let stuck = self.stuck(offer.starts);
        let candidates = offer
            .starts
            .chunk_by(|a, b| a.invocation == b.invocation)
            .filter_map(|group| Some((group[0].invocation, self.queue.get(group[0].invocation)?)));
        let waiting = candidates.chain(stuck.iter().copied());
        let running_rows = running.iter().map(|(_, container)| (id(container.function), None));
        let invocations = running_rows
            .chain(waiting.map(|(invocation, work)| (id(work.function), Some(invocation))))
            .collect();
        let shown = self.shown_functions(offer, &stuck, &running);
        let groups = if self.levels { Levels::of(self, &shown).names() } else { Vec::new() };
        Legend { functions: shown.into_iter().map(id).collect(), invocations, groups }
    }

    /// Up to `most` functions without containers that are expected to be called next, with the seconds until then. What was due more
    /// than a minute ago is not expected any more.
    #[must_use]
    pub fn called_next(&self, now: SimTime, most: usize) -> Vec<(FunctionId, f64)> {
        let recent = SimTime(now.0.saturating_sub(OVERDUE.0));
        let expected = self.next_calls.range((recent, 0)..).filter(|(_, function)| {
            let state = &self.functions[*function];
            state.idle + state.busy + state.pending == 0
        });
        let seconds = |at: SimTime| at.since(now).seconds();
        expected.take(most).map(|&(at, function)| (FunctionId(function as u32), seconds(at))).collect()
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

    /// The oldest invocations of functions that have none among the starts.
    fn stuck(&self, starts: &[StartOption]) -> Vec<(InvocationId, &Work)> {
        let has_option =
            |id: InvocationId| starts.binary_search_by(|option| option.invocation.cmp(&id)).is_ok();
        self.queue.heads().filter(|(id, _)| !has_option(*id)).take(STUCK_WINDOW).collect()
    }

    fn shown_functions(
        &self,
        offer: &Offer<'_>,
        stuck: &[(InvocationId, &Work)],
        running: &[(f64, &Container)],
    ) -> Vec<usize> {
        let candidates = offer.starts.chunk_by(|a, b| a.invocation == b.invocation);
        let mut shown: Vec<usize> =
            candidates.filter_map(|group| Some(self.queue.get(group[0].invocation)?.function)).collect();
        shown.extend(stuck.iter().map(|(_, work)| work.function));
        shown.extend(running.iter().map(|(_, container)| container.function));
        shown.extend(offer.others.iter().filter_map(|option| match option.subject {
            Subject::Function(function) => Some(function.0 as usize),
            Subject::Invocation(_) => None,
        }));
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
            let row = invocation_rows::running(self, container, remaining, path);
            let node = frame.invocation(&row, container.function, false);
            let row = features::allocation(container, remaining, frame.now);
            frame.builder.edge(EdgeType::Allocation, node, frame.resources[container.node], &row);
            if let Some(work) = container.phase.work() {
                let entry = (work.arrived, container.phase.is_cold(), node);
                frame.invocations.entry(container.function).or_default().push(entry);
            }
        }
    }

    fn add_candidates(&self, rows: &OptionRows<'_>, frame: &mut Frame<'_>) {
        for group in frame.offer.starts.chunk_by(|a, b| a.invocation == b.invocation) {
            let id = group[0].invocation;
            let Some(work) = self.queue.get(id) else { continue };
            let node = self.add_pending(id, work, true, frame);
            for (option, row) in group.iter().zip(rows.of(work, group)) {
                let resource = frame.resources[option.node.0 as usize];
                frame.builder.edge(EdgeType::Request, node, resource, &row);
                let ends = [(NodeType::Invocation, node), (NodeType::Resource, resource)];
                frame.builder.option(ends[0], option.size, ends[1], &row);
            }
        }
    }

    /// The options that are no starts. What a reservation would keep is joined to its node as what could start there is.
    fn add_others(&self, rows: &OptionRows<'_>, frame: &mut Frame<'_>) {
        for option in frame.offer.others {
            let (function, subject) = match option.subject {
                Subject::Function(function) => {
                    let function = function.0 as usize;
                    let Some(number) = frame.function(function) else { continue };
                    (function, (NodeType::Function, number))
                }
                Subject::Invocation(id) => {
                    let Some(work) = self.queue.get(id) else { continue };
                    let known = frame.pending.get(&id).copied();
                    let number = known.unwrap_or_else(|| self.add_pending(id, work, false, frame));
                    (work.function, (NodeType::Invocation, number))
                }
            };
            let row = rows.other(function, option);
            let object = match option.node {
                Some(NodeId(node)) => (NodeType::Resource, frame.resources[node as usize]),
                None => subject,
            };
            if let ((NodeType::Invocation, number), (NodeType::Resource, resource)) = (subject, object) {
                frame.builder.edge(EdgeType::Request, number, resource, &row);
            }
            frame.builder.option(subject, option.way, object, &row);
        }
    }

    fn add_pending(&self, id: InvocationId, work: &Work, fits: bool, frame: &mut Frame<'_>) -> u32 {
        let soonest = self.next_to_finish(&self.busy_of[work.function], 1, frame.now);
        let waiting = Waiting {
            fits,
            own_soonest: soonest.first().map(|(remaining, _)| *remaining),
            held_for: held_for(frame.offer, work.function, frame.now),
            path: self.path(work, frame),
        };
        let row = invocation_rows::pending(self, work, waiting, frame.now);
        let node = frame.invocation(&row, work.function, true);
        frame.pending.insert(id, node);
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

/// Seconds for which the invocations of a function are held back.
fn held_for(offer: &Offer<'_>, function: usize, now: SimTime) -> f64 {
    let held = offer.held.iter().find(|(held, _)| held.0 as usize == function);
    held.map_or(0.0, |(_, until)| until.since(now).seconds().min(LONGEST_HOLD))
}

/// Seconds for which a node is kept for functions that fit nowhere.
fn kept_for(offer: &Offer<'_>, node: usize, now: SimTime) -> f64 {
    let kept = offer.kept.iter().filter(|(_, kept, _)| kept.0 as usize == node);
    kept.map(|(_, _, until)| until.since(now).seconds()).fold(0.0, f64::max)
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
