//! Plays a policy on validation seeds while it learns; the best checkpoint is chosen by its score.

use std::collections::BTreeMap;

use common::reward::{Preference, RewardPart};
use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use configuration::{Config, RewardConfig};
use engine::serverless::Part;
use evaluation::{
    Contender, EvaluationError, Progress, ServerlessPlan, SlotsPlan, evaluate_serverless, evaluate_slots,
};
use policy::{Behaviour, Parameters, PolicyNetwork, PolicyScheduler, schema_of};
use workloads::Episodes;

use crate::LearnerError;
use crate::score::{Judge, Point, Score, metric_of};

/// The rule to which a score is relative.
const YARDSTICK: &str = "sjf";

/// Episodes that the policy decides in one batch.
const TOGETHER: usize = 256;

/// Episodes of one workload, and the loads at which they are played.
struct ValidationPart {
    /// Name; empty where there is one part only.
    name: String,
    episodes: Episodes,
    /// Percent; `serverless` only.
    loads: Vec<f64>,
}

impl ValidationPart {
    fn all(config: &Config) -> Result<Vec<Self>, LearnerError> {
        let parts = config.simulator.validation_parts();
        if parts.is_empty() {
            let (name, episodes) = (String::new(), Episodes::new(&config.simulator)?);
            return Ok(vec![ValidationPart {
                name,
                episodes,
                loads: vec![config.simulator.serverless.load_percent],
            }]);
        }
        let open = |(name, simulator, loads)| {
            Ok(ValidationPart { name, episodes: Episodes::new(&simulator)?, loads })
        };
        parts.into_iter().map(open).collect()
    }
}

/// Plays the validation episodes.
pub struct Validator {
    config: Config,
    /// What is played.
    parts: Vec<ValidationPart>,
    scheduler: PolicyScheduler,
    /// The points of the yardstick and of the rules that limits name, by name; played at the first validation.
    rules: BTreeMap<String, Vec<Point>>,
}

impl Validator {
    /// Loads the workload.
    ///
    /// # Errors
    /// [`LearnerError::Simulator`].
    pub fn new(config: &Config) -> Result<Self, LearnerError> {
        let network = PolicyNetwork::new(&schema_of(config), &config.policy, RunSeed::default());
        let scheduler = PolicyScheduler::new("policy", network, Behaviour::for_evaluation(&config.learner))?;
        Ok(Validator {
            config: config.clone(),
            parts: ValidationPart::all(config)?,
            scheduler,
            rules: BTreeMap::new(),
        })
    }

    /// Scores the policy with these weights and this preference. `progress` is called while episodes are played.
    ///
    /// # Errors
    /// [`LearnerError::Validation`], [`LearnerError::Interrupted`].
    pub fn score(
        &mut self,
        weights: &Parameters,
        preference: Preference,
        progress: Progress<'_>,
        shutdown: &Shutdown,
    ) -> Result<Score, LearnerError> {
        let limits = self.config.reward.limits();
        let named = limits.iter().map(|(_, limit)| limit.of.as_str()).filter(|name| !name.is_empty());
        for name in named.chain([YARDSTICK]) {
            if !self.rules.contains_key(name) {
                let rule = || Contender::Heuristic(name.to_owned());
                let points = play_all(&self.config, &self.parts, rule, progress, shutdown)?;
                self.rules.insert(name.to_owned(), points);
            }
        }
        self.scheduler.copy_weights(weights)?;
        self.scheduler.set_preference(preference);
        let mut points = Vec::new();
        for part in &self.parts {
            let contender = Contender::Single(&mut self.scheduler);
            points.extend(play(&self.config, part, contender, progress, shutdown)?);
        }
        let (reward, rules) = (&self.config.reward, &self.rules);
        check_limits(reward, rules)?;
        Ok(Judge { reward, preference, yardstick: &rules[YARDSTICK], rules }.score(&points))
    }
}

