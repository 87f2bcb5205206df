//! Keeps books of its own from the events, refuses what cannot be, and compares its books with what the simulation shows.

use std::collections::BTreeMap;

use common::SimTime;
use common::cluster::{ClusterEvent, ClusterSpec, GoneReason, StageOf, TimedEvent};
use common::ids::{ContainerId, FunctionId, InvocationId, NodeId};
use configuration::{Binding, ServerlessConfig};
use engine::serverless::{BusyContainer, ServerlessOutcome, ServerlessView, Work, container_place};

const USD_PER_GB_SECOND: f64 = 1.66667e-5;
const USD_PER_REQUEST: f64 = 0.2e-6;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Starting(InvocationId),
    Warming,
    Busy(InvocationId),
    /// The one that fell idle last has the highest number.
    Idle {
        expires: SimTime,
        number: u64,
    },
}

#[derive(Clone, Copy, Debug)]
struct Container {
    function: FunctionId,
    node: NodeId,
    memory_mb: u32,
    phase: Phase,
    /// When the phase began.
    since: SimTime,
}

#[derive(Clone, Copy, Debug)]
struct Invocation {
    function: FunctionId,
    stage: Option<StageOf>,
    arrived: SimTime,
    waits: bool,
    finished: bool,
    starts: u64,
    cold: bool,
}

/// Integrals over the counted time, by hand.
#[derive(Clone, Copy, Debug, Default)]
struct Integrals {
    bound: f64,
    idle: f64,
    priced_bound: f64,
    priced_idle: f64,
    cpu_allocated: f64,
    memory_used: f64,
}

/// The books.
pub struct Auditor {
    config: ServerlessConfig,
    spec: ClusterSpec,
    works: Vec<(Work, f64)>,
    now: SimTime,
    counts_from: SimTime,
    invocations: BTreeMap<InvocationId, Invocation>,
    containers: BTreeMap<ContainerId, Container>,
    down: Vec<bool>,
    fell_idle: u64,
    /// Fell idle while an invocation waited for its like to start, which must take it next.
    taken_next: Option<ContainerId>,
    /// Most containers that were there at once.
    most: usize,
    integrals: Integrals,
    /// Where stages of runs have finished.
    stages: BTreeMap<(u64, u32), NodeId>,
    /// CPU-seconds at the speed of the node, and Mbit, of what has finished.
    work_done: [f64; 2],
}

impl Auditor {
    /// `works`: what each function has to do and how many vCPUs it can use.
    pub fn new(config: &ServerlessConfig, spec: &ClusterSpec, works: Vec<(Work, f64)>) -> Self {
        Auditor {
            config: config.clone(),
            spec: spec.clone(),
            works,
            now: SimTime::ZERO,
            counts_from: SimTime::from_seconds(config.warm_up_seconds),
            invocations: BTreeMap::new(),
            containers: BTreeMap::new(),
            down: vec![false; spec.nodes.len()],
            fell_idle: 0,
            taken_next: None,
            most: 0,
            integrals: Integrals::default(),
            stages: BTreeMap::new(),
            work_done: [0.0; 2],
        }
    }

    pub fn see(&mut self, events: &[TimedEvent]) {
        for TimedEvent { at, event } in events {
            assert!(*at >= self.now, "time runs back from {} to {at}", self.now);
            self.advance(*at);
            self.see_one(event);
            self.most = self.most.max(self.containers.len());
            self.check_nodes();
        }
    }

    /// Counts the time until `now` at the present rates.
    pub fn advance(&mut self, now: SimTime) {
        let seconds = now.since(self.now.max(self.counts_from)).seconds();
        self.now = now;
        for container in self.containers.values() {
            let gb_seconds = f64::from(container.memory_mb) / 1024.0 * seconds;
            let price = self.spec.nodes[container.node.0 as usize].price_class;
            let sums = &mut self.integrals;
            if matches!(container.phase, Phase::Idle { .. }) {
                sums.idle += gb_seconds;
                sums.priced_idle += gb_seconds * price;
                continue;
            }
            sums.bound += gb_seconds;
            sums.priced_bound += gb_seconds * price;
            if container.phase != Phase::Warming {
                sums.cpu_allocated += f64::from(container.memory_mb) / self.config.mb_per_vcpu * seconds;
                let peak = self.spec.functions[container.function.0 as usize].peak_memory_mb;
                sums.memory_used += f64::from(peak) * seconds;
            }
        }
    }

