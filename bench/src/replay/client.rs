//! What a writer's and a sampler's process do.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use common::Shutdown;
use common::ids::{ActorId, Digest, FencingToken, Incarnation, PolicyVersion, RunId, SequenceNumber};
use common::trajectory::TrajectoryHeader;
use configuration::REPLAYED_TABLE;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use transport::{
    ActorClient, ActorIdentity, LearnerIdentity, LinkOptions, Security, Selector, ShardDirectory,
    TrajectorySampler, Transport, WriterOptions,
};

use super::load::{Load, Noise};
use super::process::Measurement;

/// Items that the writer may have on the way to each shard.
pub(super) const CREDITS: usize = 256;
/// Enough for all credits of four shards.
const SPOOL_BYTES: u64 = 512 << 20;
const PATIENCE: Duration = Duration::from_secs(60);
const RUN: RunId = RunId([1; 16]);
const SCHEMA: Digest = Digest([1; 32]);
const ACTOR: ActorId = ActorId(0);
const INCARNATION: Incarnation = Incarnation(1);
const VERSION: PolicyVersion = PolicyVersion { token: FencingToken(1), number: 1 };

/// What a writer shall do.
#[derive(Clone, Debug)]
pub struct WriteOrder {
    /// Addresses of the shards.
    pub shards: Vec<SocketAddr>,
    /// What it inserts.
    pub load: Load,
    /// Items before anything is measured.
    pub fill: u64,
    /// Items that may be on the way, unacknowledged; 0 for as many as there are credits.
    pub window: usize,
    /// Mean number of inserts that an item shall outlive, where it leaves by its priority; without it all have the same.
    pub lifetimes: Option<f64>,
    /// How long it inserts, s.
    pub seconds: f64,
}

/// What a sampler shall do.
#[derive(Clone, Debug)]
pub struct SampleOrder {
    /// Addresses of the shards.
    pub shards: Vec<SocketAddr>,
    /// What they hold.
    pub load: Load,
    /// How long it samples, s.
    pub seconds: f64,
}

/// Fills the shards, waits for its sign, inserts, and says what it did; waits for its end.
///
/// # Errors
/// When the shards refuse, or cannot be reached.
pub fn write(order: &WriteOrder) -> Result<()> {
    let mut writing = Writing::new(order)?;
    for _ in 0..order.fill {
        writing.insert()?;
    }
    writing.writer.flush(PATIENCE)?;
    if go()? {
        say(&writing.measure(order)?)?;
        // Links stay open until every client has been measured.
        go()?;
    }
    Ok(())
}

/// Waits for its sign, samples, and says what it did; waits for its end.
///
/// # Errors
/// When the shards refuse, cannot be reached or have nothing.
pub fn sample(order: &SampleOrder) -> Result<()> {
    let mut sampler = connect_learner(&order.shards, 2, LinkOptions::default())?;
    let (selector, steps) = (Selector::Table(REPLAYED_TABLE), order.load.batch() * order.load.steps());
    sampler.sample(selector, steps, PATIENCE)?;
    if !go()? {
        return Ok(());
    }
    let (mut done, start) = (Measurement::default(), Instant::now());
    while start.elapsed().as_secs_f64() < order.seconds {
        let items = sampler.sample(selector, steps, PATIENCE)?;
        if items.is_empty() {
            bail!("the shards gave nothing for {} s", PATIENCE.as_secs());
        }
        for item in items {
            done.items += 1;
            done.bytes += (item.body.open()?.len() + item.states.open()?.len()) as u64;
        }
    }
    done.seconds = start.elapsed().as_secs_f64();
    say(&done)?;
    go()?;
    Ok(())
}

/// Claims the shards for the run of the benchmark, so that they take what is inserted.
pub(super) fn claim(shards: &[SocketAddr], deadline: Duration) -> Result<()> {
    let link = LinkOptions { reach_deadline: deadline, ..LinkOptions::default() };
    let mut learner = connect_learner(shards, 1, link)?;
    let start = Instant::now();
    while learner.live_shards() < shards.len() {
        if start.elapsed() > deadline {
            bail!("{} of {} shards were reached", learner.live_shards(), shards.len());
        }
        std::thread::sleep(Duration::from_millis(5));
        learner.poll()?;
    }
    Ok(())
}

struct Writing {
    writer: ActorClient,
    noise: Noise,
    load: Load,
    lifetimes: Option<f64>,
    ordinal: u64,
    rng: ChaCha8Rng,
}

