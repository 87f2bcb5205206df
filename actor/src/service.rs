//! The actor as a service: follow the weights, play, send.

use std::sync::Arc;
use std::time::Duration;

use common::ids::{ActorId, Incarnation, PolicyVersion};
use common::{RunSeed, Shutdown};
use configuration::{Config, Mode};
use policy::{Behaviour, PolicyNetwork, PolicyScheduler, schema_of};
use telemetry::Health;
use transport::{
    ActorClient, ActorIdentity, LinkOptions, Links, Role, TransportError, WeightsFollower, WriterOptions,
    wire,
};
use workloads::Episodes;

use crate::player::{Identity, Outgoing, Player};
use crate::{ActorError, Counters};

/// How long an actor that shuts down waits until its last trajectories are acknowledged.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long one wait for weights lasts before the actor checks whether the run has ended.
const WEIGHTS_WAIT: Duration = Duration::from_secs(1);
/// The actor plays a step, or looks at its links, at least so often; else it is stuck.
const PATIENCE: Duration = Duration::from_secs(120);
const PLAYING: &str = "playing";

/// What an actor did.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActorSummary {
    /// Number of recorded decisions.
    pub steps: u64,
    /// Number of finished episodes.
    pub episodes: u64,
}

/// Plays until the run finishes or `shutdown` is triggered. `health` will show whether it goes on.
///
/// # Errors
/// [`ActorError`]; a shutdown or the end of the run is no error.
pub fn run(
    config: Arc<Config>,
    actor: ActorId,
    links: &Links,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<ActorSummary, ActorError> {
    match Service::start(config, actor, links, health, shutdown).and_then(Service::play) {
        Err(ActorError::Transport(TransportError::RunFinished | TransportError::Interrupted)) => {
            Ok(ActorSummary::default())
        }
        other => other,
    }
}

struct Service {
    config: Arc<Config>,
    player: Player,
    client: ActorClient,
    health: Health,
    shutdown: Shutdown,
    summary: ActorSummary,
    /// Trajectories that no shard took before the shutdown.
    unsent: usize,
}

impl Service {
    fn start(
        config: Arc<Config>,
        actor: ActorId,
        links: &Links,
        health: &Health,
        shutdown: &Shutdown,
    ) -> Result<Self, ActorError> {
        let episodes = Arc::new(Episodes::new(&config.simulator)?);
        let schema = schema_of(&config);
        let network = PolicyNetwork::new(&schema, &config.policy, RunSeed::default());
        let mut scheduler =
            PolicyScheduler::new("policy", network, Behaviour::for_actors(&config.learner, &config.actor))?;
        if !config.learner.imitate.is_empty() {
            scheduler.imitate(&config.learner.imitate)?;
        }
        let link = LinkOptions::from(&config.transport);
        let (mut follower, run) = WeightsFollower::connect(
            &links.transport,
            &links.weights,
            Role::Actor,
            schema.digest(),
            link,
            shutdown,
        )?;
        // In lockstep every actor waits for the learner's weights, so they come from there at once.
        if links.relay && config.learner.mode == Mode::Async {
            follower.ask_shards_first();
        }
        // Drawn, so that nobody can guess it and use up its sequence numbers.
        let incarnation = Incarnation(rand::random());
        // A lockstep turn is a function of the seed and the turn alone; otherwise a restarted actor plays other episodes than before.
        let life = match config.learner.mode {
            Mode::Lockstep => 0,
            Mode::Async => incarnation.0,
        };
        tracing::info!(%run, %actor, %incarnation, environments = config.actor.environments, "actor plays");
        let mut client = ActorClient::connect(
            &links.transport,
            &links.shards,
            ActorIdentity { run, actor, incarnation, schema: schema.digest() },
            WriterOptions { spool: config.actor.spool, spool_bytes: config.actor.spool_mib << 20, link },
            Some(follower),
            shutdown,
        )?;
        let waiting = health.clone();
        client.call_on_poll(move || waiting.beat(PLAYING, PATIENCE));
        let mut player =
            Player::new(Arc::clone(&config), Identity { actor, incarnation, life }, scheduler, episodes);
        if config.learner.mode == Mode::Async {
            player.choose_threads(config.actor.threads);
        }
        Ok(Service {
            config,
            player,
            client,
            health: health.clone(),
            shutdown: shutdown.clone(),
            summary: ActorSummary::default(),
            unsent: 0,
        })
    }

    fn play(mut self) -> Result<ActorSummary, ActorError> {
        self.first_weights()?;
        let played = match self.config.learner.mode {
            Mode::Async => self.play_freely(),
            Mode::Lockstep => self.play_turns(),
        };
        match played {
            Ok(())
            | Err(ActorError::Transport(TransportError::RunFinished | TransportError::Interrupted)) => {}
            Err(error) => return Err(error),
        }
        self.send_last();
        tracing::info!(steps = self.summary.steps, episodes = self.summary.episodes, "actor shuts down");
        Ok(self.summary)
    }

    /// A shutdown leaves time to send what was played.
    fn send_last(&mut self) {
        let flushed = self.client.flush(FAREWELL);
        let dropped = self.unsent + self.client.spooled();
        if self.client.run_finished() || dropped == 0 {
            return;
        }
        let why = flushed.err().map_or_else(|| "no shard took them".to_owned(), |error| error.to_string());
        tracing::warn!(dropped, "the last trajectories could not be sent, and are dropped: {why}");
    }

    fn is_over(&self) -> bool {
        self.shutdown.is_triggered() || self.client.run_finished()
    }

    fn first_weights(&mut self) -> Result<(), ActorError> {
        while !self.is_over() {
            if let Some((version, weights)) = self.client.wait_newer_weights(None, WEIGHTS_WAIT)? {
                return self.follow(version, &weights);
            }
        }
        Err(TransportError::RunFinished.into())
    }

    fn follow(&mut self, version: PolicyVersion, weights: &[u8]) -> Result<(), ActorError> {
        tracing::debug!(%version, "new weights");
        metrics::gauge!("longshore_policy_version").set(version.number as f64);
        self.player.follow(version, weights)
    }

    fn play_freely(&mut self) -> Result<(), ActorError> {
        while !self.is_over() {
            if let Some((version, weights)) = self.client.newest_weights()? {
                self.follow(version, &weights)?;
            }
            self.player.fill();
            let played = self.player.step()?;
            self.send_all(played)?;
            self.count();
        }
        Ok(())
    }

    fn play_turns(&mut self) -> Result<(), ActorError> {
        loop {
            self.player.fill_turn(self.player.version().number);
            let mut played = self.player.collect();
            while !self.player.is_idle() {
                self.health.beat(PLAYING, PATIENCE);
                played.extend(self.player.step()?);
            }
            self.send_all(played)?;
            self.client.flush(self.config.transport.reach_deadline_seconds.duration())?;
            self.count();
            let current = self.player.version();
            let (version, weights) = loop {
                if self.is_over() {
                    return Ok(());
                }
                if let Some(newer) = self.client.wait_newer_weights(Some(current), WEIGHTS_WAIT)? {
                    break newer;
                }
            };
            self.follow(version, &weights)?;
        }
    }

    fn send_all(&mut self, played: Vec<Outgoing>) -> Result<(), ActorError> {
        self.unsent = played.len();
        for outgoing in played {
            self.send(outgoing)?;
            self.unsent -= 1;
        }
        Ok(())
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), ActorError> {
        let body = wire::encode_body(&outgoing.body).map_err(TransportError::from)?;
        self.client.insert(outgoing.header, body, outgoing.states)?;
        Ok(())
    }

    fn count(&mut self) {
        let Counters { steps, episodes, forced, .. } = self.player.take_counters();
        self.summary.steps += steps;
        self.summary.episodes += episodes;
        metrics::counter!("longshore_env_steps_total").increment(steps);
        metrics::counter!("longshore_forced_decisions_total").increment(forced);
        metrics::counter!("longshore_episodes_total").increment(episodes);
    }
}
