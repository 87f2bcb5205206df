//! What happens to an invocation: it arrives, starts in a container, finishes, or is still there at the end.

use common::SimTime;
use common::cluster::{ClusterEvent, GoneReason};
use common::ids::{FunctionId, InvocationId, NodeId};

use super::arrivals::Coming;
use super::containers::{Container, State};
use super::execution::Task;
use super::jobs::{Job, NewJob};
use super::ledger::{Ending, SLOWDOWN_FLOOR};
use super::log_hash::Happened;
use super::outcome::Resource;
use super::places::life_of;
use super::simulation::ServerlessSimulation;
use crate::error::ActionError;

impl ServerlessSimulation {
    /// The next of the stream arrives: an invocation, or a workflow with those of its stages that wait for nothing.
    pub(super) fn arrive(&mut self) {
        let Some(coming) = self.arrivals.next() else { return };
        let functions = self.workload.models.len() as u32;
        let Some(workflow) = coming.subject.checked_sub(functions) else {
            self.enter(coming.subject, &coming, None);
            return;
        };
        let workload = self.workload.clone();
        let spec = &workload.cluster.workflows[workflow as usize];
        let (run, ready) = self.runs.start(workflow, spec, &coming);
        for (stage, described) in (0..).zip(&spec.stages) {
            let function = described.function.0;
            let coming = self.runs.get(run).stage_arrival(stage, function, self.now);
            let work = workload.draw(function, &coming).work;
            self.count_arrival(function, workload.reference_seconds(function, &work));
        }
        ready.into_iter().for_each(|stage| self.stage_arrives(run, stage));
    }

    /// Counts what no decision can change: an invocation, or at the arrival of a workflow each of its stages.
    fn count_arrival(&mut self, function: u32, reference: f64) {
        self.arrived.add(reference.max(SLOWDOWN_FLOOR), self.workload.smallest_fraction(function));
    }

    fn stage_arrives(&mut self, run: u32, stage: u32) {
        let running = self.runs.get(run);
        let spec = &self.workload.cluster.workflows[running.workflow as usize];
        let function = spec.stages[stage as usize].function.0;
        let coming = running.stage_arrival(stage, function, self.now);
        self.enter(function, &coming, Some((run, stage)));
    }

    /// An invocation becomes pending.
    fn enter(&mut self, function: u32, coming: &Coming, stage: Option<(u32, u32)>) {
        let drawn = self.workload.draw(function, coming);
        let model = &self.workload.models[function as usize];
        let mut reference = model.reference_seconds(&drawn.work);
        if let Some((run, stage)) = stage {
            let spec = &self.workload.cluster.workflows[self.runs.get(run).workflow as usize];
            let passed: f64 = spec.stages[stage as usize].inputs.iter().map(|edge| edge.megabits).sum();
            reference += passed / model.default_mbps;
            self.runs.get_mut(run).reference_end(spec, stage, reference);
        }
        if stage.is_none() {
            self.count_arrival(function, reference);
        }
        let place = self.jobs.insert(NewJob {
            arrived: self.now,
            function,
            stage,
            work: drawn.work,
            reference,
            cold_draw: drawn.cold_draw,
            weights: self.ledger.arrived(function, reference),
        });
        self.add_pending(place, function);
        let id = self.jobs.get(place).id;
        self.log.add(Happened::Arrived, self.now.0, id.0, u64::from(function));
        if self.rules.interests.events {
            let stage = stage.map(|stage| self.runs.stage_of(stage));
            let input_size = drawn.work.input_size;
            self.record(ClusterEvent::Arrived {
                invocation: id,
                function: FunctionId(function),
                input_size,
                stage,
            });
        }
    }

    pub(super) fn check(
        &self,
        invocation: InvocationId,
        memory_mb: u32,
        node: NodeId,
    ) -> Result<u32, ActionError> {
        let job = self.jobs.find(invocation).filter(|&job| self.pending.contains(job));
        let job = job.ok_or(ActionError::NotPending(invocation))?;
        let function = self.jobs.get(job).function;
        let known_size = self.workload.sizes[function as usize].contains(&Some(memory_mb));
        let known_node = (node.0 as usize) < self.workload.cluster.nodes.len();
        if known_size && known_node && self.fits(function, memory_mb, node.0) {
            return Ok(job);
        }
        Err(ActionError::DoesNotFit(invocation))
    }

    fn fits(&self, function: u32, memory_mb: u32, node: u32) -> bool {
        self.containers.warm(function, memory_mb, node).is_some()
            || self.containers.evicts_mb(function, memory_mb, node).is_some()
    }

