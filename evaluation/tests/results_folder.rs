//! Results folders: resumed, cut, refused, compared, drawn.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::ExitStatus as _;
use common::ids::Digest;
use common::trajectory::Scenario;
use common::{ExitCode, RunSeed, Shutdown, Stream};
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig, SteadyConfig};
use engine::Interests;
use engine::serverless::Part;
use evaluation::{
    Cell, Contender, EvaluationError, Grid, Interval, Kind, Manifest, ReportInput, Results, ResultsFolder,
    SchedulerEntry, Verdict, Workload, WorkloadEntry, compare, digest_of, read_recordings, read_results,
    record_episode, report_html, strongest, write_recording,
};
use heuristics::heuristic;
use workloads::Episodes;

const SCHEDULERS: [&str; 3] = ["fcfs", "sjf", "wait_warm_0.5"];

fn config(functions: u32) -> SimulatorConfig {
    let serverless = ServerlessConfig {
        steady: SteadyConfig { functions, ..SteadyConfig::default() },
        window_seconds: 60.0,
        warm_up_seconds: 10.0,
        ..ServerlessConfig::default()
    };
    SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless }
}

fn grid(episodes: &Episodes, seeds: u32, threads: usize) -> Grid<'_> {
    let workload = Workload {
        name: "steady".into(),
        episodes,
        kind: Kind::Serverless { part: Part::Test },
        loads: vec![50.0, 90.0],
    };
    Grid { workloads: vec![workload], seeds, seed: RunSeed(1), stream: Stream::Test, threads, batch: 1 }
}

fn manifest(config: &SimulatorConfig, schedulers: &[&str]) -> Manifest {
    let config = serde_json::to_value(config).unwrap();
    let entry = |name: &&str| SchedulerEntry { name: (*name).to_owned(), checkpoint: None };
    Manifest {
        schema: 1,
        scenario: Scenario::Serverless,
        version: "0".to_owned(),
        seed: 1,
        part: "test".to_owned(),
        seeds: 6,
        workloads: vec![WorkloadEntry { name: "steady".to_owned(), digest: digest_of(&config), config }],
        schedulers: schedulers.iter().map(entry).collect(),
    }
}

/// Plays what is missing in the folder; `stop_after` so many episodes. Returns how many were played.
fn play(folder: &Path, schedulers: &[&str], threads: usize, stop_after: u64) -> u64 {
    let config = config(6);
    let episodes = Episodes::new(&config).unwrap();
    let results =
        std::cell::RefCell::new(ResultsFolder::open(folder, &manifest(&config, schedulers)).unwrap());
    let mut contenders: Vec<Contender<'_>> =
        schedulers.iter().map(|name| Contender::by_name(name, Scenario::Serverless).unwrap()).collect();
    let (stop, played) = (Shutdown::new(), AtomicU64::new(0));
    let mut keep = |record| {
        if played.fetch_add(1, Ordering::Relaxed) + 1 == stop_after {
            stop.trigger();
        }
        results.borrow_mut().append(record)
    };
    let is_done = |cell: &Cell, seed: u32| results.borrow().results.contains(cell, seed);
    let ended = grid(&episodes, 6, threads).play(&mut contenders, &is_done, &mut keep, &|_| (), &stop);
    assert_eq!(matches!(ended, Err(EvaluationError::Interrupted)), stop.is_triggered());
    results.into_inner().finish().unwrap();
    played.into_inner()
}

/// The lines without decision times, in no order.
fn lines(folder: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder.join("episodes.jsonl")).unwrap();
    text.lines().map(|line| line.split(",\"decision_times\"").next().unwrap().to_owned()).collect()
}

/// `results.csv` without decision times.
fn table(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("results.csv")).unwrap();
    text.lines().map(|line| line.rsplitn(3, ',').last().unwrap().to_owned()).collect()
}

