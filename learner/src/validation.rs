//! Scores a policy on validation seeds while it learns; the best checkpoint is chosen by this score.

use common::trajectory::Scenario;
use common::{RunSeed, Shutdown, Stream};
use configuration::Config;
use engine::serverless::Part;
use evaluation::{
    Contender, EvaluationError, ServerlessPlan, SlotsPlan, evaluate_serverless, evaluate_slots,
};
use policy::{Behaviour, Parameters, PolicyNetwork, PolicyScheduler, schema_of};
use workloads::Episodes;

use crate::LearnerError;

/// The rule to which a score is relative.
const YARDSTICK: &str = "sjf";
/// Weight in the score of jobs dropped beyond those that the yardstick drops.
const DROP_WEIGHT: f64 = 5.0;

/// Episodes that the policy decides in one batch.
const TOGETHER: usize = 256;

/// A policy's result on the validation seeds.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// By which checkpoints are compared; lower is better, 0 equals shortest job first.
    pub score: f64,
    /// The primary figure of the scenario, averaged over its points.
    pub slowdown: f64,
    /// Every figure by its name, for the logs.
    pub figures: Vec<(String, f64)>,
}

/// One point of the validation: its name, the figures whose logarithms are averaged, and the fraction dropped.
#[derive(Clone, Debug)]
struct Point {
    name: String,
    slowdowns: Vec<f64>,
    dropped: f64,
}

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
    /// The yardstick's points; computed at the first validation.
    yardstick: Option<Vec<Point>>,
}

impl Validator {
    /// Loads the workload.
    ///
    /// # Errors
    /// [`LearnerError::Simulator`].
    pub fn new(config: &Config) -> Result<Self, LearnerError> {
        let network = PolicyNetwork::new(
            &schema_of(&config.simulator, &config.policy),
            &config.policy,
            RunSeed::default(),
        );
        let scheduler = PolicyScheduler::new("policy", network, Behaviour::Greedy)?;
        Ok(Validator {
            config: config.clone(),
            parts: ValidationPart::all(config)?,
            scheduler,
            yardstick: None,
        })
    }

    /// Scores the policy with these weights.
    ///
    /// # Errors
    /// [`LearnerError::Validation`], [`LearnerError::Interrupted`].
    pub fn score(&mut self, weights: &Parameters, shutdown: &Shutdown) -> Result<Score, LearnerError> {
        let yardstick = match self.yardstick.take() {
            Some(yardstick) => yardstick,
            None => {
                let rule = || Contender::Heuristic(YARDSTICK.to_owned());
                play_all(&self.config, &self.parts, rule, shutdown)?
            }
        };
        let yardstick = self.yardstick.insert(yardstick);
        self.scheduler.copy_weights(weights)?;
        let mut points = Vec::new();
        for part in &self.parts {
            let contender = Contender::Single(&mut self.scheduler);
            points.extend(play(&self.config, part, contender, shutdown)?);
        }
        Ok(score(&points, yardstick))
    }
}

fn play_all<'a>(
    config: &Config,
    parts: &[ValidationPart],
    contender: impl Fn() -> Contender<'a>,
    shutdown: &Shutdown,
) -> Result<Vec<Point>, LearnerError> {
    let points = parts.iter().map(|part| play(config, part, contender(), shutdown));
    points.collect::<Result<Vec<_>, _>>().map(|points| points.concat())
}

fn play(
    config: &Config,
    part: &ValidationPart,
    contender: Contender<'_>,
    shutdown: &Shutdown,
) -> Result<Vec<Point>, LearnerError> {
    match config.simulator.scenario {
        Scenario::Slots => play_slots(config, &part.episodes, contender, shutdown),
        Scenario::Serverless => play_serverless(config, part, contender, shutdown),
    }
}

fn play_slots(
    config: &Config,
    episodes: &Episodes,
    contender: Contender<'_>,
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
    let points = evaluate_slots(episodes, &mut [contender], &plan, &|_| {}, shutdown).map_err(failed)?;
    let point = |point: evaluation::SlotsPoint| Point {
        name: format!("load_{}_steps_{}", point.load, point.steps),
        slowdowns: vec![point.slowdown],
        dropped: point.dropped_share,
    };
    Ok(points.into_iter().map(point).collect())
}

/// The primary slowdown and its guard, at each load.
fn play_serverless(
    config: &Config,
    part: &ValidationPart,
    contender: Contender<'_>,
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
        evaluate_serverless(&part.episodes, &mut [contender], &plan, &|_| {}, shutdown).map_err(failed)?;
    let point = |record: evaluation::ServerlessRecord| Point {
        name: if part.name.is_empty() {
            format!("load_{}", record.load)
        } else {
            format!("{}_load_{}", part.name, record.load)
        },
        slowdowns: ["slowdown", "slowdown_mean"].iter().map(|key| record.metrics[key].mean).collect(),
        dropped: 0.0,
    };
    Ok(records.into_iter().map(point).collect())
}

fn failed(error: EvaluationError) -> LearnerError {
    match error {
        EvaluationError::Interrupted => LearnerError::Interrupted,
        error => LearnerError::Validation(error),
    }
}

/// Mean over the points of the logarithm of slowdown over the yardstick's, plus what is dropped beyond it.
fn score(points: &[Point], yardstick: &[Point]) -> Score {
    let mut score = Score::default();
    for (point, reference) in points.iter().zip(yardstick) {
        let more_dropped = (point.dropped - reference.dropped).max(0.0);
        let pairs = point.slowdowns.iter().zip(&reference.slowdowns);
        let relative: f64 = pairs.map(|(mine, theirs)| (mine / theirs).ln()).sum();
        score.score += relative / point.slowdowns.len() as f64 + DROP_WEIGHT * more_dropped;
        score.slowdown += point.slowdowns[0];
        score.figures.push((format!("eval/slowdown/{}", point.name), point.slowdowns[0]));
        if let Some(guard) = point.slowdowns.get(1) {
            score.figures.push((format!("eval/slowdown_guard/{}", point.name), *guard));
        }
        score.figures.push((format!("eval/dropped/{}", point.name), point.dropped));
    }
    let count = points.len().max(1) as f64;
    score.score /= count;
    score.slowdown /= count;
    score.figures.push(("eval/slowdown_mean".to_owned(), score.slowdown));
    score.figures.push(("eval/score".to_owned(), score.score));
    score
}
