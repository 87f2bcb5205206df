//! What becomes of containers beside the starts of invocations: keep-alive, pre-warming, release, and the loss of a node.

use common::SimTime;
use common::cluster::{ClusterEvent, GoneReason};
use common::ids::{ContainerId, FunctionId, NodeId};

use super::containers::{Container, State};
use super::failures::Change;
use super::log_hash::Happened;
use super::places::life_of;
use super::question::Question;
use super::simulation::ServerlessSimulation;
use crate::error::ActionError;

impl ServerlessSimulation {
    /// Whether the scheduler decides how long containers are kept.
    pub(super) fn asks_keep_alive(&self) -> bool {
        self.rules.interests.keep_alive && self.asks()
    }

    /// A container fell idle: asks for how long it is kept.
    pub(super) fn ask_keep_alive(&mut self, container: u32) {
        let Container { id, function, node, memory_mb, .. } = *self.containers.get(container);
        self.questions.push_back(Question::KeepAlive {
            container: id,
            function: FunctionId(function),
            node: NodeId(node),
            memory_mb,
        });
    }

    /// An idle container is kept for so long from now on.
    pub(super) fn keep_alive(&mut self, id: ContainerId, keep_alive: SimTime) -> Result<(), ActionError> {
        let place = self.idle_place(id)?;
        let expires = self.now + keep_alive;
        self.containers.keep(place, expires);
        self.log.add(Happened::Kept, self.now.0, id.0, expires.0);
        self.record(ClusterEvent::KeptAlive { container: id, expires });
        Ok(())
    }

    /// An idle container goes.
    pub(super) fn release(&mut self, id: ContainerId) -> Result<(), ActionError> {
        let place = self.idle_place(id)?;
        let container = self.containers.remove_idle(place);
        self.gone(&container, GoneReason::Released);
        Ok(())
    }

    /// Starts a container of `function` before an invocation needs it, in memory that is free.
    pub(super) fn pre_warm(
        &mut self,
        function: FunctionId,
        memory_mb: u32,
        node: NodeId,
    ) -> Result<(), ActionError> {
        let sizes =
            self.workload.sizes.get(function.0 as usize).ok_or(ActionError::CannotPreWarm(function))?;
        let known_node = (node.0 as usize) < self.workload.cluster.nodes.len();
        let room = known_node
            && self.containers.free_mb(node.0) >= memory_mb
            && !self.containers.is_foreign(function.0, node.0);
        if !room || !sizes.contains(&Some(memory_mb)) {
            return Err(ActionError::CannotPreWarm(function));
        }
        let container = self.containers.create(self.now, function.0, memory_mb, node.0, None);
        let id = self.containers.get(container).id;
        let price = self.workload.cluster.nodes[node.0 as usize].price_class;
        self.ledger.meters.hold(f64::from(memory_mb), 0.0, price);
        self.log.add(Happened::PreWarmed, self.now.0, id.0, u64::from(function.0));
        self.record(ClusterEvent::PreWarmed { container: id, function, node, memory_mb });
        let draw = self.pre_warm_draw();
        self.boot(container, function.0, draw);
        Ok(())
    }

    fn idle_place(&self, id: ContainerId) -> Result<u32, ActionError> {
        let idle = |&place: &u32| matches!(self.containers.get(place).state, State::Idle { .. });
        self.containers.find(id).filter(idle).ok_or(ActionError::NotIdle(id))
    }

    /// A cold start is over: its invocation begins, or the container waits for one.
    pub(super) fn ready(&mut self, container: u32, life: u32) -> bool {
        let Container { id, function, state, created, .. } = *self.containers.get(container);
        if life_of(id) != life || state == State::Gone {
            return false;
        }
        // The duration is known only now.
        self.estimators[function as usize].observe_cold_start(self.now.since(created).seconds());
        self.log.add(Happened::Ready, self.now.0, id.0, 0);
        self.containers.ready(self.now, container);
        self.exchange_with_older(container);
        let expires = (state == State::Warming).then(|| self.fall_idle(container));
        self.record(ClusterEvent::Ready { container: id, expires });
        if expires.is_none() {
            self.execution.begin(self.now, container, &mut self.ledger.meters);
        } else {
            self.take_over(container);
        }
        true
    }

    /// A node goes down with all that is on it, or comes back empty.
    pub(super) fn node_changes(&mut self, change: Change) {
        let node = NodeId(change.node);
        if change.up {
            self.containers.set_up(change.node, true);
            self.log.add(Happened::NodeUp, self.now.0, u64::from(change.node), 0);
            self.record(ClusterEvent::NodeUp { node });
            return;
        }
        self.execution.fail(self.now, change.node, &mut self.ledger.meters);
        for (place, container) in self.containers.fail(change.node) {
            self.lose(place, &container);
        }
        self.commitments.node_down(change.node);
        self.log.add(Happened::NodeDown, self.now.0, u64::from(change.node), 0);
        self.record(ClusterEvent::NodeDown { node });
    }

    /// A container is lost with its node: what ran in it waits again.
    fn lose(&mut self, place: u32, container: &Container) {
        self.execution.forget(place);
        if matches!(container.state, State::Idle { .. }) {
            // It may have fallen idle at this very instant.
            self.questions.retain(|question| !question.is_about(container.id));
            self.gone(container, GoneReason::NodeFailed);
            return;
        }
        let price = self.workload.cluster.nodes[container.node as usize].price_class;
        self.ledger.meters.hold(-f64::from(container.memory_mb), 0.0, price);
        // It may be the container that was awaited.
        self.commitments.end_hold(container.function);
        let State::Bound { job } = container.state else {
            self.log.add(Happened::Gone, self.now.0, container.id.0, GoneReason::NodeFailed as u64);
            self.record(ClusterEvent::Gone { container: container.id, reason: GoneReason::NodeFailed });
            return;
        };
        self.allocate(container.function, container.memory_mb, -1.0);
        let id = self.jobs.get(job).id;
        self.forget_starting(container.function, id);
        self.put_back_pending(job, container.function);
        self.log.add(Happened::Interrupted, self.now.0, id.0, container.id.0);
        self.record(ClusterEvent::Interrupted { invocation: id, container: container.id });
    }
}