#[test]
fn an_evaluation_that_was_interrupted_ends_like_one_that_was_not() {
    let [whole, parts] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    assert_eq!(play(whole.path(), &SCHEDULERS, 1, 0), 36);
    let first = play(parts.path(), &SCHEDULERS, 2, 10);
    assert!((10..36).contains(&first), "{first}");
    // A crash in the middle of a line.
    let path = parts.path().join("episodes.jsonl");
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 30]).unwrap();
    assert_eq!(first + play(parts.path(), &SCHEDULERS, 3, 0), 37, "the torn one is played again");
    assert_eq!(lines(whole.path()), lines(parts.path()));
    assert_eq!(table(whole.path()), table(parts.path()));
    assert_eq!(play(parts.path(), &SCHEDULERS, 2, 0), 0);
}

#[test]
fn schedulers_can_be_added_and_other_configurations_cannot() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(play(folder.path(), &SCHEDULERS[..1], 2, 0), 12);
    assert_eq!(play(folder.path(), &SCHEDULERS[1..2], 2, 0), 12);
    let (manifest_there, results) = read_results(folder.path()).unwrap();
    assert_eq!(results.schedulers(), ["fcfs", "sjf"]);
    assert_eq!(manifest_there.schedulers.len(), 2);
    let error = ResultsFolder::open(folder.path(), &manifest(&config(7), &["sjf"])).err().unwrap();
    assert_eq!(error.exit_code(), ExitCode::Config);
    let text = error.to_string();
    assert!(text.contains("`steady`") && text.contains("serverless.steady.functions"), "{text}");
    let mut other_seed = manifest(&config(6), &["sjf"]);
    other_seed.seed = 2;
    assert!(ResultsFolder::open(folder.path(), &other_seed).err().unwrap().to_string().contains("seed 1"));
}

#[test]
fn a_folder_has_one_writer_and_bad_lines_are_named() {
    let folder = tempfile::tempdir().unwrap();
    play(folder.path(), &["sjf"], 1, 0);
    let asked = manifest(&config(6), &["sjf"]);
    let open = ResultsFolder::open(folder.path(), &asked).unwrap();
    assert_eq!(ResultsFolder::open(folder.path(), &asked).err().unwrap().exit_code(), ExitCode::Locked);
    drop(open);
    let path = folder.path().join("episodes.jsonl");
    let text = std::fs::read_to_string(&path).unwrap().replacen("\"seed\":", "\"sede\":", 2);
    std::fs::write(&path, text).unwrap();
    let error = read_results(folder.path()).err().unwrap();
    assert_eq!(error.exit_code(), ExitCode::Input);
    assert!(error.to_string().contains("episodes.jsonl: row 1: missing field `seed`"), "{error}");
}

#[test]
fn a_verdict_needs_an_interval_that_excludes_zero() {
    let [below, around, above] =
        [(-2.0, -1.0), (-1.0, 1.0), (1.0, 2.0)].map(|(low, high)| Interval { mean: 0.0, low, high });
    assert_eq!(Verdict::of(below, around), Verdict::Better);
    assert_eq!(Verdict::of(around, below), Verdict::Better);
    assert_eq!(Verdict::of(below, above), Verdict::Mixed);
    assert_eq!(Verdict::of(above, around), Verdict::Worse);
    assert_eq!(Verdict::of(around, around), Verdict::Even);
    let nothing = Interval { mean: f64::NAN, low: f64::NAN, high: f64::NAN };
    assert_eq!(Verdict::of(nothing, nothing), Verdict::Even);
}

fn played(folder: &Path) -> (Manifest, Results) {
    play(folder, &SCHEDULERS, 2, 0);
    read_results(folder).unwrap()
}

#[test]
fn comparisons_mirror_each_other_and_the_strongest_is_beaten_by_nobody_admitted() {
    let folder = tempfile::tempdir().unwrap();
    let (_, results) = played(folder.path());
    let one = compare(&results, "sjf", "fcfs").unwrap();
    let other = compare(&results, "fcfs", "sjf").unwrap();
    assert_eq!(one.len(), 2);
    for (mine, its) in one.iter().zip(&other) {
        assert_eq!(mine.seeds, 6);
        for (difference, mirrored) in mine.differences.iter().zip(&its.differences) {
            assert!((difference.difference.mean + mirrored.difference.mean).abs() < 1e-9);
            assert!((difference.one - difference.other - difference.difference.mean).abs() < 1e-9);
        }
    }
    assert_eq!(one[1].verdict, Verdict::Better, "{:?}", one[1]);
    assert_eq!(other[1].verdict, Verdict::Worse);
    let rankings = strongest(&results, "sjf", 0.05).unwrap();
    let baseline = |ranks: &[evaluation::Rank]| ranks.iter().find(|rank| rank.scheduler == "sjf").cloned();
    for ranking in &rankings {
        assert!(baseline(&ranking.ranks).unwrap().admitted, "the baseline is within its own measure");
        assert_eq!(ranking.ranks[0].beaten_by, 0, "{ranking:?}");
    }
    let error = compare(&results, "sjf", "nobody").err().unwrap().to_string();
    assert!(error.contains("`nobody`") && error.contains("wait_warm_0.5"), "{error}");
}

