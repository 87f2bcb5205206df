//! `longshore bench sweep`.

use std::io::Write as _;
use std::path::PathBuf;

use bench::sweep::{Function, Search, growth, peer_searches, searches};

/// Samplers on functions with a known least value, and a study of many trials that take no time.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  longshore bench sweep --trials 100 --seeds 30 --peers ~/optuna/bin/python"
)]
pub struct SweepArguments {
    /// Trials of each search.
    #[arg(long, default_value_t = 100, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(4..))]
    pub trials: usize,
    /// Searches of each sampler on each function.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..))]
    pub seeds: u64,
    /// Trials of the long study; 0 leaves it out.
    #[arg(long, default_value_t = 10_000)]
    pub long: usize,
    /// The Python of a virtual environment with Optuna (bench/peers/sweep/README.md).
    #[arg(long, value_name = "PYTHON")]
    pub peers: Option<PathBuf>,
}

/// Measures and prints.
pub(super) fn compare(arguments: &SweepArguments, json: bool) -> anyhow::Result<()> {
    let script = PathBuf::from("bench/peers/sweep/optuna_process.py");
    let mut out = telemetry::stdout();
    if !json {
        writeln!(
            out,
            "least value found less the least there is, mean ± standard error over {} seeds",
            arguments.seeds
        )?;
        let quarters =
            [1, 2, 4].map(|part| format!("{:>20}", format!("after {}", arguments.trials * part / 4)));
        writeln!(out, "{:10} {:26}{}", "function", "sampler", quarters.concat())?;
    }
    for function in Function::ALL {
        let mut all = searches(function, arguments.trials, arguments.seeds);
        if let Some(python) = &arguments.peers {
            all.extend(peer_searches(python, &script, function, arguments.trials, arguments.seeds)?);
        }
        all.iter().try_for_each(|search| print(search, arguments.trials, json, &mut out))?;
    }
    if arguments.long > 0 {
        let folder = tempfile::tempdir()?;
        writeln!(out, "{}", serde_json::to_string(&growth(folder.path(), arguments.long)?)?)?;
    }
    Ok(())
}

fn print(search: &Search, trials: usize, json: bool, out: &mut impl std::io::Write) -> anyhow::Result<()> {
    if json {
        writeln!(out, "{}", serde_json::to_string(search)?)?;
        return Ok(());
    }
    let cells = [1, 2, 4].map(|part| {
        let (mean, error) = search.after((trials * part / 4).max(1));
        format!("{:>20}", format!("{mean:.4} ± {error:.4}"))
    });
    writeln!(out, "{:10} {:26}{}", search.function, search.sampler, cells.concat())?;
    Ok(())
}
