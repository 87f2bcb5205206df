//! How a run ended, from its exit status: by its own fault, or by the machine's.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use common::ExitCode;
use common::user_file::open_bounded;

use crate::entry::End;
use crate::executor::JobStatus;

/// Lines of a log that are kept of a run that failed.
const LAST_LINES: usize = 20;
/// Bytes of a line that are kept.
const LONGEST_LINE: usize = 500;

/// How a run ended; `was_stopped`: it was told to end, or had spent what it was to spend.
pub(crate) fn ended(status: &JobStatus, was_stopped: bool, log: &Path) -> End {
    let code = match status {
        JobStatus::Ended(code) => *code,
        // It was taken out of a queue, or ended the hard way: it goes on from its checkpoint.
        JobStatus::Gone if was_stopped => return End::Paused,
        JobStatus::Running | JobStatus::Gone => {
            return End::Lost {
                why: "its process is gone and left no exit status: it was killed".to_owned(),
            };
        }
    };
    let meaning = ExitCode::ALL.into_iter().find(|one| i32::from(*one as u8) == code);
    match meaning {
        Some(ExitCode::Success) => End::Finished,
        Some(ExitCode::Interrupted) if was_stopped => End::Paused,
        Some(ExitCode::Interrupted) => End::Lost {
            why: "it was told to end, and not by this coordinator; it left a checkpoint".to_owned(),
        },
        Some(code @ (ExitCode::Locked | ExitCode::Storage)) => {
            End::Lost { why: format!("exit status {}: {}", code as u8, code.meaning()) }
        }
        // The signal that tells to end can come before the program listens for it.
        _ if was_stopped && code == 128 + 15 => End::Paused,
        _ if code > 128 => End::Lost { why: format!("it was ended by signal {}", code - 128) },
        Some(code) => End::Failed {
            why: format!("exit status {}: {}", code as u8, code.meaning()),
            log: last_lines(log),
            // A configuration does not mend itself.
            again: code != ExitCode::Config,
        },
        None => End::Failed { why: format!("exit status {code}"), log: last_lines(log), again: true },
    }
}

/// The end of a log.
fn last_lines(path: &Path) -> String {
    let text = end_of(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    let cut = |line: &&str| line[..line.floor_char_boundary(LONGEST_LINE)].to_owned();
    last.iter().map(cut).collect::<Vec<_>>().join("\n")
}

/// As much of the end of a log as its last lines may take; the log itself may have any size.
fn end_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_bounded(path, u64::MAX)?;
    let most = (2 * LAST_LINES * LONGEST_LINE) as u64;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
