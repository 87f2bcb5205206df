use std::fmt::Write as _;

/// What a Longshore program's exit status means. The numbers are part of the interface and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything that was asked for was done.
    Success = 0,
    /// An error that no other code names.
    Failure = 1,
    /// The command line could not be understood.
    Usage = 2,
    /// A configuration, a `--set` or an environment setting is wrong.
    Config = 3,
    /// An input file (trace, job list) is missing or malformed.
    Input = 4,
    /// A checkpoint is missing, truncated, altered or of another shape.
    Checkpoint = 5,
    /// A peer could not be reached within its deadline.
    Unreachable = 6,
    /// A peer refused: another run, another schema, another protocol, a newer learner.
    Refused = 7,
    /// A key file is missing, unreadable or wrong, or an insecure bind was refused.
    Security = 8,
    /// Training diverged: losses or gradients were not finite too many times in a row.
    Diverged = 9,
    /// The folder of a run, a shard or results is held by another process.
    Locked = 10,
    /// One of the learner's ranks was lost.
    RankLost = 11,
    /// A file cannot be written: no space is left, the system refuses, or a disk failed.
    Storage = 12,
    /// Shut down by Ctrl-C or SIGTERM.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code, in order, for `longshore --help` and the documentation.
    pub const ALL: [ExitCode; 14] = [
        ExitCode::Success,
        ExitCode::Failure,
        ExitCode::Usage,
        ExitCode::Config,
        ExitCode::Input,
        ExitCode::Checkpoint,
        ExitCode::Unreachable,
        ExitCode::Refused,
        ExitCode::Security,
        ExitCode::Diverged,
        ExitCode::Locked,
        ExitCode::RankLost,
        ExitCode::Storage,
        ExitCode::Interrupted,
    ];

    /// The code of an I/O error that says that the disk is full or read-only.
    #[must_use]
    pub fn of_full_disk(error: &std::io::Error) -> Option<ExitCode> {
        use std::io::ErrorKind;
        let is_full = matches!(
            error.kind(),
            ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::FileTooLarge
                | ErrorKind::ReadOnlyFilesystem
        );
        is_full.then_some(ExitCode::Storage)
    }

    /// The list of all codes, for the end of a program's `--help`.
    #[must_use]
    pub fn help() -> String {
        let mut text = String::from("Exit status:\n");
        for code in ExitCode::ALL {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {:>3}  {}", code as u8, code.meaning());
        }
        text
    }

    /// One line that says what the code means.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Success => "everything that was asked for was done",
            ExitCode::Failure => "an error that no other code names",
            ExitCode::Usage => "the command line could not be understood",
            ExitCode::Config => "a configuration value or an environment setting is wrong",
            ExitCode::Input => "an input file is missing or malformed",
            ExitCode::Checkpoint => "a checkpoint is missing, damaged or of another shape",
            ExitCode::Unreachable => "a peer could not be reached within its deadline",
            ExitCode::Refused => {
                "a peer refused: another run, schema or protocol, or a newer learner has taken over"
            }
            ExitCode::Security => "a key is missing or wrong, or an insecure bind was refused",
            ExitCode::Diverged => "training diverged",
            ExitCode::Locked => "the folder of a run, a shard or results is held by another process",
            ExitCode::RankLost => "a rank of the learner was lost",
            ExitCode::Storage => "a file cannot be written: no space left, not allowed, or a disk failed",
            ExitCode::Interrupted => "shut down by Ctrl-C or SIGTERM",
        }
    }
}

/// An error that can end a program, and the exit status of that program.
pub trait ExitStatus: std::error::Error {
    /// The status with which the program ends.
    fn exit_code(&self) -> ExitCode;
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}
