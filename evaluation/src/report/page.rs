//! Everything that the parts of the report need.

use std::collections::HashMap;

use common::trajectory::Scenario;
use drawing::Style;

use crate::error::EvaluationError;
use crate::manifest::Manifest;
use crate::recording::Recording;
use crate::reference::{is_reference, shown_name};
use crate::results::{Results, Summary};
use crate::strongest::{Ranking, strongest};

/// Number of schedulers that are shown until the reader chooses.
const SHOWN: usize = 6;

/// What the report is made of.
pub struct ReportInput<'a> {
    /// What the evaluation was asked for.
    pub manifest: &'a Manifest,
    /// Results of the evaluation.
    pub results: &'a Results,
    /// Episodes that were recorded.
    pub recordings: &'a [Recording],
    /// Why learnt schedulers decide as they do.
    pub explained: &'a [Explained],
    /// Scheduler that the others are compared with; by default the first one that is not a reference.
    pub baseline: Option<&'a str>,
    /// Excess of cost and idle memory over the baseline that is admitted, as a fraction; see [`strongest`].
    pub tolerance: f64,
}

/// Some decisions of a learnt scheduler.
pub struct Explained {
    /// Its name in the results.
    pub scheduler: String,
    /// A text for each decision.
    pub decisions: Vec<String>,
}

/// Everything that the parts of the page need.
pub(super) struct Page<'a> {
    pub input: &'a ReportInput<'a>,
    pub scenario: Scenario,
    pub baseline: String,
    pub rankings: Vec<Ranking>,
    pub summaries: Vec<Summary>,
    pub styles: HashMap<&'a str, Style>,
}

impl<'a> Page<'a> {
    /// Ranks the schedulers and gives each its colour.
    ///
    /// # Errors
    /// When there are no results, or none of the baseline.
    pub fn new(input: &'a ReportInput<'a>) -> Result<Self, EvaluationError> {
        let baseline = input.results.baseline(input.baseline)?;
        let rankings = strongest(input.results, &baseline, input.tolerance)?;
        let styles = styles(input, &baseline, &rankings);
        let summaries = input.results.summaries();
        Ok(Page { input, scenario: input.results.scenario(), baseline, rankings, summaries, styles })
    }
}

/// The colour, and whether it is shown at first, of every scheduler: learnt ones, the baseline, then the best; references,
/// which are always shown at first, come last.
fn styles<'a>(input: &ReportInput<'a>, baseline: &str, rankings: &[Ranking]) -> HashMap<&'a str, Style> {
    let learnt = |name: &str| {
        input.manifest.schedulers.iter().any(|entry| entry.name == name && entry.checkpoint.is_some())
    };
    let place = |name: &str| -> usize {
        let place = |ranking: &Ranking| ranking.ranks.iter().position(|rank| rank.scheduler == name);
        rankings.iter().map(|ranking| place(ranking).unwrap_or(ranking.ranks.len())).sum()
    };
    let mut order = input.results.schedulers();
    order.sort_by_cached_key(|name| (is_reference(name), !learnt(name), *name != baseline, place(name)));
    let style = |(number, name): (usize, &'a str)| {
        let style = Style {
            number,
            name: name.to_owned(),
            label: shown_name(name),
            strong: learnt(name),
            soft: is_reference(name),
            hidden: number >= SHOWN && !learnt(name) && !is_reference(name),
        };
        (name, style)
    };
    order.into_iter().enumerate().map(style).collect()
}
