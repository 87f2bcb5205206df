//! `longshore curves`: how runs learnt, drawn from their metrics.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use common::BoundedLines;
use common::user_file::open_bounded;
use configuration::ConfigError;
use drawing::{Axis, Element, LINE_CHART_HEIGHT, Scale, Series, Style, Value, line_chart, panels};
use evaluation::EvaluationError;
use policy::PolicyError;
use serde_json::Map;

/// Drawn where no metric is named.
const USUAL: [&str; 6] = [
    "eval/score",
    "eval/slowdown_mean",
    "train/entropy",
    "train/explained_variance",
    "train/clipped_share",
    "data/lag",
];
/// Most points of a line; where a run has more, neighbours are averaged.
const MOST_POINTS: usize = 150;
/// Bytes of a run's metrics, and of a line of them.
const LARGEST_FILE: u64 = 1 << 30;
const LONGEST_LINE: u64 = 1 << 20;
/// Names of metrics that are kept for error messages.
const MOST_NAMES: usize = 10_000;
/// A metric whose values differ by more than this factor is drawn on a logarithmic axis.
const WIDE: f64 = 30.0;

/// Draws how runs learnt: metrics of several run folders beside each other, as one SVG picture.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  longshore curves runs/slots -o slots.svg\n  \
                  longshore curves runs/a runs/b --by minutes --metric eval/slowdown_mean,train/entropy -o both.svg\n\n\
                  All names are in docs/metrics.md.")]
pub struct CurvesArguments {
    /// Run folders.
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Names of metrics, with commas between them; a panel each.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_values_t = USUAL.map(str::to_owned))]
    pub metric: Vec<String>,
    /// What lies across.
    #[arg(long, value_enum, default_value_t = Across::Steps)]
    pub by: Across,
    /// The picture to write.
    #[arg(short, long, value_name = "FILE.svg", default_value = "curves.svg")]
    pub output: PathBuf,
}

/// The horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Across {
    /// Millions of environment steps learnt from.
    Steps,
    /// Minutes since the first line of the run's metrics, the time in which it was stopped included.
    Minutes,
}

impl Across {
    fn label(self) -> &'static str {
        match self {
            Across::Steps => "environment steps (millions)",
            Across::Minutes => "minutes",
        }
    }
}

