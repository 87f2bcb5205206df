//! `longshore evaluate`: schedulers compared on episodes that nobody learnt from.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::config::{ServerlessConfig, SimulatorConfig, SlotsConfig, WorkloadKind};
use common::trajectory::Scenario;
use common::{RunSeed, Stream};
use evaluation::{Contender, ServerlessPlan, SlotsPlan};
use serde::Serialize;
use simulator::serverless::Part;
use simulator::{Episodes, Scheduler, UnknownScheduler};
use telemetry::StatusLine;

/// What is shown without a flag, in each scenario.
const SLOTS_SCHEDULERS: &str = "fcfs_skip,fcfs_strict,sjf,packer,tetris,sjf_wait40,tetris_hold";
const SERVERLESS_SCHEDULERS: &str = "fcfs,sjf,packer,tetris,wait_warm_0.5";
/// Progress is shown from here on.
const PATIENCE: Duration = Duration::from_secs(2);

/// Compares schedulers: the same unseen episodes for each.
#[derive(Debug, clap::Args)]
pub struct EvaluateArguments {
    /// Which scenario.
    #[command(subcommand)]
    pub scenario: EvaluateScenario,
}

/// The two scenarios.
#[derive(Debug, clap::Subcommand)]
pub enum EvaluateScenario {
    /// Multi-resource job slots: mean slowdown with its standard error, and the share dropped.
    Slots(SlotsArguments),
    /// Worker nodes running functions: every metric with its 95% interval, and paired differences.
    Serverless(ServerlessArguments),
}

/// What both scenarios have.
#[derive(Debug, clap::Args)]
pub struct SharedArguments {
    /// All episodes derive from it.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// One JSON object a line on stdout in place of tables.
    #[arg(long)]
    pub json: bool,
    /// Threads over which episodes of heuristics are spread; 0: every core.
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Episodes that a learnt policy plays side by side.
    #[arg(long, default_value_t = 64, value_name = "EPISODES")]
    pub batch: usize,
    /// Also draws the result.
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
}

/// `longshore evaluate slots`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  longshore evaluate slots --load 110,130 --steps 50 --scheduler sjf,tetris,runs/slots"
)]
pub struct SlotsArguments {
    /// Offered loads in percent.
    #[arg(long, value_delimiter = ',', default_value = "10,50,90,110,130,184.5", value_parser = percent)]
    pub load: Vec<f64>,
    /// Episode lengths in steps.
    #[arg(long, value_delimiter = ',', default_value = "50,200", value_parser = clap::value_parser!(u32).range(2..))]
    pub steps: Vec<u32>,
    /// Episodes of each point.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub episodes: u32,
    /// Plays the job sequences of this JSON file instead, and tells when each job starts.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["load", "steps", "episodes", "svg"])]
    pub jobs: Option<PathBuf>,
    /// Rules by name, run folders and checkpoints.
    #[arg(long, value_delimiter = ',', default_value = SLOTS_SCHEDULERS)]
    pub scheduler: Vec<String>,
    /// What both scenarios have.
    #[command(flatten)]
    pub shared: SharedArguments,
}

/// `longshore evaluate serverless`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  longshore evaluate serverless -c configs/train/azure2019.toml --load 70 --scheduler sjf,runs/azure"
)]
pub struct ServerlessArguments {
    /// The configuration whose cluster and workload are played.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
    /// Sets one value of the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Offered loads in percent; the configured one by default.
    #[arg(long, value_delimiter = ',', value_parser = percent)]
    pub load: Vec<f64>,
    /// Episodes, each with a seed of its own.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub seeds: u32,
    /// Which part of the workload.
    #[arg(long, value_enum, default_value_t = PartArgument::Test)]
    pub part: PartArgument,
    /// Rules by name, run folders and checkpoints.
    #[arg(long, value_delimiter = ',', default_value = SERVERLESS_SCHEDULERS)]
    pub scheduler: Vec<String>,
    /// What both scenarios have.
    #[command(flatten)]
    pub shared: SharedArguments,
}

/// Part of a workload, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PartArgument {
    /// What checkpoints are chosen on.
    Validation,
    /// What only reports see.
    Test,
}

impl PartArgument {
    fn part(self) -> (Part, Stream) {
        match self {
            PartArgument::Validation => (Part::Validation, Stream::Validation),
            PartArgument::Test => (Part::Test, Stream::Test),
        }
    }
}

