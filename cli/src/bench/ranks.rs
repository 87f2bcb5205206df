//! `longshore bench ranks`: one large graph over several ranks, each with one thread.

use std::io::Write as _;
use std::net::SocketAddr;

use bench::{Cutter, RankMeasurement, RankOrder};

use super::figure::{Figure, at_least_one, print};

/// Turns of each contender; the median is over all of them.
const ROUNDS: usize = 3;

/// How large, and over how many.
#[derive(Debug, clap::Args)]
pub struct RanksArguments {
    /// Messages that pass in one layer of the graph.
    #[arg(long, default_value_t = 1_000_000, value_parser = at_least_one())]
    pub edges: usize,
    /// Numbers of ranks.
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "1,2", value_parser = at_least_one())]
    pub ranks: Vec<usize>,
    /// Timed epochs a turn.
    #[arg(long, default_value_t = 5, value_parser = at_least_one())]
    pub repeats: usize,
}

/// What one rank does.
#[derive(Debug, clap::Args)]
pub struct MeasureArguments {
    #[arg(long)]
    rank: usize,
    #[arg(long)]
    ranks: usize,
    #[arg(long)]
    store: SocketAddr,
    #[arg(long)]
    edges: usize,
    #[arg(long)]
    cutter: Cutter,
    #[arg(long)]
    repeats: usize,
}

/// Everyone in turn.
pub(super) fn compare(arguments: &RanksArguments, json: bool) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let cutters = |ranks: usize| match ranks {
        1 => vec![Cutter::Stream],
        _ => vec![Cutter::Stream, Cutter::Metis],
    };
    let mut contenders: Vec<Contender> = Vec::new();
    for &ranks in &arguments.ranks {
        let new = |cutter| Contender { ranks, cutter, seconds: Vec::new(), found: Vec::new() };
        contenders.extend(cutters(ranks).into_iter().map(new));
    }
    for round in 1..=ROUNDS {
        for contender in &mut contenders {
            let Contender { ranks, cutter, .. } = *contender;
            tracing::info!(ranks, ?cutter, round, rounds = ROUNDS, "measuring");
            contender.found =
                bench::measure_ranks(&program, arguments.edges, ranks, cutter, arguments.repeats)?;
            contender.seconds.extend(&contender.found[0].seconds);
            contender.seconds.sort_by(f64::total_cmp);
        }
    }
    let one = contenders.iter().find(|contender| contender.ranks == 1).map(Contender::median);
    let figures: Vec<Figure> =
        contenders.iter().flat_map(|contender| contender.figures(arguments.edges, one)).collect();
    print(json, &figures)
}

/// Measures one rank in this process and prints one JSON object.
pub(super) fn measure(arguments: &MeasureArguments) -> anyhow::Result<()> {
    let order = RankOrder {
        rank: arguments.rank,
        ranks: arguments.ranks,
        store: arguments.store,
        messages: arguments.edges,
        cutter: arguments.cutter,
        repeats: arguments.repeats,
    };
    writeln!(telemetry::stdout(), "{}", serde_json::to_string(&bench::run_rank(&order)?)?)?;
    Ok(())
}

struct Contender {
    ranks: usize,
    cutter: Cutter,
    /// Of all turns, ascending.
    seconds: Vec<f64>,
    /// What each rank found in the last turn.
    found: Vec<RankMeasurement>,
}

impl Contender {
    fn median(&self) -> f64 {
        self.seconds.get(self.seconds.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn figures(&self, edges: usize, one: Option<f64>) -> Vec<Figure> {
        let cutter = format!("{:?}", self.cutter).to_lowercase();
        let name = match self.ranks {
            1 => format!("ranks/{edges}/1"),
            ranks => format!("ranks/{edges}/{ranks}/{cutter}"),
        };
        let figure = |part: &str, value: f64, unit, what: String| Figure {
            schema: 1,
            name: format!("{name}/{part}"),
            value,
            unit,
            threads: 1,
            what,
        };
        let (least, most) = (self.seconds.first(), self.seconds.last());
        let range = least.zip(most).map_or(String::new(), |(least, most)| {
            format!("median of {}, {:.1} to {:.1} ms", self.seconds.len(), least * 1e3, most * 1e3)
        });
        let mut figures = vec![figure("epoch", self.median() * 1e3, "ms", range)];
        if self.ranks > 1 {
            let sum = |of: fn(&RankMeasurement) -> u64| self.found.iter().map(of).sum::<u64>() as f64;
            let cut = &self.found[0];
            let speed_up =
                one.map(|one| figure("speed-up", one / self.median(), "×", "over one rank".to_owned()));
            figures.extend(speed_up);
            figures.extend([
                figure("cut-time", cut.cut_seconds * 1e3, "ms", "once for a topology".to_owned()),
                figure(
                    "cut-share",
                    cut.cut_share,
                    "",
                    "of the edges join nodes of different ranks".to_owned(),
                ),
                figure("imbalance", cut.imbalance, "", "heaviest rank over the mean, by edges".to_owned()),
                figure("halo", sum(|rank| rank.halo_rows), "rows", "of all ranks, in each layer".to_owned()),
                figure(
                    "exchanged",
                    sum(|rank| rank.sent_bytes) / 1e6,
                    "MB/epoch",
                    format!("{:.3} MB is what the cut says", sum(|rank| rank.expected_bytes) / 1e6),
                ),
            ]);
        }
        figures
    }
}
