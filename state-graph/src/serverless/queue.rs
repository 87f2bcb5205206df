//! The invocations that wait, by function. Numbers rise with arrival, so the smallest of a function has waited longest.

use std::collections::{BTreeSet, HashMap};

use common::ids::InvocationId;

use super::container::Work;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Queue {
    waiting: HashMap<InvocationId, Work>,
    /// By function: the numbers of its waiting invocations.
    lines: Vec<BTreeSet<InvocationId>>,
    /// The oldest of each line that is not empty.
    heads: BTreeSet<InvocationId>,
}

impl Queue {
    pub(super) fn new(functions: usize) -> Self {
        Queue { lines: vec![BTreeSet::new(); functions], ..Queue::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn get(&self, id: InvocationId) -> Option<&Work> {
        self.waiting.get(&id)
    }

    /// The invocation of each function that has waited longest, in the order of arrival.
    pub(super) fn heads(&self) -> impl Iterator<Item = (InvocationId, &Work)> {
        self.heads.iter().filter_map(|id| Some((*id, self.waiting.get(id)?)))
    }

    pub(super) fn functions(&self) -> usize {
        self.heads.len()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (InvocationId, &Work)> {
        self.waiting.iter().map(|(id, work)| (*id, work))
    }

    pub(super) fn insert(&mut self, id: InvocationId, work: Work) {
        self.change_line(work.function, |line| {
            line.insert(id);
        });
        self.waiting.insert(id, work);
    }

    pub(super) fn remove(&mut self, id: InvocationId) -> Option<Work> {
        let work = self.waiting.remove(&id)?;
        self.change_line(work.function, |line| {
            line.remove(&id);
        });
        Some(work)
    }

    fn change_line(&mut self, function: usize, change: impl FnOnce(&mut BTreeSet<InvocationId>)) {
        let line = &mut self.lines[function];
        let before = line.first().copied();
        change(line);
        let after = line.first().copied();
        if before != after {
            before.map(|head| self.heads.remove(&head));
            after.map(|head| self.heads.insert(head));
        }
    }
}
