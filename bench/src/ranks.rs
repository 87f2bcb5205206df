//! One graph over several ranks: what an epoch of the production encoder takes with one thread each, and what the cut costs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use configuration::{PolicyConfig, Storage};
use partition::{EdgeList, Quality};
use policy::{Placement, collate_part, messages};
use serde::{Deserialize, Serialize};
use state_graph::StateGraph;
use tch::{Device, Kind, Tensor};
use torch_extension::process_group::{ProcessGroup, Store};

use crate::community;
use crate::cuts::Cutter;
use crate::encoder::{ProductionEncoder, production};
use crate::typed::schema;
use crate::work::Pass;

const DEADLINE: Duration = Duration::from_secs(300);

/// What one rank is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct RankOrder {
    /// Number of this rank, from 0.
    pub rank: usize,
    /// Ranks in all.
    pub ranks: usize,
    /// Where they meet.
    pub store: SocketAddr,
    /// Messages that pass in one layer.
    pub messages: usize,
    /// Partitioner that divides the graph among ranks.
    pub cutter: Cutter,
    /// Timed epochs, after one that is not.
    pub repeats: usize,
}

/// What one rank found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RankMeasurement {
    /// Seconds of each epoch, from barrier to barrier.
    pub seconds: Vec<f64>,
    /// Seconds that the cut took.
    pub cut_seconds: f64,
    /// Share of the edges between nodes of different ranks.
    pub cut_share: f64,
    /// Heaviest rank over the mean.
    pub imbalance: f64,
    /// Rows that this rank gets in each layer.
    pub halo_rows: u64,
    /// Bytes that this rank sent in an epoch.
    pub sent_bytes: u64,
    /// Bytes that the cut says it sends.
    pub expected_bytes: u64,
    /// Loss before the first and after the last epoch.
    pub losses: [f64; 2],
}

/// Starts `ranks` processes of `program`, waits for them and returns what they found, rank by rank.
///
/// # Errors
/// When a process cannot be started or one of them fails.
pub fn measure_ranks(
    program: &Path,
    messages: usize,
    ranks: usize,
    cutter: Cutter,
    repeats: usize,
) -> Result<Vec<RankMeasurement>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port on loopback")?;
    let address = listener.local_addr()?;
    let _store = Store::serve(listener, DEADLINE)?;
    let start = |rank: usize| -> Result<Child> {
        let numbers = [("--rank", rank), ("--ranks", ranks), ("--edges", messages), ("--repeats", repeats)];
        let mut command = Command::new(program);
        command.args(["bench", "ranks-measure", "--cutter", cutter.name(), "--store", &address.to_string()]);
        numbers.iter().for_each(|(name, number)| {
            command.args([name, number.to_string().as_str()]);
        });
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start a rank")
    };
    let children = (0..ranks).map(start).collect::<Result<Vec<Child>>>()?;
    let outputs: Vec<_> = children.into_iter().map(Child::wait_with_output).collect();
    let read = |(rank, output): (usize, std::io::Result<std::process::Output>)| -> Result<RankMeasurement> {
        let output = output?;
        if !output.status.success() {
            bail!("rank {rank} ended with {}", output.status);
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    outputs.into_iter().enumerate().map(read).collect()
}

/// Does one rank's work in this process, with one thread.
///
/// # Errors
/// When the others do not come, or libtorch fails.
pub fn run_rank(order: &RankOrder) -> Result<RankMeasurement> {
    policy::set_threads(1);
    let store = Store::connect(order.store, DEADLINE)?;
    let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let group = ProcessGroup::gloo(&store, order.rank, order.ranks, host, DEADLINE)?;
    let state = community::state(order.messages);
    let (owners, mut found) = cut(order, &state, &group)?;
    let placement = Placement::Spread { owners, decider: 0 };
    let ranks = parts(order.ranks);
    let (batch, places) = collate_part(&schema(), &[&state], &[placement], order.rank as u32, ranks)?;
    let rows = batch.exchanged_rows();
    let config = production(Storage::F32);
    let mut network = ProductionEncoder::of_share(&config, batch, places.len(), 1, Some(group), Device::Cpu);
    found.losses[0] = network.run(Pass::Epoch)?;
    let before = network.exchanged_bytes();
    for _ in 0..order.repeats {
        network.barrier()?;
        let start = Instant::now();
        found.losses[1] = network.run(Pass::Epoch)?;
        network.barrier()?;
        found.seconds.push(start.elapsed().as_secs_f64());
    }
    let PolicyConfig { width, value_layers, .. } = config;
    let row_bytes = (width * size_of::<f32>() * value_layers) as u64;
    found.halo_rows = rows.received;
    found.sent_bytes = (network.exchanged_bytes() - before) / order.repeats.max(1) as u64;
    // What is sent forwards comes back backwards.
    found.expected_bytes = (rows.sent + rows.received) * row_bytes;
    Ok(found)
}

/// The rank of each node, found by rank 0, and what that took.
fn cut(order: &RankOrder, state: &StateGraph, group: &ProcessGroup) -> Result<(Vec<u32>, RankMeasurement)> {
    let (sources, targets) = messages(state);
    let nodes = state.nodes.iter().sum::<u32>() as usize;
    let list = EdgeList::new(nodes, &sources, &targets)?;
    let parts = parts(order.ranks);
    let table = Tensor::zeros([nodes as i64], (Kind::Int, Device::Cpu));
    let start = Instant::now();
    if order.rank == 0 {
        let owners: Vec<i32> =
            order.cutter.cut(&list, parts)?.into_iter().map(|owner| owner as i32).collect();
        table.shallow_clone().copy_(&Tensor::from_slice(&owners));
    }
    let cut_seconds = start.elapsed().as_secs_f64();
    group.broadcast(&table, 0)?;
    let owners: Vec<u32> = Vec::<i32>::try_from(&table)?.into_iter().map(|owner| owner as u32).collect();
    let quality = Quality::of(&list, &owners, parts)?;
    let found = RankMeasurement {
        cut_seconds,
        cut_share: quality.cut_share,
        imbalance: quality.imbalance,
        ..RankMeasurement::default()
    };
    Ok((owners, found))
}

fn parts(ranks: usize) -> NonZeroU32 {
    NonZeroU32::new(ranks as u32).unwrap_or(NonZeroU32::MIN)
}
