//! How started invocations run: transfer, I/O and CPU in turn, on nodes that share CPU and network.

use common::SimTime;
use common::cluster::NodeSpec;

use super::due_tree::DueTree;
use super::events::EventQueue;
use super::meters::Meters;
use super::outcome::Resource;
use super::phase::SharedPhase;

/// What an invocation still has to do where it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    pub node: u32,
    /// Tells the container from earlier ones in its place; 0: no task.
    pub life: u32,
    /// Time of the transfer alone, seconds.
    pub transfer_seconds: f64,
    /// Bandwidth given, Mbit/s.
    pub mbps: f64,
    /// I/O and dispatch, seconds.
    pub io_seconds: f64,
    /// Time on the CPU alone, seconds.
    pub cpu_seconds: f64,
    /// vCPUs that it can use.
    pub vcpus: f64,
}

/// What invocations on a node share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shared {
    Network,
    Cpu,
}

/// Runs tasks, which are addressed by the place of their container.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    tasks: Vec<Task>,
    /// Ends of I/O.
    io: EventQueue,
    /// Ends of cold starts.
    ready: EventQueue,
    /// Shared phases: the networks of all nodes, then their CPUs.
    phases: Vec<SharedPhase>,
    /// Time at which each phase next completes a task.
    due: DueTree,
}

impl Execution {
    pub fn new(nodes: &[NodeSpec]) -> Self {
        let network = nodes.iter().map(|node| SharedPhase::new(f64::from(node.network_mbps)));
        let cpu = nodes.iter().map(|node| SharedPhase::new(f64::from(node.cpu_millicores) / 1000.0));
        Execution {
            tasks: Vec::new(),
            io: EventQueue::default(),
            ready: EventQueue::default(),
            phases: network.chain(cpu).collect(),
            due: DueTree::new(2 * nodes.len()),
        }
    }

    /// Time of the next event; [`SimTime::NEVER`] when none is left.
    pub fn next_time(&self) -> SimTime {
        self.due.first().min(self.io.next_time()).min(self.ready.next_time())
    }

    /// Gives a container its task; it runs from [`Execution::begin`] on.
    pub fn assign(&mut self, container: u32, task: Task) {
        let place = container as usize;
        if place >= self.tasks.len() {
            self.tasks.resize(place + 1, Task::default());
        }
        self.tasks[place] = task;
    }

    /// A new container will be ready then.
    pub fn boot(&mut self, ready: SimTime, container: u32, life: u32) {
        self.ready.post(ready, container, life);
    }

    /// The next container, with its life, that is ready by `now`.
    pub fn pop_ready(&mut self, now: SimTime) -> Option<(u32, u32)> {
        self.ready.pop_at(now)
    }

    /// Its container is ready: the task begins.
    pub fn begin(&mut self, now: SimTime, container: u32, meters: &mut Meters) {
        let task = self.tasks[container as usize];
        if task.transfer_seconds > 0.0 {
            self.join(now, Shared::Network, container, meters);
        } else {
            self.wait_for_io(now, container, meters);
        }
    }

    /// Runs to `now`, the next instant at which something is due. A task that is done with a phase goes on to the next;
    /// the container of a task that is done with its CPU phase is added to `finished`.
    pub fn run_to(&mut self, now: SimTime, meters: &mut Meters, finished: &mut Vec<u32>) {
        while self.due.first() <= now {
            self.phase_due(now, self.due.first_place(), meters, finished);
        }
        while let Some((container, life)) = self.io.pop_at(now) {
            if self.tasks[container as usize].life == life {
                self.join(now, Shared::Cpu, container, meters);
            }
        }
    }

    fn phase_due(&mut self, now: SimTime, place: usize, meters: &mut Meters, finished: &mut Vec<u32>) {
        let before = self.phases[place].used();
        let is_network = self.resource(place) == Resource::Network;
        while let Some(container) = self.phases[place].pop_due(now) {
            if is_network {
                self.wait_for_io(now, container, meters);
            } else {
                finished.push(container);
            }
        }
        self.settle(now, place, before, meters);
    }

    /// vCPUs and Mbit/s in use on a node.
    #[inline]
    pub fn used(&self, node: u32) -> [f64; 2] {
        [Shared::Cpu, Shared::Network].map(|shared| self.phases[self.place(node, shared)].used())
    }

    /// A node went down: removes all its tasks.
    pub fn fail(&mut self, now: SimTime, node: u32, meters: &mut Meters) {
        for shared in [Shared::Network, Shared::Cpu] {
            let place = self.place(node, shared);
            let before = self.phases[place].used();
            self.phases[place].clear();
            self.settle(now, place, before, meters);
        }
    }

    /// A container is lost: the end of its I/O is void.
    pub fn forget(&mut self, container: u32) {
        if let Some(task) = self.tasks.get_mut(container as usize) {
            task.life = 0;
        }
    }

    fn wait_for_io(&mut self, now: SimTime, container: u32, meters: &mut Meters) {
        let task = &self.tasks[container as usize];
        let wait = SimTime::from_seconds(task.io_seconds);
        if wait == SimTime::ZERO {
            self.join(now, Shared::Cpu, container, meters);
        } else {
            self.io.post(now + wait, container, task.life);
        }
    }

    fn join(&mut self, now: SimTime, shared: Shared, container: u32, meters: &mut Meters) {
        let task = &self.tasks[container as usize];
        let (seconds, share) = match shared {
            Shared::Network => (task.transfer_seconds, task.mbps),
            Shared::Cpu => (task.cpu_seconds, task.vcpus),
        };
        let place = self.place(task.node, shared);
        let before = self.phases[place].used();
        self.phases[place].join(now, container, seconds, share);
        self.settle(now, place, before, meters);
    }

    /// After a change of a phase: meters its use and notes its next end.
    fn settle(&mut self, now: SimTime, place: usize, before: f64, meters: &mut Meters) {
        let phase = &self.phases[place];
        let (used, due) = (phase.used() - before, phase.next_due().max(now));
        meters.used[self.resource(place) as usize] += used;
        self.due.set(place, due);
    }

    fn place(&self, node: u32, shared: Shared) -> usize {
        match shared {
            Shared::Network => node as usize,
            Shared::Cpu => self.phases.len() / 2 + node as usize,
        }
    }

    fn resource(&self, place: usize) -> Resource {
        if place < self.phases.len() / 2 { Resource::Network } else { Resource::Cpu }
    }
}
