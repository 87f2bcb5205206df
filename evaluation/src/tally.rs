//! Counts episodes as they end, passes them on, and reports progress.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::error::EvaluationError;
use crate::record::EpisodeRecord;

/// Time between two reports of progress.
const REPORT_EVERY: Duration = Duration::from_millis(200);

/// Is called with the progress of an evaluation.
pub type Progress<'a> = &'a (dyn Fn(Advance) + Sync);

/// How far an evaluation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Advance {
    /// Number of episodes that have finished.
    pub done: u64,
    /// Number of episodes to play in all.
    pub all: u64,
    /// Fraction (0–1) of the work that is done; each episode is weighted by its load.
    pub fraction: f64,
}

/// What the threads send.
pub(crate) type Sent = Result<EpisodeRecord, EvaluationError>;

/// Counts what comes and passes it on.
pub(crate) struct Tally<'a> {
    keep: &'a mut dyn FnMut(EpisodeRecord) -> Result<(), EvaluationError>,
    progress: Progress<'a>,
    done: u64,
    all: u64,
    done_load: f64,
    all_load: f64,
}

impl<'a> Tally<'a> {
    /// For `all` episodes, whose loads add up to `all_load`.
    pub fn new(
        all: u64,
        all_load: f64,
        keep: &'a mut dyn FnMut(EpisodeRecord) -> Result<(), EvaluationError>,
        progress: Progress<'a>,
    ) -> Self {
        Tally { keep, progress, done: 0, all, done_load: 0.0, all_load }
    }

    /// Takes in what comes until every thread has ended.
    pub fn receive(&mut self, receiver: &Receiver<Sent>) -> Result<(), EvaluationError> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        loop {
            match receiver.recv_timeout(REPORT_EVERY) {
                Ok(record) => self.add(record?)?,
                Err(Timeout) => self.tell(),
                Err(Disconnected) => return Ok(()),
            }
        }
    }

    /// Takes in one episode.
    pub fn add(&mut self, record: EpisodeRecord) -> Result<(), EvaluationError> {
        self.done += 1;
        self.done_load += record.cell.load;
        (self.keep)(record)?;
        self.tell();
        Ok(())
    }

    fn tell(&self) {
        let fraction = self.done_load / self.all_load.max(f64::MIN_POSITIVE);
        (self.progress)(Advance { done: self.done, all: self.all, fraction });
    }
}
