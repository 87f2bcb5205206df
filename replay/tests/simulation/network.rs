//! What carries messages between clients and shards, badly.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::time::Duration;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use transport::{Frame, Port, TransportError};

/// A client's end of a link to one shard.
#[derive(Default)]
pub struct SimulatedPort {
    /// Counts connections; 0 is none.
    pub generation: u64,
    open: bool,
    pub outbox: VecDeque<Vec<Frame>>,
    pub inbox: VecDeque<Vec<Frame>>,
}

impl Port for SimulatedPort {
    fn open(&mut self) -> Result<(), TransportError> {
        self.generation += 1;
        self.open = true;
        self.inbox.clear();
        Ok(())
    }

    fn close(&mut self) {
        self.open = false;
        self.outbox.clear();
        self.inbox.clear();
    }

    fn is_open(&self) -> bool {
        self.open
    }

    fn send(&mut self, frames: Vec<Frame>) -> bool {
        self.outbox.push_back(frames);
        self.open
    }

    fn receive(&mut self) -> Option<Vec<Frame>> {
        self.inbox.pop_front()
    }
}

/// One connection of a client to a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Connection {
    pub client: usize,
    /// Which life of the client.
    pub life: u64,
    pub shard: usize,
    pub generation: u64,
}

/// What happens at some time.
pub enum Event {
    ToShard(Connection, Vec<Frame>),
    ToClient(Connection, Vec<Frame>),
    /// A client has time.
    Client(usize),
    /// A shard has time.
    Shard(usize),
    /// A shard's disk has written what was queued.
    Disk(usize, u64),
    /// Somebody crashes, or a link is cut or mended.
    Fault,
}

struct Due {
    at: Duration,
    number: u64,
    event: Event,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// Probabilities, in one message.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub loss: f64,
    pub repeat: f64,
    pub late: f64,
}

impl Weather {
    pub const CALM: Weather = Weather { loss: 0.0, repeat: 0.0, late: 0.0 };
}

/// Time, and what is to happen.
pub struct Network {
    pub now: Duration,
    queue: BinaryHeap<Reverse<Due>>,
    number: u64,
    /// Links that carry nothing, by client and shard.
    pub cut: HashSet<(usize, usize)>,
    pub weather: Weather,
}

impl Network {
    pub fn new(weather: Weather) -> Self {
        Network { now: Duration::ZERO, queue: BinaryHeap::new(), number: 0, cut: HashSet::new(), weather }
    }

    pub fn after(&mut self, delay: Duration, event: Event) {
        self.number += 1;
        self.queue.push(Reverse(Due { at: self.now + delay, number: self.number, event }));
    }

    pub fn next(&mut self) -> Event {
        let Reverse(due) = self.queue.pop().expect("clients and shards always have something before them");
        self.now = due.at;
        due.event
    }

    /// Sends a message on its way; it may not arrive, arrive twice, or arrive late.
    pub fn carry(
        &mut self,
        connection: Connection,
        frames: Vec<Frame>,
        rng: &mut ChaCha8Rng,
        event: impl Fn(Connection, Vec<Frame>) -> Event,
    ) {
        if self.cut.contains(&(connection.client, connection.shard)) || rng.random_bool(self.weather.loss) {
            return;
        }
        if rng.random_bool(self.weather.repeat) {
            let delay = self.delay(rng);
            self.after(delay, event(connection, frames.clone()));
        }
        let delay = self.delay(rng);
        self.after(delay, event(connection, frames));
    }

    fn delay(&self, rng: &mut ChaCha8Rng) -> Duration {
        let most = if rng.random_bool(self.weather.late) { 400_000 } else { 2_000 };
        Duration::from_micros(rng.random_range(50..most))
    }
}
