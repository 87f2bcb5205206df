//! Requests for trajectories. Each waits until it can be answered in full, or its patience ends.

use std::time::Duration;

use rand::RngCore;
use transport::{PeerId, Pick, Sample, TableSize};

use crate::effect::{Outgoing, Reply};
use crate::item::Content;
use crate::tables::{self, Tables};

/// Most requests that wait; beyond it the oldest is dropped.
const MAX_REQUESTS: usize = 1024;

/// A request, and when it is answered at the latest.
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
        // For a table that does not exist there is nothing to wait for.
        tables
            .table(&self.sample.table)
            .is_none_or(|table| tables.can_serve(table, self.sample.pick, self.sample.steps))
    }

    /// Steps that the request still waits for.
    fn wants(&self) -> u64 {
        match self.sample.pick {
            Pick::Next => self.sample.steps,
            // Only the learner knows what a turn lacks.
            Pick::Turn(_) => u64::MAX,
        }
    }

    fn answer(self, tables: &mut Tables<Content>, rng: &mut dyn RngCore) -> Outgoing {
        let (mut size, mut sampled) = (TableSize::default(), Vec::new());
        if let Some(table) = tables.table(&self.sample.table) {
            size = tables.size(table);
            sampled = tables.sample(table, self.sample.pick, self.sample.steps, rng);
        }
        let reply = Reply::Batch { request: self.sample.request, table: size, sampled };
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
            self.update_wanted(tables, table);
        }
    }

    /// Drops all requests.
    pub(crate) fn clear(&mut self, tables: &mut Tables<Content>) {
        self.keep(tables, |_| false);
    }

    /// Drops the requests of a peer.
    pub(crate) fn forget(&mut self, peer: &PeerId, tables: &mut Tables<Content>) {
        self.keep(tables, |request| request.peer != *peer);
    }

    fn keep(&mut self, tables: &mut Tables<Content>, keeps: impl Fn(&Request) -> bool) {
        let (kept, gone) = std::mem::take(&mut self.waiting).into_iter().partition(keeps);
        self.waiting = kept;
        let gone: Vec<Request> = gone;
        for request in gone {
            if let Some(table) = tables.table(&request.sample.table) {
                self.update_wanted(tables, table);
            }
        }
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.waiting.iter().map(|request| request.deadline).min()
    }

    /// Answers the oldest request that can be served in full, or whose patience has ended; none when there is none.
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
            self.update_wanted(tables, table);
        }
        Some(answer)
    }

    fn update_wanted(&self, tables: &mut Tables<Content>, table: tables::TableIndex) {
        let of_table =
            self.waiting.iter().filter(|request| tables.table(&request.sample.table) == Some(table));
        let wanted = of_table.map(Request::wants).max().unwrap_or(0);
        tables.set_wanted(table, wanted);
    }
}
