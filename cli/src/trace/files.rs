//! The files of a trace, and what is damaged in them.

use std::path::PathBuf;

use common::name::printable;
use workloads::WorkloadError;
use workloads::trace::{Skipped, TraceFileSet};

/// What both have.
#[derive(Debug, clap::Args)]
pub struct TraceFileArguments {
    /// The files of one trace, plain or gzip, in any order: those of 2019 (invocations, durations, memory) or that of 2021.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Leaves damaged rows out and counts them, in place of ending at the first.
    #[arg(long)]
    pub lenient: bool,
}

impl TraceFileArguments {
    /// Recognises the files by their headers.
    pub(super) fn recognise(&self) -> Result<TraceFileSet<'_>, WorkloadError> {
        Ok(TraceFileSet::recognise(self.files.iter().map(PathBuf::as_path))?)
    }
}

/// A line for each kind of damage.
pub(super) fn describe(skipped: &Skipped) -> String {
    let mut text = String::new();
    for (fault, rows) in &skipped.faults {
        let details = printable(&rows.to_string());
        text.push_str(&format!("left out  {} rows {} ({details})\n", rows.rows, fault.words()));
    }
    text
}