/// Refuses a limit that is a multiple of nothing.
fn check_limits(reward: &RewardConfig, rules: &BTreeMap<String, Vec<Point>>) -> Result<(), LearnerError> {
    for (part, limit) in reward.limits() {
        let total =
            rules.get(&limit.of).map(|points| points.iter().map(|point| point.parts[&part]).sum::<f64>());
        if total.is_some_and(|total| total <= 0.0) {
            let (name, rule) = (part.name(), &limit.of);
            return Err(LearnerError::Config(format!(
                "key `reward.limits.{name}.of`: `{rule}` has 0 of {name} on the validation seeds, and no multiple of that is a limit; \
                 leave `of` out and give `at_most` itself"
            )));
        }
    }
    Ok(())
}

fn play_all<'a>(
    config: &Config,
    parts: &[ValidationPart],
    contender: impl Fn() -> Contender<'a>,
    progress: Progress<'_>,
    shutdown: &Shutdown,
) -> Result<Vec<Point>, LearnerError> {
    let points = parts.iter().map(|part| play(config, part, contender(), progress, shutdown));
    points.collect::<Result<Vec<_>, _>>().map(|points| points.concat())
}

fn play(
    config: &Config,
    part: &ValidationPart,
    contender: Contender<'_>,
    progress: Progress<'_>,
    shutdown: &Shutdown,
) -> Result<Vec<Point>, LearnerError> {
    match config.simulator.scenario {
        Scenario::Slots => play_slots(config, &part.episodes, contender, progress, shutdown),
        Scenario::Serverless => play_serverless(config, part, contender, progress, shutdown),
    }
}

fn play_slots(
    config: &Config,
    episodes: &Episodes,
    contender: Contender<'_>,
    progress: Progress<'_>,
    shutdown: &Shutdown,
) -> Result<Vec<Point>, LearnerError> {
    let evaluation = &config.evaluation;
    let plan = SlotsPlan {
        loads: evaluation.loads.clone(),
        steps: evaluation.steps.clone(),
        episodes: evaluation.validation_episodes,
        seed: config.seed,
        stream: Stream::Validation,
        threads: evaluation.threads,
        batch: TOGETHER.min(evaluation.validation_episodes as usize),
    };
    let points = evaluate_slots(episodes, &mut [contender], &plan, progress, shutdown).map_err(failed)?;
    let point = |point: evaluation::SlotsPoint| Point {
        name: format!("load_{}_steps_{}", point.load, point.steps),
        slowdowns: vec![point.slowdown],
        dropped: point.dropped_share,
        parts: BTreeMap::new(),
    };
    Ok(points.into_iter().map(point).collect())
}

/// The primary slowdown and its guard, at each load.
fn play_serverless(
    config: &Config,
    part: &ValidationPart,
    contender: Contender<'_>,
    progress: Progress<'_>,
    shutdown: &Shutdown,
) -> Result<Vec<Point>, LearnerError> {
    let evaluation = &config.evaluation;
    let plan = ServerlessPlan {
        part: Part::Validation,
        loads: part.loads.clone(),
        seeds: evaluation.validation_episodes,
        seed: config.seed,
        stream: Stream::Validation,
        threads: evaluation.threads,
        batch: TOGETHER.min(evaluation.validation_episodes as usize),
        workload: config.name.clone(),
    };
    let records =
        evaluate_serverless(&part.episodes, &mut [contender], &plan, progress, shutdown).map_err(failed)?;
    let shown = config.reward.shown_parts().into_iter();
    let shown: Vec<(RewardPart, &str)> = shown.filter_map(|part| Some((part, metric_of(part)?))).collect();
    let point = |record: evaluation::ServerlessRecord| Point {
        name: if part.name.is_empty() {
            format!("load_{}", record.load)
        } else {
            format!("{}_load_{}", part.name, record.load)
        },
        slowdowns: ["slowdown", "slowdown_mean"].iter().map(|key| record.metrics[key].mean).collect(),
        dropped: 0.0,
        parts: shown.iter().map(|&(part, key)| (part, record.metrics[key].mean)).collect(),
    };
    Ok(records.into_iter().map(point).collect())
}

fn failed(error: EvaluationError) -> LearnerError {
    match error {
        EvaluationError::Interrupted => LearnerError::Interrupted,
        error => LearnerError::Validation(error),
    }
}