impl Writing {
    fn new(order: &WriteOrder) -> Result<Self> {
        let identity = ActorIdentity { run: RUN, actor: ACTOR, incarnation: INCARNATION, schema: SCHEMA };
        let spool = if order.window == 0 { CREDITS * order.shards.len() } else { order.window };
        let options = WriterOptions { spool, spool_bytes: SPOOL_BYTES, link: LinkOptions::default() };
        let writer = ActorClient::connect(
            &Transport::tcp(Security::Plain { insecure: false })?,
            &directory(&order.shards)?,
            identity,
            options,
            None,
            &Shutdown::new(),
        )?;
        let rng = ChaCha8Rng::seed_from_u64(2);
        Ok(Writing {
            writer,
            noise: Noise::new(),
            load: order.load,
            lifetimes: order.lifetimes,
            ordinal: 0,
            rng,
        })
    }

    fn insert(&mut self) -> Result<()> {
        let (body, states) = self.noise.item(self.load, self.ordinal);
        // The item of lowest priority leaves: priorities that grow with time, and by a lifetime of its own.
        let lifetime = -(1.0 - self.rng.random::<f64>()).ln();
        let priority = self.lifetimes.map_or(1.0, |mean| self.ordinal as f64 + mean * lifetime);
        let header = header(self.ordinal, self.load.steps(), priority as f32);
        self.ordinal += 1;
        Ok(self.writer.insert(header, body, states)?)
    }

    fn measure(&mut self, order: &WriteOrder) -> Result<Measurement> {
        let mut done = Measurement::default();
        let mut latencies = Latencies::default();
        let start = Instant::now();
        while start.elapsed().as_secs_f64() < order.seconds {
            latencies.begin();
            self.insert()?;
            if order.window == 1 {
                self.writer.flush(PATIENCE)?;
            }
            latencies.acknowledge(self.writer.spooled());
            done.items += 1;
        }
        self.writer.flush(PATIENCE)?;
        done.bytes = done.items * self.load.bytes() as u64;
        done.seconds = start.elapsed().as_secs_f64();
        (done.p50_ms, done.p99_ms) = (latencies.percentile(0.5), latencies.percentile(0.99));
        Ok(done)
    }
}

/// Times from inserts to their acknowledgements. One shard acknowledges in order; with several an acknowledgement is taken for
/// that of the oldest.
#[derive(Debug, Default)]
struct Latencies {
    waiting: VecDeque<Instant>,
    seconds: Vec<f64>,
}

impl Latencies {
    fn begin(&mut self) {
        self.waiting.push_back(Instant::now());
    }

    /// All but the newest `left` are acknowledged.
    fn acknowledge(&mut self, left: usize) {
        while self.waiting.len() > left {
            self.seconds.extend(self.waiting.pop_front().map(|begin| begin.elapsed().as_secs_f64()));
        }
    }

    /// Latency at the fraction `share` (0–1), milliseconds.
    fn percentile(&mut self, share: f64) -> Option<f64> {
        self.seconds.sort_by(f64::total_cmp);
        let place = (share * self.seconds.len().saturating_sub(1) as f64) as usize;
        self.seconds.get(place).map(|seconds| seconds * 1e3)
    }
}

fn header(ordinal: u64, steps: usize, priority: f32) -> TrajectoryHeader {
    TrajectoryHeader {
        actor: ACTOR,
        incarnation: INCARNATION,
        sequence: SequenceNumber(0),
        ordinal,
        first_version: VERSION,
        last_version: VERSION,
        priority,
        steps: steps as u32,
    }
}

fn connect_learner(shards: &[SocketAddr], token: u32, link: LinkOptions) -> Result<TrajectorySampler> {
    let transport = Transport::tcp(Security::Plain { insecure: false })?;
    let identity =
        LearnerIdentity { run: RUN, token: FencingToken(token), incarnation: Incarnation(0), schema: SCHEMA };
    Ok(TrajectorySampler::connect(&transport, &directory(shards)?, identity, link, &Shutdown::new())?)
}

fn directory(shards: &[SocketAddr]) -> Result<ShardDirectory> {
    let endpoints = shards.iter().map(|address| Ok(format!("tcp://{address}").parse()?));
    Ok(ShardDirectory::fixed(endpoints.collect::<Result<_>>()?))
}

/// Reports that it is ready and waits for the start; false when the start does not come.
fn go() -> Result<bool> {
    writeln!(std::io::stdout(), "{{\"ready\": true}}")?;
    Ok(std::io::stdin().read_line(&mut String::new())? > 0)
}

fn say(done: &Measurement) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(done)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_those_of_the_oldest() {
        let mut latencies = Latencies::default();
        (0..3).for_each(|_| latencies.begin());
        latencies.acknowledge(1);
        assert_eq!((latencies.seconds.len(), latencies.waiting.len()), (2, 1));
        latencies.seconds = vec![0.003, 0.001, 0.002];
        assert_eq!(latencies.percentile(0.5), Some(2.0));
        assert_eq!(Latencies::default().percentile(0.99), None);
    }
}
