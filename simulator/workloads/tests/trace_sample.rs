//! A sample of a trace is a trace of the same format: what is cut out, and what stays as it was.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::path::{Path, PathBuf};

use common::RunSeed;
use workloads::trace::{
    Azure2019, Azure2019Paths, Azure2021, Choice, Cut, TraceFileSet, TraceSummary, sample,
};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name)
}

fn azure2019() -> [PathBuf; 3] {
    ["memory", "invocations", "durations"].map(|name| data(&format!("azure2019/{name}.csv")))
}

fn cut(functions: usize, minutes: [u32; 2], choice: Choice) -> Cut {
    Cut { functions: Some(functions), minutes: Some(minutes), choice, seed: RunSeed(1) }
}

/// Samples and writes the files into a folder.
fn sampled(paths: &[PathBuf], cut: &Cut) -> (tempfile::TempDir, Vec<PathBuf>) {
    let files = TraceFileSet::recognise(paths.iter().map(PathBuf::as_path)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |file: workloads::trace::SampledFile| {
        let path = folder.path().join(file.source.file_name().unwrap());
        std::fs::write(&path, file.bytes).unwrap();
        path
    };
    let written = sample(files, cut, false).unwrap().into_iter().map(write).collect();
    (folder, written)
}

fn read2019(paths: &[PathBuf]) -> Azure2019 {
    let files = TraceFileSet::recognise(paths.iter().map(PathBuf::as_path)).unwrap();
    let (invocations, durations, memory) =
        (files.invocations.unwrap(), files.durations.unwrap(), files.memory.unwrap());
    Azure2019::read(Azure2019Paths { invocations, durations, memory }, false).unwrap()
}

#[test]
fn a_sample_of_2019_keeps_whole_functions_and_the_numbers_of_minutes() {
    let whole = read2019(&azure2019());
    for choice in [Choice::Stratified, Choice::Top, Choice::Random] {
        let (_folder, paths) = sampled(&azure2019(), &cut(12, [500, 559], choice));
        let part = read2019(&paths);
        assert_eq!((part.functions.len(), part.first_minute, part.minutes), (12, 500, 60));
        for function in &part.functions {
            let original = whole.functions.iter().find(|one| one.key == function.key).unwrap();
            assert_eq!(function.counts, original.counts[20..80]);
            assert_eq!(function.percentiles_ms, original.percentiles_ms);
            assert_eq!(function.memory_mb, original.memory_mb);
        }
        // The same seed cuts the same.
        let (_again, others) = sampled(&azure2019(), &cut(12, [500, 559], choice));
        let texts =
            |paths: &[PathBuf]| paths.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>();
        assert_eq!(texts(&paths), texts(&others));
    }
}

#[test]
fn the_top_functions_are_those_called_most() {
    let (_folder, paths) = sampled(&azure2019(), &cut(3, [480, 959], Choice::Top));
    let calls = |trace: &Azure2019| {
        let mut calls: Vec<u32> = trace.functions.iter().map(|one| one.counts.iter().sum()).collect();
        calls.sort_by(|a, b| b.cmp(a));
        calls
    };
    assert_eq!(calls(&read2019(&paths)), calls(&read2019(&azure2019()))[..3]);
}

#[test]
fn the_memory_of_an_application_shrinks_with_its_functions() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let percentiles =
        [0, 1, 25, 50, 75, 99, 100].map(|level| format!("percentile_Average_{level}")).join(",");
    let durations = format!("HashApp,HashFunction,{percentiles}\na,f,1,1,1,1,1,1,1\na,g,1,1,1,1,1,1,1\n");
    let paths = [
        write("i.csv", "HashApp,HashFunction,1\na,f,5\na,g,2\n"),
        write("d.csv", &durations),
        write("m.csv", "HashApp,AverageAllocatedMb,AverageAllocatedMb_pct1\na,300,100\n"),
    ];
    let (_folder, sampled) = sampled(&paths, &cut(1, [1, 1], Choice::Top));
    assert_eq!(std::fs::read_to_string(&sampled[2]).unwrap().lines().nth(1), Some("a,150,50"));
    assert_eq!(read2019(&sampled).functions[0].memory_mb, 150.0);
}

#[test]
fn a_sample_of_2021_keeps_events_as_they_were() {
    let whole = Azure2021::read(&data("azure2021/events.csv"), false).unwrap();
    let (_folder, paths) = sampled(&[data("azure2021/events.csv")], &cut(10, [11, 40], Choice::Stratified));
    let part = Azure2021::read(&paths[0], false).unwrap();
    assert_eq!(part.functions.len(), 10);
    let kept: Vec<(f64, f64)> = whole
        .events
        .iter()
        .filter(|event| (11..=40).contains(&event.minute()))
        .filter(|event| {
            part.functions.iter().any(|one| one.key == whole.functions[event.function as usize].key)
        })
        .map(|event| (event.arrival, event.seconds))
        .collect();
    assert_eq!(part.events.iter().map(|event| (event.arrival, event.seconds)).collect::<Vec<_>>(), kept);
}

#[test]
fn what_cannot_be_cut_is_refused() {
    let one = data("azure2019/invocations.csv");
    let files = TraceFileSet::recognise([one.as_path()]).unwrap();
    let error = sample(files, &cut(1, [480, 490], Choice::Top), false).unwrap_err().to_string();
    assert!(error.contains("needs all three files"), "{error}");
    let events = data("azure2021/events.csv");
    let error = TraceFileSet::recognise([one.as_path(), &events]).unwrap_err().to_string();
    assert!(error.contains("another file is of the other format"), "{error}");
    let error = TraceFileSet::recognise([one.as_path(), &one]).unwrap_err().to_string();
    assert!(error.contains("so does another file"), "{error}");
    let files = TraceFileSet::recognise([events.as_path()]).unwrap();
    let error = sample(files, &cut(1, [100, 200], Choice::Top), false).unwrap_err().to_string();
    assert!(error.contains("has minutes 1 to 108, not 100 to 200"), "{error}");
    let other = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(other.path(), "name,value\nf,1\n").unwrap();
    let error = TraceFileSet::recognise([other.path()]).unwrap_err().to_string();
    assert!(error.contains("is the header of no known trace file"), "{error}");
}

#[test]
fn summaries_add_up() {
    let paths = azure2019();
    let files = TraceFileSet::recognise(paths.iter().map(PathBuf::as_path)).unwrap();
    let summary = TraceSummary::read(files, false).unwrap();
    let whole = read2019(&paths);
    let calls: u64 = whole.functions.iter().flat_map(|one| &one.counts).map(|&count| u64::from(count)).sum();
    assert_eq!(summary.invocations, Some(calls));
    assert_eq!((summary.functions, summary.applications, summary.incomplete), (100, 100, 0));
    assert_eq!(summary.minutes, Some([480, 959]));
    assert_eq!((summary.triggers["timer"], summary.triggers.values().sum::<usize>()), (44, 100));
    let shares: f64 = summary.largest.iter().filter_map(|one| one.work_share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
    let events = data("azure2021/events.csv");
    let summary = TraceSummary::read(TraceFileSet::recognise([events.as_path()]).unwrap(), false).unwrap();
    let durations = summary.duration_seconds.unwrap();
    assert_eq!((summary.invocations, durations.at[0], durations.at[7]), (Some(998), 0.0, 404.987));
    assert_eq!(summary.by_minute.iter().sum::<u64>(), 998);
}
