//! Decides anything that may be decided, and now and then tries what may not.

use common::ids::{ContainerId, FunctionId, InvocationId, NodeId};
use common::{Action, Patience, SimTime};
use engine::serverless::{Line, Question, ServerlessView};
use rand::Rng;

/// Any possible answer to what is asked.
pub fn random_action(view: &ServerlessView<'_>, pools: bool, rng: &mut impl Rng) -> Action {
    match view.question() {
        Question::Start => random_start(view, pools, rng),
        Question::KeepAlive { container, .. } => match rng.random_range(0..4) {
            0 => Action::Release { container },
            1 => Action::KeepAlive { container, keep_alive: SimTime::ZERO },
            _ => Action::KeepAlive { container, keep_alive: SimTime(rng.random_range(0..5_000_000)) },
        },
        Question::Pools => match rng.random_range(0..4) {
            0 => pre_warm(view, rng).unwrap_or(Action::Wait),
            1 => release(view, rng).unwrap_or(Action::Wait),
            _ => Action::Wait,
        },
    }
}

fn random_start(view: &ServerlessView<'_>, pools: bool, rng: &mut impl Rng) -> Action {
    let mut options = Vec::new();
    view.start_options(4, &mut options);
    assert!(!options.is_empty(), "asked although nothing can start");
    assert!(options.is_sorted_by_key(|option| (option.invocation, option.size, option.node)));
    the_first_reservation_of_a_node_waits_for_nobody(view);
    if rng.random_bool(0.2) {
        return Action::Wait;
    }
    if rng.random_bool(0.1)
        && let Some(action) = commit(view, rng)
    {
        return action;
    }
    if pools
        && rng.random_bool(0.1)
        && let Some(action) = release(view, rng)
    {
        return action;
    }
    let option = options[rng.random_range(0..options.len())];
    Action::Start { invocation: option.invocation, memory_mb: option.memory_mb, node: option.node }
}

fn the_first_reservation_of_a_node_waits_for_nobody(view: &ServerlessView<'_>) {
    for (place, kept) in view.reservations().iter().enumerate() {
        let is_first = view.reservations()[..place].iter().all(|other| other.node != kept.node);
        let placement = view.placement(kept.function, view.default_size(kept.function), kept.node);
        if let Some(placement) = placement.filter(|_| is_first) {
            assert!(!view.delays_reservation(kept.function, &placement, kept.node), "{kept:?}");
        }
    }
}

/// Holds back or reserves for any line, where that is possible.
fn commit(view: &ServerlessView<'_>, rng: &mut impl Rng) -> Option<Action> {
    let lines: Vec<Line> = view.lines().collect();
    let Line { function, oldest: invocation, .. } = lines[rng.random_range(0..lines.len())];
    let node = NodeId(rng.random_range(0..view.spec().nodes.len() as u32));
    let memory_mb = view.size_mb(function, view.default_size(function))?;
    let reservable = view.reservable_at(function, memory_mb, node).is_some_and(|at| at > view.now());
    let own_runs = view.busy_containers(function) > 0;
    match rng.random_range(0..3) {
        0 if reservable => Some(Action::Reserve { invocation, memory_mb, node }),
        1 if own_runs => Some(Action::Hold { invocation, patience: Patience::UntilOwnContainer }),
        _ => {
            let time = SimTime(rng.random_range(1..2_000_000));
            Some(Action::Hold { invocation, patience: Patience::For(time) })
        }
    }
}

fn release(view: &ServerlessView<'_>, rng: &mut impl Rng) -> Option<Action> {
    let idle: Vec<ContainerId> =
        view.nodes().flat_map(|node| view.idle_on(node.id)).map(|container| container.id).collect();
    (!idle.is_empty()).then(|| Action::Release { container: idle[rng.random_range(0..idle.len())] })
}

fn pre_warm(view: &ServerlessView<'_>, rng: &mut impl Rng) -> Option<Action> {
    let function = FunctionId(rng.random_range(0..view.spec().functions.len() as u32));
    let node = NodeId(rng.random_range(0..view.spec().nodes.len() as u32));
    let size = rng.random_range(0..view.spec().size_multiples.len());
    let memory_mb = view.size_mb(function, size)?;
    // A placement that is warm or evicts does not tell whether new memory is free and the tag allowed.
    let placement = view.placement(function, size, node)?;
    let alone = !placement.warm && placement.evicts_mb == 0 && view.free_mb(node) >= memory_mb;
    alone.then_some(Action::PreWarm { function, memory_mb, node })
}

/// Answers that must be refused.
pub fn impossible_actions(view: &ServerlessView<'_>, pools: bool) -> Vec<Action> {
    let nobody = ContainerId(u64::MAX);
    let nowhere = NodeId(view.spec().nodes.len() as u32);
    let mut actions = vec![
        Action::KeepAlive { container: nobody, keep_alive: SimTime::SECOND },
        Action::Release { container: nobody },
        Action::PreWarm { function: FunctionId(u32::MAX), memory_mb: 128, node: NodeId(0) },
        Action::PreWarm { function: FunctionId(0), memory_mb: 1, node: NodeId(0) },
        Action::Start { invocation: InvocationId(u64::MAX), memory_mb: 128, node: NodeId(0) },
        Action::Reserve { invocation: InvocationId(u64::MAX), memory_mb: 128, node: NodeId(0) },
        Action::Hold { invocation: InvocationId(u64::MAX), patience: Patience::For(SimTime::SECOND) },
    ];
    if let Some(first) = view.pending().next() {
        let memory_mb = view.spec().functions[first.function.0 as usize].default_memory_mb;
        actions.push(Action::Start { invocation: first.id, memory_mb: 1, node: NodeId(0) });
        actions.push(Action::Start { invocation: first.id, memory_mb, node: nowhere });
        actions.push(Action::Reserve { invocation: first.id, memory_mb, node: nowhere });
        actions.push(Action::Hold { invocation: first.id, patience: Patience::For(SimTime::ZERO) });
    }
    match view.question() {
        Question::KeepAlive { .. } => actions.push(Action::Wait),
        Question::Start if !pools => {
            let idle = view.nodes().flat_map(|node| view.idle_on(node.id)).next();
            actions.extend(idle.map(|container| Action::Release { container: container.id }));
        }
        _ => {}
    }
    actions
}
