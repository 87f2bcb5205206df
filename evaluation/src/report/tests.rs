//! Pages and pictures of results that were made up.

use common::trajectory::Scenario;

use super::ink::tests::assert_has_ink;
use super::{ReportInput, report_html};
use crate::manifest::{Manifest, SchedulerEntry, WorkloadEntry};
use crate::metrics::{metrics_of, sums_of};
use crate::record::{Cell, EpisodeRecord};
use crate::recording::{ContainerState, Recording, Span};
use crate::results::Results;

const SEEDS: u32 = 4;

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
        digest: "0123456789abcdef".to_owned(),
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
    report_html(&ReportInput { manifest: &manifest, results, recordings, baseline: None, tolerance: 0.05 })
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
fn every_picture_of_a_page_has_colours_of_its_own() {
    let results = results("steady", &[50.0, 90.0], &["sjf", "fcfs", "lp_bound"], |who, _| 1.0 + who as f64);
    let page = page(&results, &[recording("steady", 90.0, "sjf")]);
    let pictures = pictures(&page);
    assert!(pictures.len() >= 8, "{}", pictures.len());
    pictures.iter().for_each(|svg| assert_has_ink(svg));
}
