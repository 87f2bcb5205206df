//! Containers on their nodes: memory, idle containers, and the order of eviction.

use common::SimTime;
use common::cluster::ClusterSpec;
use common::ids::ContainerId;

use super::expiries::Expiries;
use super::max_tree::MaxTree;
use super::node::Node;
use super::places::{container_place, id_at};
use super::warm::{WarmIndex, WarmNode};

/// What a container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It starts cold or runs, for this invocation.
    Bound { job: u32 },
    /// It is pre-warmed: it starts before an invocation needs it.
    Warming,
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
    /// When its cold start began.
    pub created: SimTime,
    /// When it began what it does now: its cold start, an invocation, or being idle.
    pub since: SimTime,
    /// Whether its cold start is over.
    pub booted: bool,
    /// Index in its node's list of busy containers, while it is busy.
    busy_place: u32,
    /// Neighbours among the idle of its node, oldest idle first.
    older: Option<u32>,
    younger: Option<u32>,
}

/// All containers of a cluster. They are addressed by place; a place is used again once its container is gone.
#[derive(Clone, Debug)]
pub(super) struct Containers {
    places: Vec<Container>,
    free_places: Vec<u32>,
    nodes: Vec<Node>,
    created: u64,
    /// Containers by function that start or run.
    bound: Vec<u32>,
    warm: WarmIndex,
    expiries: Expiries,
    /// Obtainable memory of each node.
    obtainable: MaxTree,
    /// Free memory of each node.
    free: MaxTree,
    /// Isolation tag of each function, where it is enforced.
    tags: Option<Vec<u32>>,
}

impl Containers {
    pub fn new(cluster: &ClusterSpec, isolation: bool) -> Self {
        let nodes: Vec<Node> = cluster.nodes.iter().map(Node::new).collect();
        let tags = || cluster.functions.iter().map(|function| function.isolation_tag).collect();
        Containers {
            obtainable: MaxTree::new(nodes.iter().map(|node| u64::from(node.obtainable_mb()))),
            free: MaxTree::new(nodes.iter().map(|node| u64::from(node.free_mb()))),
            places: Vec::new(),
            free_places: Vec::new(),
            nodes,
            created: 0,
            bound: vec![0; cluster.functions.len()],
            warm: WarmIndex::new(cluster.functions.len()),
            expiries: Expiries::default(),
            tags: isolation.then(tags),
        }
    }

    #[inline]
    pub fn get(&self, place: u32) -> &Container {
        &self.places[place as usize]
    }

    /// The place of a container that exists.
    pub fn find(&self, id: ContainerId) -> Option<u32> {
        let place = container_place(id);
        let container = self.places.get(place)?;
        (container.id == id && container.state != State::Gone).then_some(place as u32)
    }

    /// Containers of a node that start or run, in no particular order.
    #[inline]
    pub fn busy_on(&self, node: u32) -> &[u32] {
        &self.nodes[node as usize].busy
    }

    /// Containers of `function` that start or run.
    #[inline]
    pub fn bound(&self, function: u32) -> u32 {
        self.bound[function as usize]
    }

    /// Memory of a node that no container holds, MB.
    #[inline]
    pub fn free_mb(&self, node: u32) -> u32 {
        self.nodes[node as usize].free_mb()
    }

    /// Memory of a node that idle containers hold, MB.
    #[inline]
    pub fn idle_mb(&self, node: u32) -> u32 {
        self.nodes[node as usize].idle_mb
    }

    /// Memory of a node that starting and running containers hold, MB.
    #[inline]
    pub fn bound_mb(&self, node: u32) -> u32 {
        self.nodes[node as usize].bound_mb
    }

    #[inline]
    pub fn is_up(&self, node: u32) -> bool {
        self.nodes[node as usize].up
    }

    /// Largest container that fits on some node, isolation aside, MB.
    #[inline]
    pub fn largest_fit(&self) -> u32 {
        self.obtainable.max() as u32
    }

    /// The node with most free memory, the lowest of them; and its free memory, MB.
    #[inline]
    pub fn roomiest(&self) -> (u32, u32) {
        (self.free.argmax() as u32, self.free.max() as u32)
    }

    pub fn isolated(&self) -> bool {
        self.tags.is_some()
    }

