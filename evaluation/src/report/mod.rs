//! One HTML file that shows an evaluation: no network, light and dark, every scheduler on a switch of its own.

mod figures;
mod page;
mod tables;
#[cfg(test)]
pub(crate) mod tests;
mod timeline;

use std::fmt::Write as _;

use common::trajectory::Scenario;
use drawing::{Style, escape, html_page, plain};
use page::Page;
pub use page::{Explained, ReportInput};

use crate::error::EvaluationError;
use crate::manifest::Manifest;
use crate::recording::Recording;
use crate::reference::is_reference;
use crate::results::Point;

/// Number of schedulers of a workload for which time-resolved pictures are drawn.
const RECORDED: usize = 2;
/// Distributions, scatter plots and the open table are those of the load next to this, percent.
const MIDDLE_LOAD: f64 = 90.0;
/// Hex digits of a digest that are shown.
const SHOWN_DIGITS: usize = 16;

/// Makes the HTML page that shows the results of an evaluation.
///
/// # Errors
/// When there are no results, or none of the baseline.
pub fn report_html(input: &ReportInput<'_>) -> Result<String, EvaluationError> {
    Ok(Page::new(input)?.html())
}

impl Page<'_> {
    fn html(&self) -> String {
        let title = format!("Schedulers compared: {}", self.scenario);
        let mut body = String::new();
        for (number, workload) in self.input.results.workloads().into_iter().enumerate() {
            let _ = write!(body, r#"<section id="w{number}"><h2>{}</h2>"#, escape(workload));
            self.workload(workload, &mut body);
            body.push_str("</section>");
        }
        self.explained(&mut body);
        let body = [self.method(), self.legend(), body].concat();
        html_page(&title, &self.links(), &body, include_str!("legend.js"))
    }

    fn links(&self) -> String {
        let workloads = self.input.results.workloads();
        let link = |(number, name): (usize, &&str)| format!("<a href=\"#w{number}\">{}</a>", escape(name));
        workloads.iter().enumerate().map(link).collect()
    }

    /// Switches with samples of the lines, the strongest first.
    fn legend(&self) -> String {
        let mut styles: Vec<&Style> = self.styles.values().collect();
        styles.sort_by_key(|style| style.number);
        let item = |style: &Style| {
            let checked = if style.hidden { "" } else { " checked=\"checked\"" };
            let strong = if style.strong { " class=\"strong\"" } else { "" };
            // The sample keeps its colour when the lines are switched off.
            format!(
                "<label{strong}><input type=\"checkbox\" value=\"{}\"{checked}/>{}{}</label>",
                style.number,
                style.sample(),
                escape(&style.label)
            )
        };
        format!(
            "<div class=\"legend\"><div><button id=\"strongest\">strongest</button><button id=\"all\">all</button>\
             <button id=\"none\">none</button>{}</div></div>",
            styles.into_iter().map(item).collect::<String>()
        )
    }

    fn workload(&self, workload: &str, body: &mut String) {
        let load = self.middle_load(workload);
        if let Some(ranking) = self.rankings.iter().find(|one| one.workload == workload && one.load == load) {
            body.push_str(&tables::ranking(ranking, self.input.tolerance, self.scenario));
        }
        body.push_str("<div class=\"charts\">");
        for chart in figures::against_load(self, workload) {
            body.push_str(&chart);
        }
        if self.scenario == Scenario::Serverless {
            let more = [
                figures::distributions(self, workload, load),
                figures::cold_against_idle(self, workload, load),
            ];
            more.iter().flatten().for_each(|chart| body.push_str(chart));
        }
        body.push_str("</div>");
        self.episodes(workload, body);
        let _ = write!(body, "<h3>Paired differences against {}</h3>", escape(&self.baseline));
        body.push_str(&tables::differences(self, workload, load));
    }

    fn episodes(&self, workload: &str, body: &mut String) {
        let mut here: Vec<&Recording> =
            self.input.recordings.iter().filter(|one| one.workload == workload).collect();
        here.sort_by_key(|one| {
            self.styles.get(one.scheduler.as_str()).map_or(usize::MAX, |style| style.number)
        });
        // The strongest, and beside it the baseline.
        let best = self
            .rankings
            .iter()
            .find(|one| one.workload == workload && here.iter().any(|it| it.load == one.load));
        let best = best.and_then(|ranking| ranking.ranks.first()).map(|rank| rank.scheduler.as_str());
        here.sort_by_key(|one| Some(one.scheduler.as_str()) != best);
        for recording in here.into_iter().take(RECORDED) {
            let _ = write!(
                body,
                "<h3>One episode: {} at {}% load, seed {}</h3>",
                escape(&recording.scheduler),
                recording.load,
                recording.seed
            );
            for chart in timeline::charts(recording) {
                body.push_str(&figures::figure(&chart, ""));
            }
        }
    }

    fn explained(&self, body: &mut String) {
        for Explained { scheduler, decisions } in self.input.explained {
            let _ = write!(body, "<section><h2>Why {} decides so</h2>", escape(scheduler));
            for text in decisions {
                let lines: Vec<String> = text.lines().map(escape).collect();
                let _ = write!(body, "<pre>{}</pre>", lines.join("\n"));
            }
            body.push_str("</section>");
        }
    }

    fn middle_load(&self, workload: &str) -> f64 {
        middle_load(&self.input.results.loads(workload))
    }

    /// What the dashed grey lines are, where there are any.
    fn references(&self) -> &'static str {
        if !self.styles.values().any(|style| style.soft) {
            return "";
        }
        "<dt>references</dt><dd>Dashed and grey: they know the future, show how much room is left, and are in no ranking \
         and no verdict.</dd>"
    }

    fn method(&self) -> String {
        let Manifest { seed, part, version, workloads, .. } = self.input.manifest;
        let points = self.input.results.points();
        let points: Vec<&Point> = points.iter().filter(|one| !is_reference(&one.cell.scheduler)).collect();
        let seeds = |pick: fn(usize, usize) -> usize| {
            points.iter().map(|point| point.episodes.len()).reduce(pick).unwrap_or(0)
        };
        let (least, most) = (seeds(usize::min), seeds(usize::max));
        let seeds = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let (offered, what) = match self.scenario {
            Scenario::Slots => (points.iter().map(|point| point.total(1) + point.total(2)).sum(), "jobs"),
            Scenario::Serverless => (points.iter().map(|point| point.total(0)).sum::<f64>(), "invocations"),
        };
        let time = match self.scenario {
            Scenario::Slots => String::new(),
            Scenario::Serverless => {
                let seconds: f64 = points.iter().map(|point| point.total(1)).sum();
                format!(", {} simulated hours that count", plain((seconds / 3600.0).round()))
            }
        };
        let digests: String = workloads
            .iter()
            .map(|one| format!("{} <code>{}</code> ", escape(&one.name), one.digest.short(SHOWN_DIGITS)))
            .collect();
        let policies: String = self
            .input
            .manifest
            .schedulers
            .iter()
            .filter_map(|one| Some((one, one.checkpoint.as_ref()?)))
            .map(|(one, digest)| {
                format!("{} <code>{}</code> ", escape(&one.name), digest.short(SHOWN_DIGITS))
            })
            .collect();
        let policies = if policies.is_empty() {
            String::new()
        } else {
            format!("<dt>checkpoints</dt><dd>{policies}</dd>")
        };
        let words = match self.scenario {
            Scenario::Slots => {
                "Slowdown is (finish − arrival) / length, its mean over all finished jobs of all episodes; bars are 1.96 \
                 standard errors over episodes. Dropped jobs are in no mean, so their share stands beside it and is the guard."
            }
            Scenario::Serverless => {
                "Slowdown is max(1, latency / max(T_ref, 100 ms)). Primary: the geometric mean over functions of their mean \
                 slowdowns; guard: the mean over invocations. Every arrival after the warm-up counts, also what never \
                 finished. Where a workload has workflows they are judged whole, end to end against their critical path: primary \
                 is their mean slowdown, guard its 99th percentile; the figures of their stages stand beside them. \
                 At 100% load and beyond the figures depend on the episode's length. Bars are 95% bootstrap \
                 intervals of the mean over seeds; differences are paired by seed."
            }
        };
        format!(
            "<div class=\"method\"><dl><dt>episodes</dt><dd>{}: {} seeds a point; {} {what} in all{time}; part {}, run \
             seed {seed}</dd><dt>configurations</dt><dd>{digests}</dd>{policies}<dt>version</dt><dd>Longshore {}</dd>\
             <dt>verdicts</dt><dd>A scheduler beats another only where it is lower on one of primary and guard and not \
             above on the other, by intervals that exclude zero.</dd>{references}</dl><p class=\"soft\">{words}</p></div>",
            points.iter().map(|point| point.episodes.len()).sum::<usize>(),
            seeds,
            plain(offered),
            escape(part),
            escape(version),
            references = self.references(),
        )
    }
}

/// The load whose distributions and episodes are shown: the one next to 90%; NaN where there is none.
#[must_use]
pub fn middle_load(loads: &[f64]) -> f64 {
    let far = |load: &&f64| (*load - MIDDLE_LOAD).abs();
    loads.iter().min_by(|a, b| far(a).total_cmp(&far(b))).copied().unwrap_or(f64::NAN)
}
