//! Everything that a policy can decide about a cluster at one decision, by the ways to act that it has.

use common::cluster::StartOption;
use common::ids::{FunctionId, InvocationId, NodeId};
use common::{Action, Patience, SimTime};
use engine::serverless::{IdleContainer, Line, Question, ServerlessView};
use state_graph::Way;
use state_graph::serverless::{Offer, OtherOption, PENDING_WINDOW, STUCK_WINDOW, ServerlessGraph, Subject};

/// Most kinds of idle containers (of one function and size) of a node that can be evicted or released.
const IDLE_WINDOW: usize = 16;
/// Most functions that can be pre-warmed: those that are expected to be called next.
const PRE_WARM_WINDOW: usize = 16;

/// The options of one decision, and what each would do. Memory is used again.
#[derive(Debug, Default)]
pub(crate) struct Options {
    starts: Vec<StartOption>,
    others: Vec<OtherOption>,
    held: Vec<(FunctionId, SimTime)>,
    kept: Vec<(FunctionId, NodeId, SimTime)>,
    may_wait: bool,
    actions: Vec<Action>,
}

impl Options {
    /// What the state shows of them.
    pub(crate) fn offer(&self) -> Offer<'_> {
        let Options { starts, others, held, kept, may_wait, .. } = self;
        Offer { starts, others, held, kept, may_wait: *may_wait }
    }

    /// The action of each option, in their order.
    pub(crate) fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Collects what can be decided now in `ways`. `waits`: whether the policy may wait; where there is no option it always
    /// may, and before a start only while a container starts or runs.
    pub(crate) fn collect(
        &mut self,
        view: &ServerlessView<'_>,
        graph: &ServerlessGraph,
        ways: &[Way],
        waits: bool,
    ) {
        self.starts.clear();
        self.others.clear();
        self.actions.clear();
        match view.question() {
            Question::Start => {
                view.start_options(PENDING_WINDOW, &mut self.starts);
                let start = |option: &StartOption| Action::Start {
                    invocation: option.invocation,
                    memory_mb: option.memory_mb,
                    node: option.node,
                };
                self.actions.extend(self.starts.iter().map(start));
                // Where nothing starts or runs, nothing will come free: neither waiting nor holding back helps.
                let may_wait = view.nodes().any(|node| node.bound_mb > 0);
                self.each(ways, |options, place, way| options.beside_starts(view, place, way, may_wait));
                self.may_wait = waits && may_wait;
            }
            Question::KeepAlive { container, function, node, memory_mb } => {
                self.may_wait = false;
                self.each(ways, |options, place, way| {
                    let Way::KeepAlive { seconds } = way else { return };
                    let option = OtherOption {
                        way: place,
                        subject: Subject::Function(function),
                        node: Some(node),
                        memory_mb,
                        seconds,
                    };
                    let keep_alive = SimTime::from_seconds(seconds);
                    options.push(option, Action::KeepAlive { container, keep_alive });
                });
            }
            Question::Pools => {
                // At a tick, *wait* says that nothing more is pre-warmed or released.
                self.may_wait = true;
                self.each(ways, |options, place, way| match way {
                    Way::Release => view.nodes().for_each(|node| options.push_idle(view, place, node.id)),
                    Way::PreWarm => options.push_pre_warms(view, graph, place),
                    _ => {}
                });
            }
        }
        self.may_wait |= self.actions.is_empty();
        self.note_commitments(view);
    }

    fn each(&mut self, ways: &[Way], mut push: impl FnMut(&mut Self, u32, Way)) {
        ways.iter().enumerate().for_each(|(place, way)| push(self, place as u32, *way));
    }

    fn push(&mut self, option: OtherOption, action: Action) {
        self.others.push(option);
        self.actions.push(action);
    }

    fn beside_starts(&mut self, view: &ServerlessView<'_>, place: u32, way: Way, may_hold: bool) {
        match way {
            Way::HoldUntilOwn | Way::Hold { .. } if !may_hold => {}
            Way::HoldUntilOwn => self.push_holds(view, place, |function, _| {
                (view.busy_containers(function) > 0).then_some((Patience::UntilOwnContainer, 0.0))
            }),
            Way::Hold { multiple } => self.push_holds(view, place, |_, mean| {
                let seconds = (multiple * mean).max(1e-3);
                Some((Patience::For(SimTime::from_seconds(seconds)), seconds))
            }),
            Way::Reserve => self.push_reservations(view, place),
            Way::Evict => {
                let mut nodes: Vec<NodeId> =
                    self.starts.iter().filter(|start| start.evicts_mb > 0).map(|start| start.node).collect();
                nodes.sort_unstable();
                nodes.dedup();
                nodes.into_iter().for_each(|node| self.push_idle(view, place, node));
            }
            _ => {}
        }
    }

    /// Holds of invocations that would start cold: where an own container is idle, there is nothing to hold out for.
    fn push_holds(
        &mut self,
        view: &ServerlessView<'_>,
        way: u32,
        patience: impl Fn(FunctionId, f64) -> Option<(Patience, f64)>,
    ) {
        let colds: Vec<InvocationId> = self
            .starts
            .chunk_by(|one, other| one.invocation == other.invocation)
            .filter(|starts| starts.iter().all(|start| !start.warm))
            .map(|starts| starts[0].invocation)
            .collect();
        for line in view.lines().filter(|line| colds.binary_search(&line.oldest).is_ok()) {
            let mean = view.estimate(line.function).mean;
            if let Some((patience, seconds)) = patience(line.function, mean) {
                let invocation = line.oldest;
                let subject = Subject::Invocation(invocation);
                let option = OtherOption { way, subject, node: None, memory_mb: 0, seconds };
                self.push(option, Action::Hold { invocation, patience });
            }
        }
    }

    /// Reservations for the functions that wait longest of those that can start nowhere, have no node yet and are not held back.
    fn push_reservations(&mut self, view: &ServerlessView<'_>, way: u32) {
        let starts =
            |line: &Line| self.starts.binary_search_by(|start| start.invocation.cmp(&line.oldest)).is_ok();
        let mut stuck: Vec<Line> = view.open_lines().filter(|line| !starts(line)).collect();
        stuck.sort_unstable_by_key(|line| line.oldest);
        stuck.truncate(STUCK_WINDOW);
        for Line { function, oldest: invocation, .. } in stuck {
            let has_node = view.reservations().iter().any(|kept| kept.function == function);
            if has_node {
                continue;
            }
            let Some(memory_mb) = view.size_mb(function, view.default_size(function)) else { continue };
            for node in view.nodes() {
                let room = view.reservable_at(function, memory_mb, node.id);
                let Some(room) = room.filter(|&room| room > view.now()) else { continue };
                let option = OtherOption {
                    way,
                    subject: Subject::Invocation(invocation),
                    node: Some(node.id),
                    memory_mb,
                    seconds: room.since(view.now()).seconds(),
                };
                self.push(option, Action::Reserve { invocation, memory_mb, node: node.id });
            }
        }
    }

    /// The idle containers of a node, of each function and size the one that has been idle longest.
    fn push_idle(&mut self, view: &ServerlessView<'_>, way: u32, node: NodeId) {
        let mut seen: Vec<(FunctionId, u32)> = Vec::new();
        for IdleContainer { id: container, function, memory_mb, since, .. } in view.idle_on(node) {
            if seen.contains(&(function, memory_mb)) {
                continue;
            }
            seen.push((function, memory_mb));
            let seconds = view.now().since(since).seconds();
            let subject = Subject::Function(function);
            let option = OtherOption { way, subject, node: Some(node), memory_mb, seconds };
            self.push(option, Action::Release { container });
            if seen.len() == IDLE_WINDOW {
                break;
            }
        }
    }

    /// Containers of functions that are expected to be called soon, in memory that is free.
    fn push_pre_warms(&mut self, view: &ServerlessView<'_>, graph: &ServerlessGraph, way: u32) {
        for (function, seconds) in graph.called_next(view.now(), PRE_WARM_WINDOW) {
            let size = view.default_size(function);
            let Some(memory_mb) = view.size_mb(function, size) else { continue };
            for node in view.nodes().filter(|node| node.free_mb >= memory_mb) {
                let placement = view.placement(function, size, node.id);
                let is_new = placement.is_some_and(|placement| !placement.warm && placement.evicts_mb == 0);
                if !is_new {
                    continue;
                }
                let (subject, node) = (Subject::Function(function), node.id);
                let option = OtherOption { way, subject, node: Some(node), memory_mb, seconds };
                self.push(option, Action::PreWarm { function, memory_mb, node });
            }
        }
    }

    fn note_commitments(&mut self, view: &ServerlessView<'_>) {
        let held = |line: Line| Some((line.function, view.held_until(line.function)?));
        self.held.clear();
        self.held.extend(view.lines().filter_map(held));
        self.kept.clear();
        self.kept.extend(view.reservations().iter().map(|kept| (kept.function, kept.node, kept.until)));
    }
}

