//! How started invocations run: transfer, I/O and CPU in turn, on nodes that share CPU and network.

use common::SimTime;
use common::cluster::NodeSpec;

use super::events::{Due, EventQueue, Shared};
use super::meters::Meters;
use super::outcome::Resource;
use super::phase::SharedPhase;

/// What an invocation still has to do where it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Task {
    pub node: u32,
    /// Tells the container from others that had its place.
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

#[derive(Debug)]
struct Line {
    phase: SharedPhase,
    resource: Resource,
    posted: Option<SimTime>,
    posting: u32,
}

impl Line {
    fn new(capacity: f64, resource: Resource) -> Self {
        Line { phase: SharedPhase::new(capacity), resource, posted: None, posting: 0 }
    }
}

/// Runs tasks, which are addressed by the place of their container.
#[derive(Debug)]
pub(super) struct Engine {
    pub queue: EventQueue,
    tasks: Vec<Task>,
    network: Vec<Line>,
    cpu: Vec<Line>,
    /// Reused.
    transferred: Vec<u32>,
}

impl Engine {
    pub fn new(nodes: &[NodeSpec]) -> Self {
        let network = |node: &NodeSpec| Line::new(f64::from(node.network_mbps), Resource::Network);
        let cpu = |node: &NodeSpec| Line::new(f64::from(node.cpu_millicores) / 1000.0, Resource::Cpu);
        Engine {
            queue: EventQueue::default(),
            tasks: Vec::new(),
            network: nodes.iter().map(network).collect(),
            cpu: nodes.iter().map(cpu).collect(),
            transferred: Vec::new(),
        }
    }

    /// Gives a container its task; it runs from [`Engine::begin`] on.
    pub fn assign(&mut self, container: u32, task: Task) {
        let place = container as usize;
        if place >= self.tasks.len() {
            self.tasks.resize(place + 1, Task::default());
        }
        self.tasks[place] = task;
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

    /// A container's I/O is done: to the CPU.
    pub fn io_done(&mut self, now: SimTime, container: u32, life: u32, meters: &mut Meters) {
        if self.tasks[container as usize].life != life {
            return;
        }
        self.join(now, Shared::Cpu, container, meters);
    }

    /// Somebody in a shared phase is done. Transfers go on to I/O by themselves; whose CPU work is done has finished and
    /// is added to `finished`.
    pub fn phase_due(
        &mut self,
        now: SimTime,
        (node, shared, posting): (u32, Shared, u32),
        meters: &mut Meters,
        finished: &mut Vec<u32>,
    ) {
        let mut transferred = std::mem::take(&mut self.transferred);
        let line = self.line(node, shared);
        if line.posting != posting {
            self.transferred = transferred;
            return;
        }
        line.posted = None;
        let before = line.phase.used();
        while let Some(container) = line.phase.pop_due(now) {
            match shared {
                Shared::Network => transferred.push(container),
                Shared::Cpu => finished.push(container),
            }
        }
        self.settle(now, node, shared, before, meters);
        transferred.drain(..).for_each(|container| self.wait_for_io(now, container, meters));
        self.transferred = transferred;
    }

    /// vCPUs and Mbit/s in use on a node.
    pub fn used(&self, node: u32) -> [f64; 2] {
        [self.cpu[node as usize].phase.used(), self.network[node as usize].phase.used()]
    }

    /// A node went down: nobody runs there any more. Their I/O ends are void, since no container has their lives again.
    pub fn fail(&mut self, now: SimTime, node: u32, meters: &mut Meters) {
        for shared in [Shared::Network, Shared::Cpu] {
            let line = self.line(node, shared);
            let before = line.phase.used();
            line.phase.clear();
            self.settle(now, node, shared, before, meters);
        }
    }

    /// A container's task is void from now on.
    pub fn forget(&mut self, container: u32) {
        if let Some(task) = self.tasks.get_mut(container as usize) {
            task.life = 0;
        }
    }

    fn wait_for_io(&mut self, now: SimTime, container: u32, meters: &mut Meters) {
        let wait = SimTime::from_seconds(self.tasks[container as usize].io_seconds);
        if wait == SimTime::ZERO {
            self.join(now, Shared::Cpu, container, meters);
        } else {
            let life = self.tasks[container as usize].life;
            self.queue.post(now + wait, Due::IoDone { container, life });
        }
    }

    fn join(&mut self, now: SimTime, shared: Shared, container: u32, meters: &mut Meters) {
        let task = self.tasks[container as usize];
        let (seconds, share) = match shared {
            Shared::Network => (task.transfer_seconds, task.mbps),
            Shared::Cpu => (task.cpu_seconds, task.vcpus),
        };
        let line = self.line(task.node, shared);
        let before = line.phase.used();
        line.phase.join(now, container, seconds, share);
        self.settle(now, task.node, shared, before, meters);
    }

    /// After a change of a phase: meters its use and posts its next end, where that moved.
    fn settle(&mut self, now: SimTime, node: u32, shared: Shared, before: f64, meters: &mut Meters) {
        let line = self.line(node, shared);
        meters.used[line.resource as usize] += line.phase.used() - before;
        let due = line.phase.next_due().map(|due| due.max(now));
        if due == line.posted {
            return;
        }
        line.posted = due;
        line.posting = line.posting.wrapping_add(1);
        let posting = line.posting;
        if let Some(due) = due {
            self.queue.post(due, Due::Phase { node, resource: shared, posting });
        }
    }

    fn line(&mut self, node: u32, shared: Shared) -> &mut Line {
        match shared {
            Shared::Network => &mut self.network[node as usize],
            Shared::Cpu => &mut self.cpu[node as usize],
        }
    }
}
