//! What happens to an invocation: it arrives, starts in a container, finishes, or is still there at the end.

use common::SimTime;
use common::cluster::{ClusterEvent, GoneReason};
use common::ids::{FunctionId, InvocationId, NodeId};

use super::containers::{Container, State};
use super::engine::Task;
use super::events::Due;
use super::ledger::Ending;
use super::outcome::Resource;
use super::simulation::ServerlessSimulation;
use crate::error::ActionError;

impl ServerlessSimulation {
    pub(super) fn arrive(&mut self) {
        let invocation = self.next_arrival;
        self.next_arrival += 1;
        let arrival = &self.window.arrivals[invocation];
        let (function, input_size) = (arrival.function, arrival.work.input_size);
        let reference = self.workload.models[function as usize].reference_seconds(&arrival.work);
        self.live[invocation].weights = self.ledger.arrived(function, reference);
        self.pending.push(invocation as u32, function);
        let invocation = InvocationId(invocation as u64);
        self.record(ClusterEvent::Arrived { invocation, function: FunctionId(function), input_size });
    }

    pub(super) fn check(
        &self,
        invocation: InvocationId,
        memory_mb: u32,
        node: NodeId,
    ) -> Result<(), ActionError> {
        if !self.pending.contains(invocation.0) {
            return Err(ActionError::NotPending(invocation));
        }
        let function = self.window.arrivals[invocation.0 as usize].function;
        let known_size = self.workload.sizes[function as usize].contains(&Some(memory_mb));
        let known_node = (node.0 as usize) < self.workload.cluster.nodes.len();
        if known_size && known_node && self.containers.evicts_mb(memory_mb, node.0).is_some() {
            return Ok(());
        }
        Err(ActionError::DoesNotFit(invocation))
    }

    pub(super) fn start(&mut self, id: InvocationId, memory_mb: u32, node: NodeId) {
        let invocation = id.0 as u32;
        let function = self.window.arrivals[invocation as usize].function;
        self.pending.remove(invocation, function);
        let warm = self.containers.warm(function, memory_mb, node.0);
        let price = self.workload.cluster.nodes[node.0 as usize].price_class;
        let container = match warm {
            Some(container) => {
                self.containers.take(container, invocation);
                self.ledger.meters.hold(0.0, -f64::from(memory_mb), price);
                container
            }
            None => {
                self.make_room(memory_mb, node.0);
                self.containers.create(function, memory_mb, node.0, invocation)
            }
        };
        self.ledger.meters.hold(f64::from(memory_mb), 0.0, price);
        let task = self.task(invocation, memory_mb, node.0);
        self.allocate(function, memory_mb, 1.0);
        self.engine.assign(container, task);
        self.live[invocation as usize].cold = warm.is_none();
        let container_id = self.containers.get(container).id;
        let cold = warm.is_none();
        self.record(ClusterEvent::Started { invocation: id, container: container_id, node, memory_mb, cold });
        if cold {
            let draw = self.window.arrivals[invocation as usize].cold_draw;
            let seconds = self.workload.cold_starts[function as usize].seconds(draw);
            self.estimators[function as usize].observe_cold_start(seconds);
            let ready = self.now + SimTime::from_seconds(seconds);
            self.engine.queue.post(ready, Due::Ready { container });
        } else {
            self.engine.begin(self.now, container, &mut self.ledger.meters);
        }
    }

    fn task(&self, invocation: u32, memory_mb: u32, node: u32) -> Task {
        let arrival = &self.window.arrivals[invocation as usize];
        let model = &self.workload.models[arrival.function as usize];
        let mbps = self.workload.shares.mbps(memory_mb);
        let vcpus = self.workload.shares.vcpus(memory_mb).min(model.parallelism);
        let speed = self.workload.cluster.nodes[node as usize].speed;
        Task {
            node,
            transfer_seconds: arrival.work.megabits / mbps,
            mbps,
            io_seconds: arrival.work.io_seconds + self.rules.dispatch[node as usize].seconds(),
            cpu_seconds: arrival.work.cpu_seconds / (speed * vcpus),
            vcpus,
        }
    }

    fn make_room(&mut self, memory_mb: u32, node: u32) {
        while self.containers.free_mb(node) < memory_mb {
            let Some(container) = self.containers.evict_oldest(node) else { return };
            self.gone(&container, GoneReason::Evicted);
        }
    }

    pub(super) fn finish(&mut self, container: u32) {
        let Container { id, function, node, memory_mb, state, .. } = *self.containers.get(container);
        let State::Bound { invocation } = state else { return };
        let expires = self.now + self.rules.keep_alive;
        self.containers.fall_idle(container, expires);
        let price = self.workload.cluster.nodes[node as usize].price_class;
        self.ledger.meters.hold(-f64::from(memory_mb), f64::from(memory_mb), price);
        self.allocate(function, memory_mb, -1.0);
        self.close(invocation, true);
        let work = &self.window.arrivals[invocation as usize].work;
        let seconds = self.workload.models[function as usize].reference_seconds(work);
        self.estimators[function as usize].observe(seconds);
        let estimate = self.estimators[function as usize].get();
        let invocation = InvocationId(u64::from(invocation));
        self.record(ClusterEvent::Finished { invocation, container: id, expires, estimate });
    }

    /// Books the CPU and bandwidth that come with a container of `memory_mb`, and the memory that its function uses (`sign` 1), or gives them back (−1).
    fn allocate(&mut self, function: u32, memory_mb: u32, sign: f64) {
        let shares = self.workload.shares;
        let peak = self.workload.cluster.functions[function as usize].peak_memory_mb;
        let meters = &mut self.ledger.meters;
        meters.allocated[Resource::Cpu as usize] += sign * shares.vcpus(memory_mb);
        meters.allocated[Resource::Network as usize] += sign * shares.mbps(memory_mb);
        meters.used[Resource::Memory as usize] += sign * f64::from(peak);
    }

    /// An invocation leaves the system.
    fn close(&mut self, invocation: u32, finished: bool) {
        let arrival = &self.window.arrivals[invocation as usize];
        let function = arrival.function as usize;
        let model = &self.workload.models[function];
        let live = self.live[invocation as usize];
        let ending = Ending {
            function: arrival.function,
            latency: self.now.since(arrival.at).seconds(),
            reference: model.reference_seconds(&arrival.work),
            objective: self.workload.cluster.functions[function].slo_factor * model.p95,
            p95: model.p95,
            cold: live.cold,
            counted: arrival.at >= self.rules.counts_from,
            finished,
        };
        self.ledger.ended(&ending, live.weights);
    }

    pub(super) fn gone(&mut self, container: &Container, reason: GoneReason) {
        let price = self.workload.cluster.nodes[container.node as usize].price_class;
        self.ledger.meters.hold(0.0, -f64::from(container.memory_mb), price);
        self.record(ClusterEvent::Gone { container: container.id, reason });
    }

    /// The drain limit is reached, or everything is done: what is left in the system counts as unfinished.
    pub(super) fn end(&mut self) {
        self.ended = true;
        let limit = self.window.horizon + self.rules.drain_limit;
        if !self.pending.is_empty() || self.containers.any_bound() {
            self.now = limit;
            self.ledger.advance(limit);
        }
        let waiting: Vec<u32> = self.pending.iter().collect();
        for invocation in waiting.into_iter().chain(self.containers.bound_invocations()) {
            self.close(invocation, false);
        }
    }
}
