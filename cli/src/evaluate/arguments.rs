//! What `longshore evaluate` is told on the command line.

use std::path::PathBuf;

use common::Stream;
use engine::serverless::Part;

use crate::arguments::{MOST_EPISODES, MOST_STEPS, MOST_THREADS, MOST_TOGETHER, Names, names, percent};

/// What is shown without a flag, in each scenario.
const SLOTS_SCHEDULERS: &str = "fcfs_skip,fcfs_strict,sjf,packer,tetris,sjf_wait40,tetris_hold";
const SERVERLESS_SCHEDULERS: &str = "fcfs,sjf,packer,tetris,wait_warm_0.5";

/// Compares schedulers: the same unseen episodes for each.
#[derive(Debug, clap::Args)]
pub struct EvaluateArguments {
    /// The scenario whose schedulers are compared, with its own arguments.
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
    /// Seed from which all episodes derive.
    #[arg(long, default_value_t = 1, allow_hyphen_values = true)]
    pub seed: u64,
    /// One JSON object a line on stdout in place of tables.
    #[arg(long)]
    pub json: bool,
    /// Keeps every episode in this folder. The same command given again goes on where it was; more schedulers, workloads,
    /// loads and seeds can be added to the same folder.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// How much each part of the reward counts for policies that were trained with `reward.mode` "preference" or "constrained"; the
    /// numbers are scaled to add up to 1. By default what they were validated with.
    #[arg(long, value_name = "PART=NUMBER,…")]
    pub preference: Option<String>,
    /// Threads over which episodes are spread; 0: every core.
    #[arg(long, default_value_t = 0, allow_hyphen_values = true,
        value_parser = clap::value_parser!(u64).range(..=MOST_THREADS))]
    pub threads: u64,
    /// Episodes that a learnt policy plays side by side.
    #[arg(long, default_value_t = 64, value_name = "EPISODES", allow_hyphen_values = true,
        value_parser = clap::value_parser!(u64).range(1..=MOST_TOGETHER))]
    pub batch: u64,
    /// Also draws the result.
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
}

/// `longshore evaluate slots`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore evaluate slots --load 110,130 --steps 50 --scheduler sjf,tetris,runs/slots\n  \
                  longshore evaluate slots --load 10,50,90,130,184.5 --episodes 2000 --out results/slots"
)]
pub struct SlotsArguments {
    /// Offered loads in percent.
    #[arg(long, value_delimiter = ',', default_value = "10,50,90,110,130,184.5", value_parser = percent,
        allow_hyphen_values = true)]
    pub load: Vec<f64>,
    /// Episode lengths in steps.
    #[arg(long, value_delimiter = ',', default_value = "50,200", allow_hyphen_values = true,
        value_parser = clap::value_parser!(u32).range(2..=MOST_STEPS))]
    pub steps: Vec<u32>,
    /// Episodes of each point.
    #[arg(long, default_value_t = 500, allow_hyphen_values = true,
        value_parser = clap::value_parser!(u32).range(1..=MOST_EPISODES))]
    pub episodes: u32,
    /// Plays the job sequences of this JSON file instead, and tells when each job starts.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["load", "steps", "episodes", "svg", "out"])]
    pub jobs: Option<PathBuf>,
    /// Rules by name, run folders and checkpoints, with commas between them; may be repeated. What holds a `/` is a folder, and
    /// `\,` is a comma within its name.
    #[arg(long, default_value = SLOTS_SCHEDULERS, value_parser = names)]
    pub scheduler: Vec<Names>,
    /// What both scenarios have.
    #[command(flatten)]
    pub shared: SharedArguments,
}

/// `longshore evaluate serverless`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
        longshore evaluate serverless -c configs/train/azure2019.toml --load 70 --scheduler sjf,runs/azure\n  \
        longshore evaluate serverless -c configs/evaluate/steady.toml -c configs/evaluate/bursty.toml \\\n    \
        --load 10,50,90,130 --scheduler sjf,tetris --seeds 30 --out results/serverless\n  \
        longshore evaluate serverless -c configs/train/azure2019.toml --scheduler sjf,runs/front \\\n    \
        --preference latency=0.7,idle_memory=0.3\n  \
        longshore compare sjf tetris --results results/serverless\n  \
        longshore report results/serverless -o report.html")]
pub struct ServerlessArguments {
    /// Configurations whose clusters and workloads are played; each by its name.
    #[arg(short, long, value_name = "FILE", required = true)]
    pub config: Vec<PathBuf>,
    /// Sets one value of every configuration.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Offered loads in percent; the configured one by default.
    #[arg(long, value_delimiter = ',', value_parser = percent, allow_hyphen_values = true)]
    pub load: Vec<f64>,
    /// Episodes, each with a seed of its own.
    #[arg(long, default_value_t = 30, allow_hyphen_values = true,
        value_parser = clap::value_parser!(u32).range(1..=MOST_EPISODES))]
    pub seeds: u32,
    /// With `--out`: records an episode of these schedulers for the report, beside the strongest of each workload and the
    /// first scheduler of the folder.
    #[arg(long, value_name = "SCHEDULER", requires = "out", value_parser = names)]
    pub record: Vec<Names>,
    /// Which part of the workload.
    #[arg(long, value_enum, default_value_t = PartArgument::Test)]
    pub part: PartArgument,
    /// Rules by name, run folders and checkpoints, with commas between them; may be repeated. What holds a `/` is a folder, and
    /// `\,` is a comma within its name.
    #[arg(long, default_value = SERVERLESS_SCHEDULERS, value_parser = names)]
    pub scheduler: Vec<Names>,
    /// What both scenarios have.
    #[command(flatten)]
    pub shared: SharedArguments,
}

/// Part of a workload, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PartArgument {
    /// What the knobs of rules are tuned on: the validation part with seeds of its own.
    Tuning,
    /// What checkpoints are chosen on.
    Validation,
    /// What only reports see.
    Test,
}

impl PartArgument {
    /// Where the episodes come from, and the name of that.
    pub fn part(self) -> (Part, Stream, &'static str) {
        match self {
            PartArgument::Tuning => (Part::Validation, Stream::Tuning, "tuning"),
            PartArgument::Validation => (Part::Validation, Stream::Validation, "validation"),
            PartArgument::Test => (Part::Test, Stream::Test, "test"),
        }
    }
}
