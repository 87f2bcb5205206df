//! `longshore trace`: recorded traces looked at and cut.

mod inspect;
mod sample;

use std::path::PathBuf;

use common::name::printable;
use workloads::WorkloadError;
use workloads::trace::{Skipped, TraceFileSet};

/// Looks at recorded traces (Azure Functions 2019 and 2021), and cuts small ones from big ones.
#[derive(Debug, clap::Args)]
pub struct TraceArguments {
    /// What to do.
    #[command(subcommand)]
    pub action: TraceAction,
}

/// What can be done with a trace.
#[derive(Debug, clap::Subcommand)]
pub enum TraceAction {
    /// Tells what a trace holds, as a table, as JSON and as a picture; names what is damaged.
    Inspect(inspect::InspectArguments),
    /// Cuts functions and minutes out of a trace, in the same format.
    Sample(sample::SampleArguments),
}

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
    fn recognise(&self) -> Result<TraceFileSet<'_>, WorkloadError> {
        Ok(TraceFileSet::recognise(self.files.iter().map(PathBuf::as_path))?)
    }
}

/// Inspects or samples.
///
/// # Errors
/// When a file is missing, damaged or no trace, or a result cannot be written.
pub fn run(arguments: &TraceArguments) -> anyhow::Result<()> {
    match &arguments.action {
        TraceAction::Inspect(arguments) => inspect::run(arguments),
        TraceAction::Sample(arguments) => sample::run(arguments),
    }
}

/// A line for each kind of damage.
fn describe(skipped: &Skipped) -> String {
    let mut text = String::new();
    for (fault, rows) in &skipped.faults {
        let details = printable(&rows.to_string());
        text.push_str(&format!("left out  {} rows {} ({details})\n", rows.rows, fault.words()));
    }
    text
}
