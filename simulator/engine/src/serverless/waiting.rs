//! Which invocations wait, and whether any can start: kept up to date so that the answer is cheap.

use common::ids::FunctionId;

use super::simulation::ServerlessSimulation;

impl ServerlessSimulation {
    pub(super) fn add_pending(&mut self, job: u32, function: u32) {
        self.pending.push(job, function);
        self.function_waits(function);
    }

    pub(super) fn put_back_pending(&mut self, job: u32, function: u32) {
        let jobs = &self.jobs;
        self.pending.put_back(job, function, |one, other| jobs.get(one).id < jobs.get(other).id);
        self.function_waits(function);
    }

    fn function_waits(&mut self, function: u32) {
        if self.pending.head(function).1 == 1 {
            *self.waiting_with_size_of(function) += 1;
        }
    }

    pub(super) fn remove_pending(&mut self, job: u32, function: u32) {
        self.pending.remove(job, function);
        if self.pending.head(function).1 == 0 {
            *self.waiting_with_size_of(function) -= 1;
        }
    }

    fn waiting_with_size_of(&mut self, function: u32) -> &mut u32 {
        let size = self.smallest_size(function);
        let place = self.waiting_sizes.partition_point(|&(other, _)| other < size);
        &mut self.waiting_sizes[place].1
    }

    fn smallest_size(&self, function: u32) -> u32 {
        self.workload.smallest_size(function)
    }

    pub(super) fn can_start(&self) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let smallest = self.waiting_sizes.iter().find(|(_, functions)| *functions > 0);
        if smallest.is_none_or(|&(size, _)| size > self.containers.largest_fit()) {
            return false;
        }
        if !self.commitments.is_empty() {
            let view = self.view();
            return self.pending.active().iter().any(|&function| view.may_start(FunctionId(function)));
        }
        !self.containers.isolated() || self.can_start_isolated()
    }

    /// Where tags keep functions apart, memory alone does not tell.
    fn can_start_isolated(&self) -> bool {
        let nodes = self.workload.cluster.nodes.len() as u32;
        self.pending.active().iter().any(|&function| {
            let size = self.smallest_size(function);
            (0..nodes).any(|node| self.containers.evicts_mb(function, size, node).is_some())
        })
    }
}