fn percent(text: &str) -> Result<f64, String> {
    let value: f64 =
        text.trim_end_matches('%').parse().map_err(|_| "give a load in percent, e.g. 130".to_owned())?;
    if value.is_finite() && value > 0.0 { Ok(value) } else { Err("a load is above 0 percent".to_owned()) }
}

/// Opens a run folder or a checkpoint as a scheduler.
pub type LoadPolicy<'a> = &'a dyn Fn(&Path) -> anyhow::Result<Box<dyn Scheduler>>;

/// Plays and prints.
///
/// # Errors
/// Unknown schedulers, unreadable files, a policy that cannot be loaded or of another scenario.
pub fn run(arguments: &EvaluateArguments, load_policy: LoadPolicy<'_>) -> anyhow::Result<()> {
    match &arguments.scenario {
        EvaluateScenario::Slots(slots) if slots.jobs.is_some() => run_jobs(slots, load_policy),
        EvaluateScenario::Slots(slots) => run_slots(slots, load_policy),
        EvaluateScenario::Serverless(serverless) => run_serverless(serverless, load_policy),
    }
}

fn run_slots(arguments: &SlotsArguments, load_policy: LoadPolicy<'_>) -> anyhow::Result<()> {
    let config = SimulatorConfig {
        scenario: Scenario::Slots,
        slots: SlotsConfig::default(),
        serverless: ServerlessConfig::default(),
    };
    let episodes = Episodes::new(&config)?;
    let plan = SlotsPlan {
        loads: arguments.load.clone(),
        steps: arguments.steps.clone(),
        episodes: arguments.episodes,
        seed: RunSeed(arguments.shared.seed),
        stream: Stream::Test,
        threads: arguments.shared.threads,
        batch: arguments.shared.batch,
    };
    let mut entrants = Entrant::all(&arguments.scheduler, Scenario::Slots, load_policy)?;
    let mut contenders: Vec<Contender<'_>> = entrants.iter_mut().map(Entrant::contender).collect();
    let progress = ProgressLine::new();
    let points =
        evaluation::evaluate_slots(&episodes, &mut contenders, &plan, &|done, all| progress.show(done, all));
    drop(progress);
    let points = points?;
    if let Some(path) = &arguments.shared.svg {
        write_picture(path, &evaluation::slots_picture(&points)?)?;
    }
    print(&points, arguments.shared.json, || evaluation::slots_table(&points))
}

fn run_jobs(arguments: &SlotsArguments, load_policy: LoadPolicy<'_>) -> anyhow::Result<()> {
    let path = arguments.jobs.as_ref().context("--jobs names no file")?;
    let sequences = evaluation::read_jobs(path)?;
    let mut entrants = Entrant::all(&arguments.scheduler, Scenario::Slots, load_policy)?;
    let mut contenders: Vec<Contender<'_>> = entrants.iter_mut().map(Entrant::contender).collect();
    let records = evaluation::evaluate_jobs(&sequences, &mut contenders)?;
    print(&records, arguments.shared.json, || {
        let mut table = evaluation::Table::new(["sequence", "scheduler", "jobs", "dropped", "mean slowdown"]);
        for record in &records {
            table.row([
                record.name.clone(),
                record.scheduler.clone(),
                record.start.len().to_string(),
                record.dropped.len().to_string(),
                format!("{:.4}", record.slowdown),
            ]);
        }
        table.to_string()
    })
}

fn run_serverless(arguments: &ServerlessArguments, load_policy: LoadPolicy<'_>) -> anyhow::Result<()> {
    let config = common::config::load(&arguments.config, &arguments.settings)?;
    let episodes = Episodes::new(&config.simulator)?;
    let serverless = &config.simulator.serverless;
    let loads =
        if arguments.load.is_empty() { vec![100.0 * serverless.load] } else { arguments.load.clone() };
    let (part, stream) = arguments.part.part();
    let plan = ServerlessPlan {
        part,
        loads,
        seeds: arguments.seeds,
        seed: RunSeed(arguments.shared.seed),
        stream,
        threads: arguments.shared.threads,
        batch: arguments.shared.batch,
        workload: match serverless.workload {
            WorkloadKind::Steady => "steady".to_owned(),
            WorkloadKind::Trace => config.name.clone(),
        },
    };
    let mut entrants = Entrant::all(&arguments.scheduler, Scenario::Serverless, load_policy)?;
    let mut contenders: Vec<Contender<'_>> = entrants.iter_mut().map(Entrant::contender).collect();
    let progress = ProgressLine::new();
    let records = evaluation::evaluate_serverless(&episodes, &mut contenders, &plan, &|done, all| {
        progress.show(done, all)
    });
    drop(progress);
    let records = records?;
    if let Some(path) = &arguments.shared.svg {
        write_picture(path, &evaluation::serverless_picture(&records)?)?;
    }
    print(&records, arguments.shared.json, || evaluation::serverless_table(&records))
}

