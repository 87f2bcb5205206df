//! Which exit status an error becomes, and the list of them for `--help`.

use common::ExitCode;
use configuration::ConfigError;
use telemetry::{Failure, TelemetryError};

/// How a command ends: output that nobody reads any more is no failure.
///
/// # Errors
/// What is to be said last, and the exit status that it stands for.
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

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    if cause.is::<ConfigError>()
        || cause.is::<heuristics::UnknownScheduler>()
        || matches!(cause.downcast_ref(), Some(engine::SchedulerError::WrongScenario { .. }))
    {
        return Some(ExitCode::Config);
    }
    if cause.is::<workloads::WorkloadError>() || cause.is::<engine::SetUpError>() {
        return Some(ExitCode::Input);
    }
    if let Some(error) = cause.downcast_ref::<evaluation::EvaluationError>() {
        // A fault without a code of its own may have a cause that has one.
        return Some(error.exit_code()).filter(|code| *code != ExitCode::Failure);
    }
    None.or_else(|| cause.downcast_ref::<learner::LearnerError>().map(learner::LearnerError::exit_code))
        .or_else(|| cause.downcast_ref::<actor::ActorError>().map(actor::ActorError::exit_code))
        .or_else(|| cause.downcast_ref::<replay::ReplayError>().map(replay::ReplayError::exit_code))
        .or_else(|| cause.downcast_ref::<policy::PolicyError>().map(policy::PolicyError::exit_code))
        .or_else(|| {
            cause.downcast_ref::<transport::TransportError>().map(transport::TransportError::exit_code)
        })
        .or_else(|| cause.downcast_ref::<durable::DurableError>().map(durable::DurableError::exit_code))
        .or_else(|| cause.downcast_ref::<TelemetryError>().map(TelemetryError::exit_code))
        .or_else(|| cause.downcast_ref().and_then(code_of_io))
}

/// What the system says is of no code, unless standard output or a full disk is behind it.
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
