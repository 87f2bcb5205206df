//! Episodes by seed, from whatever a configuration loads once.

use std::sync::Arc;

use common::trajectory::Scenario;
use common::{RunSeed, SimTime, Stream};
use configuration::{Binding, ServerlessConfig, SimulatorConfig, SlotsConfig, SlotsMixture, WorkloadKind};
use engine::serverless::{EpisodeRules, EpisodeSource, Part, ServerlessSimulation, Workload, WorkloadSource};
use engine::slots::SlotsSimulation;
use engine::{Interests, SetUpError, Simulation};
use rand::Rng;

use crate::error::WorkloadError;
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
    /// What training and validation are played with: the same trace, or other functions of the same synthetic workload.
    training: Arc<Workload>,
}

impl Serverless {
    fn open(config: &ServerlessConfig) -> Result<Self, WorkloadError> {
        let test = serverless_workload(config)?;
        let training = if config.workload == WorkloadKind::Trace {
            Arc::clone(&test)
        } else {
            let functions_seed = config.training_functions_seed;
            serverless_workload(&ServerlessConfig { functions_seed, ..config.clone() })?
        };
        Ok(Serverless { config: config.clone(), test, training })
    }

    fn workload(&self, part: Part) -> &Arc<Workload> {
        match part {
            Part::Training | Part::Validation => &self.training,
            Part::Test => &self.test,
        }
    }
}

impl Episodes {
    /// Loads what the configured scenario needs.
    ///
    /// # Errors
    /// When a file that it names is missing or malformed, or a function fits nowhere.
    pub fn new(config: &SimulatorConfig) -> Result<Self, WorkloadError> {
        let serverless = match config.scenario {
            Scenario::Slots => None,
            Scenario::Serverless => Some(Serverless::open(&config.serverless)?),
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
        let serverless = Serverless { config: config.serverless.clone(), training: Arc::clone(&test), test };
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

    /// A training episode for a scheduler with these interests: load and length (`slots`) or the place of the window (`serverless`) are drawn from its seed.
    #[must_use]
    pub fn training(&self, episode: RunSeed, interests: Interests) -> Simulation {
        if let Some(serverless) = &self.serverless {
            return self.serverless(
                episode,
                Part::Training,
                serverless.config.load_percent / 100.0,
                interests,
            );
        }
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
        let (config, workload) = (&serverless.config, serverless.workload(part));
        let warm_up = workload.warm_up();
        let asks_after_horizon = match part {
            Part::Training => config.training_drain_seconds.min(config.drain_limit_seconds),
            Part::Validation | Part::Test => config.drain_limit_seconds,
        };
        let latency = |ms: &f64| SimTime::from_seconds(ms / 1000.0);
        let rules = EpisodeRules {
            load,
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
        let simulation = ServerlessSimulation::new(
            workload.clone(),
            rules,
            EpisodeSource { episode, part, load },
            |simulation| heuristics::serverless::warm_up(&simulation.view()),
        );
        Simulation::Serverless(Box::new(simulation))
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
