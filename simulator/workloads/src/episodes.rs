//! Episodes by seed, from whatever a configuration loads once.

use std::sync::Arc;

use common::trajectory::Scenario;
use common::{RunSeed, SimTime, Stream};
use configuration::{Binding, ServerlessConfig, SimulatorConfig, SlotsConfig};
use engine::serverless::{EpisodeRules, EpisodeSource, Part, ServerlessSimulation, Workload, WorkloadSource};
use engine::slots::SlotsSimulation;
use engine::{Interests, SetUpError, Simulation};

use crate::error::WorkloadError;
use crate::mixture::{Drawn, Mixture, draw_load, draw_weighted};
use crate::slots::{arrival_rate, draw_jobs};
use crate::workload::serverless_workload;

/// Everything that is loaded once, and the episodes that seeds make of it.
pub struct Episodes {
    slots: SlotsConfig,
    serverless: Option<Serverless>,
}

struct Serverless {
    config: ServerlessConfig,
    /// What tests are played with.
    test: Arc<Workload>,
    training: Mixture,
}

impl Episodes {
    /// Loads what the configured scenario needs.
    ///
    /// # Errors
    /// When a file that it names is missing or malformed, or a function fits nowhere.
    pub fn new(config: &SimulatorConfig) -> Result<Self, WorkloadError> {
        let serverless = match config.scenario {
            Scenario::Slots => None,
            Scenario::Serverless => {
                let test = serverless_workload(&config.serverless)?;
                let training = Mixture::open(&config.serverless, &test)?;
                Some(Serverless { config: config.serverless.clone(), test, training })
            }
        };
        Ok(Episodes { slots: config.slots.clone(), serverless })
    }

    /// Episodes of a workload of one's own on the configured cluster.
    ///
    /// # Errors
    /// When a function of it fits on no node, or nothing ever arrives.
    pub fn of_workload(
        config: &SimulatorConfig,
        source: Box<dyn WorkloadSource>,
    ) -> Result<Self, SetUpError> {
        let test = Arc::new(Workload::new(&config.serverless, source)?);
        let training = Mixture::of(&config.serverless, Arc::clone(&test));
        let serverless = Serverless { config: config.serverless.clone(), training, test };
        Ok(Episodes { slots: config.slots.clone(), serverless: Some(serverless) })
    }

    /// Which scenario is configured.
    #[must_use]
    pub fn scenario(&self) -> Scenario {
        if self.serverless.is_some() { Scenario::Serverless } else { Scenario::Slots }
    }

    /// The functions of `serverless` that tests are played with.
    #[must_use]
    pub fn workload(&self) -> Option<&Workload> {
        self.serverless.as_ref().map(|serverless| &*serverless.test)
    }

    /// A training episode for a scheduler with these interests: the part of the mixture, the load, and the length (`slots`) or the place
    /// of the window (`serverless`) are drawn from its seed.
    #[must_use]
    pub fn training(&self, episode: RunSeed, interests: Interests) -> Simulation {
        if let Some(serverless) = &self.serverless {
            let Drawn { workload, load_percent, part } = serverless.training.draw(episode);
            let source = EpisodeSource { episode, part: Part::Training, load: load_percent / 100.0 };
            return serverless.simulation(workload, source, part, interests);
        }
        let mut rng = episode.rng(Stream::Scenario, 0);
        let parts = &self.slots.training;
        let part = &parts[draw_weighted(parts.iter().map(|part| part.weight), &mut rng)];
        self.slots(episode, draw_load(part.loads, &mut rng), part.steps)
    }

    /// A `slots` episode of a given load (percent) and length (steps).
    #[must_use]
    pub fn slots(&self, episode: RunSeed, load_percent: f64, steps: u32) -> Simulation {
        let load = load_percent / 100.0;
        let rate = arrival_rate(load, self.slots.capacity);
        let jobs = draw_jobs(&mut episode.rng(Stream::Arrivals, 0), rate, steps);
        Simulation::Slots(Box::new(SlotsSimulation::new(&self.slots, jobs, load)))
    }

    /// A `serverless` episode of `part` at offered load `load` (1.0 is 100%). In training `sjf` plays the
    /// warm-up and, after `training_drain_seconds`, the remaining time; elsewhere the evaluated scheduler
    /// plays all of it.
    ///
    /// # Panics
    /// When the configured scenario is another.
    #[must_use]
    pub fn serverless(&self, episode: RunSeed, part: Part, load: f64, interests: Interests) -> Simulation {
        let serverless =
            self.serverless.as_ref().expect("a serverless episode is asked of a serverless configuration");
        let workload = match part {
            Part::Training | Part::Validation => serverless.training.first(),
            Part::Test => &serverless.test,
        };
        serverless.simulation(Arc::clone(workload), EpisodeSource { episode, part, load }, 0, interests)
    }
}

impl Serverless {
    /// An episode of `workload`; `mixture_part` counts from 1, 0 where there is no mixture.
    fn simulation(
        &self,
        workload: Arc<Workload>,
        source: EpisodeSource,
        mixture_part: u32,
        interests: Interests,
    ) -> Simulation {
        let config = &self.config;
        let EpisodeSource { part, load, .. } = source;
        let warm_up = workload.warm_up();
        let asks_after_horizon = match part {
            Part::Training => config.training_drain_seconds.min(config.drain_limit_seconds),
            Part::Validation | Part::Test => config.drain_limit_seconds,
        };
        let latency = |ms: &f64| SimTime::from_seconds(ms / 1000.0);
        let rules = EpisodeRules {
            load,
            mixture_part,
            keep_alive: SimTime::from_seconds(config.keep_alive_seconds),
            ask_again: SimTime::from_millis(config.ask_again_ms),
            pool_tick: SimTime::from_millis(config.pool_tick_ms),
            drain_limit: SimTime::from_seconds(config.drain_limit_seconds),
            zone_latency: config
                .zone_latency_ms
                .iter()
                .map(|row| row.iter().map(latency).collect())
                .collect(),
            counts_from: warm_up,
            asks_after_horizon: SimTime::from_seconds(asks_after_horizon),
            asks_from: if part == Part::Training { warm_up } else { SimTime::ZERO },
            oracle: config.oracle,
            late_binding: config.binding == Binding::Late,
            isolation: config.isolation,
            failures: config.failures.clone(),
            interests,
        };
        let simulation = ServerlessSimulation::new(workload, rules, source, |simulation| {
            heuristics::serverless::warm_up(&simulation.view())
        });
        Simulation::Serverless(Box::new(simulation))
    }
}
