//! A figure that was measured, and how it is printed.

use std::io::Write as _;

use serde::Serialize;

/// One measured number with its name and unit, as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub schema: u32,
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    pub threads: usize,
    pub what: String,
}

/// Reads a whole number from 1 on.
pub(super) fn at_least_one() -> clap::builder::RangedU64ValueParser<usize> {
    clap::builder::RangedU64ValueParser::new().range(1..)
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("must be above 0".to_owned()) }
}

pub(super) fn print(json: bool, figures: &[Figure]) -> anyhow::Result<()> {
    let mut stdout = telemetry::stdout();
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0).max(34);
    for figure in figures {
        if json {
            writeln!(stdout, "{}", serde_json::to_string(&figure)?)?;
        } else {
            let Figure { name, value, unit, what, .. } = figure;
            if value.is_nan() {
                writeln!(stdout, "{name:width$} {:>12} {:14} {what}", "failed", "")?;
                continue;
            }
            let digits = if value.abs() < 10.0 { 3 } else { 1 };
            writeln!(stdout, "{name:width$} {value:>12.digits$} {unit:14} {what}")?;
        }
    }
    Ok(())
}
