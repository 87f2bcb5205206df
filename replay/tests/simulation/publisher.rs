//! The learner's end of the weights: it publishes versions, which actors pull from shards or from the learner itself.

use common::ids::{FencingToken, PolicyVersion, SequenceNumber};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use transport::{Announcement, BulkDigest, Frame, Message, Weights, Welcome, wire};

use crate::network::SimulatedPort;
use crate::nodes::RUN;

#[derive(Default)]
pub struct Publisher {
    newest: u64,
}

impl Publisher {
    pub fn publish(&mut self) {
        self.newest += 1;
    }

    pub fn version(&self) -> PolicyVersion {
        PolicyVersion { token: FencingToken(1), number: self.newest }
    }

    pub fn weights(&self) -> Frame {
        weights_of(self.version()).into()
    }

    /// Answers what an actor asks, and announces the newest version to it; loses some of both.
    pub fn serve(&self, ports: [&mut SimulatedPort; 2], loss: f64, rng: &mut ChaCha8Rng) {
        let [questions, announcements] = ports;
        for question in std::mem::take(&mut questions.outbox) {
            if !rng.random_bool(loss) {
                questions.inbox.push_back(self.answer(&wire::decode(&question).unwrap()));
            }
        }
        if !rng.random_bool(loss) {
            let announcement = Announcement { run: RUN, version: self.version() };
            announcements.inbox.push_back(pack(&Message::Announcement(announcement), Vec::new()));
        }
    }

    fn answer(&self, question: &Message) -> Vec<Frame> {
        let nothing = SequenceNumber(0);
        match question {
            Message::Hello(_) => {
                let welcome = Welcome { run: RUN, shard: None, next: nothing, limit: nothing };
                pack(&Message::Welcome(welcome), Vec::new())
            }
            Message::Pull(pull) if pull.have < Some(self.version()) => {
                let bytes = self.weights();
                let weights = Weights { version: self.version(), weights: BulkDigest::of(&bytes) };
                pack(&Message::Weights(weights), vec![bytes])
            }
            _ => pack(&Message::Pong(()), Vec::new()),
        }
    }
}

/// What is published as a version.
pub fn weights_of(version: PolicyVersion) -> Vec<u8> {
    vec![version.number as u8; 100]
}

fn pack(message: &Message, bulk: Vec<Frame>) -> Vec<Frame> {
    wire::pack(message, bulk).unwrap()
}
