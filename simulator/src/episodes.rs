//! Episodes by seed, from whatever a configuration loads once.

use common::config::{SimulatorConfig, SlotsConfig, SlotsMixture};
use common::trajectory::Scenario;
use common::{RunSeed, Stream};
use rand::Rng;

use crate::error::SimulatorError;
use crate::simulation::Simulation;
use crate::slots::{self, JobSequence, SlotsSimulation};

/// Everything that is loaded once, and the episodes that seeds make of it.
pub struct Episodes {
    scenario: Scenario,
    slots: SlotsConfig,
}

impl Episodes {
    /// Loads what the configuration names.
    ///
    /// # Errors
    /// When a file that it names is missing or malformed.
    pub fn new(config: &SimulatorConfig) -> Result<Self, SimulatorError> {
        Ok(Episodes { scenario: config.scenario, slots: config.slots.clone() })
    }

    /// Which scenario is configured.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    /// A training episode: load and length are drawn from its seed.
    #[must_use]
    pub fn training(&self, episode: RunSeed, _follow_events: bool) -> Simulation {
        let mut rng = episode.rng(Stream::Scenario, 0);
        let part = draw_part(&self.slots.training, &mut rng);
        let [low, high] = part.loads;
        let load_percent = low + (high - low).max(0.0) * rng.random::<f64>();
        self.slots(episode, load_percent, part.steps)
    }

    /// A `slots` episode of a given load (percent) and length (steps).
    #[must_use]
    pub fn slots(&self, episode: RunSeed, load_percent: f64, steps: u32) -> Simulation {
        let load = load_percent / 100.0;
        let rate = slots::arrival_rate(load, self.slots.capacity);
        let jobs = JobSequence::draw(&mut episode.rng(Stream::Arrivals, 0), rate, steps);
        Simulation::Slots(SlotsSimulation::new(&self.slots, jobs, load))
    }
}

fn draw_part<'a>(parts: &'a [SlotsMixture], rng: &mut impl Rng) -> &'a SlotsMixture {
    let total: f64 = parts.iter().map(|part| part.weight).sum();
    let mut left = rng.random::<f64>() * total;
    for part in parts {
        left -= part.weight;
        if left < 0.0 {
            return part;
        }
    }
    parts.last().expect("a validated configuration has at least one part")
}