    fn see_one(&mut self, event: &ClusterEvent) {
        if let Some(taken) = self.taken_next.take() {
            let takes = matches!(event, ClusterEvent::Rebound { to, .. } if *to == taken);
            assert!(takes, "{event:?} although {taken} is idle and an invocation waits for its like");
        }
        match event {
            ClusterEvent::Arrived { invocation, function, stage, .. } => {
                self.arrived(*invocation, *function, *stage);
            }
            ClusterEvent::Started { invocation, container, node, memory_mb, cold } => {
                self.started(*invocation, *container, *node, *memory_mb, *cold);
            }
            ClusterEvent::Ready { container, expires } => self.ready(*container, *expires),
            ClusterEvent::Finished { invocation, container, expires, .. } => {
                self.finished(*invocation, *container, *expires);
            }
            ClusterEvent::PreWarmed { container, function, node, memory_mb } => {
                self.create(*container, *function, *node, *memory_mb, Phase::Warming);
            }
            ClusterEvent::KeptAlive { container, expires: until } => {
                let kept = self.containers.get_mut(container).expect("what is kept is there");
                let Phase::Idle { expires, .. } = &mut kept.phase else { panic!("{kept:?} is kept") };
                *expires = *until;
            }
            ClusterEvent::Interrupted { invocation, container } => {
                let lost = self.containers.remove(container).expect("what is lost was there");
                let runs = matches!(lost.phase,
                    Phase::Starting(one) | Phase::Busy(one) if one == *invocation);
                assert!(runs, "{lost:?} did not run {invocation}");
                self.invocations.get_mut(invocation).unwrap().waits = true;
            }
            ClusterEvent::Rebound { invocation, from, to, .. } => self.rebound(*invocation, *from, *to),
            ClusterEvent::NodeDown { node } => {
                assert!(!std::mem::replace(&mut self.down[node.0 as usize], true), "down twice");
                assert!(self.containers.values().all(|one| one.node != *node), "a dead node holds something");
            }
            ClusterEvent::NodeUp { node } => {
                assert!(std::mem::replace(&mut self.down[node.0 as usize], false), "up twice");
            }
            ClusterEvent::Gone { container, reason } => self.gone(*container, *reason),
        }
    }

    fn arrived(&mut self, id: InvocationId, function: FunctionId, stage: Option<StageOf>) {
        let arrived = self.now;
        let new =
            Invocation { function, stage, arrived, waits: true, finished: false, starts: 0, cold: false };
        assert!(self.invocations.insert(id, new).is_none(), "{id} arrives twice");
        let Some(StageOf { run, workflow, stage }) = stage else { return };
        let inputs = &self.spec.workflows[workflow as usize].stages[stage as usize].inputs;
        let there = |from| self.stages.contains_key(&(run, from));
        assert!(inputs.iter().all(|edge| there(edge.from)), "a stage came before its inputs");
    }

    fn started(&mut self, id: InvocationId, place: ContainerId, node: NodeId, memory_mb: u32, cold: bool) {
        let now = self.now;
        let invocation = self.invocations.get_mut(&id).expect("who starts has arrived");
        assert!(std::mem::replace(&mut invocation.waits, false), "{id} starts without waiting");
        invocation.starts += 1;
        invocation.cold |= cold;
        let function = invocation.function;
        let newest =
            self.idle(node).filter(|(_, one)| one.function == function && one.memory_mb == memory_mb);
        let newest = newest.max_by_key(|(_, one)| one.phase_number()).map(|(id, _)| id);
        if cold {
            assert_eq!(newest, None, "a new container although one waits");
            self.create(place, function, node, memory_mb, Phase::Starting(id));
        } else {
            assert_eq!(newest, Some(place), "not the most recently used");
            let taken = self.containers.get_mut(&place).unwrap();
            (taken.phase, taken.since) = (Phase::Busy(id), now);
        }
    }

    fn create(&mut self, id: ContainerId, function: FunctionId, node: NodeId, memory_mb: u32, phase: Phase) {
        let peak = self.spec.functions[function.0 as usize].peak_memory_mb;
        assert!(memory_mb >= peak, "a size below the peak");
        let new = Container { function, node, memory_mb, phase, since: self.now };
        assert!(self.containers.insert(id, new).is_none(), "container {id} is made twice");
    }

