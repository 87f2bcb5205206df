//! A smaller trace cut from a big one: some of its functions, some of its minutes, in the same format.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use common::{RunSeed, Stream};
use rand::Rng as _;
use rand::seq::SliceRandom as _;

use super::azure2019::{COUNTS, DURATIONS_COLUMN, MEGABYTES, MEMORY_COLUMN, percentile_columns, percentiles};
use super::azure2021::{Azure2021, END_COLUMN, EventColumns};
use super::error::{Damage, TraceError};
use super::format::TraceFileSet;
use super::function_key::FunctionKey;
use super::joined::{Azure2019, Azure2019Paths};
use super::keyed::{APPLICATION_COLUMN, FUNCTION_COLUMN, KeyColumns, read_once};
use super::skipped::{Judge, Loss};
use super::table::{Row, Table};

/// How functions are chosen among those that are called in the chosen minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One at random from each of as many groups of neighbours in the order of calls: rare and frequent ones alike.
    Stratified,
    /// Those that are called most.
    Top,
    /// Uniformly at random.
    Random,
}

/// What to cut out.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Number of functions to keep; `None` keeps all.
    pub functions: Option<usize>,
    /// First and last minute, both included; all if none. Minutes keep their numbers.
    pub minutes: Option<[u32; 2]>,
    /// How functions are chosen.
    pub choice: Choice,
    /// Decides what is random.
    pub seed: RunSeed,
}

/// A file of the smaller trace.
#[derive(Clone, Debug)]
pub struct SampledFile {
    /// File that it was cut from.
    pub source: PathBuf,
    /// Number of rows below the header.
    pub rows: usize,
    /// Content of the new file, uncompressed CSV.
    pub bytes: Vec<u8>,
}

/// Cuts the files of a trace: the three of 2019, or the one of 2021.
///
/// # Errors
/// When a file is missing from the set, or as reading the trace; when it lacks the minutes or no function is called in them.
pub fn sample(files: TraceFileSet<'_>, cut: &Cut, lenient: bool) -> Result<Vec<SampledFile>, TraceError> {
    match (files.invocations, files.durations, files.memory, files.events) {
        (None, None, None, Some(events)) => sample_events(events, cut, lenient),
        (Some(invocations), Some(durations), Some(memory), None) => {
            sample_counts(Azure2019Paths { invocations, durations, memory }, cut, lenient)
        }
        (invocations, durations, memory, _) => {
            let path = invocations.or(durations).or(memory).map(Path::to_owned).unwrap_or_default();
            let problem = "a sample of it needs all three files: invocations, durations and memory";
            Err(TraceError::Combination { path, kind: "one part of a trace (Azure 2019)", problem })
        }
    }
}

/// Chooses among functions with their calls.
fn choose(
    called: Vec<(FunctionKey, u64)>,
    cut: &Cut,
    path: &Path,
) -> Result<HashSet<FunctionKey>, TraceError> {
    let mut called: Vec<(FunctionKey, u64)> = called.into_iter().filter(|(_, calls)| *calls > 0).collect();
    if called.is_empty() {
        return Err(TraceError::NoneCalled { path: path.to_owned() });
    }
    called.sort_by(|(a, calls), (b, other)| other.cmp(calls).then_with(|| a.cmp(b)));
    let all = called.len();
    let wanted = cut.functions.unwrap_or(all).min(all);
    let mut rng = cut.seed.rng(Stream::Scenario, 0);
    match cut.choice {
        Choice::Top => called.truncate(wanted),
        Choice::Random => {
            called.shuffle(&mut rng);
            called.truncate(wanted);
        }
        Choice::Stratified => {
            let stratum = |number: usize| number * all / wanted..(number + 1) * all / wanted;
            let chosen =
                (0..wanted).map(|number| called[rng.random_range(stratum(number))].clone()).collect();
            called = chosen;
        }
    }
    Ok(called.into_iter().map(|(key, _)| key).collect())
}

fn sample_counts(
    paths: Azure2019Paths<'_>,
    cut: &Cut,
    lenient: bool,
) -> Result<Vec<SampledFile>, TraceError> {
    let trace = Azure2019::read(paths, lenient)?;
    let [first, last] = cut.minutes.unwrap_or(trace.range());
    trace.check_minutes(paths.invocations, [first, last])?;
    let minutes = (first - trace.first_minute) as usize..=(last - trace.first_minute) as usize;
    let calls = |counts: &[u32]| counts[minutes.clone()].iter().map(|&count| u64::from(count)).sum();
    let called = trace.functions.iter().map(|one| (one.key.clone(), calls(&one.counts))).collect();
    let chosen = choose(called, cut, paths.invocations)?;
    let mut invocations = Table::open(paths.invocations, FUNCTION_COLUMN)?;
    let (first_column, _) = invocations.minutes()?;
    let columns: Vec<usize> = (0..first_column).chain(minutes.map(|minute| first_column + minute)).collect();
    let shares = kept_shares(&trace, &chosen);
    let whole = |key: &FunctionKey| chosen.contains(key).then_some(1.0);
    let counts = |row: &Row<'_>| {
        (first_column..first_column + trace.minutes as usize)
            .try_for_each(|column| row.count(column, COUNTS).map(drop))
    };
    Ok(vec![
        copy(&mut invocations, &columns, lenient, counts, whole)?,
        copy_durations(paths.durations, lenient, whole)?,
        copy_memory(paths.memory, lenient, |key| {
            let by_application = || shares.get(key.application.as_str()).copied();
            if key.function.is_empty() { by_application() } else { whole(key) }
        })?,
    ])
}

