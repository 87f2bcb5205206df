//! The thread that owns a shard's socket.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::Shutdown;
use common::config::Config;
use common::ids::{LearnerEpoch, SequenceNumber, ShardId};
use common::seed::Stream;
use telemetry::Readiness;
use transport::{
    Ack, Delivery, Endpoint, Hello, Incoming, Insert, Message, NotReady, PeerId, Received, Refused, Role,
    Server, Transport, Welcome,
};

use crate::claim::{self, Claim};
use crate::limiter::RateLimiter;
use crate::sampling::{Job, Sampling};
use crate::sessions::{Arrival, SessionKey, Sessions};
use crate::table::{Table, TableBounds};
use crate::{ReplayError, ReplaySummary};

const POLL: Duration = Duration::from_millis(50);
const METRICS_PERIOD: Duration = Duration::from_secs(1);
/// After the end of a run, how long those who ask are told of it.
const FAREWELL: Duration = Duration::from_millis(500);
const CLAIMED: &str = "learner";

/// A bound shard, not serving yet.
#[derive(Debug)]
pub struct Shard {
    server: Server,
    shard: ShardId,
    table: Arc<Table>,
    sessions: Sessions,
    peers: HashMap<PeerId, Peer>,
    claim: Option<Claim>,
    jobs: Sender<Job>,
    sampling: JoinHandle<()>,
    readiness: Readiness,
    finished: Option<Instant>,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
enum Peer {
    Learner(LearnerEpoch),
    Actor(SessionKey),
}

impl Shard {
    /// Binds the shard's socket; `readiness` will say whether a learner has claimed it.
    ///
    /// # Errors
    /// [`ReplayError::Transport`], [`ReplayError::Thread`].
    pub fn bind(
        config: &Config,
        shard: ShardId,
        endpoint: &Endpoint,
        transport: &Transport,
        readiness: Readiness,
    ) -> Result<Self, ReplayError> {
        let server = Server::bind_shard(transport, endpoint)?;
        let replay = &config.replay;
        let bounds = TableBounds { max_items: replay.max_items, max_bytes: (replay.max_mib as u64) << 20 };
        let limiter =
            RateLimiter { max_waiting_steps: replay.max_waiting_steps, min_items: replay.min_items };
        let table = Arc::new(Table::new(shard, bounds, limiter));
        let rng = config.seed.rng(Stream::Sampling, u64::from(shard.0));
        let sampling = Sampling::new(Arc::clone(&table), server.relay()?, rng);
        let (jobs, received) = mpsc::channel();
        let sampling = std::thread::Builder::new()
            .name(format!("sampling-{shard}"))
            .spawn(move || sampling.run(&received))
            .map_err(|source| ReplayError::Thread { name: "sampling", source })?;
        readiness.unmet(CLAIMED, "no learner has claimed this shard yet");
        tracing::info!(%shard, endpoint = %server.endpoint(), "replay shard listening");
        Ok(Shard {
            server,
            shard,
            table,
            sessions: Sessions::new(replay.credits),
            peers: HashMap::new(),
            claim: None,
            jobs,
            sampling,
            readiness,
            finished: None,
        })
    }

    /// Where it is bound, with the port that the system chose for `*`.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.server.endpoint()
    }

    /// Serves until the learner ends the run or `shutdown` is triggered.
    ///
    /// # Errors
    /// [`ReplayError::Transport`], [`ReplayError::SamplingEnded`].
    pub fn serve(mut self, shutdown: &Shutdown) -> Result<ReplaySummary, ReplayError> {
        let mut reported = Instant::now();
        let ended = |finished: Option<Instant>| finished.is_some_and(|since| since.elapsed() >= FAREWELL);
        while !shutdown.is_triggered() && !ended(self.finished) {
            match self.server.receive(POLL) {
                Received::Message(incoming) => self.handle(*incoming)?,
                // Only sampling makes room, and it wakes this thread.
                Received::Woken | Received::Nothing => self.refill()?,
            }
            if reported.elapsed() >= METRICS_PERIOD {
                reported = Instant::now();
                self.report();
            }
        }
        Ok(self.end())
    }

