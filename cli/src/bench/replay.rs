//! `longshore bench replay`: what the replay service costs, beside its peer.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use bench::replay::{Case, Load, Measurement, Plan, Row, SampleOrder, Turn, WriteOrder};

use super::figure::{Figure, at_least_one, positive, print};

/// What is compared, with whom and for how long.
#[derive(Debug, clap::Args)]
pub struct ReplayArguments {
    /// What is done, with commas between.
    #[arg(
        long = "case",
        value_name = "CASE,…",
        value_delimiter = ',',
        default_value = "insert,sample,both,latency,cleaning"
    )]
    pub cases: Vec<Case>,
    /// Sizes of items, with commas between.
    #[arg(long = "load", value_name = "LOAD,…", value_delimiter = ',', default_value = "trajectory,small")]
    pub loads: Vec<Load>,
    /// Numbers of shards; several where one process inserts or samples.
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "1,2,4", value_parser = at_least_one())]
    pub shards: Vec<usize>,
    /// How long a turn is measured.
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    pub seconds: f64,
    /// Each contender's turns on one case.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Folder with the peer's environment, `reverb` (bench/peers/replay/README.md).
    #[arg(long, value_name = "FOLDER")]
    pub peers: Option<PathBuf>,
    /// Where shards that keep trajectories on a disk write, instead of the folder of temporary files; removed afterwards.
    #[arg(long, value_name = "FOLDER")]
    pub disk: Option<PathBuf>,
}

/// What the writer of that comparison does.
#[derive(Debug, clap::Args)]
pub struct WriteArguments {
    #[arg(long, value_delimiter = ',', required = true)]
    shards: Vec<SocketAddr>,
    #[arg(long)]
    load: Load,
    #[arg(long)]
    fill: u64,
    #[arg(long)]
    window: usize,
    #[arg(long)]
    lifetimes: Option<f64>,
    #[arg(long)]
    seconds: f64,
}

/// What the sampler of that comparison does.
#[derive(Debug, clap::Args)]
pub struct SampleArguments {
    #[arg(long, value_delimiter = ',', required = true)]
    shards: Vec<SocketAddr>,
    #[arg(long)]
    load: Load,
    #[arg(long)]
    seconds: f64,
}

/// Measures all contenders and prints as it goes.
pub(super) fn compare(arguments: &ReplayArguments, json: bool) -> anyhow::Result<()> {
    if let Some(folder) = arguments.peers.as_ref().filter(|folder| !folder.join("reverb/bin/python").exists())
    {
        anyhow::bail!(
            "--peers {}: there is no reverb/bin/python in it (bench/peers/replay/README.md says how to make it)",
            folder.display()
        );
    }
    if let Some(folder) = &arguments.disk {
        tempfile::tempfile_in(folder).with_context(|| format!("--disk {}", folder.display()))?;
    }
    let program = std::env::current_exe()?;
    let shard_program = program.with_file_name("longshore-replay");
    if !shard_program.exists() {
        anyhow::bail!(
            "{} is not there; it is built with the workspace's other programs",
            shard_program.display()
        );
    }
    let plan = Plan {
        cases: arguments.cases.clone(),
        loads: arguments.loads.clone(),
        shards: arguments.shards.clone(),
        seconds: arguments.seconds,
        rounds: arguments.rounds,
        peers: arguments.peers.clone(),
        disk: arguments.disk.clone().unwrap_or_else(std::env::temp_dir),
        program,
    };
    let mut failed = 0;
    bench::replay::compare(&plan, |rows| {
        failed += rows.iter().filter(|row| row.turns.is_err()).count();
        print(json, &figures(rows))
    })?;
    anyhow::ensure!(failed == 0, "{failed} of the measurements failed, as said above");
    Ok(())
}

/// Inserts in this process.
pub(super) fn write(arguments: &WriteArguments) -> anyhow::Result<()> {
    let WriteArguments { load, fill, window, lifetimes, seconds, .. } = *arguments;
    let shards = arguments.shards.clone();
    bench::replay::write(&WriteOrder { shards, load, fill, window, lifetimes, seconds })
}

