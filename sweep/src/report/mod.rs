//! A study as one HTML file: who leads, how trials learnt, which parameters matter, what was ended when, and what it cost.

mod charts;
mod look;
mod tables;

use drawing::{escape, html_page};
use look::word;

use crate::held_out::held_out;
use crate::layout::Layout;
use crate::program::Program;
use crate::state::State;
use crate::trial::TrialStatus;

/// The page of a study.
#[must_use]
pub fn report(layout: &Layout, state: &State) -> String {
    let comparison = match held_out(layout, state) {
        Ok(rows) => tables::comparison(state, &rows),
        Err(why) => format!("<p>The comparison on held-out seeds cannot be shown: {}.</p>", escape(&why)),
    };
    let sections = [
        ("trials", "Best trials", tables::leaderboard(state)),
        ("held-out", "Beside the baseline, on held-out seeds", comparison),
        ("curves", "How trials went", charts::curves(state)),
        ("parameters", "Parameters", charts::parameters(state)),
        ("rungs", "What was ended when", tables::rungs(state)),
        ("failures", "Failures", tables::failures(state)),
    ];
    let shown = || sections.iter().filter(|(_, _, text)| !text.is_empty());
    let links: String = shown().map(|(id, title, _)| format!("<a href=\"#{id}\">{title}</a>")).collect();
    let body: String = shown()
        .map(|(id, title, text)| format!("<section id=\"{id}\"><h2>{title}</h2>{text}</section>"))
        .collect();
    html_page(&format!("Study {}", state.study.name), &links, &[method(state), body].concat(), "")
}

fn method(state: &State) -> String {
    let study = &state.study;
    let program = match &study.program {
        Program::Train { config, set, .. } => {
            format!("trains <code>{}</code> {}", escape(config), escape(&set.join(" ")))
        }
        Program::Evaluate { scheduler, configs, .. } => {
            format!("plays <code>{}</code> on {}", escape(scheduler), escape(&configs.join(", ")))
        }
    };
    let count = |status: TrialStatus| {
        state.trials.iter().skip(1).filter(|trial| state.status(trial) == status).count()
    };
    let rungs: Vec<String> = study
        .rungs
        .iter()
        .map(|rung| match study.program {
            Program::Train { .. } => format!("{} steps × {} seeds", rung.spent, rung.seeds),
            Program::Evaluate { .. } => format!("{} episodes", rung.spent),
        })
        .collect();
    format!(
        "<div class=\"method\"><dl><dt>a trial</dt><dd>{program}</dd><dt>trials</dt><dd>{} without the baseline: {} finished, {} ended \
         early, {} failed, {} still on their way</dd><dt>rungs</dt><dd>{}</dd><dt>sampler, race</dt><dd>{}, {}; seed {}</dd>\
         <dt>cost</dt><dd>{:.1} minutes; {} {} in all</dd></dl></div>",
        state.trials.len().saturating_sub(1),
        count(TrialStatus::Finished),
        count(TrialStatus::Pruned),
        count(TrialStatus::Failed),
        count(TrialStatus::Running) + count(TrialStatus::Waiting) + count(TrialStatus::Paused),
        rungs.join(", "),
        word(&study.sampler.kind),
        word(&study.racing.rule),
        study.seed.0,
        state.seconds / 60.0,
        state.spent(),
        if matches!(study.program, Program::Train { .. }) { "environment steps" } else { "episodes" },
    )
}