    /// Nodes with idle containers of `function`, in no order.
    #[inline]
    pub fn warm_nodes(&self, function: u32) -> &[WarmNode] {
        self.warm.nodes(function)
    }

    /// Number of idle containers of `function` on `node`.
    #[inline]
    pub fn idle_count(&self, function: u32, node: u32) -> u32 {
        self.warm.at(function, node).map_or(0, |warm| warm.count)
    }

    /// Place of the most recently used idle container of that function and size on that node.
    #[inline]
    pub fn warm(&self, function: u32, memory_mb: u32, node: u32) -> Option<u32> {
        self.warm.containers(function, node).find(|&place| self.get(place).memory_mb == memory_mb)
    }

    /// Places of the idle containers of a node, the longest idle first.
    #[inline]
    pub fn idle_on(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.nodes[node as usize].oldest_idle, |&at| self.get(at).younger)
    }

    /// Idle memory that goes when `memory_mb` more are needed on `node` for `function`, MB; `None` when it cannot be had.
    #[inline]
    pub fn evicts_mb(&self, function: u32, memory_mb: u32, node: u32) -> Option<u32> {
        let at = &self.nodes[node as usize];
        if memory_mb > at.obtainable_mb() {
            return None;
        }
        if self.is_foreign(function, node) {
            // All must go, so none may be busy.
            return (at.bound_mb == 0).then_some(at.idle_mb);
        }
        let mut evicted = 0;
        let mut idle = self.idle_on(node);
        while at.free_mb() + evicted < memory_mb {
            evicted += self.get(idle.next()?).memory_mb;
        }
        Some(evicted)
    }

    /// Whether containers of another isolation tag are on `node`.
    #[inline]
    pub fn is_foreign(&self, function: u32, node: u32) -> bool {
        let Some(tags) = &self.tags else { return false };
        self.nodes[node as usize].tag.is_some_and(|tag| tag != tags[function as usize])
    }

    /// Binds an idle container to a job.
    pub fn take(&mut self, now: SimTime, place: u32, job: u32) {
        self.unlink(place);
        let container = &mut self.places[place as usize];
        container.state = State::Bound { job };
        container.since = now;
        self.becomes_busy(place);
    }

    /// A container starts or runs from now on: less can be had on its node.
    fn becomes_busy(&mut self, place: u32) {
        let container = &mut self.places[place as usize];
        let node = &mut self.nodes[container.node as usize];
        container.busy_place = node.busy.len() as u32;
        node.busy.push(place);
        node.bound_mb += container.memory_mb;
        self.bound[container.function as usize] += 1;
        let node = container.node;
        self.node_changed(node);
    }

    fn no_longer_busy(&mut self, place: u32) {
        let Container { node, memory_mb, function, busy_place, .. } = self.places[place as usize];
        let node = &mut self.nodes[node as usize];
        node.bound_mb -= memory_mb;
        node.busy.swap_remove(busy_place as usize);
        if let Some(&moved) = node.busy.get(busy_place as usize) {
            self.places[moved as usize].busy_place = busy_place;
        }
        self.bound[function as usize] -= 1;
    }

    /// A starting container becomes that of `job`.
    pub fn bind(&mut self, place: u32, job: u32) {
        self.places[place as usize].state = State::Bound { job };
    }

    /// A starting container goes on starting, for no invocation.
    pub fn give_up(&mut self, place: u32) {
        self.places[place as usize].state = State::Warming;
    }

    /// A cold start is over.
    pub fn ready(&mut self, now: SimTime, place: u32) {
        let container = &mut self.places[place as usize];
        container.booted = true;
        container.since = now;
    }

    /// Makes a container for a job or a pre-warm. The memory must be free.
    pub fn create(
        &mut self,
        now: SimTime,
        function: u32,
        memory_mb: u32,
        node: u32,
        job: Option<u32>,
    ) -> u32 {
        self.created += 1;
        let place = self.free_places.pop().unwrap_or(self.places.len() as u32);
        let container = Container {
            id: ContainerId(id_at(self.created, place)),
            function,
            node,
            memory_mb,
            state: job.map_or(State::Warming, |job| State::Bound { job }),
            created: now,
            since: now,
            booted: false,
            busy_place: 0,
            older: None,
            younger: None,
        };
        match self.places.get_mut(place as usize) {
            Some(free) => *free = container,
            None => self.places.push(container),
        }
        self.nodes[node as usize].tag = self.tags.as_ref().map(|tags| tags[function as usize]);
        self.becomes_busy(place);
        place
    }

    /// A bound or warming container falls idle.
    pub fn fall_idle(&mut self, now: SimTime, place: u32, expires: SimTime) {
        self.no_longer_busy(place);
        let container = &mut self.places[place as usize];
        container.state = State::Idle { expires };
        container.since = now;
        let node = &mut self.nodes[container.node as usize];
        node.idle_mb += container.memory_mb;
        container.younger = None;
        container.older = node.youngest_idle.replace(place);
        let Container { id, function, node: at, older, .. } = *container;
        match older {
            None => node.oldest_idle = Some(place),
            Some(older) => self.places[older as usize].younger = Some(place),
        }
        self.warm.insert(place, function, at);
        self.expiries.post(expires, place, id);
        self.node_changed(at);
    }

    /// An idle container is kept until `expires`.
    pub fn keep(&mut self, place: u32, expires: SimTime) {
        let container = &mut self.places[place as usize];
        container.state = State::Idle { expires };
        let id = container.id;
        self.expiries.post(expires, place, id);
    }

    /// When the next idle container expires, if that is before `limit`.
    pub fn next_expiry_before(&mut self, limit: SimTime) -> Option<SimTime> {
        if !self.expiries.may_be_before(limit) {
            return None;
        }
        self.first_expiry().map(|(at, _)| at).filter(|&at| at < limit)
    }

    /// Removes an idle container that has expired by `now`.
    pub fn expire(&mut self, now: SimTime) -> Option<Container> {
        if !self.expiries.may_be_before(now + SimTime(1)) {
            return None;
        }
        let (at, place) = self.first_expiry()?;
        (at <= now).then(|| self.remove_idle(place))
    }

    fn first_expiry(&mut self) -> Option<(SimTime, u32)> {
        let places = &self.places;
        self.expiries.first(|place, id| match places[place as usize] {
            Container { id: found, state: State::Idle { expires }, .. } if found == id => Some(expires),
            _ => None,
        })
    }

    /// Removes an idle container.
    pub fn remove_idle(&mut self, place: u32) -> Container {
        self.unlink(place);
        self.gone(place)
    }

    /// A node goes down with all that is on it; returns its containers in the order of their ids, as they were.
    pub fn fail(&mut self, node: u32) -> Vec<(u32, Container)> {
        let mut lost: Vec<(u32, Container)> = (0..self.places.len() as u32)
            .map(|place| (place, self.places[place as usize]))
            .filter(|(_, container)| container.node == node && container.state != State::Gone)
            .collect();
        lost.sort_by_key(|(_, container)| container.id);
        for &(place, container) in &lost {
            if matches!(container.state, State::Idle { .. }) {
                self.unlink(place);
            } else {
                self.no_longer_busy(place);
            }
            self.gone(place);
        }
        self.set_up(node, false);
        lost
    }

    /// A node is up or down from now on.
    pub fn set_up(&mut self, node: u32, up: bool) {
        self.nodes[node as usize].up = up;
        self.node_changed(node);
    }

    fn gone(&mut self, place: u32) -> Container {
        let before = self.places[place as usize];
        self.places[place as usize].state = State::Gone;
        self.free_places.push(place);
        self.node_changed(before.node);
        before
    }

    /// Takes an idle container out of the lists and the idle memory of its node.
    fn unlink(&mut self, place: u32) {
        let container = self.places[place as usize];
        let node = &mut self.nodes[container.node as usize];
        node.idle_mb -= container.memory_mb;
        self.warm.remove(place, container.function, container.node);
        match container.older {
            None => node.oldest_idle = container.younger,
            Some(older) => self.places[older as usize].younger = container.younger,
        }
        match container.younger {
            None => self.nodes[container.node as usize].youngest_idle = container.older,
            Some(younger) => self.places[younger as usize].older = container.older,
        }
    }

    fn node_changed(&mut self, node: u32) {
        let at = &mut self.nodes[node as usize];
        if at.bound_mb + at.idle_mb == 0 {
            at.tag = None;
        }
        self.obtainable.set(node as usize, u64::from(at.obtainable_mb()));
        self.free.set(node as usize, u64::from(at.free_mb()));
    }
}
