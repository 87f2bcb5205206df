//! The learner as a service: sample, learn, publish; at intervals validate and write a checkpoint.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{Incarnation, PolicyVersion};
use common::reward::Preference;
use configuration::{Config, Mode, RewardMode};
use policy::{preference_header, schema_of};
use tch::Device;
use telemetry::{Health, MetricsLog, StatusLine};
use transport::{LearnerIdentity, LinkOptions, Links, TrajectorySampler, WeightsPublisher};

use crate::LearnerError;
use crate::batch::Batch;
use crate::checkpoints::{Checkpoints, Progress, contents};
use crate::feed::{Feed, Window};
use crate::multipliers::Multipliers;
use crate::other_runs::{check_init_from, copy_from, init_from};
use crate::pace::Pace;
use crate::ranks::{Meeting, OtherRanks};
use crate::run_folder::RunFolder;
use crate::saving::Saver;
use crate::statistics::Statistics;
use crate::update::{Round, Updater};
use crate::validation::Validator;
use crate::value_fit::ValueFit;

/// A round, the end of a validation episode or a wait takes at most so long, or two deadlines of ranks; else the learner is stuck.
const PATIENCE: Duration = Duration::from_secs(600);
const LEARNING: &str = "learning";

/// The result of a learner.
#[derive(Clone, Debug)]
pub struct LearnerSummary {
    /// Whether the budget was spent (rather than the learner interrupted).
    pub finished: bool,
    /// Recorded decisions learnt from, over all lives of the learner.
    pub environment_steps: u64,
    /// Best validation score.
    pub best: Option<f64>,
}

/// Where a learner works and what it starts from.
#[derive(Clone, Debug)]
pub struct LearnerOptions {
    /// The run folder; a run that is in it already is resumed.
    pub run_folder: PathBuf,
    /// A checkpoint or run whose weights a fresh run starts from.
    pub init_from: Option<PathBuf>,
    /// A checkpoint or run that a fresh run goes on from as a copy.
    pub copy_from: Option<PathBuf>,
    /// What rank 0 computes on: [`crate::device`].
    pub device: Device,
    /// Where ranks meet that were started from outside; this is rank 0.
    pub meeting: Option<Meeting>,
}

