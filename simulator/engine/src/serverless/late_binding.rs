//! Late binding: the invocation that has waited longest takes the first container of its function that is ready, as on
//! platforms that keep a queue for each function. Under early binding an invocation stays with the container that was started
//! for it.

use common::cluster::ClusterEvent;
use common::ids::{FunctionId, InvocationId};

use super::containers::{Container, State};
use super::execution::Task;
use super::log_hash::Happened;
use super::places::life_of;
use super::simulation::ServerlessSimulation;

impl ServerlessSimulation {
    /// A container fell idle: the oldest invocation that a container of its function and size starts for takes it. The other
    /// one goes on starting, for no invocation.
    pub(super) fn take_over(&mut self, container: u32) {
        let Container { id, function, memory_mb, node, .. } = *self.containers.get(container);
        let Some((invocation, from)) = self.oldest_starting(function, memory_mb) else { return };
        let Some(job) = self.job_of(from) else { return };
        // No keep-alive is asked for a container that is busy again.
        self.questions.retain(|question| !question.is_about(id));
        self.forget_starting(function, invocation);
        self.containers.give_up(from);
        self.execution.forget(from);
        self.containers.take(self.now, container, job);
        let price = self.workload.cluster.nodes[node as usize].price_class;
        let memory = f64::from(memory_mb);
        self.ledger.meters.hold(memory, -memory, price);
        self.jobs.get_mut(job).cold = false;
        self.rebind(job, from, container);
        self.execution.begin(self.now, container, &mut self.ledger.meters);
    }

    /// A cold start is over: where an older invocation of the function still waits for one of the same size, the two exchange
    /// their containers.
    pub(super) fn exchange_with_older(&mut self, container: u32) {
        let Container { function, memory_mb, .. } = *self.containers.get(container);
        let Some(younger) = self.job_of(container) else { return };
        let Some((invocation, from)) = self.oldest_starting(function, memory_mb) else { return };
        let younger_id = self.jobs.get(younger).id;
        if let Some(older) = self.job_of(from)
            && invocation < younger_id
        {
            self.containers.bind(container, older);
            self.containers.bind(from, younger);
            self.rebind(older, from, container);
            self.assign(younger, from);
            if let Some(starting) = &mut self.starting {
                starting.insert(function, younger_id, from);
                starting.remove(function, invocation);
            }
        } else {
            self.forget_starting(function, younger_id);
        }
    }

    /// The invocation no longer waits for a container to start.
    pub(super) fn forget_starting(&mut self, function: u32, invocation: InvocationId) {
        if let Some(starting) = &mut self.starting {
            starting.remove(function, invocation);
        }
    }

    /// Gives `job` its work in `container`.
    pub(super) fn assign(&mut self, job: u32, container: u32) {
        let Container { id, memory_mb, node, .. } = *self.containers.get(container);
        let task = Task { life: life_of(id), ..self.task(job, memory_mb, node) };
        self.execution.assign(container, task);
    }

    fn oldest_starting(&self, function: u32, memory_mb: u32) -> Option<(InvocationId, u32)> {
        self.starting.as_ref()?.oldest(function, |place| self.containers.get(place).memory_mb == memory_mb)
    }

    fn job_of(&self, container: u32) -> Option<u32> {
        match self.containers.get(container).state {
            State::Bound { job } => Some(job),
            _ => None,
        }
    }

    fn rebind(&mut self, job: u32, from: u32, to: u32) {
        self.assign(job, to);
        let (from, to) = (self.containers.get(from), self.containers.get(to));
        let (function, from, to) = (FunctionId(to.function), from.id, to.id);
        let invocation = self.jobs.get(job).id;
        self.log.add(Happened::Rebound, self.now.0, invocation.0, to.0);
        self.record(ClusterEvent::Rebound { invocation, function, from, to });
    }
}
