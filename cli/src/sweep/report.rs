//! `longshore sweep report`.

use std::path::PathBuf;

use anyhow::Context as _;
use common::ExitCode;
use sweep::Layout;

use super::folder::state;

/// Draws a study as one HTML file that needs no network: who leads, how trials learnt, which parameters matter, what was ended when.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  longshore sweep report sweeps/slots -o slots.html")]
pub struct ReportArguments {
    /// The folder of the study.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The HTML file to write.
    #[arg(short, long, value_name = "FILE.html", default_value = "sweep.html")]
    pub output: PathBuf,
}

/// Reads, draws and writes.
///
/// # Errors
/// Where the folder holds no study, or the file cannot be written.
pub fn run(arguments: &ReportArguments) -> anyhow::Result<ExitCode> {
    let path = &arguments.output;
    durable::check_writable(path).with_context(|| format!("--output {}", path.display()))?;
    let page = sweep::report(&Layout::new(&arguments.folder), &state(&arguments.folder)?);
    durable::atomic_write(path, page.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    tracing::info!(file = %path.display(), bytes = page.len(), "the report is written");
    Ok(ExitCode::Success)
}
