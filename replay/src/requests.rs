//! Requests for trajectories that wait until they can be answered in full, or no longer.

use std::time::Duration;

use rand::RngCore;
use transport::{PeerId, Pick, Sample, TableSize};

use crate::effect::{Outgoing, Reply};
use crate::item::Content;
use crate::tables::{self, Tables};

/// A learner asks for so many at a time; the oldest go first.
const MAX_REQUESTS: usize = 1024;

/// What somebody asks for, and until when he waits.
#[derive(Debug)]
pub(crate) struct Request {
    peer: PeerId,
    sample: Sample,
    deadline: Duration,
}

impl Request {
    pub(crate) fn new(peer: PeerId, sample: Sample, now: Duration) -> Self {
        let deadline = now + Duration::from_millis(u64::from(sample.patience_ms));
        Request { peer, sample, deadline }
    }

    fn can_be_served(&self, tables: &Tables<Content>) -> bool {
        // A table that is not there has nothing to wait for.
        tables
            .table(&self.sample.table)
            .is_none_or(|table| tables.can_serve(table, self.sample.pick, self.sample.steps))
    }

    /// Steps that the request is open for.
    fn wants(&self) -> u64 {
        match self.sample.pick {
            Pick::Next => self.sample.steps,
            // What is missing of a turn is known to the learner alone.
            Pick::Turn(_) => u64::MAX,
        }
    }

    fn answer(self, tables: &mut Tables<Content>, rng: &mut dyn RngCore) -> Outgoing {
        let (mut size, mut given) = (TableSize::default(), Vec::new());
        if let Some(table) = tables.table(&self.sample.table) {
            size = tables.size(table);
            given = tables.sample(table, self.sample.pick, self.sample.steps, rng);
        }
        let reply = Reply::Batch { request: self.sample.request, table: size, given };
        Outgoing { peer: self.peer, reply }
    }
}

/// The requests that wait, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    waiting: Vec<Request>,
}

impl Requests {
    pub(crate) fn add(&mut self, request: Request, tables: &mut Tables<Content>) {
        if self.waiting.len() >= MAX_REQUESTS {
            self.waiting.remove(0);
        }
        let table = tables.table(&request.sample.table);
        self.waiting.push(request);
        if let Some(table) = table {
            self.say_wants(tables, table);
        }
    }

    /// Nobody waits any more.
    pub(crate) fn clear(&mut self, tables: &mut Tables<Content>) {
        self.keep(tables, |_| false);
    }

    /// The peer does not wait any more.
    pub(crate) fn forget(&mut self, peer: &PeerId, tables: &mut Tables<Content>) {
        self.keep(tables, |request| request.peer != *peer);
    }

    fn keep(&mut self, tables: &mut Tables<Content>, keeps: impl Fn(&Request) -> bool) {
        let (kept, gone) = std::mem::take(&mut self.waiting).into_iter().partition(keeps);
        self.waiting = kept;
        let gone: Vec<Request> = gone;
        for request in gone {
            if let Some(table) = tables.table(&request.sample.table) {
                self.say_wants(tables, table);
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.waiting.iter().map(|request| request.deadline).min()
    }

    /// Answers the oldest that can be served, or whose patience is at its end; none when there is no such.
    pub(crate) fn serve(
        &mut self,
        tables: &mut Tables<Content>,
        now: Duration,
        rng: &mut dyn RngCore,
    ) -> Option<Outgoing> {
        let due = |request: &Request| now >= request.deadline || request.can_be_served(tables);
        let place = self.waiting.iter().position(due)?;
        let request = self.waiting.remove(place);
        let table = tables.table(&request.sample.table);
        let answer = request.answer(tables, rng);
        if let Some(table) = table {
            self.say_wants(tables, table);
        }
        Some(answer)
    }

    fn say_wants(&self, tables: &mut Tables<Content>, table: tables::TableIndex) {
        let of_table =
            self.waiting.iter().filter(|request| tables.table(&request.sample.table) == Some(table));
        let wanted = of_table.map(Request::wants).max().unwrap_or(0);
        tables.set_wanted(table, wanted);
    }
}