/// Samples in this process.
pub(super) fn sample(arguments: &SampleArguments) -> anyhow::Result<()> {
    let SampleArguments { load, seconds, .. } = *arguments;
    bench::replay::sample(&SampleOrder { shards: arguments.shards.clone(), load, seconds })
}

/// The figures of all contenders in one case.
fn figures(rows: &[Row]) -> Vec<Figure> {
    let peer = rows.iter().find(|row| !row.contender.is_ours());
    let peer_cpu = peer.and_then(|row| Some(Spread::of(row.turns.as_ref().ok()?, Turn::cpu_us)?.median));
    rows.iter().flat_map(|row| row_figures(row, peer_cpu)).collect()
}

fn row_figures(row: &Row, peer_cpu: Option<f64>) -> Vec<Figure> {
    let name = format!("replay/{}/{}/{}", row.case, row.load, row.contender.name());
    let figure = |part: &str, value, unit, what| Figure {
        schema: 1,
        name: format!("{name}{part}"),
        value,
        unit,
        // Every process has as many as it likes.
        threads: 0,
        what,
    };
    let turns = match &row.turns {
        Ok(turns) => turns,
        Err(reason) => return vec![figure("", f64::NAN, "", reason.clone())],
    };
    let mut figures = Vec::new();
    for (part, of) in
        [("inserted", Turn::inserted as fn(&Turn) -> Option<Measurement>), ("sampled", Turn::sampled)]
    {
        let rate = |turn: &Turn| of(turn).map_or(f64::NAN, |done| done.items as f64 / done.seconds);
        if !turns.iter().any(|turn| of(turn).is_some()) {
            continue;
        }
        figures.extend(Spread::of(turns, rate).map(|rate| {
            let what = format!("{:.0} MB/s; {}", rate.median * row.load.bytes() as f64 / 1e6, rate.range(0));
            figure(&format!("/{part}"), rate.median, "items/s", what)
        }));
    }
    if let Some(cpu) = Spread::of(turns, Turn::cpu_us) {
        let part = |name: &str| Spread::of(turns, |turn| turn.cpu_us_of(|other| other == name));
        let parts = ["server", "writer", "sampler"].into_iter().filter_map(|name| {
            part(name).filter(|part| part.median > 0.0).map(|part| format!("{name} {:.1}", part.median))
        });
        let what = format!("{}; {}", parts.collect::<Vec<_>>().join(", "), cpu.range(1));
        figures.push(figure("/cpu", cpu.median, "CPU-µs/item", what));
        let advantage = peer_cpu.filter(|_| row.contender.is_ours()).map(|peer| peer / cpu.median);
        let what = "CPU time of reverb for an item over this".to_owned();
        figures.extend(advantage.map(|advantage| figure("/advantage", advantage, "×", what)));
    }
    if row.case.has_latency() {
        for (part, of) in [("p50", Measurement::p50 as fn(&Measurement) -> f64), ("p99", Measurement::p99)] {
            let latency = |turn: &Turn| turn.inserted().as_ref().map_or(f64::NAN, of);
            let of_figure =
                |spread: Spread| figure(&format!("/{part}"), spread.median, "ms", spread.range(3));
            figures.extend(Spread::of(turns, latency).map(of_figure));
        }
    }
    let cleaned =
        Spread::of(turns, |turn| turn.cleaned_bytes as f64 / 1e6).filter(|spread| spread.median > 0.0);
    figures.extend(cleaned.map(|cleaned| figure("/cleaned", cleaned.median, "MB", cleaned.range(0))));
    figures
}

/// Median, least and most over turns.
struct Spread {
    median: f64,
    least: f64,
    most: f64,
    count: usize,
}

impl Spread {
    fn of(turns: &[Turn], value: impl Fn(&Turn) -> f64) -> Option<Spread> {
        let mut values: Vec<f64> = turns.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let count = values.len();
        Some(Spread { median: (values[(count - 1) / 2] + values[count / 2]) / 2.0, least, most, count })
    }

    fn range(&self, digits: usize) -> String {
        let Spread { least, most, count, .. } = self;
        format!("median of {count}, {least:.digits$} to {most:.digits$}")
    }
}
