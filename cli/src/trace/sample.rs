//! `longshore trace sample`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use common::RunSeed;
use simulator::SimulatorError;
use simulator::serverless::trace::{Choice, Cut, SampledFile, sample};

use super::TraceFileArguments;

/// `longshore trace sample`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Files are written into the folder under their own names, uncompressed. Minutes keep their numbers.\n\n\
                  Examples:\n  longshore trace sample simulator/data/azure2019/*.csv --functions 20 --minutes 500..559 --out small\n  \
                  longshore trace sample --lenient day01/*.csv.gz --functions 100 --out azure100\n  \
                  longshore trace sample simulator/data/azure2021/events.csv --functions 10 --choose top --out top10"
)]
pub struct SampleArguments {
    /// What to cut from.
    #[command(flatten)]
    pub trace: TraceFileArguments,
    /// How many functions to keep; all by default.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub functions: Option<u64>,
    /// Which functions, of those that are called in the minutes.
    #[arg(long, value_enum, default_value_t = ChoiceArgument::Stratified)]
    pub choose: ChoiceArgument,
    /// First and last minute to keep, both included; all by default.
    #[arg(long, value_name = "A..B", value_parser = minutes)]
    pub minutes: Option<[u32; 2]>,
    /// Decides which functions are chosen.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Folder for the smaller trace.
    #[arg(short, long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Overwrites files that are there.
    #[arg(long)]
    pub force: bool,
}

/// How functions are chosen, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ChoiceArgument {
    /// Rare and frequent ones alike: one from each of as many groups of neighbours in the order of calls.
    Stratified,
    /// Those that are called most.
    Top,
    /// Any.
    Random,
}

impl From<ChoiceArgument> for Choice {
    fn from(choice: ChoiceArgument) -> Self {
        match choice {
            ChoiceArgument::Stratified => Choice::Stratified,
            ChoiceArgument::Top => Choice::Top,
            ChoiceArgument::Random => Choice::Random,
        }
    }
}

/// Cuts and writes.
///
/// # Errors
/// When a file is missing, damaged or no trace, lacks the minutes, or a file is in the way or cannot be written.
pub fn run(arguments: &SampleArguments) -> anyhow::Result<()> {
    let files = arguments.trace.recognise()?;
    let cut = Cut {
        functions: arguments.functions.map(|functions| functions as usize),
        minutes: arguments.minutes,
        choice: arguments.choose.into(),
        seed: RunSeed(arguments.seed),
    };
    let sampled = sample(files, &cut, arguments.trace.lenient).map_err(SimulatorError::from)?;
    let targets: Vec<PathBuf> = sampled.iter().map(|file| target(&arguments.out, &file.source)).collect();
    for (file, path) in sampled.iter().zip(&targets) {
        refuse_harm(arguments, file, path)?;
    }
    if targets.iter().enumerate().any(|(place, path)| targets[..place].contains(path)) {
        bail!("two of the files have the same name; rename one, for both would be written to one place");
    }
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot create {}", arguments.out.display()))?;
    let mut out = telemetry::stdout();
    for (file, path) in sampled.iter().zip(&targets) {
        durable::atomic_write(path, &file.bytes)
            .with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(out, "{}  {} rows", path.display(), file.rows)?;
    }
    Ok(())
}

/// The name of the original in the folder, without `.gz`.
fn target(folder: &Path, source: &Path) -> PathBuf {
    let compressed = source.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gz"));
    let name = if compressed { source.file_stem() } else { source.file_name() };
    folder.join(name.unwrap_or_default())
}

/// Never writes over the trace itself, and over other files only with `--force`.
fn refuse_harm(arguments: &SampleArguments, file: &SampledFile, path: &Path) -> anyhow::Result<()> {
    if !path.exists() {
        return Ok(());
    }
    let same = |source: &PathBuf| path.canonicalize().ok() == source.canonicalize().ok();
    if same(&file.source) || arguments.trace.files.iter().any(same) {
        bail!("{} is a file of the trace itself; choose another folder with --out", path.display());
    }
    if !arguments.force {
        bail!("{} is there already; choose another folder with --out, or give --force", path.display());
    }
    Ok(())
}

fn minutes(text: &str) -> Result<[u32; 2], String> {
    let parse = |text: &str| text.trim().parse::<u32>().ok();
    let ends = text.split_once("..").and_then(|(first, last)| Some([parse(first)?, parse(last)?]));
    ends.filter(|[first, last]| first <= last)
        .ok_or_else(|| "give the first and the last minute, e.g. 480..539".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_a_range() {
        assert_eq!(minutes("480..539"), Ok([480, 539]));
        for wrong in ["480", "539..480", "a..b", "480..", "-1..3"] {
            assert!(minutes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn results_lose_the_ending_of_compression() {
        assert_eq!(target(Path::new("out"), Path::new("in/day.csv.gz")), Path::new("out/day.csv"));
        assert_eq!(target(Path::new("out"), Path::new("in/day.txt")), Path::new("out/day.txt"));
    }
}
