//! Containers on their nodes: memory, who is idle where, and who goes first when memory is needed.

use std::collections::VecDeque;

use common::SimTime;
use common::cluster::NodeSpec;
use common::ids::ContainerId;

const NONE: u32 = u32::MAX;

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It starts cold or runs, for this invocation.
    Bound { invocation: u32 },
    /// It is kept warm until this time.
    Idle { expires: SimTime },
    /// Its place is free for another container.
    Gone,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Container {
    pub id: ContainerId,
    pub function: u32,
    pub node: u32,
    pub memory_mb: u32,
    pub state: State,
    /// Neighbours among the idle of its node, oldest idle first.
    older: u32,
    younger: u32,
}

#[derive(Debug)]
struct Node {
    capacity_mb: u32,
    bound_mb: u32,
    idle_mb: u32,
    oldest_idle: u32,
    youngest_idle: u32,
    /// Idle containers of each function, most recently used last.
    idle: Vec<VecDeque<u32>>,
}

/// All containers of a cluster. They are addressed by place; a place is used again once its container is gone.
#[derive(Debug)]
pub(super) struct Containers {
    places: Vec<Container>,
    free_places: Vec<u32>,
    nodes: Vec<Node>,
    created: u64,
    /// Bound containers by function.
    bound: Vec<u32>,
    /// (expiry, place, id) in order of expiry; entries of containers that were used again are void.
    expiries: VecDeque<(SimTime, u32, ContainerId)>,
}

impl Containers {
    pub fn new(nodes: &[NodeSpec], functions: usize) -> Self {
        let node = |spec: &NodeSpec| Node {
            capacity_mb: spec.memory_mb,
            bound_mb: 0,
            idle_mb: 0,
            oldest_idle: NONE,
            youngest_idle: NONE,
            idle: vec![VecDeque::new(); functions],
        };
        Containers {
            places: Vec::new(),
            free_places: Vec::new(),
            nodes: nodes.iter().map(node).collect(),
            created: 0,
            bound: vec![0; functions],
            expiries: VecDeque::new(),
        }
    }

    pub fn get(&self, place: u32) -> &Container {
        &self.places[place as usize]
    }

    /// Containers of `function` that start or run.
    pub fn bound(&self, function: u32) -> u32 {
        self.bound[function as usize]
    }

    /// Whether any container starts or runs.
    pub fn any_bound(&self) -> bool {
        self.nodes.iter().any(|node| node.bound_mb > 0)
    }

    /// Invocations whose containers start or run.
    pub fn bound_invocations(&self) -> Vec<u32> {
        self.places
            .iter()
            .filter_map(|container| match container.state {
                State::Bound { invocation } => Some(invocation),
                _ => None,
            })
            .collect()
    }

    /// Memory of a node that no container holds, MB.
    pub fn free_mb(&self, node: u32) -> u32 {
        let node = &self.nodes[node as usize];
        node.capacity_mb - node.bound_mb - node.idle_mb
    }

    /// Memory of a node that idle containers hold, MB.
    pub fn idle_mb(&self, node: u32) -> u32 {
        self.nodes[node as usize].idle_mb
    }

    /// Memory of a node that starting and running containers hold, MB.
    pub fn bound_mb(&self, node: u32) -> u32 {
        self.nodes[node as usize].bound_mb
    }

    /// Largest container that fits on some node, MB.
    pub fn largest_fit(&self) -> u32 {
        self.nodes.iter().map(|node| node.capacity_mb - node.bound_mb).max().unwrap_or(0)
    }

    /// Number of idle containers of `function` on `node`.
    pub fn idle_count(&self, function: u32, node: u32) -> usize {
        self.nodes[node as usize].idle[function as usize].len()
    }

    /// The most recently used idle container of that function and size on that node.
    pub fn warm(&self, function: u32, memory_mb: u32, node: u32) -> Option<u32> {
        let idle = &self.nodes[node as usize].idle[function as usize];
        idle.iter().rev().copied().find(|&place| self.get(place).memory_mb == memory_mb)
    }

