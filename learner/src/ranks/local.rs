//! Ranks that rank 0 starts on its own machine.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::ExitCode;
use configuration::LearnerConfig;

use super::meeting::Meeting;
use super::member::serve_rank;
use crate::LearnerError;

/// A process whose connection broke is seen to have ended at most this long after.
const MOMENT: Duration = Duration::from_millis(500);

/// Command line of a rank that rank 0 starts; the rest is in its environment.
#[derive(Clone, Debug, clap::Args)]
pub struct RankArguments {
    /// Deadline of every operation of all ranks, in seconds.
    #[arg(long)]
    pub deadline: f64,
    /// Threads of tensor operations.
    #[arg(long)]
    pub threads: usize,
    /// What it computes on: `cpu` or `cuda:N`.
    #[arg(long)]
    pub device: configuration::Device,
}

impl RankArguments {
    /// Learns with the others until rank 0 ends the run.
    ///
    /// # Errors
    /// As [`serve_rank`]; [`LearnerError::Config`] where the environment does not say which rank this is.
    pub fn run(&self) -> Result<(), LearnerError> {
        let deadline = Duration::from_secs_f64(self.deadline);
        let meeting = Meeting::of_environment(|name| std::env::var(name).ok(), deadline, false)?;
        let meeting = meeting.ok_or_else(|| {
            LearnerError::Config(
                "`rank` is for the learner itself, which says by RANK which one it starts".to_owned(),
            )
        })?;
        // Rank 0 listens before it starts this process: a rank 0 that does not answer has ended.
        TcpStream::connect(meeting.master).map_err(|error| LearnerError::RankLost {
            rank: 0,
            how: format!("nobody listens at {}: {error}", meeting.master),
        })?;
        serve_rank(&meeting, self.threads, policy::device(self.device)?)
    }
}

/// Rank 0's children.
#[derive(Debug, Default)]
pub(super) struct Children(Vec<(usize, Child)>);

impl Children {
    /// Starts a rank for each device after the first, which are to meet at `master`.
    pub(super) fn start(master: SocketAddr, learner: &LearnerConfig) -> Result<Self, LearnerError> {
        let mut children = Children::default();
        for (rank, device) in learner.devices.iter().enumerate().skip(1) {
            let fail = |error| LearnerError::RanksNotMet(format!("rank {rank} cannot be started: {error}"));
            let mut command = Command::new(std::env::current_exe().map_err(fail)?);
            command
                .args([
                    "rank",
                    "--deadline",
                    &learner.rank_deadline_seconds.duration().as_secs_f64().to_string(),
                ])
                .args(["--threads", &learner.threads_of_rank().to_string(), "--device", &device.to_string()])
                .env("RANK", rank.to_string())
                .env("WORLD_SIZE", learner.devices.len().to_string())
                .env("MASTER_ADDR", master.ip().to_string())
                .env("MASTER_PORT", master.port().to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                // Ctrl-C is for rank 0, which ends the others in time.
                .process_group(0);
            children.0.push((rank, command.spawn().map_err(fail)?));
        }
        Ok(children)
    }

    /// The first that has ended, and how. One that ended because another was lost is not the cause.
    pub(super) fn lost(&mut self) -> Option<LearnerError> {
        let status = |(rank, child): &mut (usize, Child)| Some((*rank, child.try_wait().ok()??));
        let is_cause = |(_, status): &(usize, ExitStatus)| status.code() != Some(ExitCode::RankLost as i32);
        let (rank, status) = self.0.iter_mut().filter_map(status).find(is_cause)?;
        Some(LearnerError::RankLost { rank, how: describe(status) })
    }

    /// The same after a failure that only a lost rank explains: the end of a process is seen a moment later.
    pub(super) fn lost_soon(&mut self) -> Option<LearnerError> {
        let start = Instant::now();
        while !self.0.is_empty() && start.elapsed() < MOMENT {
            if let Some(lost) = self.lost() {
                return Some(lost);
            }
            std::thread::sleep(MOMENT / 25);
        }
        None
    }

    /// Whether `rank` has ended; `None` where it is none of these.
    pub(super) fn has_ended(&mut self, rank: usize) -> Option<bool> {
        let (_, child) = self.0.iter_mut().find(|(own, _)| *own == rank)?;
        Some(!matches!(child.try_wait(), Ok(None)))
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("its process was ended by signal {signal}"),
        (None, code) => format!("its process ended with exit status {}", code.unwrap_or_default()),
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for (rank, child) in &mut self.0 {
            if matches!(child.try_wait(), Ok(None)) {
                tracing::warn!(rank, "a rank did not end by itself and is killed");
                // It may end at this very moment.
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }
}
