//! What every program does alike: it reads its arguments, says what ended it, and ends with a documented status.

use std::error::Error;
use std::io::{self, Write as _};

use common::ExitCode;

use crate::logging::log_once;
use crate::output::{is_cut_short, of_output, stdout};
use crate::signals::survive_file_limit;

/// What ended a program: its status, and the last words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The status.
    pub code: ExitCode,
    /// What is wrong, in one line.
    pub message: String,
}

impl Failure {
    /// An error with its causes.
    #[must_use]
    pub fn new(code: ExitCode, error: &dyn Error) -> Self {
        Failure { code, message: common::error_text(error) }
    }
}

impl From<crate::TelemetryError> for Failure {
    fn from(error: crate::TelemetryError) -> Self {
        Failure::new(error.exit_code(), &error)
    }
}

/// Runs a program: `start` gets the arguments. What it fails with is said once on stderr, whatever `RUST_LOG` filters.
///
/// Output that nobody reads any more (`| head`) ends a program with success; output that cannot be written for another reason
/// (a full disk) is a failure.
pub fn run_program<A: clap::Parser>(
    start: impl FnOnce(&A) -> Result<ExitCode, Failure>,
) -> std::process::ExitCode {
    survive_file_limit();
    let result = match A::try_parse() {
        Ok(arguments) => start(&arguments).and_then(|code| flushed(Ok(()), code)),
        Err(error) if error.use_stderr() => {
            // Who closed stderr has nobody left to tell.
            let _ = error.print();
            Ok(ExitCode::Usage)
        }
        Err(help) => flushed(help.print(), ExitCode::Success),
    };
    match result {
        Ok(code) => code.into(),
        Err(failure) => {
            log_once(&failure.message);
            failure.code.into()
        }
    }
}

/// `code`, once everything that was printed has left this process.
fn flushed(printed: io::Result<()>, code: ExitCode) -> Result<ExitCode, Failure> {
    match printed.and_then(|()| stdout().flush()).map_err(of_output) {
        Err(error) if !is_cut_short(&error) => Err(Failure::new(ExitCode::Storage, &error)),
        _ => Ok(code),
    }
}