/// Learns until the budget is spent or `shutdown` is triggered; a run that is in the folder already goes on from its
/// newest checkpoint.
///
/// # Errors
/// [`LearnerError`]; a shutdown is none.
pub fn run(
    config: &Arc<Config>,
    options: &LearnerOptions,
    links: &Links,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<LearnerSummary, LearnerError> {
    health.unmet("trajectories", "no batch has arrived yet");
    match Service::start(config, options, links, health.clone(), shutdown) {
        Ok(service) => service.train(),
        // Nothing was learnt yet, so there is nothing to save.
        Err(error) if error.is_interruption() => {
            Ok(LearnerSummary { finished: false, environment_steps: 0, best: None })
        }
        Err(error) => Err(error),
    }
}

struct Service {
    config: Arc<Config>,
    folder: RunFolder,
    saver: Saver,
    /// Whether a round has begun and is not counted yet.
    in_round: bool,
    updater: Updater,
    /// Where there are several.
    other_ranks: Option<OtherRanks>,
    progress: Progress,
    feed: Feed,
    publisher: WeightsPublisher,
    validator: Validator,
    metrics: MetricsLog,
    status: StatusLine,
    pace: Pace,
    /// How well values were predicted since the last validation.
    fit: ValueFit,
    /// The version that was validated last.
    validated: Option<u64>,
    health: Health,
    shutdown: Shutdown,
    started: Instant,
    wall_before: f64,
    restored: u64,
}

impl Service {
    fn start(
        config: &Arc<Config>,
        options: &LearnerOptions,
        links: &Links,
        health: Health,
        shutdown: &Shutdown,
    ) -> Result<Self, LearnerError> {
        let mut folder = RunFolder::open(&options.run_folder, config, options.init_from.as_deref())?;
        let schema = schema_of(config);
        let mut updater = Updater::new(&schema, config, options.device);
        let checkpoints = Checkpoints::new(folder.path(), folder.run(), folder.token(), config);
        let mut restored = checkpoints.restore(&mut updater)?;
        if let (None, Some(path)) = (&restored, &options.init_from) {
            check_init_from(path, config)?;
            init_from(path, &mut updater)?;
        }
        if let (None, Some(path)) = (&restored, &options.copy_from) {
            let (progress, from) = copy_from(path, config, &mut updater)?;
            folder.note_copy(from)?;
            restored = Some(progress);
        }
        let progress = restored.unwrap_or_else(|| Progress {
            multipliers: Multipliers::new(&config.reward),
            ..Progress::default()
        });
        let mut other_ranks = None;
        if let Some((mut others, mut group)) = OtherRanks::gather(config, options.meeting.as_ref())? {
            let files = contents(&updater, &progress)?;
            others
                .send_start(&mut group, config, &files, options.device)
                .map_err(|error| others.explain(error))?;
            updater.join(group);
            other_ranks = Some(others);
        }
        // Where there are other ranks, this one waits for them; in lockstep everything repeats bit for bit.
        if other_ranks.is_none() && config.learner.mode == Mode::Async && options.device == Device::Cpu {
            updater.choose_threads(config.learner.threads_of_rank());
        }
        let identity = LearnerIdentity {
            run: folder.run(),
            token: folder.token(),
            incarnation: Incarnation(rand::random()),
            schema: schema.digest(),
        };
        let publisher = WeightsPublisher::bind(&links.transport, &links.weights, identity)?;
        tracing::info!(
            run = %folder.run(), token = %folder.token(), seed = config.seed.0, folder = %folder.path().display(),
            steps = progress.environment_steps, "learner starts"
        );
        let link = LinkOptions::from(&config.transport);
        let sampler = TrajectorySampler::connect(&links.transport, &links.shards, identity, link, shutdown)?;
        let metrics = MetricsLog::open(folder.path(), progress.environment_steps)?;
        let mut feed = Feed::new(sampler, schema, config);
        if other_ranks.is_some() {
            feed.keep_encoded();
        }
        Ok(Service {
            config: Arc::clone(config),
            saver: Saver::new(checkpoints, health.clone()),
            in_round: false,
            updater,
            other_ranks,
            feed,
            publisher,
            validator: Validator::new(config)?,
            metrics,
            status: StatusLine::new(),
            pace: Pace::new(progress.environment_steps, Instant::now()),
            fit: ValueFit::default(),
            validated: None,
            health,
            shutdown: shutdown.clone(),
            started: Instant::now(),
            wall_before: progress.wall_seconds,
            restored: progress.version,
            progress,
            folder,
        })
    }

    fn train(mut self) -> Result<LearnerSummary, LearnerError> {
        let trained = self.train_until_budget_is_spent().and_then(|()| self.finish_run());
        match trained {
            Ok(()) => {}
            // A shutdown also ends the waits inside; what was learnt until then is kept.
            Err(error) if error.is_interruption() => {
                self.note_state();
                self.saver.save_at_last(&self.updater, &self.progress, false)?;
            }
            Err(error) => {
                self.save_before(&error);
                return Err(error);
            }
        }
        self.close()
    }

    /// Keeps what was learnt until an error that ends the learner. In lockstep a round counts as a whole or not at all. Who is refused
    /// writes nothing: another learner may have taken the run over.
    fn save_before(&mut self, end: &LearnerError) {
        let lockstep = self.config.learner.mode == Mode::Lockstep;
        if end.is_divergence() || end.is_refusal() || (self.in_round && lockstep) {
            return;
        }
        self.note_state();
        match self.saver.save_at_last(&self.updater, &self.progress, false) {
            Ok(()) => tracing::info!(
                steps = self.progress.environment_steps,
                "saved what was learnt until the error that follows"
            ),
            Err(error) => tracing::error!(%error, "what was learnt since the newest checkpoint is lost"),
        }
    }

    fn train_until_budget_is_spent(&mut self) -> Result<(), LearnerError> {
        if self.progress.finished && !self.is_over() {
            tracing::info!("the budget was raised; the run goes on");
            self.progress.finished = false;
        }
        if !self.progress.finished {
            self.folder.keep(&self.config)?;
        }
        self.publish()?;
        if self.progress.validation_due {
            self.validate_and_save()?;
        }
        while !self.is_over() {
            self.health
                .beat(LEARNING, PATIENCE.max(2 * self.config.learner.rank_deadline_seconds.duration()));
            if self.shutdown.is_triggered() {
                return Err(LearnerError::Interrupted);
            }
            let window = self.window();
            match self.feed.next(window)? {
                Some((batch, lag)) => {
                    self.health.met("trajectories");
                    self.in_round = true;
                    let Round { statistics, priorities, fit } = self.round(&batch)?;
                    self.finish_round(&batch, lag, statistics, &fit)?;
                    self.feed.update_priorities(&batch, &priorities)?;
                }
                None => {
                    self.other_ranks.as_mut().map_or(Ok(()), OtherRanks::check)?;
                    self.feed.check_arrivals()?;
                    self.update_status_line();
                }
            }
        }
        Ok(())
    }

    /// One round on `batch`, with all ranks.
    fn round(&mut self, batch: &Batch) -> Result<Round, LearnerError> {
        let spent = self.spent();
        let (Some(others), Some(ranks)) = (&mut self.other_ranks, self.updater.ranks()) else {
            return self.updater.round(batch, spent);
        };
        others
            .send_batch(ranks, spent, &self.feed.encoded())
            .and_then(|()| self.updater.round(batch, spent))
            .map_err(|error| others.explain(error))
    }

    fn window(&self) -> Window {
        Window {
            newest: PolicyVersion { token: self.folder.token(), number: self.progress.version },
            restored: self.restored,
            max_lag: self.config.learner.max_lag,
        }
    }

    /// Fraction of the budget that is spent: of the steps, or of the wall time where that is ahead.
    fn spent(&self) -> f64 {
        let learner = &self.config.learner;
        let steps = self.progress.environment_steps as f64 / learner.budget_steps as f64;
        let limit = learner.wall_limit_minutes * 60.0;
        let wall = if limit > 0.0 { self.wall_seconds() / limit } else { 0.0 };
        steps.max(wall).min(1.0)
    }

    fn is_over(&self) -> bool {
        self.spent() >= 1.0
    }

    fn wall_seconds(&self) -> f64 {
        self.wall_before + self.started.elapsed().as_secs_f64()
    }

    fn publish(&self) -> Result<(), LearnerError> {
        let header: Vec<_> = self.shown_preference().iter().map(preference_header).collect();
        let weights = Arc::new(self.updater.networks.policy.parameters().to_bytes(&header)?);
        self.publisher.publish(self.window().newest, weights);
        metrics::gauge!("longshore_policy_version").set(self.progress.version as f64);
        Ok(())
    }

    /// How much each part of the reward counts at the present multipliers.
    fn preference(&self) -> Preference {
        self.progress.multipliers.preference(&self.config.reward)
    }

    /// The same, where weights are not fixed and the policy is told.
    fn shown_preference(&self) -> Option<Preference> {
        (self.config.reward.mode != RewardMode::Fixed).then(|| self.preference())
    }

    /// Counts the round, publishes its weights and, when it is time, validates and writes a checkpoint.
    fn finish_round(
        &mut self,
        batch: &Batch,
        lag: f64,
        statistics: Statistics,
        fit: &ValueFit,
    ) -> Result<(), LearnerError> {
        self.progress.version += 1;
        if let Some(next) = self.progress.next_multipliers.take() {
            self.progress.multipliers = next;
        }
        self.progress.environment_steps += batch.steps.len() as u64;
        self.progress.rounds = self.updater.rounds;
        self.in_round = false;
        self.updater.check_outputs(batch)?;
        self.publish()?;
        metrics::counter!("longshore_learnt_steps_total").increment(batch.steps.len() as u64);
        metrics::counter!("longshore_updates_total").increment(statistics.updates);
        self.pace.learnt(self.progress.environment_steps, statistics.updates, batch.mean_return(), lag);
        let round = self.progress.rounds;
        self.fit.add(fit);
        self.write_metrics(&statistics, fit)?;
        let is_best = round.is_multiple_of(self.config.learner.evaluate_every) && self.validate()?;
        if is_best || round.is_multiple_of(self.config.learner.checkpoint_every) || self.saver.is_due() {
            self.save(is_best)?;
        }
        self.update_status_line();
        Ok(())
    }

    fn validate_and_save(&mut self) -> Result<(), LearnerError> {
        let is_best = self.validate()?;
        self.save(is_best)
    }

    /// Whether the policy is the best so far on the validation seeds.
    fn validate(&mut self) -> Result<bool, LearnerError> {
        self.progress.validation_due = true;
        let weights = self.updater.networks.kept_policy().parameters();
        let health = &self.health;
        let progress = |_| health.beat(LEARNING, PATIENCE);
        let score = self.validator.score(weights, self.preference(), &progress, &self.shutdown)?;
        self.progress.validation_due = false;
        self.validated = Some(self.progress.version);
        self.progress.preference = self.shown_preference();
        let multipliers: Vec<(String, f64)> = self.progress.multipliers.named().collect();
        self.progress.next_multipliers = Some(self.progress.multipliers.after_ascent(&score.of_limits));
        let fit = std::mem::take(&mut self.fit).by_condition().into_iter();
        let fit: Vec<(String, f64)> = fit
            .map(|(condition, explained)| (format!("train/explained_variance/{condition}"), explained))
            .collect();
        let figures: Vec<(&str, f64)> = score
            .figures
            .iter()
            .chain(&fit)
            .chain(&multipliers)
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        self.saver.endure_metrics(self.metrics.write(self.progress.environment_steps, &figures))?;
        self.pace.validated(score.slowdown);
        self.progress.validation = Some(score.score);
        let is_best = self.progress.best.is_none_or(|best| score.score < best);
        if is_best {
            self.progress.best = Some(score.score);
        }
        let limits: Vec<String> = score
            .of_limits
            .iter()
            .map(|(part, of_limit)| format!("{} is {of_limit:.2} times its limit", part.name()))
            .collect();
        tracing::info!(
            score = %format_args!("{:.4}", score.score), slowdown = %format_args!("{:.3}", score.slowdown), best = is_best,
            limits = limits.join(", "), "validated"
        );
        if is_best {
            self.progress.best_breaks = score.breaks_limits();
        }
        Ok(is_best)
    }

    fn save(&mut self, is_best: bool) -> Result<(), LearnerError> {
        self.note_state();
        self.saver.save(&self.updater, &self.progress, is_best)
    }

    /// Takes into the progress what is kept elsewhere while the learner runs.
    fn note_state(&mut self) {
        self.progress.wall_seconds = self.wall_seconds();
        self.progress.scales = self.updater.scales.clone();
    }

    fn write_metrics(&mut self, statistics: &Statistics, fit: &ValueFit) -> Result<(), LearnerError> {
        let dropped = self.feed.dropped;
        let spent = self.spent();
        let learner = &self.config.learner;
        let mut values = vec![
            ("train/policy_loss", statistics.policy_loss),
            ("train/value_loss", statistics.value_loss),
            ("train/entropy", statistics.entropy),
            ("train/gradient_norm", statistics.gradient_norm),
            ("train/divergence", statistics.divergence),
            ("train/clipped_share", statistics.clipped),
            ("train/skipped_updates", statistics.skipped as f64),
            ("train/learning_rate", learner.learning_rate.at(spent)),
            ("train/entropy_cost", learner.entropy_cost.at(spent)),
            ("data/dropped_lagging", dropped.lagging as f64),
            ("data/dropped_fenced", dropped.fenced as f64),
            ("data/dropped_damaged", dropped.damaged as f64),
            ("data/dropped_put_off", dropped.put_off as f64),
        ];
        values.extend(fit.explained().map(|explained| ("train/explained_variance", explained)));
        values.extend(self.pace.figures());
        self.saver.endure_metrics(self.metrics.write(self.progress.environment_steps, &values))
    }

    fn update_status_line(&mut self) {
        let (gathered, wanted) = self.feed.gathered();
        let remaining = self.pace.remaining(self.spent());
        let (pace, steps) = (&self.pace, self.progress.environment_steps);
        self.status.update(|| pace.line(steps, gathered, wanted, remaining));
    }

    /// The budget is spent: validates for the last time.
    fn finish_run(&mut self) -> Result<(), LearnerError> {
        if self.progress.finished {
            tracing::info!(
                "this run had finished already; raise its budget to go on with it, or start another with --init-from"
            );
            return Ok(());
        }
        let is_best = self.validated != Some(self.progress.version) && self.validate()?;
        self.progress.finished = true;
        self.note_state();
        let health = &self.health;
        let beat = || health.beat(LEARNING, PATIENCE);
        self.saver.save_in_the_end(&self.updater, &self.progress, is_best, &self.shutdown, beat)?;
        self.saver.endure_metrics(self.metrics.flush())?;
        if self.progress.best_breaks {
            tracing::warn!(
                "the best checkpoint does not hold its limits on the validation seeds: train longer, validate more often \
                 (learner.evaluate_every), or let the policy decide what moves them (policy.actions)"
            );
        }
        tracing::info!("the budget is spent; the run has finished");
        Ok(())
    }

    fn close(mut self) -> Result<LearnerSummary, LearnerError> {
        self.status.clear();
        let steps = self.progress.environment_steps;
        let finished = self.progress.finished;
        if finished {
            self.publisher.finish();
            self.feed.sampler().finish()?;
        } else {
            tracing::info!(steps, "interrupted; start again to go on from here");
        }
        Ok(LearnerSummary { finished, environment_steps: steps, best: self.progress.best })
    }
}

/// The default place of a run: `runs/NAME`.
#[must_use]
pub fn default_run_folder(config: &Config) -> PathBuf {
    Path::new("runs").join(&config.name)
}
