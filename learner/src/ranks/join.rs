//! How a rank joins the others. A rank that is known to have ended is not waited for.

use std::fmt::Display;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use torch_extension::process_group::{Heartbeat, ProcessGroup, Store};

use super::meeting::Meeting;
use super::{explain, rank_0_lost};
use crate::LearnerError;

/// Pause between two checks for lost ranks.
const LOOK: Duration = Duration::from_millis(20);

/// What joins a rank to the others.
pub(super) struct Joined {
    pub(super) store: Store,
    pub(super) group: ProcessGroup,
    pub(super) heartbeat: Heartbeat,
}

impl Meeting {
    /// Rank 0 serves the store on `listener` and meets the others; `lost` returns a rank that has ended.
    pub(super) fn host(
        &self,
        listener: TcpListener,
        mut lost: impl FnMut() -> Option<LearnerError>,
    ) -> Result<Joined, LearnerError> {
        let store = Store::serve(listener, self.deadline).map_err(|error| self.missed(&error))?;
        self.join(store, |_| lost())
    }

    /// Any other rank meets rank 0 and the rest.
    pub(super) fn attend(&self) -> Result<Joined, LearnerError> {
        self.reach()?;
        let store = Store::connect(self.master, self.deadline).map_err(|error| self.fell_silent(&error))?;
        self.join(store, |heartbeat| rank_0_lost(heartbeat, self.deadline))
    }

    /// Waits until rank 0 listens: c10d's client would go on for up to twice the deadline.
    fn reach(&self) -> Result<(), LearnerError> {
        let start = Instant::now();
        loop {
            let left = self.deadline.saturating_sub(start.elapsed());
            match TcpStream::connect_timeout(&self.master, left.max(LOOK)) {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() >= self.deadline => return Err(self.missed(&error)),
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    /// Joins the process group. That cannot be interrupted, so a thread does it. Where a rank is lost, the thread is left running,
    /// and the process ends.
    fn join(
        &self,
        store: Store,
        mut lost: impl FnMut(&Heartbeat) -> Option<LearnerError>,
    ) -> Result<Joined, LearnerError> {
        let heartbeat = Heartbeat::start(self.master, self.rank, self.size, self.deadline)
            .map_err(|error| self.fell_silent(&error))?;
        let (meeting, host) = (*self, self.own_address()?);
        let (sender, receiver) = mpsc::channel();
        let connect = move || {
            let group = ProcessGroup::gloo(&store, meeting.rank, meeting.size, host, meeting.deadline);
            // There is no receiver where a rank was lost.
            let _ = sender.send((store, group));
        };
        thread::Builder::new()
            .name("meeting".to_owned())
            .spawn(connect)
            .map_err(|error| self.missed(&error))?;
        loop {
            match receiver.recv_timeout(LOOK) {
                Ok((store, Ok(group))) => return Ok(Joined { store, group, heartbeat }),
                Ok((store, Err(error))) => return Err(self.unmet(error.into(), &store, &heartbeat)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(self.missed(&"its thread panicked")),
            }
            if let Some(lost) = lost(&heartbeat) {
                return Err(lost);
            }
        }
    }

    /// Finds the rank that made joining fail with `error`.
    fn unmet(&self, error: LearnerError, store: &Store, heartbeat: &Heartbeat) -> LearnerError {
        let absent: Vec<String> = heartbeat.absent().iter().map(usize::to_string).collect();
        if !absent.is_empty() {
            return self.missed(&format!("nothing was heard of rank {}: {error}", absent.join(", ")));
        }
        match explain(error, store, self.rank, heartbeat) {
            lost @ LearnerError::RankLost { .. } => lost,
            error => self.missed(&error),
        }
    }

    /// Rank 0 listened, but its store does not answer. Rank 0 itself never finds that.
    fn fell_silent(&self, error: &impl Display) -> LearnerError {
        let how = format!("it listened at {}, but its store does not answer: {error}", self.master);
        LearnerError::RankLost { rank: 0, how }
    }

    fn missed(&self, error: &impl Display) -> LearnerError {
        LearnerError::RanksNotMet(format!(
            "{} ranks did not meet at {} within {:.0} s: {error}",
            self.size,
            self.master,
            self.deadline.as_secs_f64()
        ))
    }
}
