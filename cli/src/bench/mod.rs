//! `longshore bench`: how fast the simulator runs, one actor plays, one learner learns, the graph encoder computes, graphs are
//! cut and trajectories are stored, each alone and on fixed work.

mod encoder;
mod figure;
mod partition;
mod ranks;
mod replay;
mod simulator;
mod sweep;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actor::{Identity, Player};
use common::ExitCode;
use common::ids::{ActorId, FencingToken, Incarnation, PolicyVersion};
use configuration::Config;
use learner::{Batch, Decoded, Updater};
use policy::{Behaviour, PolicyNetwork, PolicyScheduler, schema_of};
use workloads::Episodes;

use figure::{Figure, positive, print};

/// Measures one part of the system alone.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore bench actor\n  longshore bench simulator --seconds 5\n  longshore bench learner -c configs/train/azure2019.toml --threads 2\n  longshore bench encoder --threads 2 --picture encoder.svg\n  longshore bench partition --edges 100000\n  longshore bench replay --peers ~/peers --shards 1"
)]
pub struct BenchArguments {
    /// What is measured.
    #[command(subcommand)]
    pub part: Part,
    /// One JSON object a figure.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What can be measured.
#[derive(Debug, clap::Subcommand)]
pub enum Part {
    /// Playing: simulation, graph, forward pass, recording.
    Actor(ServiceArguments),
    /// Learning from batches that are there.
    Learner(ServiceArguments),
    /// The simulator of `serverless` alone, on work of its own: invocations/s, memory, and the cost of a state graph.
    Simulator {
        /// How long the standard case runs, after a warm-up of a fifth of that.
        #[arg(long, default_value_t = 15.0, value_parser = positive)]
        seconds: f64,
    },
    /// The graph encoder: epochs and inference against the number of edges, beside peers.
    Encoder(encoder::EncoderArguments),
    /// One process of that comparison.
    #[command(hide = true)]
    EncoderMeasure(encoder::MeasureArguments),
    /// One large graph over several ranks: epochs, and what the cut costs.
    Ranks(ranks::RanksArguments),
    /// One of these ranks.
    #[command(hide = true)]
    RanksMeasure(ranks::MeasureArguments),
    /// Cuts of graphs over devices: time, share of edges cut, halo and imbalance, for METIS, the streaming partitioner and whole
    /// components on four kinds of graphs.
    Partition(partition::PartitionArguments),
    /// The replay service: items/s, CPU time for an item and time until an insert is acknowledged, beside DeepMind Reverb.
    Replay(replay::ReplayArguments),
    /// Samplers of studies, and a study of many trials, beside Optuna.
    Sweep(sweep::SweepArguments),
    /// The writer's process of that comparison.
    #[command(hide = true)]
    ReplayWrite(replay::WriteArguments),
    /// The sampler's process of that comparison.
    #[command(hide = true)]
    ReplaySample(replay::SampleArguments),
}

/// How a service is measured.
#[derive(Debug, clap::Args)]
pub struct ServiceArguments {
    /// The configuration whose work is done.
    #[arg(short, long, value_name = "FILE", default_value = "configs/train/slots.toml")]
    pub config: PathBuf,
    /// Sets one value of the configuration.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Threads of tensor operations; 0: every core.
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// How long it is measured, after a warm-up of a fifth of that.
    #[arg(long, default_value_t = 15.0, value_parser = positive)]
    pub seconds: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the configuration or the workload cannot be loaded, or the networks fail.
pub fn run(arguments: &BenchArguments) -> anyhow::Result<ExitCode> {
    match &arguments.part {
        Part::Actor(service) => print(arguments.json, &Bench::new(service)?.actor()?)?,
        Part::Learner(service) => print(arguments.json, &Bench::new(service)?.learner()?)?,
        Part::Simulator { seconds } => print(arguments.json, &simulator::measure(*seconds)?)?,
        Part::Encoder(encoder) => encoder::compare(encoder, arguments.json)?,
        Part::EncoderMeasure(order) => encoder::measure(order)?,
        Part::Partition(partition) => partition::compare(partition, arguments.json)?,
        Part::Replay(replay) => replay::compare(replay, arguments.json)?,
        Part::Sweep(sweep) => sweep::compare(sweep, arguments.json)?,
        Part::ReplayWrite(order) => replay::write(order)?,
        Part::ReplaySample(order) => replay::sample(order)?,
        Part::Ranks(ranks) => ranks::compare(ranks, arguments.json)?,
        Part::RanksMeasure(order) => ranks::measure(order)?,
    }
    Ok(ExitCode::Success)
}

struct Bench<'a> {
    arguments: &'a ServiceArguments,
    config: Arc<Config>,
    /// What the learner computes on.
    device: policy::Device,
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a ServiceArguments) -> anyhow::Result<Self> {
        let config = Arc::new(configuration::load(&arguments.config, &arguments.settings)?);
        policy::set_threads(arguments.threads);
        let device = learner::device(&config.learner, 0, None)?;
        Ok(Bench { arguments, config, device })
    }