    fn ready(&mut self, id: ContainerId, expires: Option<SimTime>) {
        self.fell_idle += 1;
        let container = self.containers.get_mut(&id).expect("what is ready is there");
        container.since = self.now;
        container.phase = match (container.phase, expires) {
            (Phase::Starting(invocation), None) => Phase::Busy(invocation),
            (Phase::Warming, Some(expires)) => Phase::Idle { expires, number: self.fell_idle },
            other => panic!("{other:?} is ready"),
        };
        let container = *container;
        match container.phase {
            Phase::Busy(own) => {
                assert!(!self.waits_for_kind(&container, Some(own)), "{own} begins before an older one");
            }
            _ => self.taken_next = self.waits_for_kind(&container, None).then_some(id),
        }
    }

    fn finished(&mut self, id: InvocationId, place: ContainerId, expires: SimTime) {
        self.fell_idle += 1;
        let container = self.containers.get_mut(&place).expect("who finishes is somewhere");
        let Phase::Busy(invocation) = container.phase else { panic!("{container:?} finishes") };
        assert_eq!(invocation, id, "another invocation ran there");
        let since = std::mem::replace(&mut container.since, self.now);
        container.phase = Phase::Idle { expires, number: self.fell_idle };
        let container = *container;
        self.taken_next = self.waits_for_kind(&container, None).then_some(place);
        let invocation = self.invocations.get_mut(&id).unwrap();
        assert!(!std::mem::replace(&mut invocation.finished, true), "{id} finishes twice");
        let invocation = *invocation;
        self.worked(&invocation, &container, self.now.since(since).seconds());
        if let Some(StageOf { run, stage, .. }) = invocation.stage {
            assert!(self.stages.insert((run, stage), container.node).is_none(), "a stage ran twice");
        }
    }

    /// Books the work of who has finished after `seconds`, which cannot be less than it takes alone.
    fn worked(&mut self, invocation: &Invocation, container: &Container, seconds: f64) {
        let (work, parallelism) = self.works[invocation.function.0 as usize];
        let speed = self.spec.nodes[container.node.0 as usize].speed;
        let vcpus = f64::from(container.memory_mb) / self.config.mb_per_vcpu;
        let megabits = work.megabits + self.passed(invocation.stage, container.node);
        let alone = work.io_seconds
            + megabits / (vcpus * self.config.mbps_per_vcpu)
            + work.cpu_seconds / (speed * vcpus.min(parallelism));
        assert!(seconds >= alone - 3e-6, "{seconds} s for what takes {alone} s alone");
        self.work_done[0] += work.cpu_seconds / speed;
        self.work_done[1] += megabits;
    }

    /// Mbit that come from other nodes.
    fn passed(&self, stage: Option<StageOf>, node: NodeId) -> f64 {
        let Some(StageOf { run, workflow, stage }) = stage else { return 0.0 };
        let inputs = &self.spec.workflows[workflow as usize].stages[stage as usize].inputs;
        let elsewhere = inputs.iter().filter(|edge| self.stages[&(run, edge.from)] != node);
        elsewhere.map(|edge| edge.megabits).sum()
    }

    fn rebound(&mut self, id: InvocationId, from: ContainerId, to: ContainerId) {
        assert_eq!(self.config.binding, Binding::Late, "{id} moves");
        let now = self.now;
        let (left, taken) = (self.containers[&from], self.containers[&to]);
        assert_eq!((left.function, left.memory_mb), (taken.function, taken.memory_mb), "another kind");
        assert_eq!(left.phase, Phase::Starting(id), "{id} did not wait there");
        assert!(!self.waits_for_kind(&left, Some(id)), "an older one waits");
        let (at_from, at_to) = match taken.phase {
            Phase::Idle { .. } => (Phase::Warming, Phase::Busy(id)),
            Phase::Starting(younger) => (Phase::Starting(younger), Phase::Starting(id)),
            other => panic!("{id} moves to {other:?}"),
        };
        if at_to == Phase::Busy(id) {
            self.containers.get_mut(&to).unwrap().since = now;
            self.invocations.get_mut(&id).unwrap().cold = false;
        }
        self.containers.get_mut(&from).unwrap().phase = at_from;
        self.containers.get_mut(&to).unwrap().phase = at_to;
    }

    fn gone(&mut self, id: ContainerId, reason: GoneReason) {
        let gone = *self.containers.get(&id).expect("what goes was there");
        let idle = matches!(gone.phase, Phase::Idle { .. });
        match reason {
            GoneReason::Expired => {
                let due = matches!(gone.phase, Phase::Idle { expires, .. } if expires == self.now);
                assert!(due, "{gone:?} expires at {}", self.now);
            }
            GoneReason::Evicted => {
                let oldest = self.idle(gone.node).min_by_key(|(_, one)| one.phase_number());
                assert_eq!(oldest.map(|(oldest, _)| oldest), Some(id), "not the longest idle is evicted");
            }
            GoneReason::Released => assert!(idle, "{gone:?} is released"),
            GoneReason::NodeFailed => assert!(idle || gone.phase == Phase::Warming, "{gone:?} is lost"),
        }
        self.containers.remove(&id);
    }

