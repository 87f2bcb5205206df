//! `longshore sweep`: studies of settings.

mod add_trial;
mod best;
mod export;
mod folder;
mod import;
mod reference;
mod report;
mod rules;
mod run;
mod status;

use common::ExitCode;

/// Searches for good settings: of a training, or of a rule.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore sweep run configs/sweeps/slots.toml\n  longshore sweep status sweeps/slots\n  \
                  longshore sweep best sweeps/slots -o best.toml\n  longshore train -c best.toml\n\n\
                  docs/sweeps.md says how a study file is written."
)]
pub struct SweepArguments {
    /// What to do.
    #[command(subcommand)]
    pub action: SweepAction,
}

/// What can be done with a study.
#[derive(Debug, clap::Subcommand)]
pub enum SweepAction {
    /// Runs a study; one that was interrupted goes on.
    Run(run::RunArguments),
    /// Goes on with the study in a folder.
    Resume(run::ResumeArguments),
    /// Shows how far a study is.
    Status(status::StatusArguments),
    /// Shows the best trial, or writes its configuration.
    Best(best::BestArguments),
    /// Draws a study as one HTML file.
    Report(report::ReportArguments),
    /// Writes a study for other tools: a table, TensorBoard, W&B, Optuna.
    Export(export::ExportArguments),
    /// Makes a study file of a study of Optuna or W&B.
    Import(import::ImportArguments),
    /// Asks for a trial with settings of your own.
    AddTrial(add_trial::AddTrialArguments),
    /// Ends a study's coordinator in order; `resume` goes on.
    Stop(status::FolderArguments),
    /// Prints every key of a study file.
    Reference,
}

/// Does what was asked.
///
/// # Errors
/// Those of the crate `sweep`.
pub fn run(arguments: &SweepArguments) -> anyhow::Result<ExitCode> {
    match &arguments.action {
        SweepAction::Run(arguments) => run::run(arguments),
        SweepAction::Resume(arguments) => run::resume(arguments),
        SweepAction::Status(arguments) => status::run(arguments),
        SweepAction::Best(arguments) => best::run(arguments),
        SweepAction::Report(arguments) => report::run(arguments),
        SweepAction::Export(arguments) => export::run(arguments),
        SweepAction::Import(arguments) => import::run(arguments),
        SweepAction::AddTrial(arguments) => add_trial::run(arguments),
        SweepAction::Stop(arguments) => status::stop(arguments),
        SweepAction::Reference => reference::run(),
    }
}