    fn player(&self) -> anyhow::Result<Player> {
        let network = PolicyNetwork::new(&schema_of(&self.config), &self.config.policy, self.config.seed);
        let identity = Identity { actor: ActorId(0), incarnation: Incarnation(0), life: 0 };
        let scheduler = PolicyScheduler::new(
            "policy",
            network,
            Behaviour::for_actors(&self.config.learner, &self.config.actor),
        )?;
        let episodes = Arc::new(Episodes::new(&self.config.simulator)?);
        Ok(Player::new(Arc::clone(&self.config), identity, scheduler, episodes))
    }

    fn figure(&self, name: &str, value: f64, unit: &'static str, what: String) -> Figure {
        let name = format!("{}/{name}", self.config.simulator.scenario);
        Figure { schema: 1, name, value, unit, threads: self.arguments.threads, what }
    }

    /// Plays with fresh weights; nothing is sent.
    fn actor(&self) -> anyhow::Result<Vec<Figure>> {
        let mut player = self.player()?;
        player.choose_threads(self.arguments.threads);
        let environments = self.config.actor.environments;
        let mut play = |duration: Duration| -> anyhow::Result<(f64, actor::Counters, usize, usize)> {
            let (start, mut bytes, mut steps) = (Instant::now(), 0, 0);
            let _ = player.take_counters();
            while start.elapsed() < duration {
                player.fill();
                for outgoing in player.step()? {
                    bytes += outgoing.states.len();
                    steps += outgoing.body.steps.len();
                }
            }
            Ok((start.elapsed().as_secs_f64(), player.take_counters(), bytes, steps))
        };
        play(Duration::from_secs_f64(self.arguments.seconds / 5.0))?;
        let (seconds, counters, bytes, steps) = play(Duration::from_secs_f64(self.arguments.seconds))?;
        let (nodes, edges) = self.batch(&mut player, self.config.learner.batch_steps)?.mean_size();
        let what = format!(
            "{environments} environments, width {}, {} layers, {nodes:.0} nodes and {edges:.0} edges a graph",
            self.config.policy.width, self.config.policy.layers
        );
        let decisions = (counters.steps + counters.forced) as f64;
        Ok(vec![
            self.figure("actor_decisions", decisions / seconds, "decisions/s", what.clone()),
            self.figure("actor_env_steps", counters.steps as f64 / seconds, "env steps/s", what),
            self.figure(
                "actor_state_bytes",
                bytes as f64 / steps.max(1) as f64,
                "bytes/step",
                "encoded states".to_owned(),
            ),
        ])
    }

    /// At least so many recorded decisions.
    fn batch(&self, player: &mut Player, at_least: usize) -> anyhow::Result<Batch> {
        let schema = schema_of(&self.config);
        let (mut decoded, mut steps) = (Vec::new(), 0);
        while steps < at_least {
            player.fill();
            for outgoing in player.step()? {
                let piece = Decoded::new(&schema, &outgoing.header, outgoing.body, &outgoing.states)?;
                steps += piece.len();
                decoded.push(piece);
            }
        }
        Ok(Batch::new(decoded))
    }

    /// Learns again and again from one batch that fresh weights played.
    fn learner(&self) -> anyhow::Result<Vec<Figure>> {
        let schema = schema_of(&self.config);
        let mut updater = Updater::new(&schema, &self.config, self.device);
        updater.choose_threads(self.arguments.threads);
        let mut player = self.player()?;
        let version = PolicyVersion { token: FencingToken(1), number: 0 };
        player.follow(version, &updater.networks.policy.parameters().to_bytes(&[])?)?;
        let batch = self.batch(&mut player, self.config.learner.batch_steps)?;
        let graph = batch.mean_size();
        updater.round(&batch, 0.0)?;
        let (start, mut rounds) = (Instant::now(), 0);
        while rounds == 0 || start.elapsed().as_secs_f64() < self.arguments.seconds {
            updater.round(&batch, 0.0)?;
            rounds += 1;
        }
        let seconds = start.elapsed().as_secs_f64();
        let learner = &self.config.learner;
        let what = format!(
            "batches of {} steps, {} epochs × {} minibatches, {:.0} nodes and {:.0} edges a graph",
            batch.steps.len(),
            learner.epochs,
            learner.minibatches,
            graph.0,
            graph.1
        );
        let steps_per_second = f64::from(rounds) * batch.steps.len() as f64 / seconds;
        let updates = f64::from(rounds) * (learner.epochs * learner.minibatches) as f64 / seconds;
        Ok(vec![
            self.figure("learner_env_steps", steps_per_second, "env steps/s", what.clone()),
            self.figure("learner_updates", updates, "updates/s", what),
        ])
    }
}
