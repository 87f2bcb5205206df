//! `results.csv`: a row for each workload, load and scheduler.

use common::name::printable;
use common::trajectory::Scenario;

use crate::error::EvaluationError;
use crate::metrics::metrics_of;
use crate::results::Summary;
use crate::statistics::Interval;

/// Summaries as CSV; a metric has three columns: mean, `_low`, `_high`.
///
/// # Errors
/// Never for a text in memory; the writer's error otherwise.
pub fn summaries_csv(scenario: Scenario, summaries: &[Summary]) -> Result<String, EvaluationError> {
    let fail = |error: csv::Error| EvaluationError::Missing(format!("a table could not be written: {error}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut header: Vec<String> =
        ["workload", "load_percent", "scheduler", "seeds", "invocations", "seconds"].map(String::from).into();
    for metric in metrics_of(scenario) {
        header.extend(["", "_low", "_high"].map(|end| format!("{}{end}", metric.key)));
    }
    header.extend(["decision_us_p50", "decision_us_p99"].map(String::from));
    writer.write_record(&header).map_err(fail)?;
    for summary in summaries {
        let mut row = vec![
            plain_cell(&summary.workload),
            summary.load.to_string(),
            plain_cell(&summary.scheduler),
            summary.seeds.to_string(),
            summary.invocations.to_string(),
            summary.seconds.to_string(),
        ];
        for Interval { mean, low, high } in &summary.metrics {
            row.extend([mean, low, high].map(f64::to_string));
        }
        row.extend([summary.decision_us_p50, summary.decision_us_p99].map(|value| format!("{value:.3}")));
        writer.write_record(&row).map_err(fail)?;
    }
    let bytes = writer.into_inner().map_err(|error| {
        EvaluationError::Missing(format!("a table could not be written: {}", error.error()))
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A name as a cell that no spreadsheet takes for a formula: such a one begins with an apostrophe, as spreadsheets have it. What
/// would end a line is written out.
fn plain_cell(name: &str) -> String {
    let name = printable(name);
    let formula = name.trim_start().starts_with(['=', '+', '-', '@', '\'']);
    if formula { format!("'{name}") } else { name }
}
