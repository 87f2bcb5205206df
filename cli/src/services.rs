//! Actors, shards and learner in one process: the very services that production starts, over `inproc://`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

use anyhow::Context as _;
use common::Shutdown;
use common::ids::{ActorId, ShardId};
use configuration::{Config, Durability, Mode};
use learner::{LearnerOptions, LearnerSummary};
use telemetry::{Health, HealthServer};
use transport::Links;

/// Starts every service, learns, and shuts the services down: the learner first, then the shards and actors that serve it.
///
/// # Errors
/// The learner's error, else the first one of an actor or shard.
pub fn train(
    config: &Arc<Config>,
    options: &LearnerOptions,
    shutdown: &Shutdown,
) -> anyhow::Result<LearnerSummary> {
    let health = Health::new();
    let _servers = serve_health(config, &health, shutdown)?;
    let links = Links::inproc(config.replay.shards, &config.transport);
    // Shards end last, because the learner and the actors use them until they have ended.
    let last = Shutdown::new();
    std::thread::scope(|scope| {
        let _all = EndAll([shutdown, &last]);
        let (mut shards, mut actors) = (Vec::new(), Vec::new());
        for shard in 0..config.replay.shards {
            shards.push(spawn_shard(scope, config, shard, &links, shutdown, &last)?);
        }
        for actor in 0..config.actor.count {
            actors.push(spawn_actor(scope, config, actor, &links, shutdown)?);
        }
        policy::set_threads(config.learner.threads_of_rank());
        let learnt = learner::run(config, options, &links, &health, shutdown);
        // The end of a run is told to who is connected; who is not yet must end, too.
        shutdown.trigger();
        let played: Vec<anyhow::Result<()>> = actors.into_iter().map(join).collect();
        last.trigger();
        let served = shards.into_iter().map(join).collect::<Vec<_>>();
        let helped: anyhow::Result<()> = served.into_iter().chain(played).collect();
        match learnt {
            Ok(summary) if summary.finished => Ok(summary),
            Ok(summary) => helped.map(|()| summary),
            Err(error) => Err(error.into()),
        }
    })
}

/// Health and metrics of this process, at each address that the configuration names: there is one registry for all services.
fn serve_health(config: &Config, health: &Health, shutdown: &Shutdown) -> anyhow::Result<Vec<HealthServer>> {
    let addresses = [
        ("learner", &config.learner.metrics_address),
        ("replay", &config.replay.metrics_address),
        ("actor", &config.actor.metrics_address),
    ];
    let given =
        addresses.into_iter().filter_map(|(section, address)| Some((address.as_ref()?.as_str(), section)));
    // Services of machines of their own may name the same one.
    let distinct: BTreeMap<&str, &str> = given.collect();
    let start = |(address, section): (&str, &str)| {
        HealthServer::start(address, health.clone(), shutdown.clone())
            .with_context(|| format!("key `{section}.metrics_address`"))
    };
    distinct.into_iter().map(start).collect()
}

/// Ends every service where this thread goes early, by an error or a panic: the scope waits for all of them.
struct EndAll<'a>([&'a Shutdown; 2]);

impl Drop for EndAll<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|shutdown| shutdown.trigger());
    }
}

type Helper<'scope> = ScopedJoinHandle<'scope, anyhow::Result<()>>;

fn spawn_shard<'scope>(
    scope: &'scope Scope<'scope, '_>,
    config: &Arc<Config>,
    shard: usize,
    links: &Links,
    shutdown: &Shutdown,
    last: &Shutdown,
) -> anyhow::Result<Helper<'scope>> {
    let (config, shutdown, last) = (Arc::clone(config), shutdown.clone(), last.clone());
    let (endpoint, transport) = (links.shards.shards()[shard].clone(), links.transport.clone());
    // Bound before anybody connects: inproc addresses must exist first.
    let (shard, health) = (ShardId(shard as u32), Health::new());
    let shard = replay::Shard::bind(&config, shard, &endpoint, &transport, health, Durability::Memory)?;
    let serve = move || {
        let served = shard.serve(&last).map(|_| ()).context("a replay shard failed");
        if served.is_err() {
            shutdown.trigger();
        }
        served
    };
    Ok(std::thread::Builder::new().name("shard".to_owned()).spawn_scoped(scope, serve)?)
}

fn spawn_actor<'scope>(
    scope: &'scope Scope<'scope, '_>,
    config: &Arc<Config>,
    actor: usize,
    links: &Links,
    shutdown: &Shutdown,
) -> anyhow::Result<Helper<'scope>> {
    let (config, links, shutdown) = (Arc::clone(config), links.clone(), shutdown.clone());
    let play = move || {
        let threads = match config.learner.mode {
            Mode::Async => config.actor.threads,
            // Turns follow each other: whoever plays has the machine.
            Mode::Lockstep => config.learner.threads,
        };
        policy::set_threads(threads);
        let played = actor::run(config, ActorId(actor as u64), &links, &Health::new(), &shutdown)
            .map(|_| ())
            .context("an actor failed");
        if played.is_err() {
            shutdown.trigger();
        }
        played
    };
    Ok(std::thread::Builder::new().name("actor".to_owned()).spawn_scoped(scope, play)?)
}

fn join(helper: Helper<'_>) -> anyhow::Result<()> {
    helper.join().map_err(|_| anyhow::anyhow!("a service panicked; the log above says where"))?
}
