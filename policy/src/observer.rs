//! Turns what a scheduler may see into frames, for either scenario.


use common::config::SimulatorConfig;
use common::slots::SlotsObservation;
use common::trajectory::Scenario;
use common::{Action, ids::NodeId};
use simulator::{ClusterView, DecisionRequest};
use state_graph::{Frame, FrameBuilder, Schema, slots};

/// Watches the environments of a batch.
#[derive(Debug, Default)]
pub(crate) struct Observer {
    builder: FrameBuilder,
    slots: SlotsObservation,
}

/// A state and what each of its options would do.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) frame: Frame,
    pub(crate) actions: Vec<Action>,
}

/// The schema of the frames of a configured simulator.
#[must_use]
pub fn schema_of(config: &SimulatorConfig) -> Schema {
    match config.scenario {
        Scenario::Slots => slots::schema(),
        Scenario::Serverless => slots::schema(),
    }
}

impl Observer {
    /// Forgets an environment.
    pub(crate) fn episode_started(&mut self, _environment: usize) {}

    /// The frame of one request.
    pub(crate) fn observe(&mut self, request: &DecisionRequest<'_>) -> Observed {
        match request.view {
            ClusterView::Slots(view) => {
                view.observe(&mut self.slots);
                let fitting = self.slots.visible.iter().filter(|job| job.earliest_fit == 0);
                let start = |id| Action::Start { invocation: id, memory_mb: 0, node: NodeId(0) };
                let actions = fitting.map(|job| start(job.id)).collect();
                Observed { frame: slots::frame(&self.slots, &mut self.builder), actions }
            }
        }
    }
}