/// The option whose action is closest to `action`: the same or, of keep-alives of one container, that of the closest length.
pub(crate) fn closest(actions: &[Action], action: Action) -> Option<usize> {
    let Action::KeepAlive { container, keep_alive } = action else {
        return actions.iter().position(|one| *one == action);
    };
    let distance = |one: &Action| match one {
        Action::KeepAlive { container: other, keep_alive: length } if *other == container => {
            let log = |time: SimTime| (1.0 + time.seconds()).ln();
            Some((log(*length) - log(keep_alive)).abs())
        }
        _ => None,
    };
    let distances = actions.iter().enumerate().filter_map(|(place, one)| Some((place, distance(one)?)));
    distances.min_by(|one, other| one.1.total_cmp(&other.1)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ids::ContainerId;

    #[test]
    fn a_keep_alive_is_matched_by_its_length() {
        let keep = |seconds: f64| Action::KeepAlive {
            container: ContainerId(3),
            keep_alive: SimTime::from_seconds(seconds),
        };
        let actions = [0.0, 60.0, 600.0].map(keep);
        assert_eq!(closest(&actions, keep(0.0)), Some(0));
        assert_eq!(closest(&actions, keep(100.0)), Some(1));
        assert_eq!(closest(&actions, keep(1e6)), Some(2));
        assert_eq!(closest(&actions, Action::Release { container: ContainerId(3) }), None);
    }
}
