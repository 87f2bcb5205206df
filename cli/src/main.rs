//! `longshore`: trains schedulers for serverless clusters and compares them.

use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use cli::{
    bench, compare, config, curves, doctor, evaluate, exit, explain, keygen, policies, report, sweep, trace,
    train,
};
use telemetry::{Failure, Program};

/// Trains schedulers for serverless clusters and compares them with the best rules known.
#[derive(Parser)]
#[command(name = "longshore", version, after_help = exit::help())]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(train::TrainArguments),
    Evaluate(evaluate::EvaluateArguments),
    Compare(compare::CompareArguments),
    Report(report::ReportArguments),
    Sweep(sweep::SweepArguments),
    Curves(curves::CurvesArguments),
    Explain(explain::ExplainArguments),
    Trace(trace::TraceArguments),
    Config(config::ConfigArguments),
    Bench(bench::BenchArguments),
    Doctor(doctor::DoctorArguments),
    Keygen(keygen::KeygenArguments),
    /// One of the learner's ranks; the learner starts it.
    #[command(hide = true)]
    Rank(learner::RankArguments),
    /// Prints a completion script for a shell.
    #[command(
        after_help = "Example:\n  longshore completions bash > ~/.local/share/bash-completion/completions/longshore"
    )]
    Completions {
        /// The shell to write the script for.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    policy::keep_freed_memory();
    telemetry::run_program::<Arguments>()
}

impl Program for Arguments {
    fn run(&self) -> Result<common::ExitCode, Failure> {
        exit::ended(start(self))
    }
}

fn start(arguments: &Arguments) -> anyhow::Result<common::ExitCode> {
    // It takes as long as a start: only those that compute for long have it.
    if matches!(arguments.command, Command::Train(_) | Command::Evaluate(_) | Command::Bench(_)) {
        policy::let_waiting_threads_sleep();
    }
    match &arguments.command {
        Command::Train(arguments) => train::run(arguments),
        Command::Evaluate(arguments) => evaluate(arguments),
        Command::Compare(arguments) => compare::run(arguments).map(|()| common::ExitCode::Success),
        Command::Report(arguments) => report::run(arguments).map(|()| common::ExitCode::Success),
        Command::Sweep(arguments) => sweep::run(arguments),
        Command::Curves(arguments) => curves::run(arguments).map(|()| common::ExitCode::Success),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Trace(arguments) => trace::run(arguments).map(|()| common::ExitCode::Success),
        Command::Config(arguments) => config::run(arguments).map(|()| common::ExitCode::Success),
        Command::Bench(arguments) => bench::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments, policy::libtorch_check, policy::cuda_check),
        Command::Keygen(arguments) => keygen::run(arguments),
        Command::Rank(arguments) => rank(arguments),
        Command::Completions { shell } => complete(*shell),
    }
}

/// Prints a completion script. It is made in memory first: its maker panics where it cannot write.
fn complete(shell: clap_complete::Shell) -> anyhow::Result<common::ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "longshore", &mut script);
    telemetry::stdout().write_all(&script)?;
    Ok(common::ExitCode::Success)
}

fn rank(arguments: &learner::RankArguments) -> anyhow::Result<common::ExitCode> {
    arguments.run()?;
    Ok(common::ExitCode::Success)
}

fn evaluate(arguments: &evaluate::EvaluateArguments) -> anyhow::Result<common::ExitCode> {
    let stop = telemetry::shutdown_on_signals()?;
    evaluate::run(arguments, &policies::load_policy, &stop)?;
    Ok(common::ExitCode::Success)
}