    fn idle(&self, node: NodeId) -> impl Iterator<Item = (ContainerId, &Container)> {
        let here = move |(_, one): &(&ContainerId, &Container)| {
            one.node == node && matches!(one.phase, Phase::Idle { .. })
        };
        self.containers.iter().filter(here).map(|(id, one)| (*id, one))
    }

    /// Memory within capacity, nothing on dead nodes, isolation tags apart.
    fn check_nodes(&self) {
        for (place, spec) in self.spec.nodes.iter().enumerate() {
            let here = || self.containers.values().filter(|one| one.node.0 as usize == place);
            let held: u32 = here().map(|one| one.memory_mb).sum();
            assert!(held <= spec.memory_mb, "{held} MB on a node of {} MB", spec.memory_mb);
            let tag = |one: &Container| self.spec.functions[one.function.0 as usize].isolation_tag;
            let mut tags: Vec<u32> = here().map(tag).collect();
            tags.dedup();
            assert!(!self.config.isolation || tags.len() <= 1, "tags {tags:?} share node {place}");
        }
    }

    /// An invocation that waits for a container of this kind to start, under late binding.
    fn waits_for_kind(&self, kind: &Container, younger_than: Option<InvocationId>) -> bool {
        let waits = |one: &Container| {
            let same = one.function == kind.function && one.memory_mb == kind.memory_mb;
            same && matches!(one.phase, Phase::Starting(id) if younger_than.is_none_or(|own| id < own))
        };
        self.config.binding == Binding::Late && self.containers.values().any(waits)
    }

    /// What the simulation shows is what its events tell.
    pub fn compare(&self, view: &ServerlessView<'_>) {
        assert_eq!(view.pending_count(), self.invocations.values().filter(|one| one.waits).count());
        let waiting: Vec<InvocationId> =
            self.invocations.iter().filter(|(_, one)| one.waits).map(|(id, _)| *id).collect();
        assert_eq!(view.pending().map(|one| one.id).collect::<Vec<_>>(), waiting);
        for node in view.nodes() {
            self.compare_node(view, node.id);
            for function in (0..self.spec.functions.len() as u32).map(FunctionId) {
                let idle = self.idle(node.id).filter(|(_, one)| one.function == function).count();
                assert_eq!(view.idle_containers(function, node.id) as usize, idle);
            }
        }
        self.compare_places();
        for line in view.lines() {
            let own = |one: &&Invocation| one.waits && one.function == line.function;
            assert_eq!(line.count as usize, self.invocations.values().filter(own).count());
        }
    }

    fn compare_node(&self, view: &ServerlessView<'_>, id: NodeId) {
        let (state, spec) = (view.node(id), &self.spec.nodes[id.0 as usize]);
        let idle_mb: u32 = self.idle(id).map(|(_, one)| one.memory_mb).sum();
        let held: u32 = self.containers.values().filter(|one| one.node == id).map(|one| one.memory_mb).sum();
        assert_eq!((state.evictable_mb, state.bound_mb), (idle_mb, held - idle_mb));
        assert_eq!(state.up, !self.down[id.0 as usize]);
        assert_eq!(state.free_mb, if state.up { spec.memory_mb - held } else { 0 });
        let cpu = f64::from(spec.cpu_millicores) / 1000.0;
        assert!((-1e-9..=cpu + 1e-9).contains(&state.cpu_used), "{state:?}");
        let network = f64::from(spec.network_mbps);
        assert!((-1e-9..=network + 1e-9).contains(&state.network_used), "{state:?}");
        let mut idle: Vec<(u64, ContainerId, SimTime)> =
            self.idle(id).map(|(id, one)| (one.phase_number(), id, one.since)).collect();
        idle.sort_unstable();
        let order: Vec<_> = idle.into_iter().map(|(_, id, since)| (id, since)).collect();
        assert_eq!(view.idle_on(id).map(|one| (one.id, one.since)).collect::<Vec<_>>(), order);
        let mut busy: Vec<BusyContainer> = view.busy_on(id).collect();
        busy.sort_unstable_by_key(|one| one.id);
        assert_eq!(busy, self.busy(id).collect::<Vec<_>>());
    }

