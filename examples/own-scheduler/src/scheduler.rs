//! A rule that answers every question itself.

use common::Action;
use common::cluster::StartOption;
use engine::serverless::ServerlessView;
use engine::{ClusterView, DecisionRequest, Scheduler, SchedulerError};

/// Functions that it looks at in one decision.
const WINDOW: usize = 16;

/// Starts whoever finds a warm container; else where nothing is evicted; of several the one that came first.
#[derive(Default)]
pub struct WarmOldest {
    /// Lends its memory to every decision.
    options: Vec<StartOption>,
}

impl WarmOldest {
    fn choose(&mut self, view: &ServerlessView<'_>) -> Action {
        view.start_options(WINDOW, &mut self.options);
        let preferred = |option: &&StartOption| (!option.warm, option.evicts_mb, option.invocation);
        match self.options.iter().min_by_key(preferred) {
            Some(option) => Action::Start {
                invocation: option.invocation,
                memory_mb: option.memory_mb,
                node: option.node,
            },
            None => Action::Wait,
        }
    }
}

impl Scheduler for WarmOldest {
    fn name(&self) -> &'static str {
        "warm-oldest"
    }

    fn decide(
        &mut self,
        requests: &[DecisionRequest<'_>],
        actions: &mut Vec<Action>,
    ) -> Result<(), SchedulerError> {
        for request in requests {
            let ClusterView::Serverless(view) = request.view else {
                return Err(SchedulerError::wrong_scenario(self.name(), &request.view));
            };
            actions.push(self.choose(&view));
        }
        Ok(())
    }
}
