//! The thread that owns a shard's socket: it passes messages to the core, and carries out the core's effects or passes them to
//! the disk's thread.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::ids::{RunId, ShardId};
use configuration::{Config, Durability};
use durable::{Disk, FolderDisk, FolderLock};
use telemetry::Health;
use transport::{Delivery, Endpoint, LinkOptions, Received, Server, Transport, WeightsEndpoints};

use crate::core::Core;
use crate::effect::{Effect, Outgoing};
use crate::error::ReplayError;
use crate::journal::Journal;
use crate::persistence::Persistence;
use crate::report;
use crate::stats::ShardStats;
use crate::weights::{Relayed, WeightsRelay};

/// The longest wait for a message.
const POLL: Duration = Duration::from_millis(50);
/// Most messages, and bytes, that are handled before answers are sent.
const MESSAGES_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 16 << 20;
const METRICS_PERIOD: Duration = Duration::from_secs(1);
/// After the end of a run, how long peers that still ask are told of it.
const FAREWELL: Duration = Duration::from_millis(500);
const CLAIMED: &str = "learner";
/// The thread that owns the socket never waits for longer than this; else it is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a shard did until it shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplaySummary {
    /// The run that claimed it.
    pub run: Option<RunId>,
    /// Whether it shut down because the learner has ended the run.
    pub run_finished: bool,
    /// Its last counts.
    pub stats: ShardStats,
}

/// A shard whose socket is bound and which does not serve yet.
#[derive(Debug)]
pub struct Shard {
    server: Server,
    shard: ShardId,
    core: Core,
    persistence: Option<Persistence>,
    weights: Option<WeightsRelay>,
    health: Health,
    started: Instant,
    finished: Option<Instant>,
    // Held as long as the shard lives.
    _lock: Option<FolderLock>,
}

