//! Pages and pictures of results that were made up.

use common::ExitStatus as _;
use common::trajectory::Scenario;

use super::{Explained, ReportInput, report_html};
use crate::manifest::{Manifest, SchedulerEntry, WorkloadEntry};
use crate::metrics::{metrics_of, sums_of};
use crate::record::{Cell, EpisodeRecord};
use crate::recording::{ContainerState, Recording, Span};
use crate::results::Results;

const SEEDS: u32 = 4;

/// Panics where a picture is no XML or draws nothing.
pub(crate) fn assert_draws(svg: &str) {
    let document = roxmltree::Document::parse(svg).expect("it is XML");
    let drawn = |node: roxmltree::Node<'_, '_>| ["path", "rect", "circle"].contains(&node.tag_name().name());
    assert!(document.descendants().any(drawn), "nothing is drawn in {svg}");
}

/// Results in which figure number `place` of scheduler number `who` is `figure(who, place)`, more or less by the seed.
pub(crate) fn results(
    workload: &str,
    loads: &[f64],
    schedulers: &[&str],
    figure: impl Fn(usize, usize) -> f64,
) -> Results {
    let mut results = Results::new(Scenario::Serverless);
    for &load in loads {
        for (who, name) in schedulers.iter().enumerate() {
            for seed in 0..SEEDS {
                let value = |place: usize| figure(who, place) * (1.0 + 0.01 * f64::from(seed));
                results.add(EpisodeRecord {
                    cell: Cell { workload: workload.into(), load, scheduler: (*name).into() },
                    seed,
                    figures: (0..metrics_of(Scenario::Serverless).len()).map(value).collect(),
                    sums: vec![100.0; sums_of(Scenario::Serverless).len()],
                    slowdowns: vec![(1.0, 90), (4.0, 10)],
                    decisions: crate::DecisionTimes::default(),
                });
            }
        }
    }
    results
}

/// An episode of one node.
pub(crate) fn recording(workload: &str, load: f64, scheduler: &str) -> Recording {
    let span = |state, from| Span { node: 0, lane: 0, function: 0, state, from, to: from + 1.0 };
    Recording {
        schema: 1,
        workload: workload.to_owned(),
        load,
        scheduler: scheduler.to_owned(),
        seed: 0,
        bin_seconds: 1.0,
        queue: vec![0.0, 2.0, 1.0],
        busy: vec![vec![0.1, 0.9, 0.4]],
        cpu: vec![vec![0.2, 1.3, 0.4]],
        window: [0.0, 3.0],
        spans: vec![
            span(ContainerState::Starting, 0.0),
            span(ContainerState::Running, 1.0),
            span(ContainerState::Idle, 2.0),
        ],
    }
}

/// The page of results.
pub(crate) fn page(results: &Results, recordings: &[Recording]) -> String {
    let workload = |name: &&str| WorkloadEntry {
        name: (*name).to_owned(),
        digest: common::ids::Digest([1; 32]),
        config: serde_json::Value::Null,
    };
    let manifest = Manifest {
        schema: 1,
        scenario: Scenario::Serverless,
        version: "0".to_owned(),
        seed: 1,
        part: "test".to_owned(),
        seeds: SEEDS,
        workloads: results.workloads().iter().map(workload).collect(),
        schedulers: results
            .schedulers()
            .iter()
            .map(|name| SchedulerEntry { name: (*name).to_owned(), checkpoint: None })
            .collect(),
    };
    let explained = [Explained { scheduler: "runs/a".to_owned(), decisions: vec!["wait < 1".to_owned()] }];
    report_html(&ReportInput {
        manifest: &manifest,
        results,
        recordings,
        explained: &explained,
        baseline: None,
        tolerance: 0.05,
    })
    .expect("there are results")
}

/// Pictures of a page, each as a file of its own.
pub(crate) fn pictures(page: &str) -> Vec<String> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(page, options).expect("the page is well-formed");
    let figures = document.descendants().filter(|node| node.has_tag_name("figure"));
    figures
        .filter_map(|figure| figure.children().find(|child| child.tag_name().name() == "svg"))
        .map(|svg| page[svg.range()].to_owned())
        .collect()
}

#[test]
fn every_picture_of_a_page_is_sound() {
    let results = results("steady", &[50.0, 90.0], &["sjf", "fcfs", "lp_bound"], |who, _| 1.0 + who as f64);
    let page = page(&results, &[recording("steady", 90.0, "sjf")]);
    let pictures = pictures(&page);
    assert!(pictures.len() >= 8, "{}", pictures.len());
    pictures.iter().for_each(|svg| assert_draws(svg));
    assert!(page.contains("Why runs/a decides so") && page.contains("wait &lt; 1"));
}

