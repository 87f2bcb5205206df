//! Saves what was learnt. A disk that is full or fails does not end the learning: the newest state is written as soon as the disk
//! takes it, and the best policy is kept in memory until then.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::Shutdown;
use telemetry::{Health, TelemetryError};

use crate::LearnerError;
use crate::checkpoints::{Checkpoints, Progress, Snapshot};
use crate::update::Updater;

/// How often a disk that has refused is tried again, and how often that is logged.
const RETRY: Duration = Duration::from_secs(2);
const COMPLAINT_PERIOD: Duration = Duration::from_secs(30);
const DISK: &str = "disk";

/// Writes checkpoints, and again where the disk has refused them.
#[derive(Debug)]
pub(crate) struct Saver {
    checkpoints: Checkpoints,
    health: Health,
    /// The best policy, until it is written.
    best: Option<Arc<Snapshot>>,
    /// Why the newest checkpoint is not written yet.
    refused: Option<LearnerError>,
    /// Whether metrics wait for the disk.
    metrics_wait: bool,
    tried: Instant,
    complained: Option<Instant>,
}

impl Saver {
    pub(crate) fn new(checkpoints: Checkpoints, health: Health) -> Self {
        Saver {
            checkpoints,
            health,
            best: None,
            refused: None,
            metrics_wait: false,
            tried: Instant::now(),
            complained: None,
        }
    }

    /// Writes a checkpoint. Where the disk refuses it, [`Saver::is_due`] says when to call this again.
    ///
    /// # Errors
    /// [`LearnerError::NotRestorable`].
    pub(crate) fn save(
        &mut self,
        updater: &Updater,
        progress: &Progress,
        is_best: bool,
    ) -> Result<(), LearnerError> {
        let snapshot = Arc::new(self.checkpoints.snapshot(updater, progress)?);
        if is_best {
            self.best = Some(Arc::clone(&snapshot));
        }
        self.tried = Instant::now();
        let written = self.write(&snapshot);
        self.refused = self.endure(written)?;
        self.settle();
        Ok(())
    }

    /// The best policy before the checkpoint that says how good it is: a crash between the two forgets no policy.
    fn write(&mut self, snapshot: &Snapshot) -> Result<(), LearnerError> {
        if let Some(best) = &self.best {
            self.checkpoints.write_best(best)?;
            self.best = None;
        }
        self.checkpoints.write(snapshot)
    }

    /// Whether a checkpoint that was refused should be written now.
    pub(crate) fn is_due(&self) -> bool {
        self.refused.is_some() && self.tried.elapsed() >= RETRY
    }

    /// The last checkpoint of a learner: fails where the disk refuses it.
    ///
    /// # Errors
    /// The disk's, [`LearnerError::NotRestorable`].
    pub(crate) fn save_at_last(
        &mut self,
        updater: &Updater,
        progress: &Progress,
        is_best: bool,
    ) -> Result<(), LearnerError> {
        self.save(updater, progress, is_best)?;
        self.refused.take().map_or(Ok(()), Err)
    }

    /// The last checkpoint of a run: waits until the disk takes it.
    ///
    /// # Errors
    /// The disk's once `shutdown` is triggered, [`LearnerError::NotRestorable`].
    pub(crate) fn save_in_the_end(
        &mut self,
        updater: &Updater,
        progress: &Progress,
        is_best: bool,
        shutdown: &Shutdown,
        beat: impl Fn(),
    ) -> Result<(), LearnerError> {
        self.save(updater, progress, is_best)?;
        while self.refused.is_some() && !shutdown.is_triggered() {
            beat();
            std::thread::sleep(Duration::from_millis(100));
            if self.is_due() {
                self.save(updater, progress, false)?;
            }
        }
        self.refused.take().map_or(Ok(()), Err)
    }

    /// Notes metrics that the disk has refused; they are written with the next ones.
    ///
    /// # Errors
    /// None of the disk.
    pub(crate) fn endure_metrics(&mut self, written: Result<(), TelemetryError>) -> Result<(), LearnerError> {
        self.metrics_wait = self.endure(written.map_err(LearnerError::from))?.is_some();
        self.settle();
        Ok(())
    }

    /// Says so once everything that was refused is written.
    fn settle(&mut self) {
        if self.refused.is_none() && !self.metrics_wait && self.complained.take().is_some() {
            tracing::info!("the run folder can be written again");
            self.health.met(DISK);
        }
    }

    /// Logs an error of the disk now and then, and returns it as a value; other errors are errors.
    fn endure(&mut self, written: Result<(), LearnerError>) -> Result<Option<LearnerError>, LearnerError> {
        match written {
            Ok(()) => Ok(None),
            Err(error) if error.is_of_disk() => {
                if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_PERIOD) {
                    self.complained = Some(Instant::now());
                    self.health.unmet(DISK, error.to_string());
                    tracing::warn!(%error, "the run folder cannot be written; learning goes on, and it is tried again");
                }
                Ok(Some(error))
            }
            Err(error) => Err(error),
        }
    }
}