    /// Containers of a node that start or run, by id.
    fn busy(&self, node: NodeId) -> impl Iterator<Item = BusyContainer> {
        let here = self.containers.iter().filter(move |(_, one)| one.node == node);
        here.filter(|(_, one)| !matches!(one.phase, Phase::Idle { .. })).map(|(&id, one)| BusyContainer {
            id,
            function: one.function,
            memory_mb: one.memory_mb,
            since: one.since,
            starting: matches!(one.phase, Phase::Starting(_) | Phase::Warming),
            bound: one.phase != Phase::Warming,
        })
    }

    /// Places are told apart while both are there, and stay dense.
    fn compare_places(&self) {
        let mut places: Vec<usize> = self.containers.keys().map(|&id| container_place(id)).collect();
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert!(
            places.last().is_none_or(|&last| last < self.most),
            "{places:?} beside at most {}",
            self.most
        );
    }

    /// The outcome is what the books say. `rewarded`: the sum of the rewards for cost.
    pub fn compare_outcome(&self, outcome: &ServerlessOutcome, rewarded: f64) {
        let counted = || self.invocations.values().filter(|one| one.arrived >= self.counts_from);
        assert_eq!(outcome.slowdowns.count() as usize, counted().count(), "every arrival ends once");
        let by_function: u64 = outcome.functions.iter().map(|function| function.arrivals).sum();
        assert_eq!(by_function, outcome.slowdowns.count());
        assert_eq!(outcome.unfinished as usize, counted().filter(|one| !one.finished).count());
        assert_eq!(outcome.cold_starts as usize, counted().filter(|one| one.cold).count());
        let retries: u64 = counted().map(|one| one.starts.saturating_sub(1)).sum();
        assert_eq!(outcome.retries, retries);
        let (usage, sums) = (&outcome.usage, &self.integrals);
        near(usage.bound_gb_seconds, sums.bound, 1e-9);
        near(usage.idle_gb_seconds, sums.idle, 1e-9);
        near(usage.priced_bound_gb_seconds, sums.priced_bound, 1e-9);
        near(usage.priced_idle_gb_seconds, sums.priced_idle, 1e-9);
        near(usage.allocated[0], sums.cpu_allocated, 1e-9);
        near(usage.allocated[1], 1024.0 * (sums.bound + sums.idle), 1e-9);
        near(usage.used[1], sums.memory_used, 1e-9);
        let requests = USD_PER_REQUEST * counted().count() as f64;
        near(outcome.cost_usd(), sums.priced_bound * USD_PER_GB_SECOND + requests, 1e-9);
        self.compare_work(outcome);
        self.compare_reward(rewarded);
    }

    fn compare_reward(&self, rewarded: f64) {
        let sums = &self.integrals;
        let left = |one: &&Invocation| !one.finished || self.counts_from == SimTime::ZERO;
        // Without a warm-up all that arrived have left in counted time.
        if self.invocations.values().all(|one| left(&one)) {
            let requests = USD_PER_REQUEST * self.invocations.len() as f64;
            let held = (sums.priced_bound + sums.priced_idle) * USD_PER_GB_SECOND;
            // Rewards are kept in single precision.
            near(-rewarded, held + requests, 1e-4);
        }
    }

    /// Used is what the finished work took, where none was lost, left over or done before the counting began.
    fn compare_work(&self, outcome: &ServerlessOutcome) {
        let all_done = self.invocations.values().all(|one| one.finished && one.starts == 1);
        let usage = &outcome.usage;
        for resource in 0..3 {
            let (used, capacity) = (usage.used[resource], usage.capacity[resource]);
            assert!((-1e-6..=capacity * (1.0 + 1e-9) + 1e-6).contains(&used), "{used} of {capacity}");
        }
        if self.counts_from > SimTime::ZERO || !all_done {
            return;
        }
        // Ends are whole microseconds.
        let microseconds = 2e-6 * self.invocations.len() as f64;
        let rounding = |rate: f64| 1e-6 + microseconds * rate;
        let [cpu, network] = self.work_done;
        assert!((usage.used[0] - cpu).abs() <= rounding(1.0), "{} CPU-seconds for {cpu}", usage.used[0]);
        let found = usage.used[2];
        assert!((found - network).abs() <= rounding(200.0), "{found} Mbit for {network}");
    }
}

impl Container {
    fn phase_number(&self) -> u64 {
        if let Phase::Idle { number, .. } = self.phase { number } else { 0 }
    }
}

fn near(found: f64, expected: f64, tolerance: f64) {
    let close = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
    assert!(close, "{found} in place of {expected}");
}