/// A name of the command line, resolved.
enum Entrant {
    Rule(String),
    Reference,
    Policy(Box<dyn Scheduler>),
}

impl Entrant {
    fn all(
        names: &[String],
        scenario: Scenario,
        load_policy: LoadPolicy<'_>,
    ) -> anyhow::Result<Vec<Entrant>> {
        names.iter().map(|name| Entrant::resolve(name, scenario, load_policy)).collect()
    }

    /// A rule's name goes before a file of that name.
    fn resolve(name: &str, scenario: Scenario, load_policy: LoadPolicy<'_>) -> anyhow::Result<Entrant> {
        let unknown: UnknownScheduler = match Contender::by_name(name, scenario) {
            Ok(Contender::Heuristic(name)) => return Ok(Entrant::Rule(name)),
            Ok(_) => return Ok(Entrant::Reference),
            Err(unknown) => unknown,
        };
        let path = Path::new(name);
        if path.exists() || name.contains(std::path::MAIN_SEPARATOR) {
            let policy = load_policy(path).with_context(|| format!("cannot load the policy of {name}"))?;
            return Ok(Entrant::Policy(policy));
        }
        Err(anyhow::Error::new(unknown)
            .context("neither a rule nor a run folder or checkpoint has that name"))
    }

    fn contender(&mut self) -> Contender<'_> {
        match self {
            Entrant::Rule(name) => Contender::Heuristic(name.clone()),
            Entrant::Reference => Contender::ClairvoyantInsertion,
            Entrant::Policy(policy) => Contender::Single(&mut **policy),
        }
    }
}

fn print<T: Serialize>(records: &[T], json: bool, table: impl FnOnce() -> String) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if !json {
        write!(out, "{}", table())?;
        return Ok(());
    }
    for record in records {
        serde_json::to_writer(&mut out, record)?;
        writeln!(out)?;
    }
    Ok(())
}

fn write_picture(path: &Path, svg: &str) -> anyhow::Result<()> {
    durable::atomic_write(path, svg.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// How far the evaluation is, once it takes more than two seconds.
struct ProgressLine {
    started: Instant,
    line: Mutex<StatusLine>,
}

impl ProgressLine {
    fn new() -> Self {
        ProgressLine { started: Instant::now(), line: Mutex::new(StatusLine::new()) }
    }

    fn show(&self, done: u64, all: u64) {
        let elapsed = self.started.elapsed();
        // Whoever does not get the lock leaves the line to who has it.
        let Ok(mut line) = self.line.try_lock() else { return };
        if elapsed < PATIENCE {
            return;
        }
        let left = elapsed.mul_f64((all - done) as f64 / done.max(1) as f64);
        line.update(|| format!("evaluated {done} of {all} episodes, about {:.0} s left", left.as_secs_f64()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_policy(path: &Path) -> anyhow::Result<Box<dyn Scheduler>> {
        anyhow::bail!("asked for {}", path.display())
    }

    #[test]
    fn names_are_rules_then_paths_then_errors() {
        let resolve = |name: &str| Entrant::resolve(name, Scenario::Slots, &no_policy);
        assert!(matches!(resolve("tetris_k0.01"), Ok(Entrant::Rule(_))));
        assert!(matches!(resolve("clairvoyant_insertion"), Ok(Entrant::Reference)));
        let error = format!("{:#}", resolve("runs/slots").err().expect("there is no such run"));
        assert!(error.contains("asked for runs/slots"), "{error}");
        let error = format!("{:#}", resolve("sfj").err().expect("there is no such rule"));
        assert!(error.contains("unknown scheduler `sfj`") && error.contains("sjf_waitX"), "{error}");
    }

    #[test]
    fn loads_are_percent() {
        assert_eq!(percent("184.5"), Ok(184.5));
        assert_eq!(percent("70%"), Ok(70.0));
        assert!(percent("0").is_err() && percent("x").is_err());
    }
}
