//! One `serverless` episode as it went: who was where when, how full the nodes were, how many waited. Of bounded size
//! whatever the episode's length.

use std::collections::HashMap;

use common::SimTime;
use common::cluster::{ClusterEvent, NodeSpec, TimedEvent};
use common::ids::{ContainerId, InvocationId};
use engine::serverless::ServerlessView;
use engine::{ClusterView, DecisionRequest, Progress, Scheduler, Simulation};
use serde::{Deserialize, Serialize};

use crate::bins::Bins;
use crate::error::EvaluationError;
use crate::record::Cell;

/// Spans of containers that are kept: as many as a picture can show.
const MOST_SPANS: usize = 1500;
/// Nodes whose containers are kept.
pub(crate) const NODES_SHOWN: u32 = 6;

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerState {
    /// It is being initialised.
    Starting,
    /// It runs an invocation.
    Running,
    /// It is kept warm.
    Idle,
}

/// A container in one state, for a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// Index of the node.
    pub node: u32,
    /// Place among the containers of the node; one is free again when its container is gone.
    pub lane: u32,
    /// Index of the function.
    pub function: u32,
    /// State of the container during the span.
    pub state: ContainerState,
    /// Start of the span, simulated seconds.
    pub from: f64,
    /// End of the span, simulated seconds.
    pub to: f64,
}

/// The course of one episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Version of this record; 1.
    pub schema: u32,
    /// Name of the workload.
    pub workload: String,
    /// Offered load, percent.
    pub load: f64,
    /// Canonical name of the scheduler that played.
    pub scheduler: String,
    /// Number of the seed.
    pub seed: u32,
    /// Width of a bin of `queue` and `busy`, seconds.
    pub bin_seconds: f64,
    /// Mean number of waiting invocations in each bin.
    pub queue: Vec<f64>,
    /// Node by node: fraction of its memory that starting and running containers held, mean of each bin.
    pub busy: Vec<Vec<f64>>,
    /// Node by node: fraction of its vCPUs in use, as decisions saw it, mean of each bin; empty in recordings of earlier versions.
    #[serde(default)]
    pub cpu: Vec<Vec<f64>>,
    /// Start and end of the time that `spans` covers, simulated seconds.
    pub window: [f64; 2],
    /// Containers of the first nodes within the window.
    pub spans: Vec<Span>,
}

/// Plays an episode, made with the scheduler's interests and with events followed, and records it. `seed` is only noted.
///
/// # Errors
/// When the episode is of another scenario, or the scheduler fails or chooses something impossible.
pub fn record_episode(
    mut simulation: Simulation,
    scheduler: &mut dyn Scheduler,
    cell: &Cell,
    seed: u32,
) -> Result<Recording, EvaluationError> {
    scheduler.episode_started(0);
    let mut recorder = match simulation.view() {
        ClusterView::Serverless(view) => Recorder::new(&view.spec().nodes, simulation.horizon()),
        ClusterView::Slots(_) => {
            return Err(EvaluationError::WrongScenario {
                found: simulation.scenario(),
                expected: common::trajectory::Scenario::Serverless,
            });
        }
    };
    let mut actions = Vec::new();
    loop {
        let progress = simulation.advance();
        if let ClusterView::Serverless(view) = simulation.view() {
            view.events().iter().for_each(|event| recorder.see(event));
            recorder.compute(simulation.now(), &view);
        }
        if progress == Progress::Finished {
            return Ok(recorder.finish(simulation.now(), cell, seed));
        }
        actions.clear();
        scheduler.decide(&[DecisionRequest { environment: 0, view: simulation.view() }], &mut actions)?;
        let [action] = actions.as_slice() else {
            let scheduler = scheduler.name().to_owned();
            return Err(EvaluationError::DecisionCount { scheduler, given: actions.len(), asked: 1 });
        };
        simulation.apply(*action).map_err(|cause| EvaluationError::Action {
            scheduler: scheduler.name().to_owned(),
            action: *action,
            cause,
        })?;
    }
}

struct Container {
    node: u32,
    lane: u32,
    function: u32,
    memory_mb: u32,
    state: ContainerState,
    since: SimTime,
}

struct Recorder {
    memory_mb: Vec<u32>,
    functions: HashMap<InvocationId, u32>,
    containers: HashMap<ContainerId, Container>,
    /// Which lanes of each node are taken.
    lanes: Vec<Vec<bool>>,
    waiting: u64,
    held_mb: Vec<u32>,
    vcpus: Vec<f64>,
    queue: Bins,
    busy: Vec<Bins>,
    cpu: Vec<Bins>,
    begin: SimTime,
    end: Option<SimTime>,
    spans: Vec<Span>,
}

impl Recorder {
    fn new(specs: &[NodeSpec], horizon: SimTime) -> Self {
        let nodes = specs.len();
        let bins = Bins::new(horizon.seconds());
        Recorder {
            memory_mb: specs.iter().map(|node| node.memory_mb).collect(),
            functions: HashMap::new(),
            containers: HashMap::new(),
            lanes: vec![Vec::new(); nodes],
            waiting: 0,
            held_mb: vec![0; nodes],
            vcpus: specs.iter().map(|node| f64::from(node.cpu_millicores) / 1000.0).collect(),
            queue: bins.clone(),
            busy: vec![bins.clone(); nodes],
            cpu: vec![bins; nodes],
            // The middle of the episode: the cluster has found its stride.
            begin: SimTime(horizon.0 / 2),
            end: None,
            spans: Vec::new(),
        }
    }

