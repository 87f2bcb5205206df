//! One world: who takes part, what carries their messages, and what goes wrong.

use std::collections::HashSet;
use std::time::Duration;

use common::seed::{RunSeed, Stream};
use configuration::Config;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use replay::{Effect, Outgoing, Reply};
use transport::{Frame, Incoming, Port as _, wire};

use crate::history::{Identity, identity};
use crate::network::{Connection, Event, Network, SimulatedPort, Weather};
use crate::nodes::{ACTORS, ActorNode, LEARNER, LearnerNode, SHARDS, ShardNode};
use crate::publisher::Publisher;

pub struct World {
    config: Config,
    network: Network,
    shards: Vec<ShardNode>,
    actors: Vec<ActorNode>,
    learner: LearnerNode,
    publisher: Publisher,
    /// Weights that shards sent to actors.
    relayed: u64,
    /// What learners sampled out of the queue.
    sampled: HashSet<Identity>,
    acked: u64,
    faults: bool,
    rng: ChaCha8Rng,
    digest: u32,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = RunSeed(seed).rng(Stream::Sampling, 1);
        let weather = match seed % 4 {
            0 => Weather { loss: 0.0, repeat: 0.0, late: 0.02 },
            1 => Weather { loss: 0.02, repeat: 0.02, late: 0.1 },
            2 => Weather { loss: 0.1, repeat: 0.05, late: 0.1 },
            _ => Weather { loss: 0.0, repeat: 0.2, late: 0.3 },
        };
        let config = crate::nodes::config();
        let mut network = Network::new(weather);
        let mut shards: Vec<_> = (0..SHARDS).map(|_| ShardNode::new()).collect();
        for (shard, node) in shards.iter_mut().enumerate() {
            node.start(shard, &config);
            network.after(Duration::from_millis(1), Event::Shard(shard));
        }
        for client in 0..=LEARNER {
            network.after(Duration::from_micros(rng.random_range(0..1000)), Event::Client(client));
        }
        network.after(Duration::from_millis(50), Event::Fault);
        World {
            config,
            network,
            shards,
            actors: (0..ACTORS).map(|actor| ActorNode::new(actor, 1)).collect(),
            learner: LearnerNode::new(1),
            publisher: Publisher::default(),
            relayed: 0,
            sampled: HashSet::new(),
            acked: 0,
            faults: true,
            rng,
            digest: 0,
        }
    }

    /// Lets so many events happen.
    pub fn play(&mut self, steps: u64) -> u64 {
        for _ in 0..steps {
            self.step();
        }
        steps
    }

    /// The faults end: everything is acknowledged, and the learner goes on.
    pub fn settle(&mut self) {
        self.faults = false;
        self.network.weather = Weather::CALM;
        self.network.cut.clear();
        for shard in 0..SHARDS {
            self.start_shard(shard);
        }
        let (acked, sampled) = (self.acked, self.sampled.len());
        let calm = self.network.now + Duration::from_secs(20);
        while self.network.now < calm {
            self.step();
        }
        assert!(
            self.acked > acked + 100,
            "only {} more were acknowledged: {:?}, {:?}",
            self.acked - acked,
            self.actors.iter().map(|actor| &actor.core).collect::<Vec<_>>(),
            self.shards
                .iter()
                .map(|shard| shard.alive.as_ref().map(|alive| alive.core.tables().stats()))
                .collect::<Vec<_>>(),
        );
        assert!(
            self.sampled.len() > sampled + 100,
            "only {} more were sampled",
            self.sampled.len() - sampled
        );
        assert!(self.relayed > 0, "shards relayed no weights");
        for actor in &self.actors {
            assert!(actor.core.spooled() <= 10);
            assert_eq!(actor.follows, Some(self.publisher.version()), "an actor plays with old weights");
        }
    }

    /// Of all that has happened.
    pub fn digest(&self) -> (u32, u64, usize) {
        (self.digest, self.acked, self.sampled.len())
    }

    fn step(&mut self) {
        let event = self.network.next();
        let number = match &event {
            Event::ToShard(connection, _) | Event::ToClient(connection, _) => connection.generation,
            Event::Client(number) | Event::Shard(number) | Event::Disk(number, _) => *number as u64,
            Event::Fault => 0,
        };
        let told = [self.network.now.as_nanos() as u64, number].map(u64::to_le_bytes).concat();
        self.digest = common::checksum::crc32c_of([self.digest.to_le_bytes().as_slice(), told.as_slice()]);
        match event {
            Event::Client(client) => self.client(client),
            Event::Shard(shard) => self.shard(shard),
            Event::ToShard(connection, frames) => self.bring_to_shard(connection, &frames),
            Event::ToClient(connection, frames) => self.bring_to_client(connection, frames),
            Event::Disk(shard, life) => self.disk(shard, life),
            Event::Fault => self.fault(),
        }
    }

    fn client(&mut self, client: usize) {
        let now = self.network.now;
        let again = Duration::from_micros(self.rng.random_range(500..20_000));
        self.network.after(again, Event::Client(client));
        if client == LEARNER {
            self.learner.sampler.tick(now).unwrap();
            if self.learner.sampler.is_idle() {
                self.receive();
                if self.rng.random_bool(0.7) {
                    self.learner.ask(now);
                }
            } else if self.rng.random_bool(0.01) {
                self.learner.sampler.give_up_waiting(now);
            }
        } else {
            let (steps, priority) = (self.rng.random_range(1..=4), self.rng.random_range(0.0..2.0));
            let actor = &mut self.actors[client];
            let loss = self.network.weather.loss;
            let ports = actor.core.weights_mut().unwrap().ports_mut();
            self.publisher.serve(ports, loss, &mut self.rng);
            actor.core.tick(now);
            actor.follow();
            self.acknowledge(client);
            let actor = &mut self.actors[client];
            actor.offer(client, steps, priority, now);
            assert!(actor.core.take_fault().is_none());
            self.acknowledge(client);
        }
        self.flush(client);
    }

    /// What is said to be stored is.
    fn acknowledge(&mut self, client: usize) {
        for (identity, shard) in self.actors[client].acknowledged() {
            assert!(
                self.shards[shard].history.has(&identity),
                "{identity:?} was acknowledged by shard {shard} and is not durable there"
            );
            self.acked += 1;
        }
    }

    /// Nothing is sampled out of the queue twice.
    fn receive(&mut self) {
        for item in self.learner.sampler.take_received() {
            assert!(item.probability > 0.0 && item.probability <= 1.0 + 1e-9, "{}", item.probability);
            let identity = identity(&item.header);
            let body = item.body.open().unwrap();
            assert_eq!(*body, crate::nodes::body(identity.2));
            assert_eq!(*item.states.open().unwrap(), [identity.2 as u8; 300]);
            if &*item.table == configuration::FRESH_TABLE {
                assert!(self.sampled.insert(identity), "{identity:?} was sampled twice");
            }
        }
    }

    fn ports(&mut self, client: usize) -> (u64, Vec<&mut SimulatedPort>) {
        if client == LEARNER {
            (self.learner.life, self.learner.sampler.ports_mut().collect())
        } else {
            let actor = &mut self.actors[client];
            (actor.life, actor.core.shard_ports_mut().collect())
        }
    }

    /// Hands what a client has sent to the network.
    fn flush(&mut self, client: usize) {
        let (life, ports) = self.ports(client);
        let mut sent = Vec::new();
        for (shard, port) in ports.into_iter().enumerate() {
            let connection = Connection { client, life, shard, generation: port.generation };
            sent.extend(port.outbox.drain(..).map(|frames| (connection, frames)));
        }
        for (connection, frames) in sent {
            self.network.carry(connection, frames, &mut self.rng, Event::ToShard);
        }
    }

    fn bring_to_client(&mut self, connection: Connection, frames: Vec<Frame>) {
        let (life, mut ports) = self.ports(connection.client);
        let port = &mut *ports[connection.shard];
        if life == connection.life && port.generation == connection.generation && port.is_open() {
            port.inbox.push_back(frames);
        }
    }

    fn bring_to_shard(&mut self, connection: Connection, frames: &[Frame]) {
        let now = self.network.now;
        let Some(alive) = &mut self.shards[connection.shard].alive else { return };
        let message = wire::decode(frames).unwrap();
        let peer = peer_of(connection).into();
        let (envelope, bulk) = (frames[0].clone(), frames[1..].to_vec());
        alive.core.handle(Incoming { peer, role: None, message, bulk, envelope }, now);
        if self.rng.random_bool(0.7) {
            alive.core.settle(now);
        }
        self.carry_out(connection.shard);
    }

    fn shard(&mut self, shard: usize) {
        self.network.after(Duration::from_millis(10), Event::Shard(shard));
        let now = self.network.now;
        if let Some(alive) = &mut self.shards[shard].alive {
            let newest = Some(self.publisher.version());
            if alive.relays < newest && self.rng.random_bool(0.5) {
                alive.relays = newest;
                alive.core.relay_weights(self.publisher.version(), self.publisher.weights());
            }
            alive.core.settle(now);
            self.carry_out(shard);
        }
    }

    fn carry_out(&mut self, shard: usize) {
        let node = &mut self.shards[shard];
        let Some(alive) = &mut node.alive else { return };
        let mut at_once = Vec::new();
        for effect in alive.core.take_effects() {
            match effect {
                Effect::Send(outgoing) => at_once.push(outgoing),
                later => alive.queued.push_back(later),
            }
        }
        if !alive.queued.is_empty() && !alive.writing {
            alive.writing = true;
            let delay = Duration::from_micros(self.rng.random_range(100..5_000));
            self.network.after(delay, Event::Disk(shard, node.life));
        }
        self.send(at_once);
    }

    fn disk(&mut self, shard: usize, life: u64) {
        if self.shards[shard].life == life {
            let outgoing = self.shards[shard].write();
            self.send(outgoing);
        }
    }

    fn send(&mut self, outgoing: Vec<Outgoing>) {
        for message in outgoing {
            self.relayed += u64::from(matches!(message.reply, Reply::Bulk(..)));
            let frames = message.pack().unwrap();
            self.network.carry(connection_of(&message), frames, &mut self.rng, Event::ToClient);
        }
    }

    fn fault(&mut self) {
        let next = Duration::from_millis(self.rng.random_range(20..400));
        self.network.after(next, Event::Fault);
        if !self.faults {
            return;
        }
        self.publisher.publish();
        let shard = self.rng.random_range(0..SHARDS);
        let client = self.rng.random_range(0..=LEARNER);
        match self.rng.random_range(0..10) {
            0 | 1 => {
                let (seed, halfway) = (self.rng.random(), self.rng.random_bool(0.5));
                self.shards[shard].crash(seed, halfway);
                if self.rng.random_bool(0.5) {
                    self.start_shard(shard);
                }
            }
            2..=4 => self.start_shard(shard),
            5 => self.crash_client(client),
            6 => {
                self.network.cut.insert((client, shard));
            }
            _ => self.network.cut.clear(),
        }
    }

    fn start_shard(&mut self, shard: usize) {
        if self.shards[shard].alive.is_none() {
            self.shards[shard].start(shard, &self.config);
        }
    }

    fn crash_client(&mut self, client: usize) {
        if client == LEARNER {
            self.learner = LearnerNode::new(self.learner.life + 1);
        } else {
            let life = self.actors[client].life + 1;
            self.actors[client] = ActorNode::new(client, life);
        }
    }
}

fn peer_of(connection: Connection) -> Vec<u8> {
    let Connection { client, life, shard, generation } = connection;
    [client as u64, life, shard as u64, generation].map(u64::to_le_bytes).concat()
}

fn connection_of(outgoing: &Outgoing) -> Connection {
    let bytes = outgoing.peer.as_bytes();
    let number = |place: usize| u64::from_le_bytes(bytes[place * 8..place * 8 + 8].try_into().unwrap());
    Connection {
        client: number(0) as usize,
        life: number(1),
        shard: number(2) as usize,
        generation: number(3),
    }
}