/// Where the metric of that name stands.
fn place(key: &str) -> usize {
    metrics_of(Scenario::Serverless).iter().position(|metric| metric.key == key).expect("it is a metric")
}

/// Figures without workflows.
fn plain(who: usize, place: usize) -> f64 {
    if metrics_of(Scenario::Serverless)[place].key.starts_with("workflow") {
        f64::NAN
    } else {
        1.0 + who as f64
    }
}

fn titled<'a>(pictures: &'a [String], title: &str) -> &'a str {
    pictures.iter().find(|svg| svg.contains(title)).unwrap_or_else(|| panic!("no picture of {title}"))
}

#[test]
fn one_load_is_drawn_scheduler_by_scheduler_with_intervals() {
    let results = results("steady", &[90.0], &["sjf", "fcfs", "tetris"], plain);
    let pictures = pictures(&page(&results, &[]));
    let svg = titled(&pictures, "(primary)");
    for (name, words) in [("sjf", "an interval"), ("fcfs", "an interval"), ("tetris", "an interval")] {
        assert!(svg.contains(&format!(">{name}</text>")), "no row of {name} with {words}");
    }
    assert_eq!(svg.matches(r#"class="i""#).count(), 3);
    assert!(!svg.contains(r#"class="l""#) && svg.contains("at 90% load"), "{svg}");
}

#[test]
fn what_lies_far_off_is_an_arrow_and_leaves_the_others_their_room() {
    let names = ["a", "b", "c", "d", "far"];
    let results = results("steady", &[90.0], &names, |who, place| match who {
        4 => 1e7,
        _ => plain(who, place),
    });
    let page = page(&results, &[]);
    let pictures = pictures(&page);
    let svg = titled(&pictures, "Cold starts and idle memory");
    assert!(svg.contains("far: "), "its values are told: {svg}");
    let column = |name: &str| -> f64 {
        let group = svg.split(&format!("<title>{name}</title>")).nth(1).expect("it has a group");
        let path = group.split('M').nth(2).expect("it has an interval");
        path.split(' ').next().and_then(|text| text.parse().ok()).expect("a place")
    };
    assert!(column("d") - column("a") > 100.0, "{} {}", column("a"), column("d"));
    assert!(page.contains("Beyond the scale, an arrow at its edge: far"));
}

#[test]
fn whole_workflows_are_ranked_and_judged_with_their_stages_beside() {
    let stages = place("slowdown");
    // The second is better by its stages, the first by whole workflows.
    let figure = |who: usize, place: usize| if place == stages { 9.0 - who as f64 } else { 1.0 + who as f64 };
    let results = results("flows", &[90.0], &["whole", "stages"], figure);
    let rankings = crate::strongest(&results, "stages", 10.0).expect("both played");
    assert_eq!(rankings[0].ranked_by, ["workflow_slowdown_mean", "workflow_slowdown_p99"]);
    assert_eq!(rankings[0].ranks[0].scheduler, "whole");
    assert!(rankings[0].ranks[0].stages.is_some());
    let comparison = &crate::compare(&results, "whole", "stages").expect("both played")[0];
    assert_eq!(comparison.verdict, crate::Verdict::Better);
    let shown: Vec<&str> = comparison.differences.iter().map(|one| one.metric).collect();
    assert_eq!(shown[..2], rankings[0].ranked_by);
    assert!(shown.contains(&"slowdown") && shown.contains(&"slowdown_mean"));
    let records = crate::serverless_records(&results);
    assert_eq!(records[0].differences[0].metric, "workflow_slowdown_mean");
    let table = crate::serverless_table(&records);
    assert!(table.contains("primary: mean slowdown of whole workflows"), "{table}");
    let page = page(&results, &[]);
    assert!(page.contains("Slowdown of whole workflows, mean (primary)"));
    assert!(page.contains("workflow p99 (guard)") && page.contains("stages, mean"));
    assert!(!page.contains("geometric mean over functions (primary)"));
    let picture = crate::serverless_picture(&records, &[]).expect("there are figures");
    assert!(picture.contains("mean over workflows (primary)"));
    assert_draws(&picture);
}

#[test]
fn an_episode_without_a_figure_is_left_out_of_its_mean() {
    let mut results = results("steady", &[90.0], &["sjf", "fcfs"], plain);
    for name in ["sjf", "fcfs"] {
        results.add(EpisodeRecord {
            cell: Cell { workload: "steady".into(), load: 90.0, scheduler: name.into() },
            seed: SEEDS,
            figures: vec![f64::NAN; metrics_of(Scenario::Serverless).len()],
            sums: vec![0.0; sums_of(Scenario::Serverless).len()],
            slowdowns: Vec::new(),
            decisions: crate::DecisionTimes::default(),
        });
    }
    let summary = &results.summaries()[0];
    assert!((summary.metric(Scenario::Serverless, "slowdown").mean - 1.015).abs() < 1e-9);
    let comparison = &crate::compare(&results, "sjf", "fcfs").expect("both played")[0];
    assert_eq!(comparison.verdict, crate::Verdict::Better, "{comparison:?}");
}

#[test]
fn figures_that_are_no_numbers_leave_no_holes_and_no_empty_pictures() {
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -1.0, f64::MAX, f64::MIN_POSITIVE] {
        for loads in [&[90.0][..], &[10.0, 90.0]] {
            for names in [&["sjf"][..], &["sjf", "fcfs"]] {
                let results = results("steady", loads, names, |_, _| wrong);
                let page = page(&results, &[]);
                for svg in pictures(&page) {
                    assert_draws(&svg);
                    assert!(!svg.contains("NaN") && !svg.contains("inf "), "{wrong}: {svg}");
                }
                match crate::serverless_picture(&crate::serverless_records(&results), &[]) {
                    Ok(svg) => assert_draws(&svg),
                    Err(error) => assert!(error.to_string().contains("nothing to draw"), "{error}"),
                }
            }
        }
    }
}

#[test]
fn results_in_which_nothing_was_counted_are_refused() {
    let mut results = results("steady", &[90.0], &["sjf", "fcfs"], plain);
    assert!(results.check_counted().is_ok());
    for name in ["sjf", "fcfs"] {
        results.add(EpisodeRecord {
            cell: Cell { workload: "steady".into(), load: 0.5, scheduler: name.into() },
            seed: 0,
            figures: vec![f64::NAN; metrics_of(Scenario::Serverless).len()],
            sums: vec![0.0; sums_of(Scenario::Serverless).len()],
            slowdowns: Vec::new(),
            decisions: crate::DecisionTimes::default(),
        });
    }
    let errors = [
        results.check_counted().expect_err("0.5% has nothing"),
        crate::compare(&results, "sjf", "fcfs").expect_err("likewise"),
        crate::strongest(&results, "sjf", 0.05).expect_err("likewise"),
    ];
    for error in errors {
        assert_eq!(error.exit_code(), common::ExitCode::Config);
        let text = error.to_string();
        assert!(text.contains("`steady` at 0.5% load") && text.contains("window_seconds"), "{text}");
    }
    assert!(results.too_few_seeds().is_some_and(|words| words.starts_with("1 episodes (seeds)")));
}

#[test]
fn results_without_an_episode_are_told_so() {
    let error = crate::compare(&Results::new(Scenario::Slots), "a", "b").expect_err("there is nothing");
    assert!(error.to_string().contains("no episode has finished yet"), "{error}");
}

#[test]
fn hostile_names_stand_nowhere_unescaped() {
    let hostile = [
        "=cmd|'/c calc'!A0",
        "<script>alert(1)</script>",
        "\"'><img src=x>",
        "a\u{1b}[2J\n2026 ERROR forged",
        "\u{202e}fcfs&amp;",
        "@sum",
        "]]>",
    ];
    let results = results(hostile[1], &[50.0, 90.0], &hostile, plain);
    let mut recordings = vec![recording(hostile[1], 90.0, hostile[3])];
    recordings.push(recording(hostile[1], 90.0, hostile[1]));
    let page = page(&results, &recordings);
    assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains('\u{1b}'));
    assert!(!page.contains('\u{202e}') && !page.contains("\n2026 ERROR"));
    pictures(&page).iter().for_each(|svg| assert_draws(svg));
    let svg =
        crate::serverless_picture(&crate::serverless_records(&results), &[]).expect("there are figures");
    assert_draws(&svg);
    let texts = [
        crate::summaries_csv(Scenario::Serverless, &results.summaries()).expect("it is written to memory"),
        crate::serverless_table(&crate::serverless_records(&results)),
        svg,
    ];
    for text in &texts {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("\n2026"), "{text}");
    }
    let mut rows = csv::Reader::from_reader(texts[0].as_bytes());
    for row in rows.records() {
        let row = row.expect("every row has every cell");
        assert!(!row[2].starts_with(['=', '+', '-', '@']), "{}", &row[2]);
    }
    let error = crate::compare(&results, "nobody\n", "sjf").expect_err("it did not play").to_string();
    assert_eq!(error.lines().count(), 1, "{error}");
}