    pub(super) fn start(&mut self, job: u32, memory_mb: u32, node: u32) {
        let Job { id, function, cold_draw, .. } = *self.jobs.get(job);
        self.remove_pending(job, function);
        self.commitments.started(function);
        let price = self.workload.cluster.nodes[node as usize].price_class;
        let warm = self.containers.warm(function, memory_mb, node);
        let container = match warm {
            Some(container) => {
                self.containers.take(self.now, container, job);
                self.ledger.meters.hold(0.0, -f64::from(memory_mb), price);
                container
            }
            None => {
                self.make_room(function, memory_mb, node);
                self.containers.create(self.now, function, memory_mb, node, Some(job))
            }
        };
        self.ledger.meters.hold(f64::from(memory_mb), 0.0, price);
        self.allocate(function, memory_mb, 1.0);
        let container_id = self.containers.get(container).id;
        self.assign(job, container);
        let cold = warm.is_none();
        let started = self.jobs.get_mut(job);
        started.cold |= cold;
        started.attempts += 1;
        self.log.add(Happened::Started, self.now.0, id.0, container_id.0);
        self.record(ClusterEvent::Started {
            invocation: id,
            container: container_id,
            node: NodeId(node),
            memory_mb,
            cold,
        });
        if cold {
            if let Some(starting) = &mut self.starting {
                starting.insert(function, id, container);
            }
            self.boot(container, function, cold_draw);
        } else {
            self.execution.begin(self.now, container, &mut self.ledger.meters);
        }
    }

    /// A new container starts; `draw` is standard normal.
    pub(super) fn boot(&mut self, container: u32, function: u32, draw: f32) {
        let seconds = self.workload.cold_starts[function as usize].seconds(draw);
        let ready = self.now + SimTime::from_seconds(seconds);
        let life = life_of(self.containers.get(container).id);
        self.execution.boot(ready, container, life);
    }

    pub(super) fn task(&self, job: u32, memory_mb: u32, node: u32) -> Task {
        let job = self.jobs.get(job);
        let model = &self.workload.models[job.function as usize];
        let mbps = self.workload.shares.mbps(memory_mb);
        let vcpus = self.workload.shares.vcpus(memory_mb).min(model.parallelism);
        let speed = self.workload.cluster.nodes[node as usize].speed;
        let (passed, delay) = self.data_from_elsewhere(job, node);
        Task {
            node,
            life: 0,
            transfer_seconds: (job.work.megabits + passed) / mbps,
            mbps,
            io_seconds: job.work.io_seconds + delay,
            cpu_seconds: job.work.cpu_seconds / (speed * vcpus),
            vcpus,
        }
    }

    /// Data of earlier stages that must come to `node`, Mbit, and the time that its first byte takes (for a job without
    /// inputs: that of the dispatch), seconds.
    fn data_from_elsewhere(&self, job: &Job, node: u32) -> (f64, f64) {
        let zone = |node: u32| self.workload.cluster.nodes[node as usize].zone as usize;
        let latency = |from: usize| self.rules.zone_latency[from][zone(node)].seconds();
        let dispatch = latency(0);
        let Some((run, stage)) = job.stage else { return (0.0, dispatch) };
        let run = self.runs.get(run);
        let spec = &self.workload.cluster.workflows[run.workflow as usize];
        let mut sum = (0.0, dispatch);
        for edge in &spec.stages[stage as usize].inputs {
            let from = run.node_of(edge);
            if from != node {
                sum = (sum.0 + edge.megabits, f64::max(sum.1, latency(zone(from))));
            }
        }
        sum
    }

    /// Evicts until `memory_mb` are free on `node`, and all that is there where `function` may not share it.
    pub(super) fn make_room(&mut self, function: u32, memory_mb: u32, node: u32) {
        let foreign = self.containers.is_foreign(function, node);
        while foreign || self.containers.free_mb(node) < memory_mb {
            let Some(oldest) = self.containers.idle_on(node).next() else { return };
            let container = self.containers.remove_idle(oldest);
            self.gone(&container, GoneReason::Evicted);
        }
    }

