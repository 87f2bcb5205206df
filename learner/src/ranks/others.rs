//! The other ranks as rank 0 sees them: it starts them, sends them batches, and notices when one is lost.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use configuration::Config;
use tch::Device;
use torch_extension::process_group::{Heartbeat, ProcessGroup, Store, departure};

use super::join::Joined;
use super::local::Children;
use super::meeting::Meeting;
use super::parcel::pack;
use super::{BATCH, END, broadcast, explain, join_gpus, round_key};
use crate::LearnerError;

/// How long rank 0 waits at the end until the others have read that the run has ended: they poll every few milliseconds.
const FAREWELL: Duration = Duration::from_secs(5);

/// The other ranks, as rank 0 sees them.
pub(crate) struct OtherRanks {
    store: Store,
    heartbeat: Heartbeat,
    children: Children,
    deadline: Duration,
    size: usize,
    round: u64,
}

impl OtherRanks {
    /// Meets the ranks that `meeting` names, or starts one for each device after the first; `None` where there is one rank.
    pub(crate) fn gather(
        config: &Config,
        meeting: Option<&Meeting>,
    ) -> Result<Option<(Self, ProcessGroup)>, LearnerError> {
        let learner = &config.learner;
        let deadline = learner.rank_deadline_seconds.duration();
        if let Some(meeting) = meeting {
            if learner.devices.len() > 1 {
                return Err(LearnerError::Config(format!(
                    "learner.devices names {} devices, but WORLD_SIZE is set: ranks are started here or from outside, not both",
                    learner.devices.len()
                )));
            }
            return Self::join(*meeting, meeting.listen()?, Children::default()).map(Some);
        }
        let size = learner.devices.len();
        if size < 2 {
            return Ok(None);
        }
        let fail =
            |error| LearnerError::RanksNotMet(format!("no port on loopback for {size} ranks: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(fail)?;
        let master = listener.local_addr().map_err(fail)?;
        let children = Children::start(master, learner)?;
        Self::join(Meeting { rank: 0, size, master, deadline, local_rank: None }, listener, children)
            .map(Some)
    }

    fn join(
        meeting: Meeting,
        listener: TcpListener,
        mut children: Children,
    ) -> Result<(Self, ProcessGroup), LearnerError> {
        let joined = meeting.host(listener, || children.lost());
        let Meeting { deadline, size, .. } = meeting;
        let Joined { store, group, heartbeat } =
            joined.map_err(|error| children.lost_soon().unwrap_or(error))?;
        tracing::info!(ranks = size, master = %meeting.master, "all ranks have met");
        Ok((OtherRanks { store, heartbeat, children, deadline, size, round: 0 }, group))
    }

    /// Sends the others the start of learning: the configuration and the files of a checkpoint. Then GPUs join.
    pub(crate) fn send_start(
        &self,
        group: &mut ProcessGroup,
        config: &Config,
        files: &[(&'static str, Vec<u8>)],
        device: Device,
    ) -> Result<(), LearnerError> {
        let text = toml::to_string(config)
            .map_err(|error| LearnerError::Config(format!("the configuration cannot be written: {error}")))?;
        let named = files.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes.as_slice()]);
        broadcast(group, &mut pack([text.as_bytes()].into_iter().chain(named)))?;
        join_gpus(group, &self.store, device, self.deadline)
    }

    /// Sends the others a batch as its encoded trajectories, and the fraction of the budget that is spent.
    pub(crate) fn send_batch(
        &mut self,
        group: &ProcessGroup,
        spent: f64,
        encoded: &[Vec<u8>],
    ) -> Result<(), LearnerError> {
        self.say(BATCH)?;
        let spent = spent.to_le_bytes();
        let parts = [spent.as_slice()].into_iter().chain(encoded.iter().map(Vec::as_slice));
        broadcast(group, &mut pack(parts))
    }

    /// An error where a rank is lost; for use while there is no batch.
    pub(crate) fn check(&mut self) -> Result<(), LearnerError> {
        if let Some(lost) = self.children.lost() {
            return Err(lost);
        }
        self.heartbeat.silent(self.deadline).into_iter().next().map_or(Ok(()), |lost| Err(lost.into()))
    }

    /// Replaces `error` by the loss of a rank where that caused it.
    pub(crate) fn explain(&mut self, error: LearnerError) -> LearnerError {
        if !error.is_of_ranks() || matches!(error, LearnerError::RankLost { .. }) {
            return error;
        }
        self.children.lost_soon().unwrap_or_else(|| explain(error, &self.store, 0, &self.heartbeat))
    }

    fn say(&mut self, what: &str) -> Result<(), LearnerError> {
        self.store.set(&round_key(self.round), what)?;
        self.round += 1;
        Ok(())
    }

    /// Whether every other rank has ended or has said that it leaves.
    fn all_gone(&mut self) -> bool {
        let (store, children) = (&self.store, &mut self.children);
        (1..self.size).all(|rank| match children.has_ended(rank) {
            Some(ended) => ended,
            None => matches!(departure(store, rank), Ok(Some(_))),
        })
    }
}

impl Drop for OtherRanks {
    fn drop(&mut self) {
        // The others read it in the store that this process serves, so the process stays until they have.
        if self.say(END).is_ok() {
            let start = Instant::now();
            while !self.all_gone() && start.elapsed() < FAREWELL {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}