/// Reads, draws and writes.
///
/// # Errors
/// A folder without metrics, a damaged line, a metric that no run has, a picture that cannot be written.
pub fn run(arguments: &CurvesArguments) -> anyhow::Result<()> {
    let path = &arguments.output;
    if path.extension().is_none_or(|extension| extension != "svg") {
        let message = format!("{} does not end in .svg, which is what is written", path.display());
        return Err(invalid("--output", message));
    }
    durable::check_writable(path).with_context(|| format!("--output {}", path.display()))?;
    let read = |folder: &PathBuf| Run::read(folder, &arguments.metric, arguments.by);
    let runs: Vec<Run> = arguments.runs.iter().map(read).collect::<Result<_, _>>()?;
    let chart = |(place, metric): (usize, &String)| chart(&runs, place, metric.trim(), arguments.by);
    let charts: Vec<(Element, f64)> =
        arguments.metric.iter().enumerate().map(chart).collect::<Result<Vec<_>, _>>()?.concat();
    if charts.is_empty() {
        return Err(invalid("--metric", format!("no run has any of {} yet", arguments.metric.join(", "))));
    }
    let legend: Vec<Style> = runs.iter().enumerate().map(|(number, run)| run.style(number)).collect();
    durable::atomic_write(path, panels(charts, &legend).as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    tracing::info!(file = %path.display(), runs = runs.len(), "the curves are drawn");
    Ok(())
}

fn invalid(origin: &str, message: String) -> anyhow::Error {
    ConfigError::Invalid { origin: origin.to_owned(), message }.into()
}

/// The metrics of one run.
struct Run {
    name: String,
    /// Of each metric that is drawn its values with their places across, thinned out.
    drawn: Vec<Vec<(f64, f64)>>,
    /// Every name that the run has reported, up to [`MOST_NAMES`].
    names: BTreeSet<String>,
}

impl Run {
    fn read(folder: &Path, metrics: &[String], across: Across) -> anyhow::Result<Self> {
        let path = folder.join("metrics.jsonl");
        let file = open_bounded(&path, LARGEST_FILE).map_err(|cause| unreadable(folder, &path, cause))?;
        // A learner that was killed leaves a line without its end.
        let mut lines = BoundedLines::new(file, LARGEST_FILE, LONGEST_LINE);
        let mut run = Run {
            name: folder.display().to_string(),
            drawn: vec![Vec::new(); metrics.len()],
            names: BTreeSet::new(),
        };
        let mut start = None;
        while let Some(line) = next_line(&mut lines, &path)? {
            let start = *start.get_or_insert_with(|| number(&line, "time").unwrap_or(0.0));
            let place = match across {
                Across::Steps => number(&line, "step").map(|step| step / 1e6),
                Across::Minutes => number(&line, "time").map(|time| (time - start) / 60.0),
            };
            for (metric, points) in metrics.iter().zip(&mut run.drawn) {
                points.extend(place.zip(number(&line, metric.trim())));
            }
            let room = MOST_NAMES.saturating_sub(run.names.len());
            run.names.extend(line.into_iter().map(|(name, _)| name).take(room));
        }
        run.drawn.iter_mut().for_each(|points| *points = thinned(points));
        Ok(run)
    }

    fn style(&self, number: usize) -> Style {
        Style::new(number, self.name.clone())
    }
}

/// A line of metrics.
type Line = Map<String, serde_json::Value>;

fn number(line: &Line, key: &str) -> Option<f64> {
    line.get(key)?.as_f64()
}

fn next_line(lines: &mut BoundedLines, path: &Path) -> Result<Option<Line>, EvaluationError> {
    let read = match lines.next_line() {
        Ok(None) => return Ok(None),
        Ok(Some(text)) => serde_json::from_str(text).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let wrong = |message| EvaluationError::Results { path: path.to_owned(), row: lines.row(), message };
    read.map(Some).map_err(wrong)
}

/// A folder without metrics is none of a run; metrics that are no file, or too large, are bad input.
fn unreadable(folder: &Path, path: &Path, cause: io::Error) -> anyhow::Error {
    if cause.kind() == io::ErrorKind::InvalidData {
        return EvaluationError::Read { path: path.to_owned(), cause }.into();
    }
    let message = format!("is no run folder: cannot read its metrics.jsonl: {cause}");
    PolicyError::Checkpoint { path: folder.to_owned(), message }.into()
}

/// Neighbours averaged, where there are too many points.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let together = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |some: &[(f64, f64)]| {
        let count = some.len() as f64;
        (some.iter().map(|one| one.0).sum::<f64>() / count, some.iter().map(|one| one.1).sum::<f64>() / count)
    };
    points.chunks(together).map(mean).collect()
}

/// One panel, and its height, of the metric at a place. One that no run has gives no panel where it is one of [`USUAL`], and an error
/// otherwise.
fn chart(runs: &[Run], place: usize, metric: &str, across: Across) -> anyhow::Result<Vec<(Element, f64)>> {
    let all: Vec<&Vec<(f64, f64)>> = runs.iter().map(|run| &run.drawn[place]).collect();
    let values = || all.iter().copied().flatten().map(|(_, value)| *value);
    if values().next().is_none() {
        if USUAL.contains(&metric) {
            return Ok(Vec::new());
        }
        return Err(unknown(runs, metric));
    }
    let (low, high) =
        values().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), one| (low.min(one), high.max(one)));
    // A line that hardly moves is drawn with 5% of its value around it.
    let least = if high - low < 0.01 * high.abs() { 0.05 * high.abs() } else { 0.0 };
    let margin = (0.05 * (high - low)).max(least).max(1e-9);
    // A score is a logarithm already.
    let y = if low > 0.0 && high / low > WIDE && metric != "eval/score" {
        Axis::around(&format!("{metric} (log)"), Scale::Log, false, values())
    } else {
        Axis::between(metric, low - margin, high + margin)
    };
    let end = all.iter().copied().flatten().map(|(place, _)| *place).fold(0.0, f64::max);
    let x = Axis::between(across.label(), 0.0, end.max(1e-3));
    let series = all.iter().zip(runs).enumerate().map(|(number, (points, run))| Series {
        style: run.style(number),
        points: points.iter().map(|(place, value)| (*place, Value::exact(*value))).collect(),
        marked: points.len() < 30,
    });
    Ok(vec![(line_chart(metric, &x, &y, &series.collect::<Vec<_>>()), LINE_CHART_HEIGHT)])
}

