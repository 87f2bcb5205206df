//! Which containers start for which invocations, under late binding.

use std::collections::BTreeMap;

use common::ids::InvocationId;

/// Places of the containers that start for an invocation, by function and invocation.
#[derive(Clone, Debug)]
pub(super) struct Starting {
    by_function: Vec<BTreeMap<InvocationId, u32>>,
}

impl Starting {
    pub fn new(functions: usize) -> Self {
        Starting { by_function: vec![BTreeMap::new(); functions] }
    }

    pub fn insert(&mut self, function: u32, invocation: InvocationId, container: u32) {
        self.by_function[function as usize].insert(invocation, container);
    }

    pub fn remove(&mut self, function: u32, invocation: InvocationId) {
        self.by_function[function as usize].remove(&invocation);
    }

    /// The oldest invocation of the function whose container is accepted, and that container.
    pub fn oldest(&self, function: u32, accepts: impl Fn(u32) -> bool) -> Option<(InvocationId, u32)> {
        let waiting = self.by_function[function as usize].iter();
        waiting
            .map(|(&invocation, &container)| (invocation, container))
            .find(|&(_, container)| accepts(container))
    }
}
