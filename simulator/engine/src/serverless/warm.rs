//! Which functions have idle containers where. What a rule asks about costs as much as there are nodes with idle
//! containers of one function, not as there are nodes.

const NONE: u32 = u32::MAX;

/// A node with idle containers of a function.
#[derive(Clone, Copy, Debug)]
pub(super) struct WarmNode {
    pub node: u32,
    pub count: u32,
    /// Place of the most recently used one.
    pub newest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Alike {
    older: u32,
    newer: u32,
}

/// Idle containers by function and node.
#[derive(Clone, Debug)]
pub(super) struct WarmIndex {
    functions: Vec<Vec<WarmNode>>,
    /// By place of the container: its neighbours among those of the same function and node.
    links: Vec<Alike>,
}

impl WarmIndex {
    pub fn new(functions: usize) -> Self {
        WarmIndex { functions: vec![Vec::new(); functions], links: Vec::new() }
    }

    /// Nodes with idle containers of `function`, in no order.
    #[inline]
    pub fn nodes(&self, function: u32) -> &[WarmNode] {
        &self.functions[function as usize]
    }

    #[inline]
    pub fn at(&self, function: u32, node: u32) -> Option<&WarmNode> {
        self.functions[function as usize].iter().find(|warm| warm.node == node)
    }

    /// Idle containers of `function` on `node`, the most recently used first.
    #[inline]
    pub fn containers(&self, function: u32, node: u32) -> impl Iterator<Item = u32> + '_ {
        let newest = self.at(function, node).map(|warm| warm.newest);
        std::iter::successors(newest, |&at| {
            Some(self.links[at as usize].older).filter(|&older| older != NONE)
        })
    }

    /// A container falls idle.
    pub fn insert(&mut self, container: u32, function: u32, node: u32) {
        if self.links.len() <= container as usize {
            self.links.resize(container as usize + 1, Alike { older: NONE, newer: NONE });
        }
        let nodes = &mut self.functions[function as usize];
        let older = match nodes.iter_mut().find(|warm| warm.node == node) {
            Some(warm) => {
                warm.count += 1;
                std::mem::replace(&mut warm.newest, container)
            }
            None => {
                nodes.push(WarmNode { node, count: 1, newest: container });
                NONE
            }
        };
        self.links[container as usize] = Alike { older, newer: NONE };
        if older != NONE {
            self.links[older as usize].newer = container;
        }
    }

    /// An idle container is used again or goes.
    pub fn remove(&mut self, container: u32, function: u32, node: u32) {
        let Alike { older, newer } = self.links[container as usize];
        if older != NONE {
            self.links[older as usize].newer = newer;
        }
        if newer != NONE {
            self.links[newer as usize].older = older;
        }
        let nodes = &mut self.functions[function as usize];
        let Some(place) = nodes.iter().position(|warm| warm.node == node) else { return };
        nodes[place].count -= 1;
        if nodes[place].count == 0 {
            nodes.swap_remove(place);
        } else if newer == NONE {
            nodes[place].newest = older;
        }
    }
}
