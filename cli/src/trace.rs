//! `longshore trace`: recorded traces looked at and cut.

mod files;
mod inspect;
mod sample;

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
