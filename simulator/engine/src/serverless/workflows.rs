//! Runs of workflows: which stages have finished and where, and which may start next.

use common::SimTime;
use common::cluster::{DataEdge, StageOf, WorkflowSpec};

use super::arrivals::Coming;

/// No node yet.
const NOWHERE: u32 = u32::MAX;

/// One run of a workflow.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub id: u64,
    pub workflow: u32,
    pub arrived: SimTime,
    seed: u64,
    /// Inputs that each stage still waits for.
    missing: Vec<u32>,
    /// Where each stage ran.
    nodes: Vec<u32>,
    /// When each stage would end on reference machines without any queue, seconds after the arrival.
    reference_ends: Vec<f64>,
    unfinished: u32,
}

/// All runs in the system, addressed by places that are used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    places: Vec<Option<Run>>,
    free: Vec<u32>,
    started: u64,
}

impl Run {
    /// The arrival of one of its stages: what it has to do depends on the run's seed alone.
    pub fn stage_arrival(&self, stage: u32, function: u32, now: SimTime) -> Coming {
        let seed = self.seed.wrapping_add(u64::from(stage + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Coming { at: now, subject: function, seed, seconds: None }
    }

    /// Index of the node that holds the data of `edge`.
    pub fn node_of(&self, edge: &DataEdge) -> u32 {
        self.nodes[edge.from as usize]
    }

    /// Notes when a stage ends in the reference run, in which nothing waits; `seconds` is its own reference duration.
    pub fn reference_end(&mut self, spec: &WorkflowSpec, stage: u32, seconds: f64) {
        let inputs = &spec.stages[stage as usize].inputs;
        let start = inputs.iter().map(|edge| self.reference_ends[edge.from as usize]).fold(0.0, f64::max);
        self.reference_ends[stage as usize] = start + seconds;
    }

    /// Length of its critical path in reference durations, seconds; of the stages that were reached.
    pub fn reference_seconds(&self) -> f64 {
        self.reference_ends.iter().copied().fold(0.0, f64::max)
    }
}

impl Runs {
    /// A run arrives; returns its place and the stages that wait for nothing.
    pub fn start(&mut self, workflow: u32, spec: &WorkflowSpec, coming: &Coming) -> (u32, Vec<u32>) {
        let stages = spec.stages.len();
        let run = Run {
            id: self.started,
            workflow,
            arrived: coming.at,
            seed: coming.seed,
            missing: spec.stages.iter().map(|stage| stage.inputs.len() as u32).collect(),
            nodes: vec![NOWHERE; stages],
            reference_ends: vec![0.0; stages],
            unfinished: stages as u32,
        };
        self.started += 1;
        let ready = (0..stages as u32).filter(|&stage| run.missing[stage as usize] == 0).collect();
        let place = self.free.pop().unwrap_or(self.places.len() as u32);
        match self.places.get_mut(place as usize) {
            Some(free) => *free = Some(run),
            None => self.places.push(Some(run)),
        }
        (place, ready)
    }

    pub fn get(&self, place: u32) -> &Run {
        self.places[place as usize].as_ref().expect("a job's run is in the system as long as the job")
    }

    pub fn get_mut(&mut self, place: u32) -> &mut Run {
        self.places[place as usize].as_mut().expect("a job's run is in the system as long as the job")
    }

    /// A stage has finished on `node`; returns those that may start now.
    pub fn stage_finished(&mut self, place: u32, spec: &WorkflowSpec, stage: u32, node: u32) -> Vec<u32> {
        let run = self.get_mut(place);
        run.nodes[stage as usize] = node;
        run.unfinished -= 1;
        let mut ready = Vec::new();
        for (next, waiting) in spec.stages.iter().enumerate() {
            let inputs = waiting.inputs.iter().filter(|edge| edge.from == stage).count() as u32;
            if inputs > 0 {
                run.missing[next] -= inputs;
                if run.missing[next] == 0 {
                    ready.push(next as u32);
                }
            }
        }
        ready
    }

    /// Takes out a run all of whose stages have finished.
    pub fn take_finished(&mut self, place: u32) -> Option<Run> {
        let slot = &mut self.places[place as usize];
        if slot.as_ref()?.unfinished > 0 {
            return None;
        }
        self.free.push(place);
        slot.take()
    }

    /// All runs that are still in the system, in the order in which they came.
    pub fn unfinished(&self) -> Vec<&Run> {
        let mut runs: Vec<&Run> = self.places.iter().flatten().collect();
        runs.sort_by_key(|run| run.id);
        runs
    }

    /// What a stage is called outside.
    pub fn stage_of(&self, (run, stage): (u32, u32)) -> StageOf {
        let run = self.get(run);
        StageOf { run: run.id, workflow: run.workflow, stage }
    }
}