#[test]
fn a_recording_adds_up() {
    let episodes = Episodes::new(&config(6)).unwrap();
    let cell = Cell { workload: "steady".into(), load: 90.0, scheduler: Arc::from("sjf") };
    let grid = grid(&episodes, 1, 1);
    let simulation = grid.workloads[0].episode(RunSeed(5), 90.0, Interests::EVENTS);
    let mut sjf = heuristic("sjf", Scenario::Serverless).unwrap();
    let recording = record_episode(simulation, &mut *sjf, &cell, 0).unwrap();
    assert_eq!(recording.busy.len(), 4);
    assert!(recording.busy.iter().flatten().all(|share| (-1e-9..=1.0 + 1e-9).contains(share)));
    assert!(recording.busy.iter().flatten().any(|share| *share > 0.3));
    assert!(recording.queue.iter().any(|length| *length > 0.0));
    let mut spans = recording.spans.clone();
    assert!(!spans.is_empty() && spans.len() < 2000, "{}", spans.len());
    spans.sort_by(|a, b| (a.node, a.lane).cmp(&(b.node, b.lane)).then(a.from.total_cmp(&b.from)));
    for pair in spans.windows(2).filter(|pair| (pair[0].node, pair[0].lane) == (pair[1].node, pair[1].lane)) {
        assert!(pair[0].to <= pair[1].from + 1e-9, "two containers in one lane: {pair:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    write_recording(folder.path(), &recording).unwrap();
    assert_eq!(read_recordings(folder.path()).unwrap(), [recording]);
}

#[test]
fn the_report_is_well_formed_and_has_every_section() {
    let folder = tempfile::tempdir().unwrap();
    let (mut manifest, results) = played(folder.path());
    let episodes = Episodes::new(&config(6)).unwrap();
    let cell = Cell { workload: "steady".into(), load: 90.0, scheduler: Arc::from("sjf") };
    let simulation = grid(&episodes, 1, 1).workloads[0].episode(RunSeed(5), 90.0, Interests::EVENTS);
    let mut sjf = heuristic("sjf", Scenario::Serverless).unwrap();
    let recording = record_episode(simulation, &mut *sjf, &cell, 0).unwrap();
    manifest.schedulers[1].checkpoint = Some(Digest([0x12; 32]));
    let input = ReportInput {
        explained: &[],
        manifest: &manifest,
        results: &results,
        recordings: &[recording],
        baseline: None,
        tolerance: 0.05,
    };
    let page = report_html(&input).unwrap();
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(&page, options).unwrap();
    let titles: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "title")))
        .filter_map(|node| node.text())
        .collect();
    for title in [
        "(primary)",
        "(guard)",
        "99th percentile",
        "Cold-start rate",
        "Cost",
        "SLO violations",
        "Distribution of slowdowns",
        "idle memory",
        "Queue length",
        "fraction of each node",
        "Containers on their nodes",
    ] {
        assert!(titles.iter().any(|known| known.contains(title)), "{title} is missing in {titles:?}");
    }
    for words in [
        "Paired differences against fcfs",
        "6 seeds a point",
        &manifest.workloads[0].digest.short(16),
        "1212121212121212",
        "prefers-color-scheme: dark",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(
        !page.contains("NaN") && !page.contains("src=") && !page.contains("@import"),
        "no holes, no network"
    );
    let learnt = page.matches("learnt").count();
    assert!(learnt > 8, "the policy stands out in every chart: {learnt}");
    assert_eq!(page, report_html(&input).unwrap(), "the same input gives the same page");
}
