//! Workflows: which functions feed which, and where the outputs of running workflows lie.

use std::collections::{BTreeMap, HashMap};

use common::cluster::{ClusterSpec, StageOf};

/// A function that reads another one's output, over all workflows in which it does.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Dependency {
    pub(super) consumer: usize,
    /// Mean size of the output, Mbit.
    pub(super) megabits: f64,
    /// Uses of the output by this consumer, over the stages in which the producer runs.
    pub(super) co_occurrence: f64,
}

/// One run of a workflow.
#[derive(Clone, Debug, Default, PartialEq)]
struct Run {
    /// Stages that wait now.
    waiting: u32,
    /// Stages that have not finished.
    left: usize,
    /// The node that holds each finished stage's output, by stage.
    outputs: BTreeMap<u32, usize>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Workflows {
    /// By function: who reads its output, by consumer.
    dependencies: Vec<Vec<Dependency>>,
    /// By workflow and stage: the number of stages on the longest way to it from the start.
    depths: Vec<Vec<u32>>,
    runs: HashMap<u64, Run>,
}

impl Workflows {
    pub(super) fn new(spec: &ClusterSpec) -> Self {
        Workflows { dependencies: dependencies(spec), depths: depths(spec), runs: HashMap::new() }
    }

    pub(super) fn dependencies(&self, producer: usize) -> &[Dependency] {
        &self.dependencies[producer]
    }

    /// A stage waits: it has arrived, or a failure has interrupted it.
    pub(super) fn waits(&mut self, spec: &ClusterSpec, stage: StageOf) {
        let stages = spec.workflows.get(stage.workflow as usize).map_or(0, |workflow| workflow.stages.len());
        let new = || Run { left: stages, ..Run::default() };
        self.runs.entry(stage.run).or_insert_with(new).waiting += 1;
    }

    pub(super) fn starts(&mut self, stage: StageOf) {
        if let Some(run) = self.runs.get_mut(&stage.run) {
            run.waiting = run.waiting.saturating_sub(1);
        }
    }

    pub(super) fn finishes(&mut self, stage: StageOf, node: usize) {
        let Some(run) = self.runs.get_mut(&stage.run) else { return };
        run.outputs.insert(stage.stage, node);
        run.left = run.left.saturating_sub(1);
        if run.left == 0 {
            self.runs.remove(&stage.run);
        }
    }

    /// Stages of the same run that wait, this one not counted.
    pub(super) fn siblings(&self, stage: StageOf) -> u32 {
        self.runs.get(&stage.run).map_or(0, |run| run.waiting.saturating_sub(1))
    }

    pub(super) fn depth(&self, stage: StageOf) -> u32 {
        let depths = self.depths.get(stage.workflow as usize);
        depths.and_then(|depths| depths.get(stage.stage as usize)).copied().unwrap_or(0)
    }

    /// (node, Mbit) of each input of a stage.
    pub(super) fn inputs<'a>(
        &'a self,
        spec: &'a ClusterSpec,
        stage: StageOf,
    ) -> impl Iterator<Item = (usize, f64)> + 'a {
        let outputs = self.runs.get(&stage.run).map(|run| &run.outputs);
        let workflow = spec.workflows.get(stage.workflow as usize);
        let inputs = workflow.and_then(|workflow| workflow.stages.get(stage.stage as usize));
        inputs
            .into_iter()
            .flat_map(|inputs| &inputs.inputs)
            .filter_map(move |input| Some((*outputs?.get(&input.from)?, input.megabits)))
    }
}

fn dependencies(spec: &ClusterSpec) -> Vec<Vec<Dependency>> {
    let mut pairs: BTreeMap<(usize, usize), (u32, f64)> = BTreeMap::new();
    let mut stages = vec![0_u32; spec.functions.len()];
    for workflow in &spec.workflows {
        for stage in &workflow.stages {
            stages[stage.function.0 as usize] += 1;
            for input in &stage.inputs {
                let producer = workflow.stages[input.from as usize].function.0 as usize;
                let pair = pairs.entry((producer, stage.function.0 as usize)).or_default();
                *pair = (pair.0 + 1, pair.1 + input.megabits);
            }
        }
    }
    let mut dependencies = vec![Vec::new(); spec.functions.len()];
    for ((producer, consumer), (uses, megabits)) in pairs {
        let uses = f64::from(uses);
        let co_occurrence = uses / f64::from(stages[producer].max(1));
        dependencies[producer].push(Dependency { consumer, megabits: megabits / uses, co_occurrence });
    }
    dependencies
}

fn depths(spec: &ClusterSpec) -> Vec<Vec<u32>> {
    let of_workflow = |workflow: &common::cluster::WorkflowSpec| {
        let mut depths: Vec<u32> = Vec::with_capacity(workflow.stages.len());
        for stage in &workflow.stages {
            let before = stage.inputs.iter().map(|input| depths[input.from as usize] + 1).max();
            depths.push(before.unwrap_or(0));
        }
        depths
    };
    spec.workflows.iter().map(of_workflow).collect()
}
