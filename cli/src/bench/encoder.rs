//! `longshore bench encoder`: the cost of the graph encoder against the size of its graph, beside its peers.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use bench::{Order, Outcome, Pass, Plan, Row, Work};
use configuration::Storage;

use super::figure::{Figure, at_least_one, print};

/// What is compared, with whom, and where pictures and graphs go.
#[derive(Debug, clap::Args)]
pub struct EncoderArguments {
    /// Sizes of the graphs.
    #[arg(
        long,
        value_name = "COUNT,…",
        value_delimiter = ',',
        default_value = "1000,10000,100000,1000000,10000000",
        value_parser = at_least_one()
    )]
    pub edges: Vec<usize>,
    /// Graphs, with commas between them: without types and edge features (one large, 64 small), states of a cluster (one large, 64 small).
    #[arg(long, value_delimiter = ',', default_values = Work::KINDS, value_parser = Work::KINDS)]
    pub kinds: Vec<String>,
    /// Threads of each process.
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// What this project's networks keep projections as, `f32` or `bf16`; several take turns.
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', default_value = "f32")]
    pub storage: Vec<Storage>,
    /// Each contender's turns on one piece of work.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Where everyone computes: `cpu` or `cuda:N` (there without DGL).
    #[arg(long, default_value = "cpu")]
    pub device: configuration::Device,
    /// Folder with the peers' environments, `pyg` and `dgl` (bench/peers/encoder/README.md).
    #[arg(long, value_name = "FOLDER")]
    pub peers: Option<PathBuf>,
    /// Keeps the graph files that peers read.
    #[arg(long, value_name = "FOLDER")]
    pub graphs: Option<PathBuf>,
    /// Draws cost against size.
    #[arg(long, value_name = "FILE.svg")]
    pub picture: Option<PathBuf>,
}

/// What one process of the comparison measures.
#[derive(Debug, clap::Args)]
pub struct MeasureArguments {
    #[arg(long)]
    work: Work,
    #[arg(long)]
    threads: usize,
    #[arg(long, default_value = "f32")]
    storage: Storage,
    #[arg(long, default_value = "cpu")]
    device: configuration::Device,
    #[arg(long)]
    repeats: usize,
    #[arg(long)]
    inference: bool,
}

/// Measures all contenders and prints as it goes.
pub(super) fn compare(arguments: &EncoderArguments, json: bool) -> anyhow::Result<()> {
    if let Some(folder) = &arguments.peers {
        let has = |environment: &str| folder.join(environment).join("bin/python").exists();
        if !has("pyg") && !has("dgl") {
            anyhow::bail!(
                "--peers {}: there is neither pyg/bin/python nor dgl/bin/python in it (bench/peers/encoder/README.md says how to \
                 make them)",
                folder.display()
            );
        }
    }
    // Before anything is measured: hours of work should not end with a picture that cannot be written.
    if let Some(path) = &arguments.picture {
        durable::check_writable(path).with_context(|| format!("--picture {}", path.display()))?;
    }
    let temporary =
        tempfile::tempdir().context("cannot make a temporary folder (TMPDIR names another place)")?;
    let graphs = arguments.graphs.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&graphs).with_context(|| format!("--graphs {}", graphs.display()))?;
    tempfile::tempfile_in(&graphs).with_context(|| format!("--graphs {}", graphs.display()))?;
    let plan = Plan {
        edges: arguments.edges.clone(),
        kinds: arguments.kinds.clone(),
        threads: arguments.threads,
        rounds: arguments.rounds,
        storages: arguments.storage.clone(),
        // Before anything is started: a device that is not there should not fail process by process.
        device: policy::device(arguments.device)?,
        peers: arguments.peers.clone(),
        graphs,
        program: std::env::current_exe()?,
    };
    let rows = bench::compare(&plan, |all, latest| {
        print(json, &figures(latest, plan.threads))?;
        // Anew with every point: a comparison of hours that is ended early leaves what it has.
        match &arguments.picture {
            Some(path) => Ok(durable::atomic_write(path, bench::picture(all)?.as_bytes())?),
            None => Ok(()),
        }
    })?;
    print(json, &slopes(&rows, plan.threads))
}

/// Measures one contender in this process and prints one JSON object.
pub(super) fn measure(arguments: &MeasureArguments) -> anyhow::Result<()> {
    let pass = if arguments.inference { Pass::Inference } else { Pass::Epoch };
    let device = policy::device(arguments.device)?;
    let MeasureArguments { work, threads, storage, repeats, .. } = *arguments;
    let order = Order { work, pass, threads, device, repeats };
    writeln!(telemetry::stdout(), "{}", serde_json::to_string(&bench::measure(&order, storage)?)?)?;
    Ok(())
}

/// Time and memory of each contender on one piece of work.
fn figures(rows: &[Row], threads: usize) -> Vec<Figure> {
    let ours = rows.iter().find(|row| row.ours).and_then(|row| row.outcome.median());
    rows.iter().flat_map(|row| row_figures(row, ours, threads)).collect()
}

fn row_figures(row: &Row, ours: Option<f64>, threads: usize) -> Vec<Figure> {
    let name = format!("encoder/{}/{}/{}", row.pass, row.work, row.contender);
    let figure = |name, value, unit, what| Figure { schema: 1, name, value, unit, threads, what };
    match (&row.outcome, row.outcome.median()) {
        (Outcome::Timed(seconds, peak_mb), Some(median)) => {
            let milliseconds = |place: usize| seconds[place] * 1e3;
            let ratio = ours.filter(|_| !row.ours).map(|ours| format!("; {:.1}× longshore", median / ours));
            let what = format!(
                "median of {}, {:.1} to {:.1} ms{}",
                seconds.len(),
                milliseconds(0),
                milliseconds(seconds.len() - 1),
                ratio.unwrap_or_default()
            );
            let memory = "peak of the process".to_owned();
            vec![
                figure(name.clone(), median * 1e3, "ms", what),
                figure(format!("{name}/memory"), *peak_mb, "MB", memory),
            ]
        }
        (Outcome::Failed(reason), _) => vec![figure(name, f64::NAN, "ms", reason.clone())],
        (Outcome::Timed(..), None) => Vec::new(),
    }
}

/// How the cost of this project's encoder grows with the size of the graph.
fn slopes(rows: &[Row], threads: usize) -> Vec<Figure> {
    let mut ours: Vec<&str> = rows.iter().filter(|row| row.ours).map(|row| row.contender).collect();
    ours.sort_unstable();
    ours.dedup();
    let slope = |pass: Pass, contender: &str| {
        let single = |row: &&Row| matches!(row.work, Work::PowerLaw(_) | Work::State(_));
        let mine = |row: &&Row| row.contender == contender && row.pass == pass;
        let mine = rows.iter().filter(single).filter(mine);
        let points = mine.filter_map(|row| Some((row.work.edges() as f64, row.outcome.median()?)));
        let value = bench::large_slope(&points.collect::<Vec<_>>())?;
        let name = format!("encoder/{pass}/slope/{contender}");
        let what = "of log(time) over log(edges) above 1e5; 1 is proportional".to_owned();
        Some(Figure { schema: 1, name, value, unit: "", threads, what })
    };
    [Pass::Epoch, Pass::Inference]
        .into_iter()
        .flat_map(|pass| ours.iter().filter_map(move |contender| slope(pass, contender)))
        .collect()
}
