//! `longshore trace sample`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use common::RunSeed;
use durable::DurableError;
use workloads::WorkloadError;
use workloads::trace::{Choice, Cut, sample};

use super::files::TraceFileArguments;

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
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), allow_hyphen_values = true)]
    pub functions: Option<u64>,
    /// Which functions, of those that are called in the minutes.
    #[arg(long, value_enum, default_value_t = ChoiceArgument::Stratified)]
    pub choose: ChoiceArgument,
    /// First and last minute to keep, both included; all by default.
    #[arg(long, value_name = "A..B", value_parser = minutes, allow_hyphen_values = true)]
    pub minutes: Option<[u32; 2]>,
    /// Decides which functions are chosen.
    #[arg(long, default_value_t = 1, allow_hyphen_values = true)]
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
    /// A uniform random choice.
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
    // Before a long trace is read.
    refuse_harm(arguments)?;
    let cut = Cut {
        functions: arguments.functions.map(|functions| usize::try_from(functions).unwrap_or(usize::MAX)),
        minutes: arguments.minutes,
        choice: arguments.choose.into(),
        seed: RunSeed(arguments.seed),
    };
    let sampled = sample(files, &cut, arguments.trace.lenient).map_err(WorkloadError::from)?;
    std::fs::create_dir_all(&arguments.out).map_err(|source| DurableError::Io {
        operation: "create",
        path: arguments.out.clone(),
        source,
    })?;
    let mut out = telemetry::stdout();
    for file in sampled {
        let path = target(&arguments.out, &file.source);
        durable::atomic_write(&path, &file.bytes)?;
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
fn refuse_harm(arguments: &SampleArguments) -> Result<(), DurableError> {
    let (out, sources) = (&arguments.out, &arguments.trace.files);
    // Of `events.csv/small` the file is in the way, not the folder.
    if let Some(file) = out.ancestors().find(|path| path.exists()).filter(|path| !path.is_dir()) {
        return Err(in_the_way(
            out,
            format!("{} is a file; choose another folder with --out", file.display()),
        ));
    }
    let targets: Vec<PathBuf> = sources.iter().map(|source| target(out, source)).collect();
    for (place, path) in targets.iter().enumerate() {
        if targets[..place].contains(path) {
            let (one, other) = (&sources[place], path.display());
            return Err(in_the_way(
                out,
                format!("{} and another file would both become {other}; rename one of them", one.display()),
            ));
        }
        if !path.exists() {
            continue;
        }
        if sources.iter().any(|source| path.canonicalize().ok() == source.canonicalize().ok()) {
            return Err(in_the_way(
                out,
                format!("{} is a file of the trace itself; choose another folder with --out", path.display()),
            ));
        }
        if path.is_dir() {
            return Err(in_the_way(
                out,
                format!("{} is a folder; choose another folder with --out", path.display()),
            ));
        }
        if !arguments.force {
            return Err(in_the_way(
                out,
                format!(
                    "{} is there already; choose another folder with --out, or give --force",
                    path.display()
                ),
            ));
        }
    }
    Ok(())
}

/// A folder that cannot be written to for what lies there.
fn in_the_way(out: &Path, words: String) -> DurableError {
    let source = std::io::Error::new(std::io::ErrorKind::AlreadyExists, words);
    DurableError::Io { operation: "write to", path: out.to_owned(), source }
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
    use common::ExitStatus as _;

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

    #[test]
    fn nothing_is_written_over_and_files_are_no_folders() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("events.csv"), "trace").unwrap();
        std::fs::create_dir_all(file("taken/events.csv")).unwrap();
        std::fs::create_dir_all(file("other")).unwrap();
        std::fs::write(file("other/events.csv"), "another").unwrap();
        let refused = |out: PathBuf, force: bool, files: Vec<PathBuf>| {
            let arguments = SampleArguments {
                trace: TraceFileArguments { files, lenient: false },
                functions: None,
                choose: ChoiceArgument::Top,
                minutes: None,
                seed: 1,
                out,
                force,
            };
            refuse_harm(&arguments)
                .err()
                .map(|error| {
                    assert_eq!(error.exit_code(), common::ExitCode::Storage);
                    error.to_string()
                })
                .unwrap_or_default()
        };
        let events = || vec![file("events.csv")];
        for (out, words) in [
            (folder.path().to_owned(), "is a file of the trace itself"),
            (file("events.csv"), "events.csv is a file; choose another folder"),
            (file("events.csv/small"), "events.csv is a file; choose another folder"),
            (file("taken"), "taken/events.csv is a folder"),
        ] {
            let text = refused(out, true, events());
            assert!(text.contains(words), "{text}");
        }
        assert!(refused(file("other"), false, events()).contains("is there already"));
        assert_eq!(refused(file("other"), true, events()), "");
        assert_eq!(refused(file("new/and/deep"), false, events()), "");
        let twice = vec![file("events.csv"), file("a/events.csv.gz")];
        assert!(refused(file("new"), false, twice).contains("would both become"));
    }
}