    fn see(&mut self, timed: &TimedEvent) {
        let at = timed.at;
        match &timed.event {
            ClusterEvent::Arrived { invocation, function, .. } => {
                self.functions.insert(*invocation, function.0);
                self.wait(at, 1);
            }
            ClusterEvent::Started { invocation, container, node, memory_mb, cold } => {
                self.wait(at, -1);
                if self.containers.contains_key(container) {
                    let state = if *cold { ContainerState::Starting } else { ContainerState::Running };
                    self.turn(at, *container, state);
                } else {
                    let function = self.functions.get(invocation).copied().unwrap_or_default();
                    self.appear(at, *container, (node.0, function, *memory_mb));
                }
            }
            ClusterEvent::PreWarmed { container, function, node, memory_mb } => {
                self.appear(at, *container, (node.0, function.0, *memory_mb));
            }
            ClusterEvent::Ready { container, expires } => {
                let state = if expires.is_some() { ContainerState::Idle } else { ContainerState::Running };
                self.turn(at, *container, state);
            }
            ClusterEvent::Finished { invocation, container, .. } => {
                self.functions.remove(invocation);
                self.turn(at, *container, ContainerState::Idle);
            }
            ClusterEvent::Gone { container, .. } => self.go(at, *container),
            ClusterEvent::Interrupted { container, .. } => {
                self.go(at, *container);
                self.wait(at, 1);
            }
            // The other container goes on starting, whichever way.
            ClusterEvent::Rebound { to, .. } => {
                if self.containers.get(to).is_some_and(|one| one.state == ContainerState::Idle) {
                    self.turn(at, *to, ContainerState::Running);
                }
            }
            ClusterEvent::KeptAlive { .. } | ClusterEvent::NodeDown { .. } | ClusterEvent::NodeUp { .. } => {}
        }
    }

    fn wait(&mut self, at: SimTime, more: i64) {
        self.queue.change(at.seconds(), self.waiting as f64);
        self.waiting = self.waiting.saturating_add_signed(more);
    }

    fn hold(&mut self, at: SimTime, node: u32, mb: i64) {
        let node = node as usize;
        let share = f64::from(self.held_mb[node]) / f64::from(self.memory_mb[node]);
        self.busy[node].change(at.seconds(), share);
        self.held_mb[node] = (i64::from(self.held_mb[node]) + mb).max(0) as u32;
    }

    /// Takes the CPU use seen now as that since the last decision; between decisions it cannot be observed.
    fn compute(&mut self, at: SimTime, view: &ServerlessView<'_>) {
        for node in view.nodes() {
            let place = node.id.0 as usize;
            self.cpu[place].change(at.seconds(), node.cpu_used / self.vcpus[place]);
        }
    }

    fn appear(&mut self, at: SimTime, id: ContainerId, (node, function, memory_mb): (u32, u32, u32)) {
        let lanes = &mut self.lanes[node as usize];
        let lane = lanes.iter().position(|taken| !taken).unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(true);
        }
        lanes[lane] = true;
        let state = ContainerState::Starting;
        let container = Container { node, lane: lane as u32, function, memory_mb, state, since: at };
        self.containers.insert(id, container);
        self.hold(at, node, i64::from(memory_mb));
    }

    fn turn(&mut self, at: SimTime, id: ContainerId, state: ContainerState) {
        let Some(mut container) = self.containers.remove(&id) else { return };
        self.keep(at, &container);
        let holds = |state: ContainerState| i64::from(state != ContainerState::Idle);
        let change = (holds(state) - holds(container.state)) * i64::from(container.memory_mb);
        if change != 0 {
            self.hold(at, container.node, change);
        }
        container.state = state;
        container.since = at;
        self.containers.insert(id, container);
    }

    fn go(&mut self, at: SimTime, id: ContainerId) {
        self.turn(at, id, ContainerState::Idle);
        if let Some(container) = self.containers.remove(&id) {
            self.lanes[container.node as usize][container.lane as usize] = false;
        }
    }

    /// Keeps the span that ends now, where it is to be seen.
    fn keep(&mut self, at: SimTime, container: &Container) {
        if self.end.is_some() || at <= self.begin || at == container.since || container.node >= NODES_SHOWN {
            return;
        }
        self.spans.push(Span {
            node: container.node,
            lane: container.lane,
            function: container.function,
            state: container.state,
            from: container.since.max(self.begin).seconds(),
            to: at.seconds(),
        });
        if self.spans.len() >= MOST_SPANS {
            self.end = Some(at);
            self.keep_open(at);
        }
    }

    /// Containers that go on beyond the window are shown up to its end.
    fn keep_open(&mut self, at: SimTime) {
        let shown = |one: &&Container| one.node < NODES_SHOWN && one.since < at;
        let mut open: Vec<Span> = self
            .containers
            .values()
            .filter(shown)
            .map(|container| Span {
                node: container.node,
                lane: container.lane,
                function: container.function,
                state: container.state,
                from: container.since.max(self.begin).seconds(),
                to: at.seconds(),
            })
            .collect();
        open.sort_by_key(|span| (span.node, span.lane));
        self.spans.append(&mut open);
    }

    fn finish(mut self, at: SimTime, cell: &Cell, seed: u32) -> Recording {
        self.wait(at, 0);
        (0..self.held_mb.len() as u32).for_each(|node| self.hold(at, node, 0));
        let end = self.end.unwrap_or(at);
        if self.end.is_none() {
            self.keep_open(at);
        }
        // All have seen the same times, so their bins are the same.
        Recording {
            schema: 1,
            workload: cell.workload.to_string(),
            load: cell.load,
            scheduler: cell.scheduler.to_string(),
            seed,
            bin_seconds: self.queue.width(),
            queue: self.queue.means(),
            busy: self.busy.iter().map(Bins::means).collect(),
            cpu: self.cpu.iter().map(Bins::means).collect(),
            window: [self.begin.seconds(), end.seconds()],
            spans: self.spans,
        }
    }
}