impl Shard {
    /// Binds the shard's socket. Where the configuration does not set durability, `default` counts. `health` will show whether a
    /// learner has claimed the shard.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn bind(
        config: &Config,
        shard: ShardId,
        endpoint: &Endpoint,
        transport: &Transport,
        health: Health,
        default: Durability,
    ) -> Result<Self, ReplayError> {
        match config.replay.durability.unwrap_or(default) {
            Durability::Memory => {
                tracing::info!(%shard, "trajectories are kept in memory only: replay.durability is \"memory\"");
                Shard::on(config, shard, endpoint, transport, health, None)
            }
            Durability::Disk => {
                let folder = config.replay.folder.join(format!("shard-{shard}"));
                let lock = take_folder(&folder)?;
                let disk: Arc<dyn Disk> = Arc::new(FolderDisk::new(&folder));
                let bound = Shard::on(config, shard, endpoint, transport, health, Some(disk))?;
                tracing::info!(%shard, folder = %folder.display(), "trajectories are kept on the disk");
                Ok(Shard { _lock: Some(lock), ..bound })
            }
        }
    }

    /// The same on any disk; without one, durability is `memory`.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn on(
        config: &Config,
        shard: ShardId,
        endpoint: &Endpoint,
        transport: &Transport,
        health: Health,
        disk: Option<Arc<dyn Disk>>,
    ) -> Result<Self, ReplayError> {
        let tables = config.replay.tables_for(&config.learner);
        let opened = disk
            .map(|disk| Journal::open(disk, u64::from(config.replay.segment_mib) << 20))
            .transpose()
            .map_err(ReplayError::Storage)?;
        let (journal, remembered) = opened.unzip();
        if let Some(remembered) = &remembered {
            let (items, damaged) = (remembered.items.len(), remembered.damaged);
            tracing::info!(%shard, items, damaged, "read what earlier lives of the shard have stored");
        }
        let core = Core::new(shard, &config.replay, &tables, config.seed, remembered);
        let server = Server::bind_shard(transport, endpoint)?;
        let persistence = journal
            .map(|journal| Persistence::start(shard, journal, core.items(), server.sender()?, &health))
            .transpose()?;
        if core.claim().is_none() {
            health.unmet(CLAIMED, "no learner has claimed this shard yet");
        }
        tracing::info!(%shard, endpoint = %server.endpoint(), "replay shard listening");
        Ok(Shard {
            server,
            shard,
            core,
            persistence,
            weights: None,
            health,
            started: Instant::now(),
            finished: None,
            _lock: None,
        })
    }

    /// Makes the shard a relay: it fetches the weights from `learner` and sends them to actors that ask.
    ///
    /// # Errors
    /// [`ReplayError::Transport`].
    pub fn relay_weights(
        &mut self,
        config: &Config,
        transport: &Transport,
        learner: WeightsEndpoints,
    ) -> Result<(), ReplayError> {
        let link = LinkOptions::from(&config.transport);
        self.weights = Some(WeightsRelay::new(self.shard, transport, learner, link, self.server.sender()?));
        Ok(())
    }

    /// Where it is bound, with the port that the system chose for `*`.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.server.endpoint()
    }

    /// Serves until the learner ends the run or `shutdown` is triggered.
    ///
    /// # Errors
    /// [`ReplayError::Storage`] when the disk can no longer be trusted; [`ReplayError::Ended`].
    pub fn serve(mut self, shutdown: &Shutdown) -> Result<ReplaySummary, ReplayError> {
        let mut reported = Instant::now();
        let ended = |finished: Option<Instant>| finished.is_some_and(|since| since.elapsed() >= FAREWELL);
        while !shutdown.is_triggered() && !ended(self.finished) {
            self.health.beat("serving", PATIENCE);
            self.turn()?;
            if reported.elapsed() >= METRICS_PERIOD {
                reported = Instant::now();
                report::report(self.shard, &self.core);
            }
        }
        self.end()
    }

    /// Waits for a message, handles what there is, and carries out the effects.
    fn turn(&mut self) -> Result<(), ReplayError> {
        if let Some(persistence) = &self.persistence {
            self.core.set_disk_backlog(persistence.backlog());
        }
        let now = self.started.elapsed();
        let patience = self.core.deadline().map_or(POLL, |deadline| deadline.saturating_sub(now).min(POLL));
        if let Received::Message(incoming) = self.server.receive(patience) {
            let now = self.started.elapsed();
            let (mut messages, mut bytes) = (1, incoming.bytes());
            self.core.handle(*incoming, now);
            while messages < MESSAGES_AT_ONCE
                && bytes < BYTES_AT_ONCE
                && let Some(incoming) = self.server.try_receive()
            {
                messages += 1;
                bytes += incoming.bytes();
                self.core.handle(incoming, now);
            }
        }
        if let (Some(relay), Some(claim)) = (&mut self.weights, self.core.claim()) {
            relay.follow(claim.schema)?;
            if let Some(Relayed { version, bytes }) = relay.take() {
                self.core.relay_weights(version, bytes);
            }
        }
        for peer in self.server.take_gone() {
            self.core.forget(&peer);
        }
        self.core.settle(self.started.elapsed());
        self.carry_out()?;
        if self.core.claim().is_some() {
            self.health.met(CLAIMED);
        }
        if self.core.is_finished() {
            self.finished.get_or_insert_with(Instant::now);
        }
        match &self.persistence {
            Some(persistence) => persistence.check(),
            None => Ok(()),
        }
    }

    fn carry_out(&mut self) -> Result<(), ReplayError> {
        let mut later = Vec::new();
        for effect in self.core.take_effects() {
            match (effect, &self.persistence) {
                (Effect::Send(outgoing), _) | (Effect::SendAfter(outgoing), None) => self.send(&outgoing),
                (effect @ (Effect::SendAfter(_) | Effect::Persist(_)), Some(_)) => later.push(effect),
                // Nothing is persisted without a disk.
                (Effect::Persist(_), None) => {}
            }
        }
        match &self.persistence {
            Some(persistence) if !later.is_empty() => persistence.carry_out(later),
            _ => Ok(()),
        }
    }

    fn send(&mut self, outgoing: &Outgoing) {
        if let Some(frames) = outgoing.frames()
            && self.server.send(&outgoing.peer, frames) == Delivery::Gone
        {
            self.core.forget(&outgoing.peer);
        }
    }

    fn end(mut self) -> Result<ReplaySummary, ReplayError> {
        drop(self.weights.take());
        if let Some(persistence) = self.persistence.take() {
            persistence.end()?;
        }
        // Sends what the disk's thread has passed on last.
        self.server.receive(Duration::ZERO);
        let (stats, run_finished) = (self.core.stats(), self.core.is_finished());
        tracing::info!(shard = %self.shard, run_finished, inserted = stats.inserted, sampled = stats.sampled, "replay shard shuts down");
        Ok(ReplaySummary { run: self.core.claim().map(|claim| claim.run), run_finished, stats })
    }
}

fn take_folder(folder: &Path) -> Result<FolderLock, ReplayError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| ReplayError::Folder { path: folder.to_owned(), source })?;
    FolderLock::take(folder).map_err(ReplayError::Lock)
}
