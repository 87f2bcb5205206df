//! Tables of the report.

use std::fmt::Write as _;

use common::trajectory::Scenario;
use drawing::escape;

use super::page::Page;
use crate::compare::{Comparison, Verdict, compare_points};
use crate::judged::Judged;
use crate::metrics::METRICS;
use crate::results::ENOUGH_SEEDS;
use crate::statistics::Bootstraps;
use crate::strongest::{Rank, Ranking};

/// The strongest scheduler and the ranking behind it.
pub(super) fn ranking(ranking: &Ranking, tolerance: f64, scenario: Scenario) -> String {
    let Some(best) = ranking.ranks.first() else { return String::new() };
    let measure = match scenario {
        Scenario::Slots => String::new(),
        Scenario::Serverless => format!(
            " among those that cost at most {0:.0}% more than {1} and keep idle at most {0:.0}% of its memory more",
            100.0 * tolerance,
            escape(&ranking.baseline)
        ),
    };
    let judged = Judged::of(scenario, best.stages.is_some());
    let few = if ranking.seeds < ENOUGH_SEEDS {
        format!("<p>{} seeds are too few to believe this; play {ENOUGH_SEEDS} or more.</p>", ranking.seeds)
    } else {
        String::new()
    };
    let admitted = ranking.ranks.iter().filter(|rank| rank.admitted).count();
    let mut text = format!(
        "<p>Strongest at {}% load{measure}: <strong>{}</strong>, which beats {} of {} others.</p>\
         {few}<details><summary>Ranking at {}% load</summary><div class=\"wide\"><table><tr><th>scheduler</th>\
         <th>{}</th><th>{}</th>",
        ranking.load,
        escape(&best.scheduler),
        best.beats,
        admitted.saturating_sub(1),
        ranking.load,
        escape(title(judged, judged.primary())),
        escape(title(judged, judged.guard())),
    );
    if judged.workflows {
        text.push_str("<th>stages</th><th>stages, mean</th>");
    }
    if scenario == Scenario::Serverless {
        text.push_str("<th>cost, USD</th><th>idle GB·s</th><th>within tolerance</th>");
    }
    text.push_str("<th>beats</th><th>beaten by</th><th>Pareto</th></tr>");
    ranking.ranks.iter().for_each(|rank| text.push_str(&rank_row(rank, scenario)));
    text.push_str("</table></div></details>");
    text
}

fn rank_row(rank: &Rank, scenario: Scenario) -> String {
    let yes = |is: bool| if is { "yes" } else { "–" };
    let mut row = format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td>",
        escape(&rank.scheduler),
        digits(rank.slowdown),
        digits(rank.guard)
    );
    for stage in rank.stages.iter().flatten() {
        let _ = write!(row, "<td>{}</td>", digits(*stage));
    }
    if scenario == Scenario::Serverless {
        let _ = write!(
            row,
            "<td>{}</td><td>{}</td><td>{}</td>",
            digits(rank.cost_usd),
            digits(rank.idle_gb_seconds),
            yes(rank.admitted)
        );
    }
    let _ =
        write!(row, "<td>{}</td><td>{}</td><td>{}</td></tr>", rank.beats, rank.beaten_by, yes(rank.pareto));
    row
}

/// Differences of every scheduler against the baseline, a table for each load; that of `open` is open.
pub(super) fn differences(page: &Page<'_>, workload: &str, open: f64) -> String {
    let mut text = String::new();
    let mut bootstraps = Bootstraps::default();
    let judged = Judged::in_results(page.input.results, workload);
    for load in page.input.results.loads(workload) {
        let comparisons = against_baseline(page, workload, load, &mut bootstraps);
        let Some(first) = comparisons.first() else { continue };
        let state = if load == open { " open=\"open\"" } else { "" };
        let few = if first.seeds < ENOUGH_SEEDS { "; too few to be believed" } else { "" };
        let _ = write!(
            text,
            "<details{state}><summary>{load}% load, {} paired seeds{few}</summary><div class=\"wide\"><table><tr>\
             <th>scheduler</th><th>verdict</th>",
            first.seeds
        );
        for one in &first.differences {
            let _ = write!(text, "<th>{}</th>", escape(title(judged, one.metric)));
        }
        text.push_str("</tr>");
        comparisons.iter().for_each(|one| text.push_str(&difference_row(one)));
        text.push_str("</table></div></details>");
    }
    text.push_str(
        "<p class=\"soft\">Scheduler minus baseline, mean and 95% bootstrap interval over paired seeds; lower is better. \
         Coloured where the interval excludes zero.</p>",
    );
    text
}

fn against_baseline(
    page: &Page<'_>,
    workload: &str,
    load: f64,
    bootstraps: &mut Bootstraps,
) -> Vec<Comparison> {
    let results = page.input.results;
    let Some(baseline) = results.find(workload, load, &page.baseline) else { return Vec::new() };
    let others = results.schedulers().into_iter().filter(|name| *name != page.baseline);
    others
        .filter_map(|name| results.find(workload, load, name))
        .filter_map(|point| compare_points(page.scenario, point, baseline, bootstraps))
        .collect()
}

fn difference_row(comparison: &Comparison) -> String {
    let (class, words) = match comparison.verdict {
        Verdict::Better => ("good", "beats it"),
        Verdict::Worse => ("bad", "is beaten"),
        Verdict::Mixed => ("", "mixed"),
        Verdict::Even => ("", "even"),
        Verdict::Reference => ("", "reference"),
    };
    let mut row = format!("<tr><td>{}</td><td class=\"{class}\">{words}</td>", escape(&comparison.scheduler));
    for one in &comparison.differences {
        let interval = one.difference;
        let class = match () {
            () if interval.high < 0.0 => "good",
            () if interval.low > 0.0 => "bad",
            () => "",
        };
        let _ = write!(
            row,
            "<td class=\"{class}\">{} <small>[{}, {}]</small></td>",
            signed(interval.mean),
            digits(interval.low),
            digits(interval.high)
        );
    }
    row.push_str("</tr>");
    row
}

fn title(judged: Judged, key: &str) -> &'static str {
    match (key, judged.workflows) {
        ("slowdown", false) => "slowdown (primary)",
        ("slowdown_mean", false) => "mean (guard)",
        ("slowdown_p99", false) => "p99",
        ("workflow_slowdown_mean", _) => "workflow mean (primary)",
        ("workflow_slowdown_p99", _) => "workflow p99 (guard)",
        ("slowdown", true) => "stages (geo)",
        ("slowdown_mean", true) => "stages, mean",
        ("slowdown_p99", true) => "stages, p99",
        ("dropped_share", _) => "dropped (guard)",
        ("cold_start_rate", _) => "cold-start rate",
        _ => METRICS.iter().find(|metric| metric.key == key).map_or("", |metric| metric.title),
    }
}

fn signed(value: f64) -> String {
    let text = digits(value);
    if value > 0.0 { format!("+{text}") } else { text }
}

/// Three significant digits, with a true minus.
fn digits(value: f64) -> String {
    let magnitude = value.abs();
    let text = match magnitude {
        _ if !value.is_finite() => return "–".to_owned(),
        0.0 => "0".to_owned(),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        0.001.. => format!("{value:.4}"),
        _ => format!("{value:.0e}"),
    };
    text.replace('-', "−")
}