    /// Idle memory that goes when `memory_mb` more are needed on `node`, MB; `None` when it cannot be had.
    pub fn evicts_mb(&self, memory_mb: u32, node: u32) -> Option<u32> {
        let free = self.free_mb(node);
        let mut evicted = 0;
        let mut at = self.nodes[node as usize].oldest_idle;
        while free + evicted < memory_mb {
            if at == NONE {
                return None;
            }
            let container = self.get(at);
            evicted += container.memory_mb;
            at = container.younger;
        }
        Some(evicted)
    }

    /// Binds an idle container to `invocation`.
    pub fn take(&mut self, place: u32, invocation: u32) {
        self.unlink(place);
        let container = &mut self.places[place as usize];
        container.state = State::Bound { invocation };
        self.nodes[container.node as usize].bound_mb += container.memory_mb;
        self.bound[container.function as usize] += 1;
    }

    /// Makes a container that is bound to `invocation`. The memory must be free.
    pub fn create(&mut self, function: u32, memory_mb: u32, node: u32, invocation: u32) -> u32 {
        self.created += 1;
        let container = Container {
            id: ContainerId(self.created),
            function,
            node,
            memory_mb,
            state: State::Bound { invocation },
            older: NONE,
            younger: NONE,
        };
        self.nodes[node as usize].bound_mb += memory_mb;
        self.bound[function as usize] += 1;
        if let Some(place) = self.free_places.pop() {
            self.places[place as usize] = container;
            return place;
        }
        self.places.push(container);
        self.places.len() as u32 - 1
    }

    /// A bound container falls idle. Expiries must come in order.
    pub fn fall_idle(&mut self, place: u32, expires: SimTime) {
        let container = &mut self.places[place as usize];
        container.state = State::Idle { expires };
        let node = &mut self.nodes[container.node as usize];
        node.bound_mb -= container.memory_mb;
        node.idle_mb += container.memory_mb;
        node.idle[container.function as usize].push_back(place);
        self.bound[container.function as usize] -= 1;
        container.younger = NONE;
        container.older = node.youngest_idle;
        let (id, older) = (container.id, container.older);
        match older {
            NONE => node.oldest_idle = place,
            older => self.places[older as usize].younger = place,
        }
        node.youngest_idle = place;
        self.expiries.push_back((expires, place, id));
    }

    /// Removes the oldest idle container of `node` and tells which it was.
    pub fn evict_oldest(&mut self, node: u32) -> Option<Container> {
        let oldest = self.nodes[node as usize].oldest_idle;
        (oldest != NONE).then(|| self.remove_idle(oldest))
    }

    /// When the next idle container expires.
    pub fn next_expiry(&mut self) -> Option<SimTime> {
        while let Some(&(expires, place, id)) = self.expiries.front() {
            let container = self.get(place);
            if container.id == id && container.state == (State::Idle { expires }) {
                return Some(expires);
            }
            self.expiries.pop_front();
        }
        None
    }

    /// Removes an idle container that has expired by `now`.
    pub fn expire(&mut self, now: SimTime) -> Option<Container> {
        if self.next_expiry()? > now {
            return None;
        }
        let (_, place, _) = self.expiries.pop_front()?;
        Some(self.remove_idle(place))
    }

    fn remove_idle(&mut self, place: u32) -> Container {
        self.unlink(place);
        self.places[place as usize].state = State::Gone;
        self.free_places.push(place);
        self.places[place as usize]
    }

    /// Takes an idle container out of the lists and the idle memory of its node.
    fn unlink(&mut self, place: u32) {
        let container = self.places[place as usize];
        let node = &mut self.nodes[container.node as usize];
        node.idle_mb -= container.memory_mb;
        let idle = &mut node.idle[container.function as usize];
        // It is the youngest when it is used again and the oldest when it goes: both ends are near.
        let position =
            if idle.front() == Some(&place) { Some(0) } else { idle.iter().rposition(|&one| one == place) };
        if let Some(position) = position {
            idle.remove(position);
        }
        match container.older {
            NONE => node.oldest_idle = container.younger,
            older => self.places[older as usize].younger = container.younger,
        }
        match container.younger {
            NONE => self.nodes[container.node as usize].youngest_idle = container.older,
            younger => self.places[younger as usize].older = container.older,
        }
    }
}