    /// A container's invocation is done.
    pub(super) fn finish(&mut self, container: u32) {
        let Container { id, function, node, memory_mb, state, .. } = *self.containers.get(container);
        let State::Bound { job } = state else { return };
        let expires = self.fall_idle(container);
        self.allocate(function, memory_mb, -1.0);
        let job = self.jobs.remove(job);
        self.close(&job, true);
        let seconds = self.workload.models[function as usize].reference_seconds(&job.work);
        self.estimators[function as usize].observe(seconds);
        let estimate = self.estimators[function as usize].get();
        self.log.add(Happened::Finished, self.now.0, job.id.0, expires.0);
        self.record(ClusterEvent::Finished { invocation: job.id, container: id, expires, estimate });
        self.take_over(container);
        if let Some((run, stage)) = job.stage {
            self.stage_finished(run, stage, node);
        }
    }

    fn stage_finished(&mut self, run: u32, stage: u32, node: u32) {
        let workload = self.workload.clone();
        let spec = &workload.cluster.workflows[self.runs.get(run).workflow as usize];
        let ready = self.runs.stage_finished(run, spec, stage, node);
        ready.into_iter().for_each(|stage| self.stage_arrives(run, stage));
        if let Some(run) = self.runs.take_finished(run) {
            self.close_run(&run, true);
        }
    }

    /// A container that started or ran falls idle; returns when it will go.
    pub(super) fn fall_idle(&mut self, container: u32) -> SimTime {
        let Container { function, node, memory_mb, .. } = *self.containers.get(container);
        self.commitments.end_hold(function);
        let asks = self.asks_keep_alive();
        // A scheduler that is asked at this instant must still find the container.
        let least = if asks { SimTime(1) } else { SimTime::ZERO };
        let expires = self.now + self.rules.keep_alive.max(least);
        self.containers.fall_idle(self.now, container, expires);
        let price = self.workload.cluster.nodes[node as usize].price_class;
        self.ledger.meters.hold(-f64::from(memory_mb), f64::from(memory_mb), price);
        if asks {
            self.ask_keep_alive(container);
        }
        expires
    }

    /// Books the CPU and bandwidth that come with a container of `memory_mb`, and the memory that its function uses
    /// (`sign` 1), or gives them back (−1).
    pub(super) fn allocate(&mut self, function: u32, memory_mb: u32, sign: f64) {
        let shares = self.workload.shares;
        let peak = self.workload.cluster.functions[function as usize].peak_memory_mb;
        let meters = &mut self.ledger.meters;
        meters.allocated[Resource::Cpu as usize] += sign * shares.vcpus(memory_mb);
        meters.allocated[Resource::Network as usize] += sign * shares.mbps(memory_mb);
        meters.used[Resource::Memory as usize] += sign * f64::from(peak);
    }

    /// An invocation leaves the system.
    fn close(&mut self, job: &Job, finished: bool) {
        let function = job.function as usize;
        let p95 = self.workload.models[function].p95;
        let ending = Ending {
            function: job.function,
            latency: self.now.since(job.arrived).seconds(),
            reference: job.reference,
            objective: self.workload.cluster.functions[function].slo_factor * p95,
            p95,
            cold: job.cold,
            retries: job.attempts.saturating_sub(1),
            counted: job.arrived >= self.rules.counts_from,
            finished,
        };
        self.ledger.ended(&ending, job.weights);
    }

    /// A run of a workflow leaves the system.
    fn close_run(&mut self, run: &super::workflows::Run, finished: bool) {
        if run.arrived < self.rules.counts_from {
            return;
        }
        let latency = self.now.since(run.arrived).seconds();
        let factor = self.workload.cluster.workflows[run.workflow as usize].slo_factor;
        self.ledger.run_ended(latency, run.reference_seconds(), factor, finished);
    }

    pub(super) fn gone(&mut self, container: &Container, reason: GoneReason) {
        let price = self.workload.cluster.nodes[container.node as usize].price_class;
        self.ledger.meters.hold(0.0, -f64::from(container.memory_mb), price);
        self.log.add(Happened::Gone, self.now.0, container.id.0, reason as u64);
        self.record(ClusterEvent::Gone { container: container.id, reason });
    }

    /// The drain limit is reached, or everything is done: what is left in the system counts as unfinished.
    pub(super) fn end(&mut self) {
        self.ended = true;
        let limit = self.arrivals.horizon() + self.rules.drain_limit;
        if self.jobs.len() > 0 {
            self.now = limit;
            self.ledger.advance(limit);
        }
        for place in self.jobs.in_order() {
            let job = self.jobs.remove(place);
            self.log.add(Happened::Unfinished, self.now.0, job.id.0, u64::from(job.attempts));
            self.close(&job, false);
        }
        let left: Vec<_> = self.runs.unfinished().into_iter().cloned().collect();
        left.iter().for_each(|run| self.close_run(run, false));
    }
}
