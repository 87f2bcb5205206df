//! What a scheduler sees of a cluster, never a true duration (but see `oracle`): here time, specs, estimates and what waits.

mod commitments;
mod containers;
mod placements;

use common::cluster::{ClusterSpec, DurationEstimate, StageOf, TimedEvent};
use common::ids::{FunctionId, InvocationId, NodeId};
use common::{SimTime, upward_ranks};

use super::question::Question;
use super::seen::{InputData, Line, PendingInvocation};
use super::simulation::ServerlessSimulation;

/// What a scheduler may read of an episode at a decision.
#[derive(Clone, Copy)]
pub struct ServerlessView<'a> {
    simulation: &'a ServerlessSimulation,
    /// Nodes on which nothing is offered; few.
    closed: &'a [NodeId],
}

impl ServerlessSimulation {
    /// See [`crate::Simulation::view`].
    #[must_use]
    pub fn view(&self) -> ServerlessView<'_> {
        ServerlessView { simulation: self, closed: &[] }
    }
}

impl<'a> ServerlessView<'a> {
    /// Simulated time since the start of the episode.
    #[must_use]
    #[inline]
    pub fn now(&self) -> SimTime {
        self.simulation.now
    }

    /// The fixed part of the cluster.
    #[must_use]
    #[inline]
    pub fn spec(&self) -> &'a ClusterSpec {
        self.simulation.workload.cluster()
    }

    /// Number of invocations that wait.
    #[must_use]
    #[inline]
    pub fn pending_count(&self) -> usize {
        self.simulation.pending.len()
    }

    /// All that wait, oldest first.
    pub fn pending(&self) -> impl Iterator<Item = PendingInvocation> + 'a {
        let simulation = self.simulation;
        simulation.pending.iter().map(move |place| {
            let job = simulation.jobs.get(place);
            PendingInvocation {
                id: job.id,
                function: FunctionId(job.function),
                arrived: job.arrived,
                priority: simulation.workload.cluster.functions[job.function as usize].priority,
                input_size: job.work.input_size,
            }
        })
    }

    /// What is asked now.
    #[must_use]
    #[inline]
    pub fn question(&self) -> Question {
        self.simulation.question()
    }

    /// Functions with waiting invocations, in no order. A rule looks at each function, not at each invocation.
    #[inline]
    pub fn lines(&self) -> impl Iterator<Item = Line> + 'a {
        let simulation = self.simulation;
        simulation.pending.active().iter().map(move |&function| {
            let (oldest, count) = simulation.pending.head(function);
            Line {
                function: FunctionId(function),
                oldest: simulation.jobs.get(oldest).id,
                arrived: simulation.jobs.get(oldest).arrived,
                count,
            }
        })
    }

    /// Those of [`ServerlessView::lines`] that are not held back.
    #[inline]
    pub fn open_lines(&self) -> impl Iterator<Item = Line> + 'a {
        let commitments = &self.simulation.commitments;
        self.lines().filter(|line| commitments.held_until(line.function.0).is_none())
    }

    /// How long a container that falls idle is kept where no scheduler decides it.
    #[must_use]
    pub fn default_keep_alive(&self) -> SimTime {
        self.simulation.rules.keep_alive
    }

    /// What history says of a function's durations.
    #[must_use]
    #[inline]
    pub fn estimate(&self, function: FunctionId) -> DurationEstimate {
        self.simulation.estimators[function.0 as usize].get()
    }

    /// The invocation of a line that is expected to be shortest, and its expected duration in seconds. From history all of a
    /// line look alike and it is the oldest; under `oracle` it is the truly shortest.
    ///
    /// # Panics
    /// When the line is empty; [`ServerlessView::lines`] never returns such a line.
    #[must_use]
    #[inline]
    pub fn shortest(&self, line: &Line) -> (InvocationId, f64) {
        if !self.simulation.rules.oracle {
            return (line.oldest, self.estimate(line.function).mean);
        }
        let jobs = &self.simulation.jobs;
        let line = self.simulation.pending.line(line.function.0);
        let shortest = line.map(|place| jobs.get(place)).min_by(|a, b| a.reference.total_cmp(&b.reference));
        let shortest = shortest.expect("a line has at least one invocation");
        (shortest.id, shortest.reference)
    }

    /// The place of an invocation in its workflow, if it has one and is in the system.
    #[must_use]
    pub fn stage(&self, invocation: InvocationId) -> Option<StageOf> {
        let stage = self.simulation.jobs.get(self.simulation.jobs.find(invocation)?).stage?;
        Some(self.simulation.runs.stage_of(stage))
    }

    /// Expected length of the longest path from an invocation to the end of its workflow, itself included, in seconds (HEFT's
    /// upward rank on estimates); of one that is in none, its own estimate.
    #[must_use]
    pub fn remaining_path_seconds(&self, invocation: InvocationId, function: FunctionId) -> f64 {
        let own = self.estimate(function).mean;
        let Some(StageOf { workflow, stage, .. }) = self.stage(invocation) else { return own };
        let spec = &self.spec().workflows[workflow as usize];
        let mbps = self.simulation.workload.shares.mbps_per_vcpu;
        upward_ranks(spec, |function| self.estimate(function).mean, mbps)[stage as usize]
    }

    /// Time of a function's next call, for references that know the future; `None` when no call follows.
    #[must_use]
    pub fn foreseen_arrival(&self, function: FunctionId) -> Option<SimTime> {
        let times = self.simulation.foreseen.get(function.0 as usize)?;
        times.get(times.partition_point(|&at| at <= self.simulation.now)).copied()
    }

    /// Data of earlier stages that an invocation needs, and where it lies.
    pub fn inputs(&self, invocation: InvocationId) -> impl Iterator<Item = InputData> + 'a {
        let simulation = self.simulation;
        let job = simulation.jobs.find(invocation).map(|place| simulation.jobs.get(place));
        job.and_then(|job| job.stage).into_iter().flat_map(move |(run, stage)| {
            let run = simulation.runs.get(run);
            let spec = &simulation.workload.cluster.workflows[run.workflow as usize];
            let inputs = spec.stages[stage as usize].inputs.iter();
            inputs.map(move |edge| InputData { node: NodeId(run.node_of(edge)), megabits: edge.megabits })
        })
    }

    /// What happened since the last decision, where events are followed.
    #[must_use]
    #[inline]
    pub fn events(&self) -> &'a [TimedEvent] {
        &self.simulation.events
    }
}
