//! `longshore report`: a results folder as one HTML file.

use std::path::PathBuf;

use crate::arguments::tolerance;
use crate::explain;
use anyhow::Context as _;
use common::trajectory::Scenario;
use configuration::ConfigError;
use evaluation::{
    Explained, ReportInput, Results, is_results_file, middle_load, read_recordings, read_results, report_html,
};

/// Decisions of each policy that the report explains.
const EXPLAINED: u32 = 3;

/// Draws a results folder as one HTML file that needs no network: every metric against load, distributions, an episode's
/// queue, nodes and containers, and paired differences.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  longshore report results/serverless -o report.html\n  \
                  longshore report results/slots --baseline tetris -o slots.html\n  \
                  longshore report results/azure --explain runs/azure2019 -o azure.html")]
pub struct ReportArguments {
    /// Folder that `longshore evaluate --out` wrote.
    #[arg(value_name = "FOLDER")]
    pub results: PathBuf,
    /// The HTML file to write.
    #[arg(short, long, value_name = "FILE.html", default_value = "report.html")]
    pub output: PathBuf,
    /// Whom the others are compared with; the first scheduler of the folder by default.
    #[arg(long, value_name = "SCHEDULER")]
    pub baseline: Option<String>,
    /// A run folder or checkpoint some of whose decisions are explained, too; may be given many times.
    #[arg(long, value_name = "RUN")]
    pub explain: Vec<PathBuf>,
    /// The strongest may cost this share more than the baseline, and keep idle this share of the baseline's memory more.
    #[arg(long, default_value_t = 0.05, value_name = "SHARE", value_parser = tolerance, allow_hyphen_values = true)]
    pub tolerance: f64,
}

/// Reads, draws and writes.
///
/// # Errors
/// When the folder holds no results or lacks the baseline, or the file cannot be written.
pub fn run(arguments: &ReportArguments) -> anyhow::Result<()> {
    durable::check_writable(&arguments.output)
        .with_context(|| format!("--output {}", arguments.output.display()))?;
    refuse_results(arguments)?;
    let (manifest, results) = read_results(&arguments.results)?;
    let recordings = read_recordings(&arguments.results)?;
    let explained = explained(&arguments.explain, &results)?;
    let page = report_html(&ReportInput {
        manifest: &manifest,
        results: &results,
        recordings: &recordings,
        explained: &explained,
        baseline: arguments.baseline.as_deref(),
        tolerance: arguments.tolerance,
    })?;
    let path = &arguments.output;
    durable::atomic_write(path, page.as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    tracing::info!(file = %path.display(), bytes = page.len(), "the report is written");
    Ok(())
}

/// Why the policies in `runs` decide as they do, at a load of the results that is not extreme, once the cluster is busy.
fn explained(runs: &[PathBuf], results: &Results) -> anyhow::Result<Vec<Explained>> {
    let workloads = results.workloads();
    let loads = workloads.first().map_or_else(Vec::new, |workload| results.loads(workload));
    let load = middle_load(&loads);
    let after = match results.scenario() {
        Scenario::Slots => 10,
        Scenario::Serverless => 90,
    };
    let one = |run: &PathBuf| {
        let scheduler = run.display().to_string();
        let decisions = explain::texts(run, results.scenario(), load, after, EXPLAINED);
        Ok(Explained { decisions: decisions.with_context(|| format!("--explain {scheduler}"))?, scheduler })
    };
    runs.iter().map(one).collect()
}

/// A report never replaces what it is made of.
fn refuse_results(arguments: &ReportArguments) -> Result<(), ConfigError> {
    if !is_results_file(&arguments.results, &arguments.output) {
        return Ok(());
    }
    let message = "is a file of the results folder itself; give another file, e.g. report.html".to_owned();
    Err(ConfigError::Invalid { origin: format!("--output {}", arguments.output.display()), message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("episodes.jsonl");
        std::fs::write(&output, "{}").unwrap();
        let results = folder.path().to_owned();
        let arguments = ReportArguments {
            results,
            output: output.clone(),
            baseline: None,
            explain: Vec::new(),
            tolerance: 0.05,
        };
        let error = run(&arguments).unwrap_err();
        assert!(
            format!("{error:#}").contains("episodes.jsonl: is a file of the results folder"),
            "{error:#}"
        );
        assert_eq!(crate::exit::code_of(&error), common::ExitCode::Config);
        assert_eq!(std::fs::read(&output).unwrap(), b"{}");
    }
}
