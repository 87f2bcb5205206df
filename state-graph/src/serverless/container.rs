//! Containers and the invocations that they run.

use common::SimTime;
use common::cluster::{DurationEstimate, StageOf};

/// An invocation that waits or runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Work {
    pub(super) function: usize,
    pub(super) arrived: SimTime,
    pub(super) input_size: f64,
    /// Its place in a workflow, where it has one.
    pub(super) stage: Option<StageOf>,
    /// How often a failure has interrupted it.
    pub(super) interruptions: u32,
}

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    Starting {
        since: SimTime,
        work: Work,
    },
    /// The container starts in advance, without an invocation.
    Warming {
        since: SimTime,
    },
    Busy {
        since: SimTime,
        work: Work,
        /// Whether the invocation had to wait for the container's cold start.
        cold: bool,
    },
    Idle {
        since: SimTime,
        expires: SimTime,
    },
}

impl Phase {
    /// The invocation that the container was started for or runs.
    pub(super) fn work(&self) -> Option<&Work> {
        match self {
            Phase::Starting { work, .. } | Phase::Busy { work, .. } => Some(work),
            Phase::Warming { .. } | Phase::Idle { .. } => None,
        }
    }

    /// Whether the invocation had to wait for a cold start.
    pub(super) fn is_cold(&self) -> bool {
        matches!(self, Phase::Starting { .. } | Phase::Warming { .. } | Phase::Busy { cold: true, .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Container {
    pub(super) function: usize,
    pub(super) node: usize,
    pub(super) memory_mb: u32,
    pub(super) phase: Phase,
    /// When it is expected to fall idle, by the estimate that held when its phase began; zero while it is idle.
    pub(super) due: SimTime,
}

impl Container {
    /// Seconds until the container is expected to fall idle, given how long it has been busy; `None` when it is idle.
    pub(super) fn remaining(&self, estimate: &DurationEstimate, now: SimTime) -> Option<f64> {
        match self.phase {
            Phase::Starting { since, .. } => {
                Some(estimate.cold_start_remaining(now.since(since).seconds()) + estimate.mean)
            }
            Phase::Warming { since } => Some(estimate.cold_start_remaining(now.since(since).seconds())),
            Phase::Busy { since, .. } => Some(estimate.remaining(now.since(since).seconds())),
            Phase::Idle { .. } => None,
        }
    }

    /// When the container is expected to fall idle, as estimated at the start of its phase; zero for an idle one.
    pub(super) fn expected_end(&self, estimate: &DurationEstimate) -> SimTime {
        let (since, seconds) = match self.phase {
            Phase::Starting { since, .. } => (since, estimate.cold_start + estimate.mean),
            Phase::Warming { since } => (since, estimate.cold_start),
            Phase::Busy { since, .. } => (since, estimate.mean),
            Phase::Idle { .. } => return SimTime::ZERO,
        };
        since + SimTime::from_seconds(seconds.max(0.0))
    }
}
