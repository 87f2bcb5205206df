//! `longshore config`: every key of a configuration, a schema for editors, and whether a file is right.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use configuration::Config;
use evaluation::Contender;

/// What a configuration may hold, and whether one is right.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore config reference | less\n  longshore config schema > longshore.schema.json\n  \
                        longshore config check configs/train/slots.toml --set learner.epochs=4"
)]
pub struct ConfigArguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every key with kind, unit, default, range and what it is for, as Markdown.
    Reference {
        /// One JSON object a line in place of the page.
        #[arg(long)]
        json: bool,
    },
    /// The JSON Schema of a configuration, for editors.
    Schema,
    /// Reads a file as every program does, with the traces, schedulers and devices that it names, and says what is wrong.
    Check {
        /// The configuration file to check.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Sets one value, e.g. `learner.epochs=4`; may be given many times.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        settings: Vec<String>,
    },
}

/// Refuses rules that the report could not play, rules of limits that there are not, a prior that the policy could not start from, and a
/// scheduler that it could not imitate.
///
/// # Errors
/// [`heuristics::UnknownScheduler`], [`engine::SchedulerError::WrongScenario`], [`policy::PolicyError`].
pub fn check_schedulers(config: &Config) -> anyhow::Result<()> {
    for name in &config.evaluation.schedulers {
        Contender::by_name(name, config.simulator.scenario).context("key `evaluation.schedulers`")?;
    }
    let scenario = config.simulator.scenario;
    for (part, limit) in config.reward.limits().into_iter().filter(|(_, limit)| !limit.of.is_empty()) {
        heuristics::heuristic(&limit.of, scenario)
            .with_context(|| format!("key `reward.limits.{}.of`", part.name()))?;
    }
    policy::check_prior(&config.policy, scenario)?;
    Ok(policy::check_teacher(&config.learner.imitate, &config.policy, scenario)?)
}

/// Prints what was asked for.
///
/// # Errors
/// [`configuration::ConfigError`] when the file is wrong, and what its traces, schedulers and devices are refused with.
pub fn run(arguments: &ConfigArguments) -> anyhow::Result<()> {
    let text = match &arguments.command {
        Command::Reference { json: false } => configuration::reference(),
        Command::Reference { json: true } => {
            let lines: Result<Vec<String>, _> =
                configuration::entries().iter().map(serde_json::to_string).collect();
            lines?.join("\n") + "\n"
        }
        Command::Schema => serde_json::to_string_pretty(configuration::schema())? + "\n",
        Command::Check { file, settings } => {
            let config = configuration::load(file, settings)?;
            check_schedulers(&config)?;
            workloads::Episodes::new(&config.simulator)?;
            learner::device(&config.learner, 0, None)?;
            format!(
                "{}: right; run `{}`, scenario `{}`\n",
                file.display(),
                config.name,
                config.simulator.scenario
            )
        }
    };
    telemetry::stdout().write_all(text.as_bytes())?;
    Ok(())
}