    fn end(self) -> ReplaySummary {
        // Both fail only when the thread has ended already.
        let _ = self.jobs.send(Job::Stop);
        let _ = self.sampling.join();
        let stats = self.table.stats();
        let run_finished = self.finished.is_some();
        tracing::info!(shard = %self.shard, run_finished, inserted = stats.inserted, sampled = stats.sampled, "replay shard ends");
        ReplaySummary { run: self.claim.map(|claim| claim.run), run_finished, stats }
    }

    fn handle(&mut self, incoming: Incoming) -> Result<(), ReplayError> {
        let Incoming { peer, role, message, bulk } = incoming;
        let reply = match (message, self.peers.get(&peer).copied()) {
            (Message::Hello(hello), _) => Some(self.greet(&peer, role, &hello)?),
            (_, None) => Some(Message::UnknownPeer(())),
            (message, Some(Peer::Learner(epoch))) => self.handle_learner(&peer, epoch, message)?,
            (Message::Insert(insert), Some(Peer::Actor(session))) => self.store(session, insert, bulk)?,
            (_, Some(Peer::Actor(_))) => Some(Message::Pong(())),
        };
        if let Some(reply) = reply {
            self.reply(&peer, &reply)?;
        }
        Ok(())
    }

    fn greet(&mut self, peer: &PeerId, proven: Option<Role>, hello: &Hello) -> Result<Message, ReplayError> {
        let verdict = claim::check_peer(hello, proven).and_then(|protocol| {
            let ack = if hello.role == Role::Learner { self.claim(hello) } else { self.admit(hello) }?;
            Ok((protocol, ack))
        });
        let (protocol, (who, ack)) = match verdict {
            Ok((protocol, Some(admitted))) => (protocol, admitted),
            Ok((_, None)) => {
                let message = "no learner has claimed this shard yet".to_owned();
                return Ok(Message::NotReady(NotReady { message }));
            }
            Err(refused) => return Ok(self.refuse(hello, refused)),
        };
        // `claim` and `admit` let nobody in while there is no claim.
        let Some(Claim { run, epoch, .. }) = self.claim else { return Ok(Message::UnknownPeer(())) };
        if matches!(who, Peer::Learner(_)) {
            self.jobs.send(Job::Forget).map_err(|_| ReplayError::SamplingEnded)?;
        }
        self.peers.insert(peer.clone(), who);
        let shard = Some(self.shard);
        Ok(Message::Welcome(Welcome { protocol, run, epoch, shard, next: ack.next, limit: ack.limit }))
    }

    fn claim(&mut self, hello: &Hello) -> Result<Option<(Peer, Ack)>, Refused> {
        let claim = claim::claim(self.claim, hello)?;
        if self.claim != Some(claim) {
            tracing::info!(shard = %self.shard, run = %claim.run, epoch = %claim.epoch, "claimed by a learner");
        }
        self.claim = Some(claim);
        self.readiness.met(CLAIMED);
        let nothing = Ack { next: SequenceNumber(0), limit: SequenceNumber(0) };
        Ok(Some((Peer::Learner(claim.epoch), nothing)))
    }

    /// None while there is no learner to say which run this is.
    fn admit(&mut self, hello: &Hello) -> Result<Option<(Peer, Ack)>, Refused> {
        let Some(current) = self.claim else { return Ok(None) };
        claim::check_run(current, hello)?;
        let (Some(actor), Some(incarnation)) = (hello.actor, hello.incarnation) else {
            let message = "an actor must say its id and its incarnation".to_owned();
            return Err(Refused { reason: transport::Refusal::Incomplete, message });
        };
        let session = SessionKey { actor, incarnation };
        let ack = self.sessions.open(session, hello.first_sequence, self.table.may_insert());
        tracing::debug!(shard = %self.shard, %actor, %incarnation, "actor connected");
        Ok(Some((Peer::Actor(session), ack)))
    }

