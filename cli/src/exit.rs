//! Which exit status an error becomes, and the list of them for `--help`.

use common::ExitCode;
use common::config::ConfigError;

/// Logs an error with its causes and returns the exit status that it stands for.
#[must_use]
pub fn fail(error: &anyhow::Error) -> ExitCode {
    if is_cut_short(error) {
        return ExitCode::Success;
    }
    tracing::error!("{}", common::error_text(error.as_ref()));
    code_of(error)
}

/// Whether somebody who read our output (`| head`) has seen enough.
fn is_cut_short(error: &anyhow::Error) -> bool {
    let is_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref().is_some_and(is_pipe)
}

/// The exit status of the first cause that names one.
#[must_use]
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    error.chain().find_map(code_of_cause).unwrap_or(ExitCode::Failure)
}

fn code_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<ExitCode> {
    if cause.is::<ConfigError>()
        || cause.is::<simulator::UnknownScheduler>()
        || matches!(cause.downcast_ref(), Some(simulator::SchedulerError::WrongScenario { .. }))
    {
        return Some(ExitCode::Config);
    }
    if cause.is::<simulator::SimulatorError>() {
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
    fn a_reader_who_has_seen_enough_is_no_fault() {
        let error = |kind| anyhow::Error::from(std::io::Error::from(kind));
        assert_eq!(fail(&error(std::io::ErrorKind::BrokenPipe)), ExitCode::Success);
        assert_eq!(fail(&error(std::io::ErrorKind::StorageFull)), ExitCode::Failure);
    }
}