/// Share of the functions of each application that are kept: by so much its memory shrinks, so that each of its functions
/// has as much as before.
fn kept_shares<'a>(trace: &'a Azure2019, chosen: &HashSet<FunctionKey>) -> HashMap<&'a str, f64> {
    let mut kept: HashMap<&str, f64> = HashMap::new();
    for function in trace.functions.iter().filter(|function| chosen.contains(&function.key)) {
        *kept.entry(&function.key.application).or_default() += 1.0 / f64::from(function.application_size);
    }
    kept
}

fn copy_durations(
    path: &Path,
    lenient: bool,
    keep: impl Fn(&FunctionKey) -> Option<f64>,
) -> Result<SampledFile, TraceError> {
    let mut table = Table::open(path, DURATIONS_COLUMN)?;
    let places = percentile_columns(&table)?;
    let columns: Vec<usize> = (0..table.header().len()).collect();
    copy(&mut table, &columns, lenient, |row| percentiles(row, &places).map(drop), keep)
}

fn copy_memory(
    path: &Path,
    lenient: bool,
    keep: impl Fn(&FunctionKey) -> Option<f64>,
) -> Result<SampledFile, TraceError> {
    let mut table = Table::open(path, MEMORY_COLUMN)?;
    let place = table.column(MEMORY_COLUMN)?;
    let columns: Vec<usize> = (0..table.header().len()).collect();
    copy(&mut table, &columns, lenient, |row| row.amount(place, MEGABYTES).map(drop), keep)
}

/// Copies the rows that are sound by `check` and that `keep` gives a factor for their memory.
fn copy(
    table: &mut Table,
    columns: &[usize],
    lenient: bool,
    check: impl Fn(&Row<'_>) -> Result<(), Damage>,
    keep: impl Fn(&FunctionKey) -> Option<f64>,
) -> Result<SampledFile, TraceError> {
    let keys =
        KeyColumns { application: table.column(APPLICATION_COLUMN)?, function: table.find(FUNCTION_COLUMN) };
    let is_memory = |title: &String| {
        title.get(..MEMORY_COLUMN.len()).is_some_and(|start| start.eq_ignore_ascii_case(MEMORY_COLUMN))
    };
    let memory: Vec<bool> = table.header().iter().map(is_memory).collect();
    let mut output = Output::new(table, columns);
    let mut judge = Judge::new(lenient);
    let cells = |row: &Row<'_>| check(row).map(|()| row.cells());
    // How much is lost was judged when the trace was read.
    read_once(
        table,
        keys,
        &mut judge,
        cells,
        |_| Loss::default(),
        |key, cells| {
            if let Some(factor) = keep(&key) {
                let cell = |&column: &usize| match cells[column].trim().parse::<f64>() {
                    Ok(value) if memory[column] && factor != 1.0 => (value * factor).to_string(),
                    _ => cells[column].clone(),
                };
                output.row(columns.iter().map(cell));
            }
        },
    )?;
    Ok(output.finish())
}

fn sample_events(path: &Path, cut: &Cut, lenient: bool) -> Result<Vec<SampledFile>, TraceError> {
    let trace = Azure2021::read(path, lenient)?;
    let [first, last] = cut.minutes.unwrap_or(trace.range());
    trace.check_minutes(path, [first, last])?;
    let mut called: Vec<(FunctionKey, u64)> =
        trace.functions.iter().map(|one| (one.key.clone(), 0)).collect();
    for event in trace.events.iter().filter(|event| (first..=last).contains(&event.minute())) {
        called[event.function as usize].1 += 1;
    }
    let chosen = choose(called, cut, path)?;
    let mut table = Table::open(path, END_COLUMN)?;
    let columns = EventColumns::of(&table)?;
    let all: Vec<usize> = (0..table.header().len()).collect();
    let mut output = Output::new(&table, &all);
    let mut judge = Judge::new(lenient);
    while let Some(row) = table.next()? {
        let parsed = row.and_then(|row| Ok((columns.read(&row)?, row.cells())));
        let Some(((key, event), cells)) = judge.judge(parsed, Loss::default)? else { continue };
        if chosen.contains(&key) && (first..=last).contains(&event.minute()) {
            output.row(cells);
        }
    }
    Ok(vec![output.finish()])
}

/// A file of the smaller trace while it is written.
struct Output {
    source: PathBuf,
    rows: usize,
    writer: csv::Writer<Vec<u8>>,
}

impl Output {
    fn new(table: &Table, columns: &[usize]) -> Self {
        let mut output = Output {
            source: table.path().to_owned(),
            rows: 0,
            writer: csv::WriterBuilder::new().flexible(true).from_writer(Vec::new()),
        };
        output.write(columns.iter().map(|&column| &table.header()[column]));
        output
    }

    fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        self.write(cells);
        self.rows += 1;
    }

    fn write(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        self.writer
            .write_record(cells)
            .expect("writing to memory does not fail, and rows may differ in length");
    }

    fn finish(self) -> SampledFile {
        let bytes = self.writer.into_inner().expect("flushing to memory does not fail");
        SampledFile { source: self.source, rows: self.rows, bytes }
    }
}