    fn refuse(&self, hello: &Hello, refused: Refused) -> Message {
        metrics::counter!("longshore_peers_refused_total", "reason" => refused.reason.to_string())
            .increment(1);
        tracing::warn!(shard = %self.shard, role = %hello.role, reason = %refused.reason, "refused a peer: {}", refused.message);
        Message::Refused(refused)
    }

    fn handle_learner(
        &mut self,
        peer: &PeerId,
        epoch: LearnerEpoch,
        message: Message,
    ) -> Result<Option<Message>, ReplayError> {
        if let Some(current) = self.claim
            && epoch < current.epoch
        {
            return Ok(Some(Message::Refused(claim::old_epoch(current.epoch, epoch))));
        }
        Ok(match message {
            Message::Sample(sample) => {
                let job = Job::Sample(peer.clone(), sample);
                self.jobs.send(job).map_err(|_| ReplayError::SamplingEnded)?;
                None
            }
            Message::StatsRequest(()) => Some(Message::Stats(self.table.stats())),
            Message::RunFinished(()) => {
                self.finish()?;
                Some(Message::RunFinished(()))
            }
            _ => Some(Message::Pong(())),
        })
    }

    fn store(
        &mut self,
        session: SessionKey,
        insert: Insert,
        bulk: Vec<Vec<u8>>,
    ) -> Result<Option<Message>, ReplayError> {
        // Decoding has checked that there are two frames.
        let Ok([body, frames]) = <[Vec<u8>; 2]>::try_from(bulk) else { return Ok(None) };
        match self.sessions.arrive(session, insert.header.sequence) {
            Arrival::New => {
                self.table.insert(insert.header, (body, insert.body), (frames, insert.frames));
                if self.table.wanted() > 0 {
                    self.jobs.send(Job::Inserted).map_err(|_| ReplayError::SamplingEnded)?;
                }
            }
            Arrival::Duplicate => self.table.count_duplicate(),
            Arrival::Gap => return Ok(Some(Message::UnknownPeer(()))),
        }
        Ok(self.sessions.acknowledge(session, self.table.may_insert()).map(Message::Ack))
    }

    /// Gives credits to actors that lack some, when the limiter allows it.
    fn refill(&mut self) -> Result<(), ReplayError> {
        if self.finished.is_some() || !self.table.may_insert() {
            return Ok(());
        }
        let refilled: Vec<_> = self
            .peers
            .iter()
            .filter_map(|(peer, who)| match who {
                Peer::Actor(session) => self.sessions.refill(*session).map(|ack| (peer.clone(), ack)),
                Peer::Learner(_) => None,
            })
            .collect();
        for (peer, ack) in refilled {
            self.reply(&peer, &Message::Ack(ack))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ReplayError> {
        tracing::info!(shard = %self.shard, "the learner has ended the run");
        self.finished.get_or_insert_with(Instant::now);
        let actors: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, who)| matches!(who, Peer::Actor(_)))
            .map(|(peer, _)| peer.clone())
            .collect();
        for peer in actors {
            self.reply(&peer, &Message::RunFinished(()))?;
        }
        Ok(())
    }

    fn reply(&mut self, peer: &PeerId, message: &Message) -> Result<(), ReplayError> {
        if self.server.send(peer, message, Vec::new())? == Delivery::Gone {
            self.peers.remove(peer);
        }
        Ok(())
    }

    fn report(&self) {
        let stats = self.table.stats();
        let shard = self.shard.to_string();
        for (name, value) in [
            ("longshore_replay_items", stats.items),
            ("longshore_replay_bytes", stats.bytes),
            ("longshore_replay_waiting_steps", stats.waiting_steps),
            ("longshore_replay_peers", self.peers.len() as u64),
        ] {
            metrics::gauge!(name, "shard" => shard.clone()).set(value as f64);
        }
        for (name, value) in [
            ("longshore_replay_inserted_total", stats.inserted),
            ("longshore_replay_sampled_total", stats.sampled),
            ("longshore_replay_evicted_total", stats.evicted),
            ("longshore_replay_dropped_total", stats.dropped),
            ("longshore_replay_duplicates_total", stats.duplicates),
        ] {
            metrics::counter!(name, "shard" => shard.clone()).absolute(value);
        }
    }
}
