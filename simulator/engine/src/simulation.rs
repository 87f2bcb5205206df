//! One episode of either scenario, with the same methods for both.

use common::reward::Reward;
use common::trajectory::Scenario;
use common::{Action, Arrived, SimTime};

use crate::error::ActionError;
use crate::progress::Progress;
use crate::scheduler::ClusterView;
use crate::serverless::ServerlessSimulation;
use crate::slots::SlotsSimulation;

/// One episode, played by alternating [`Simulation::advance`] and [`Simulation::apply`]. A copy meets the same arrivals, durations
/// and failures.
#[derive(Clone)]
pub enum Simulation {
    /// Scenario `slots`: jobs on one machine with visible slots.
    Slots(Box<SlotsSimulation>),
    /// Worker nodes running functions.
    Serverless(Box<ServerlessSimulation>),
}

impl Simulation {
    /// Runs time on until a start is possible or the episode is over. Waits without alternative are never asked.
    pub fn advance(&mut self) -> Progress {
        loop {
            if let Some(progress) = self.tick() {
                return progress;
            }
        }
    }

    /// Runs on to the next instant at which something happens, so that the reward in between can be read; `None` when no decision
    /// was due on the way.
    pub fn tick(&mut self) -> Option<Progress> {
        match self {
            Simulation::Slots(slots) => slots.tick(),
            Simulation::Serverless(serverless) => serverless.tick(),
        }
    }

    /// What a scheduler may see now.
    #[must_use]
    pub fn view(&self) -> ClusterView<'_> {
        match self {
            Simulation::Slots(slots) => ClusterView::Slots(slots.view()),
            Simulation::Serverless(serverless) => ClusterView::Serverless(serverless.view()),
        }
    }

    /// Applies a decision.
    ///
    /// # Errors
    /// When it is not possible now; the simulation is unchanged then.
    pub fn apply(&mut self, action: Action) -> Result<(), ActionError> {
        match self {
            Simulation::Slots(slots) => slots.apply(action),
            Simulation::Serverless(serverless) => serverless.apply(action),
        }
    }

    /// From now on `sjf` decides in `serverless`, and nothing is asked any more. In `slots` nothing changes.
    pub fn stop_asking(&mut self) {
        if let Simulation::Serverless(serverless) = self {
            serverless.stop_asking();
        }
    }

    /// Parts of the reward accumulated since the last call.
    pub fn take_reward(&mut self) -> Reward {
        match self {
            Simulation::Slots(slots) => slots.take_reward(),
            Simulation::Serverless(serverless) => serverless.take_reward(),
        }
    }

    /// Simulated time since the start of the episode.
    #[must_use]
    pub fn now(&self) -> SimTime {
        match self {
            Simulation::Slots(slots) => slots.now(),
            Simulation::Serverless(serverless) => serverless.now(),
        }
    }

    /// Offered load; 1.0 is 100%.
    #[must_use]
    pub fn load(&self) -> f64 {
        match self {
            Simulation::Slots(slots) => slots.load(),
            Simulation::Serverless(serverless) => serverless.load(),
        }
    }

    /// Length of the time in which invocations may arrive; in `slots` one step is one second.
    #[must_use]
    pub fn horizon(&self) -> SimTime {
        match self {
            Simulation::Slots(slots) => SimTime::from_seconds(f64::from(slots.sequence().steps())),
            Simulation::Serverless(serverless) => serverless.horizon(),
        }
    }

    /// What has arrived so far.
    #[must_use]
    pub fn arrived(&self) -> Arrived {
        match self {
            Simulation::Slots(slots) => slots.arrived(),
            Simulation::Serverless(serverless) => serverless.arrived_so_far(),
        }
    }

    /// Sum of 1 / reference duration over what is in the system, 1/s: what a second costs in `latency` now.
    #[must_use]
    pub fn urgency(&self) -> f64 {
        match self {
            Simulation::Slots(slots) => slots.urgency(),
            Simulation::Serverless(serverless) => serverless.urgency(),
        }
    }

    /// Part of the training mixture of `serverless` that the episode was drawn from, counted from 1; 0: there is no such mixture.
    #[must_use]
    pub fn mixture_part(&self) -> u32 {
        match self {
            Simulation::Slots(_) => 0,
            Simulation::Serverless(serverless) => serverless.mixture_part(),
        }
    }

    /// The scenario that is simulated.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        match self {
            Simulation::Slots(_) => Scenario::Slots,
            Simulation::Serverless(_) => Scenario::Serverless,
        }
    }

    /// The `slots` episode inside, for what only that scenario reports.
    #[must_use]
    pub fn as_slots(&self) -> Option<&SlotsSimulation> {
        match self {
            Simulation::Slots(slots) => Some(slots),
            Simulation::Serverless(_) => None,
        }
    }

    /// The `serverless` episode inside, likewise.
    #[must_use]
    pub fn as_serverless(&self) -> Option<&ServerlessSimulation> {
        match self {
            Simulation::Slots(_) => None,
            Simulation::Serverless(serverless) => Some(serverless),
        }
    }
}
