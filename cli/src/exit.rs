//! Which exit status an error becomes, and the list of them for `--help`.

use common::{ExitCode, ExitStatus};
use configuration::ConfigError;
use telemetry::{Failure, TelemetryError};

/// How a command ends. Output whose reader has closed the pipe is no failure.
///
/// # Errors
/// The last error message, with its exit status.
pub fn ended(result: anyhow::Result<ExitCode>) -> Result<ExitCode, Failure> {
    match result {
        Err(error) if error.downcast_ref().is_some_and(telemetry::is_cut_short) => Ok(ExitCode::Success),
        Err(error) => Err(Failure::new(code_of(&error), error.as_ref())),
        Ok(code) => Ok(code),
    }
}

/// The exit status of the first cause that names one.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    error.chain().find_map(code_of_cause).unwrap_or(ExitCode::Failure)
}

/// An error of the chain; errors can be told apart by their types alone.
type Cause = dyn std::error::Error + 'static;

fn code_of_cause(cause: &Cause) -> Option<ExitCode> {
    fn code<E: ExitStatus + 'static>(cause: &Cause) -> Option<ExitCode> {
        cause.downcast_ref::<E>().map(ExitStatus::exit_code)
    }
    let known: [fn(&Cause) -> Option<ExitCode>; 14] = [
        code::<ConfigError>,
        code::<heuristics::UnknownScheduler>,
        code::<engine::SchedulerError>,
        code::<engine::SetUpError>,
        code::<workloads::WorkloadError>,
        code::<evaluation::EvaluationError>,
        code::<learner::LearnerError>,
        code::<actor::ActorError>,
        code::<replay::ReplayError>,
        code::<sweep::SweepError>,
        code::<policy::PolicyError>,
        code::<transport::TransportError>,
        code::<durable::DurableError>,
        code::<TelemetryError>,
    ];
    // An error without a status of its own may have a cause that has one.
    let named = known.iter().find_map(|code| code(cause)).filter(|code| *code != ExitCode::Failure);
    named.or_else(|| cause.downcast_ref().and_then(code_of_io))
}

/// An I/O error has an exit status of its own only for standard output and for a full disk.
fn code_of_io(error: &std::io::Error) -> Option<ExitCode> {
    if telemetry::is_of_output(error) { Some(ExitCode::Storage) } else { ExitCode::of_full_disk(error) }
}

/// The end of `longshore --help`.
#[must_use]
pub fn help() -> String {
    format!(
        "Examples:\n  longshore train\n  longshore train -c configs/train/azure2019.toml\n  \
         longshore evaluate slots --load 110,130 --steps 50 --scheduler sjf,tetris,runs/slots\n  \
         longshore compare sjf tetris --results results/slots\n  \
         longshore report results/slots -o report.html\n\n{}",
        ExitCode::help()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_fault_without_a_code() {
        let error = |kind| anyhow::Error::from(std::io::Error::from(kind)).context("cannot write a.svg");
        assert_eq!(code_of(&error(std::io::ErrorKind::StorageFull)), ExitCode::Storage);
        assert_eq!(code_of(&error(std::io::ErrorKind::Other)), ExitCode::Failure);
        let failure = ended(Err(error(std::io::ErrorKind::BrokenPipe))).unwrap_err();
        assert_eq!(failure.code, ExitCode::Failure);
    }

    #[test]
    fn statuses_of_help_documentation_and_code_agree() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/exit-codes.md");
        let text = std::fs::read_to_string(path).unwrap();
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let rows: Vec<Vec<String>> = text.lines().filter(|line| line.starts_with("| ")).map(cells).collect();
        let documented: Vec<(u8, String)> =
            rows.iter().filter_map(|row| Some((row[1].parse().ok()?, row[3].clone()))).collect();
        let coded: Vec<(u8, String)> =
            ExitCode::ALL.iter().map(|code| (*code as u8, code.meaning().to_owned())).collect();
        let numbers = |list: &[(u8, String)]| list.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        assert_eq!(numbers(&documented), numbers(&coded));
        for ((number, words), (_, meaning)) in documented.iter().zip(&coded) {
            assert!(
                words.starts_with(meaning.as_str()),
                "{number}: docs say `{words}`, --help says `{meaning}`"
            );
            assert!(help().contains(&format!("{number:>3}  {meaning}\n")), "{number}");
        }
    }
}
