//! What all programs have in common: arguments, logging, the last error, and a documented exit status.

use std::error::Error;
use std::io::{self, Write as _};

use common::{ExitCode, ExitStatus};

use crate::descriptors::raise_descriptor_limit;
use crate::logging::{LogFormat, log_once, set_up_logging};
use crate::output::{is_cut_short, of_output, stdout};
use crate::signals::survive_file_limit;

/// The error that ended a program, with its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Exit status of the process.
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

impl<E: ExitStatus + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure::new(error.exit_code(), &error)
    }
}

/// A program: its arguments, and what it does with them.
pub trait Program: clap::Parser {
    /// How it logs.
    fn log_format(&self) -> LogFormat {
        LogFormat::Plain
    }

    /// Does its work.
    ///
    /// # Errors
    /// What ends it.
    fn run(&self) -> Result<ExitCode, Failure>;
}

/// Runs a program: reads its arguments, sets up logging, and ends with a documented status. An error that ends it is printed
/// once on stderr, whatever `RUST_LOG` filters.
///
/// Output whose reader has closed the pipe (`| head`) ends a program with success; output that cannot be written for another reason
/// (a full disk) is a failure.
#[must_use]
pub fn run_program<P: Program>() -> std::process::ExitCode {
    survive_file_limit();
    raise_descriptor_limit();
    let result = match P::try_parse() {
        Ok(program) => run(&program).and_then(|code| flushed(Ok(()), code)),
        Err(error) if error.use_stderr() => {
            // Where stderr is closed nothing is left to print to.
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

fn run<P: Program>(program: &P) -> Result<ExitCode, Failure> {
    set_up_logging(program.log_format())?;
    program.run()
}

/// `code`, once everything that was printed has left this process.
fn flushed(printed: io::Result<()>, code: ExitCode) -> Result<ExitCode, Failure> {
    match printed.and_then(|()| stdout().flush()).map_err(of_output) {
        Err(error) if !is_cut_short(&error) => Err(Failure::new(ExitCode::Storage, &error)),
        _ => Ok(code),
    }
}
