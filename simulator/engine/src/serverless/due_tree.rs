//! The earliest of many times, which change one at a time.

use common::SimTime;

use super::max_tree::MaxTree;

/// Times by place; a [`MaxTree`] over how long before the end of time they are.
#[derive(Clone, Debug)]
pub(super) struct DueTree(MaxTree);

impl DueTree {
    /// So many places, at none of which anything is due.
    pub fn new(places: usize) -> Self {
        DueTree(MaxTree::new((0..places).map(|_| 0)))
    }

    pub fn set(&mut self, place: usize, due: SimTime) {
        self.0.set(place, SimTime::NEVER.0 - due.0);
    }

    pub fn first(&self) -> SimTime {
        SimTime(SimTime::NEVER.0 - self.0.max())
    }

    /// The lowest place at which something is due first.
    pub fn first_place(&self) -> usize {
        self.0.argmax()
    }
}
