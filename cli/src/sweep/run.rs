//! `longshore sweep run` and `resume`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use common::ExitCode;
use common::user_file::read_text;
use sweep::{
    Coordinator, Executor, Layout, LocalExecutor, Place, SamplerKind, SlurmExecutor, State, Study,
    check_amendment,
};
use telemetry::StatusLine;

use super::status::{as_json, comparison, leaderboard, line};

/// Bytes of the path of a Python.
const LONGEST_PATH: u64 = 64 << 10;

/// Runs the study of a file, in `sweeps/NAME`. Given again, the study goes on; with a file that has changed, as the file says now.
#[derive(Debug, clap::Args)]
pub struct RunArguments {
    /// The study file.
    #[arg(value_name = "STUDY.toml")]
    pub study: PathBuf,
    /// Where the study lives; `sweeps/NAME` when it is not given.
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Only reads the file, and says whether it is right, also beside the study that the folder holds.
    #[arg(long)]
    pub check: bool,
    #[command(flatten)]
    pub runs: RunsArguments,
}

/// Goes on with a study.
#[derive(Debug, clap::Args)]
pub struct ResumeArguments {
    /// The folder of the study.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub runs: RunsArguments,
}

/// How runs are started.
#[derive(Debug, clap::Args)]
pub struct RunsArguments {
    /// The program that runs execute, with the arguments of `longshore`; this program itself when it is not given.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// With `sampler.kind = "optuna"`: the Python that has Optuna; the one of the last time, else `python3`, when it is not given.
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// One JSON object on stdout at the end: every trial, as `longshore sweep status --json` has it.
    #[arg(long)]
    pub json: bool,
    /// Where runs run.
    #[arg(long, value_enum, default_value_t = On::Local)]
    pub on: On,
    /// With `--on slurm`: an argument of `sbatch`, e.g. `--sbatch=--partition=cpu`; may be given many times.
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    pub sbatch: Vec<String>,
}

/// Where runs run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum On {
    /// As processes of this machine.
    Local,
    /// As batch jobs of a Slurm cluster whose nodes share the study's folder.
    Slurm,
}

impl RunsArguments {
    /// What starts the runs of a study.
    fn executor(&self, study: &Study) -> Box<dyn Executor> {
        let resources = &study.resources;
        match self.on {
            On::Local => Box::<LocalExecutor>::default(),
            On::Slurm => Box::new(SlurmExecutor::new(
                resources.cores_per_run,
                resources.gpus_per_run,
                self.sbatch.clone(),
            )),
        }
    }
}

/// Runs a study to its end.
///
/// # Errors
/// Those of the study.
pub fn run(arguments: &RunArguments) -> anyhow::Result<ExitCode> {
    let study = Study::load(&arguments.study)?;
    super::rules::check(&study)?;
    study.check_place(arguments.runs.executor(&study).cores())?;
    let folder = arguments.folder.clone().unwrap_or_else(|| Path::new("sweeps").join(&study.name));
    if arguments.check {
        if folder.join("journal").is_dir() {
            check_amendment(&super::folder::state(&folder)?.study, &study)?;
        }
        writeln!(
            telemetry::stdout(),
            "{}: right; study `{}`, {} parameters, {} runs at once",
            arguments.study.display(),
            study.name,
            study.space.dimensions(),
            study.runs_at_once(),
        )?;
        return Ok(ExitCode::Success);
    }
    coordinate(&folder, Some(study), &arguments.runs)
}

/// Goes on with a study to its end.
///
/// # Errors
/// Those of the study.
pub fn resume(arguments: &ResumeArguments) -> anyhow::Result<ExitCode> {
    coordinate(&arguments.folder, None, &arguments.runs)
}

fn coordinate(folder: &Path, study: Option<Study>, runs: &RunsArguments) -> anyhow::Result<ExitCode> {
    let shutdown = telemetry::shutdown_on_signals()?;
    let program = match &runs.program {
        Some(program) => std::path::absolute(program).context("--program")?,
        None => std::env::current_exe().context("cannot find the program itself")?,
    };
    let place = Place {
        program,
        python: python(folder, runs)?,
        working: std::env::current_dir().context("cannot find the working folder")?,
        layout: Layout::new(folder),
    };
    let known = match &study {
        Some(study) => study.clone(),
        None => super::folder::state(folder)?.study,
    };
    let mut coordinator = Coordinator::open(place, study, runs.executor(&known))?;
    tracing::info!(
        study = coordinator.state().study.name,
        seed = coordinator.state().study.seed.0,
        folder = %folder.display(),
        trials = coordinator.state().trials.len(),
        runs_at_once = coordinator.state().study.runs_at_once(),
        "the study runs"
    );
    let mut status = StatusLine::new();
    let ended = coordinator.run(&shutdown, &mut |state: &State| status.update(|| line(state)));
    status.clear();
    let mut out = telemetry::stdout();
    if runs.json {
        writeln!(out, "{}", as_json(&Layout::new(folder), coordinator.state()))?;
        ended?;
    } else {
        leaderboard(coordinator.state(), &mut out)?;
        ended?;
        comparison(&Layout::new(folder), coordinator.state(), &mut out)?;
    }
    say_where_settings_ended(coordinator.state());
    tracing::info!(
        folder = %folder.display(),
        "the study has ended; `longshore sweep best` writes the best configuration, `longshore sweep report` draws the study"
    );
    Ok(ExitCode::Success)
}

/// The Python that is given, and is remembered in the study's folder; else the one that was.
fn python(folder: &Path, runs: &RunsArguments) -> anyhow::Result<PathBuf> {
    let kept = folder.join("python");
    if let Some(python) = &runs.python {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        durable::atomic_write(&kept, python.as_os_str().as_encoded_bytes())?;
        return Ok(python.clone());
    }
    Ok(read_text(&kept, LONGEST_PATH)
        .map_or_else(|_| PathBuf::from("python3"), |path| PathBuf::from(path.trim())))
}

/// A grid, or a small space, can be used up before the budget is.
fn say_where_settings_ended(state: &State) {
    let tried = state.trials.len().saturating_sub(1) as u64;
    let Some(trials) = state.study.budget.trials.filter(|trials| tried < *trials) else { return };
    let why = match state.study.sampler.kind {
        _ if sweep::is_spent(state) => return,
        SamplerKind::Optuna => "other coordinators had the rest",
        _ => "no setting is left, or trials brought no gain",
    };
    tracing::info!(tried, trials, why, "there were fewer trials than the budget allows");
}
