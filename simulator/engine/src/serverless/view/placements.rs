//! Where a container of a function can start, and with how much memory.

use common::Action;
use common::cluster::StartOption;
use common::ids::{FunctionId, InvocationId, NodeId};

use super::ServerlessView;
use crate::serverless::function::MemoryShares;
use crate::serverless::question::Question;
use crate::serverless::seen::{Line, Placement};

impl<'a> ServerlessView<'a> {
    /// The same view without placements on `closed` nodes; the search costs as much as they are many.
    #[must_use]
    #[inline]
    pub fn without(self, closed: &'a [NodeId]) -> ServerlessView<'a> {
        ServerlessView { closed, ..self }
    }

    #[inline]
    fn is_closed(&self, node: NodeId) -> bool {
        !self.closed.is_empty() && self.closed.contains(&node)
    }

    /// Nodes on which a container of that function and size (a place in `size_multiples`) waits, in no particular order.
    #[inline]
    pub fn warm_placements(
        &self,
        function: FunctionId,
        size: usize,
    ) -> impl Iterator<Item = (Placement, NodeId)> + 'a {
        let containers = &self.simulation.containers;
        let memory_mb = self.size_mb(function, size);
        let view = *self;
        containers.warm_nodes(function.0).iter().filter_map(move |warm| {
            let memory_mb = memory_mb.filter(|_| !view.is_closed(NodeId(warm.node)))?;
            // Nearly always the last one used has the size that is wanted.
            let found = containers.get(warm.newest).memory_mb == memory_mb
                || containers.warm(function.0, memory_mb, warm.node).is_some();
            found.then_some((Placement { memory_mb, warm: true, evicts_mb: 0 }, NodeId(warm.node)))
        })
    }

    /// What a start of `function` at size `size` (a place in `size_multiples`) on `node` would mean; `None` where it does
    /// not fit or the size is below the function's peak.
    #[must_use]
    #[inline]
    pub fn placement(&self, function: FunctionId, size: usize, node: NodeId) -> Option<Placement> {
        let memory_mb = (*self.simulation.workload.sizes[function.0 as usize].get(size)?)?;
        if self.is_closed(node) {
            return None;
        }
        let containers = &self.simulation.containers;
        if containers.warm(function.0, memory_mb, node.0).is_some() {
            return Some(Placement { memory_mb, warm: true, evicts_mb: 0 });
        }
        let evicts_mb = containers.evicts_mb(function.0, memory_mb, node.0)?;
        Some(Placement { memory_mb, warm: false, evicts_mb })
    }

    /// Memory of a size of a function, MB; `None` where it is below the peak.
    #[must_use]
    #[inline]
    pub fn size_mb(&self, function: FunctionId, size: usize) -> Option<u32> {
        *self.simulation.workload.sizes[function.0 as usize].get(size)?
    }

    /// CPU and bandwidth that come with memory.
    #[must_use]
    #[inline]
    pub fn shares(&self) -> MemoryShares {
        self.simulation.workload.shares
    }

    /// The place in `size_multiples` of a function's default size; where that is not offered, the smallest that is.
    #[must_use]
    #[inline]
    pub fn default_size(&self, function: FunctionId) -> usize {
        let default = self.spec().functions[function.0 as usize].default_memory_mb;
        let sizes = &self.simulation.workload.sizes[function.0 as usize];
        let place = sizes.iter().position(|&size| size == Some(default));
        place.or_else(|| sizes.iter().position(Option::is_some)).unwrap_or(0)
    }

    /// Whether functions of different isolation tags never share a node.
    #[must_use]
    pub fn isolates(&self) -> bool {
        self.simulation.rules.isolation
    }

    /// Whether containers of another isolation tag than the function's are on `node`, where tags keep functions apart: it can start
    /// there only when all of them are idle.
    #[must_use]
    pub fn is_foreign(&self, function: FunctionId, node: NodeId) -> bool {
        self.simulation.containers.is_foreign(function.0, node.0)
    }

    /// The start to which there is no sensible alternative, where there is one: every waiting function has idle containers of its own,
    /// all on one node and of the only size, so nobody waits for what this start takes; nothing is held back or kept. It is the one
    /// that has waited longest.
    #[must_use]
    pub fn uncontested_start(&self) -> Option<Action> {
        if self.question() != Question::Start
            || self.spec().size_multiples.len() > 1
            || !self.simulation.commitments.is_empty()
        {
            return None;
        }
        let mut first: Option<(InvocationId, Placement, NodeId)> = None;
        for line in self.lines() {
            let mut warm = self.warm_placements(line.function, 0);
            let (placement, node) = warm.next()?;
            if warm.next().is_some() {
                return None;
            }
            if first.is_none_or(|(oldest, ..)| line.oldest < oldest) {
                first = Some((line.oldest, placement, node));
            }
        }
        let (invocation, placement, node) = first?;
        Some(Action::Start { invocation, memory_mb: placement.memory_mb, node })
    }

    /// Possible starts of the oldest pending invocation of each function, sorted by (invocation, size, node). Left out are functions
    /// that are held back and starts that would delay a reservation. Of functions that can start somewhere there are at most
    /// `window`, those whose oldest has waited longest. Invocations behind the oldest look alike but for having waited less, so
    /// nothing is lost, and a burst of one function cannot hide the others. It is never empty when a decision about a start is
    /// due and `window` is not 0.
    pub fn start_options(&self, window: usize, out: &mut Vec<StartOption>) {
        out.clear();
        let mut lines: Vec<Line> = self.open_lines().collect();
        lines.sort_unstable_by_key(|line| line.oldest);
        let mut shown = 0;
        for line in lines {
            if shown == window {
                break;
            }
            let before = out.len();
            self.starts_of(&line, out);
            shown += usize::from(out.len() > before);
        }
    }

    fn starts_of(&self, line: &Line, out: &mut Vec<StartOption>) {
        for size in 0..self.spec().size_multiples.len() {
            for node in (0..self.spec().nodes.len() as u32).map(NodeId) {
                let Some(placement) = self.placement(line.function, size, node) else { continue };
                if self.delays_reservation(line.function, &placement, node) {
                    continue;
                }
                out.push(StartOption {
                    invocation: line.oldest,
                    size: size as u32,
                    memory_mb: placement.memory_mb,
                    node,
                    warm: placement.warm,
                    evicts_mb: placement.evicts_mb,
                });
            }
        }
    }
}
