//! `longshore explain`: why a policy decides as it does.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use common::trajectory::Scenario;
use common::{Action, ExitCode, Stream};
use configuration::{Algorithm, Config, ConfigError};
use engine::serverless::Part;
use engine::{DecisionRequest, Interests, Progress, Scheduler as _, Simulation};
use evaluation::Table;
use policy::{Checkpoint, Explanation, ScoredOption, find_checkpoint};
use serde::Serialize;
use workloads::Episodes;

use crate::arguments::percent;

/// Options and nodes that the text shows of one decision; `--json` has all.
const SHOWN: usize = 8;
/// Steps of an episode of `slots`.
const STEPS: u32 = 200;

/// Plays a test episode and says of some decisions what was scored how: the probability of every option and of *wait*, and which
/// nodes of the state graph the node that is acted upon listened to.
///
/// Decisions with one alternative are passed over.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore explain runs/slots\n  longshore explain runs/azure2019 --after 120 --decisions 3 --json"
)]
pub struct ExplainArguments {
    /// A run folder or a checkpoint.
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Number of the test episode.
    #[arg(long, default_value_t = 0, value_name = "NUMBER")]
    pub episode: u64,
    /// Offered load in percent; by default that of the configuration, in `slots` 110.
    #[arg(long, value_parser = percent, value_name = "PERCENT")]
    pub load: Option<f64>,
    /// Decisions are explained from this time of the episode on, simulated seconds (in `slots`: steps).
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub after: u32,
    /// How many decisions are explained.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "COUNT")]
    pub decisions: u32,
    /// One JSON object a decision, with all options.
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Explained {
    schema: u32,
    /// Number of the decision in the episode, from 0.
    decision: u64,
    /// Simulated seconds (in `slots`: steps).
    at: f64,
    action: Action,
    #[serde(flatten)]
    explanation: Explanation,
}

/// Which decisions of which episode are explained.
struct Chosen {
    episode: u64,
    load: Option<f64>,
    after: u32,
    decisions: u32,
}

/// Plays the episode until enough was explained.
///
/// # Errors
/// Where there is no such policy, its workload cannot be read, or stdout cannot be written.
pub fn run(arguments: &ExplainArguments) -> anyhow::Result<ExitCode> {
    let &ExplainArguments { episode, load, after, decisions, json, .. } = arguments;
    explain(&arguments.run, &Chosen { episode, load, after, decisions }, |explained| write(explained, json))?;
    Ok(ExitCode::Success)
}

/// The first `decisions` decisions after `after` seconds of test episode 0 of a run or checkpoint, as `longshore explain` prints
/// them.
///
/// # Errors
/// As [`run`].
pub fn texts(
    run: &Path,
    scenario: Scenario,
    load: f64,
    after: u32,
    decisions: u32,
) -> anyhow::Result<Vec<String>> {
    let theirs = Checkpoint::open(&find_checkpoint(run)?)?.manifest.config.simulator.scenario;
    anyhow::ensure!(theirs == scenario, "the policy plays `{theirs}`, and these are results of `{scenario}`");
    let mut texts =
        vec![format!("Test episode 0 of the policy's own configuration at {load}% load, from {after} s on.")];
    let chosen = Chosen { episode: 0, load: Some(load), after, decisions };
    explain(run, &chosen, |explained| {
        texts.push(text(explained));
        Ok(())
    })?;
    Ok(texts)
}

fn explain(
    run: &Path,
    chosen: &Chosen,
    mut say: impl FnMut(&Explained) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let checkpoint = Checkpoint::open(&find_checkpoint(run)?)?;
    if checkpoint.manifest.config.learner.algorithm == Algorithm::Dqn {
        let message = "this policy learnt Q-values (learner.algorithm = \"dqn\"), and probabilities are what is explained";
        return Err(
            ConfigError::Invalid { origin: run.display().to_string(), message: message.to_owned() }.into()
        );
    }
    let mut scheduler = checkpoint.scheduler(&run.display().to_string())?;
    policy::set_threads(1);
    let mut simulation = episode(&checkpoint.manifest.config, chosen, scheduler.interests())?;
    scheduler.episode_started(0);
    let (mut left, mut decision) = (chosen.decisions, 0);
    while left > 0 && simulation.advance() == Progress::Decision {
        let request = DecisionRequest { environment: 0, view: simulation.view() };
        let at = simulation.now().seconds();
        let mut actions = Vec::new();
        if at < f64::from(chosen.after) {
            scheduler.decide(&[request], &mut actions)?;
        } else {
            let (action, explanation) = scheduler.explain(&request)?;
            actions.push(action);
            if explanation.options.len() + usize::from(explanation.wait.is_some()) > 1 {
                say(&Explained { schema: 1, decision, at, action, explanation })?;
                left -= 1;
            }
        }
        simulation.apply(actions[0])?;
        decision += 1;
    }
    if left == chosen.decisions {
        anyhow::bail!("the episode ends at {} s before any decision to explain", simulation.now().seconds());
    }
    Ok(())
}

fn episode(config: &Config, chosen: &Chosen, interests: Interests) -> anyhow::Result<Simulation> {
    let episodes = Episodes::new(&config.simulator)?;
    let seed = config.seed.episode(Stream::Test, chosen.episode);
    if episodes.workload().is_none() {
        return Ok(episodes.slots(seed, chosen.load.unwrap_or(110.0), STEPS));
    }
    let load = chosen.load.unwrap_or(config.simulator.serverless.load_percent);
    Ok(episodes.serverless(seed, Part::Test, load / 100.0, interests))
}

fn write(explained: &Explained, json: bool) -> anyhow::Result<()> {
    let mut stdout = telemetry::stdout();
    if json {
        writeln!(stdout, "{}", serde_json::to_string(explained)?)?;
    } else {
        writeln!(stdout, "{}", text(explained))?;
    }
    Ok(())
}

fn text(explained: &Explained) -> String {
    let Explanation { options, wait, prior_waits, listener, heard } = &explained.explanation;
    let chosen = |is_chosen: bool, is_prior: bool| match (is_chosen, is_prior) {
        (true, true) => "chosen, as the prior",
        (true, false) => "chosen",
        (false, true) => "the prior's",
        (false, false) => "",
    };
    let waits = explained.action == Action::Wait;
    let mut table = Table::new(["probability", "decision", ""]);
    if let Some(wait) = wait {
        let mark = chosen(waits, *prior_waits).to_owned();
        table.row([share(*wait), "wait".to_owned(), mark]);
    }
    for option in options.iter().take(SHOWN) {
        table.row([
            share(option.probability),
            decision(option),
            chosen(option.chosen, option.prior).to_owned(),
        ]);
    }
    let mut text = format!("decision {} at {:.3} s\n{table}", explained.decision, explained.at);
    if options.len() > SHOWN {
        text.push_str(&format!("and {} more options\n", options.len() - SHOWN));
    }
    let layers = heard.last().map_or(0, |last| last.layer);
    for layer in 1..=layers {
        let here = heard.iter().filter(|heard| heard.layer == layer).take(SHOWN);
        let words: Vec<String> =
            here.map(|heard| format!("{} {} ({})", share(heard.attention), heard.from, heard.edge)).collect();
        let listener = listener.as_deref().unwrap_or_default();
        let listener =
            if waits { format!("{listener} (of the most probable option)") } else { listener.to_owned() };
        text.push_str(&format!("in layer {layer} {listener} listens to {}\n", words.join(", ")));
    }
    text
}

/// A hold is about no node.
fn decision(option: &ScoredOption) -> String {
    let ScoredOption { way, subject, object, .. } = option;
    if subject == object || way.starts_with("hold") {
        format!("{way} {subject}")
    } else {
        format!("{way} {subject} on {object}")
    }
}

fn share(fraction: f64) -> String {
    format!("{:.1}%", 100.0 * fraction)
}