fn unknown(runs: &[Run], metric: &str) -> anyhow::Error {
    let names: BTreeSet<&str> = runs.iter().flat_map(|run| &run.names).map(String::as_str).collect();
    let nearest = common::nearest(metric, names);
    let known =
        if nearest.is_empty() { String::new() } else { format!("; the nearest are {}", nearest.join(", ")) };
    invalid("--metric", format!("no run has `{metric}`{known}; docs/metrics.md lists all names"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(lines: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("metrics.jsonl"), lines).unwrap();
        folder
    }

    fn curves(run: &Path, metric: &str) -> anyhow::Result<String> {
        let output = run.join("curves.svg");
        let arguments = CurvesArguments {
            runs: vec![run.to_owned()],
            metric: vec![metric.to_owned()],
            by: Across::Minutes,
            output: output.clone(),
        };
        super::run(&arguments)?;
        Ok(fs::read_to_string(output)?)
    }

    #[test]
    fn metrics_are_drawn_over_the_time_since_the_first_line() {
        let text = "{\"step\":0,\"time\":60.0,\"eval/score\":0.5}\n{\"step\":9,\"time\":90.0,\"train/entropy\":0.5}\n\
                    {\"step\":2000000,\"time\":180.0,\"eval/score\":-0.5}\n{\"step\":3,\"ti";
        let folder = folder(text);
        for across in [Across::Minutes, Across::Steps] {
            let run = Run::read(folder.path(), &["eval/score".to_owned()], across).unwrap();
            assert_eq!(run.drawn, [[(0.0, 0.5), (2.0, -0.5)]]);
        }
        let svg = curves(folder.path(), "eval/score").unwrap();
        assert!(svg.contains("eval/score") && svg.contains("minutes"), "{svg}");
        let error = format!("{:#}", curves(folder.path(), "eval/scores").unwrap_err());
        assert!(error.contains("`eval/scores`") && error.contains("eval/score"), "{error}");
        assert!(curves(folder.path(), "data/lag").is_err());
    }

    #[test]
    fn long_runs_are_thinned_out_and_damaged_ones_named() {
        let line = |step: usize| format!("{{\"step\":{step},\"time\":{step},\"data/lag\":{}}}\n", step % 2);
        let folder = folder(&(0..1000).map(line).collect::<String>());
        let lag = ["data/lag".to_owned()];
        let points = &Run::read(folder.path(), &lag, Across::Steps).unwrap().drawn[0];
        assert!(points.len() <= MOST_POINTS && points.iter().all(|(_, lag)| (lag - 0.5).abs() < 0.1));
        fs::write(folder.path().join("metrics.jsonl"), "{\"step\":1}\nno json\n").unwrap();
        let error = curves(folder.path(), "data/lag").unwrap_err();
        assert!(format!("{error:#}").contains("metrics.jsonl: row 2"), "{error:#}");
        assert_eq!(crate::exit::code_of(&error), common::ExitCode::Input);
        let error =
            Run::read(Path::new("nowhere"), &lag, Across::Steps).err().expect("there is no such folder");
        assert!(format!("{error:#}").contains("nowhere"), "{error:#}");
    }
}
