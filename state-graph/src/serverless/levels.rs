//! Levels above functions and nodes: rows for applications, tenants, zones and the whole cluster, joined to their members. A
//! layer of attention pools members into these rows; the next one sends what they know back down along the same edges
//! (hierarchical pooling).

use std::collections::BTreeMap;

use super::scales::{count, flag};
use super::tracker::ServerlessGraph;
use crate::{EdgeType, NodeType, StateGraphBuilder};

pub(super) const GROUP: [&str; 8] =
    ["is_application", "is_tenant", "is_zone", "is_cluster", "members", "pending", "busy", "bound_memory"];
/// Of a membership: the member's part of what waits and of the memory that is bound in the group.
pub(super) const MEMBER: [&str; 2] = ["pending_share", "bound_share"];

/// What a row above others stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// The functions of an application that are shown.
    Application(u32),
    /// The applications of a tenant that are shown.
    Tenant(u32),
    /// The nodes of a zone.
    Zone(u32),
    /// Everything.
    Cluster,
}

/// What a group or a member of one holds.
#[derive(Clone, Copy, Debug, Default)]
struct Content {
    members: u32,
    pending: u32,
    busy: u32,
    bound_mb: u32,
}

impl Content {
    fn add(&mut self, member: Content) {
        self.members += 1;
        self.pending += member.pending;
        self.busy += member.busy;
        self.bound_mb += member.bound_mb;
    }

    fn row(&self, group: Group, memory_mb: u64) -> [f32; GROUP.len()] {
        let is = |kind: bool| flag(kind);
        [
            is(matches!(group, Group::Application(_))),
            is(matches!(group, Group::Tenant(_))),
            is(matches!(group, Group::Zone(_))),
            is(matches!(group, Group::Cluster)),
            count(self.members),
            count(self.pending),
            count(self.busy),
            self.bound_mb as f32 / memory_mb.max(1) as f32,
        ]
    }

    fn shares_of(&self, member: Content) -> [f32; MEMBER.len()] {
        let share = |part: u32, whole: u32| part as f32 / whole.max(1) as f32;
        [share(member.pending, self.pending), share(member.bound_mb, self.bound_mb)]
    }
}

/// The groups of a frame in the order of their numbers, and the members of each.
pub(super) struct Levels {
    groups: Vec<(Group, Content)>,
    /// Edges: (type, number of the member, place of its group, what the member holds).
    members: Vec<(EdgeType, u32, usize, Content)>,
}

impl Levels {
    /// Groups of `functions` (those that are shown, in the order of their numbers) and of all nodes.
    pub(super) fn of(graph: &ServerlessGraph, functions: &[usize]) -> Self {
        let mut contents: BTreeMap<Group, Content> = BTreeMap::new();
        let mut joined: Vec<(EdgeType, u32, Group, Content)> = Vec::new();
        let mut above: BTreeMap<Group, Group> = BTreeMap::new();
        for (number, &function) in functions.iter().enumerate() {
            let (spec, state) = (&graph.spec.functions[function], &graph.functions[function]);
            let (application, tenant) = (Group::Application(spec.application), Group::Tenant(spec.tenant));
            // Only nodes know how much memory is bound.
            let content = Content { pending: state.pending, busy: state.busy, ..Content::default() };
            contents.entry(application).or_default().add(content);
            joined.push((EdgeType::FunctionOf, number as u32, application, content));
            above.insert(application, tenant);
            above.insert(tenant, Group::Cluster);
        }
        for (number, (spec, state)) in graph.spec.nodes.iter().zip(&graph.nodes).enumerate() {
            let zone = Group::Zone(spec.zone);
            let content = Content { busy: state.busy, bound_mb: state.bound_mb, ..Content::default() };
            contents.entry(zone).or_default().add(content);
            joined.push((EdgeType::ResourceOf, number as u32, zone, content));
            above.insert(zone, Group::Cluster);
        }
        // Applications, then tenants, then zones: the order of the enumeration is that from below to above.
        for (&group, &parent) in &above {
            let mut content = contents.get(&group).copied().unwrap_or_default();
            if matches!(group, Group::Tenant(_)) {
                // The cluster's busy containers are those of its zones, which are all shown.
                content.busy = 0;
            }
            contents.entry(parent).or_default().add(content);
        }
        let groups: Vec<(Group, Content)> = contents.into_iter().collect();
        let place =
            |group: Group| groups.binary_search_by_key(&group, |(one, _)| *one).expect("it was added");
        let mut members: Vec<_> = joined
            .into_iter()
            .map(|(kind, number, group, content)| (kind, number, place(group), content))
            .collect();
        members.extend(above.iter().map(|(&group, &parent)| {
            let own = place(group);
            (EdgeType::GroupOf, own as u32, place(parent), groups[own].1)
        }));
        Levels { groups, members }
    }

    /// What the numbered groups are.
    pub(super) fn names(&self) -> Vec<Group> {
        self.groups.iter().map(|(group, _)| *group).collect()
    }

    pub(super) fn add_to(&self, builder: &mut StateGraphBuilder, memory_mb: u64) {
        for (group, content) in &self.groups {
            builder.node(NodeType::Group, &content.row(*group, memory_mb));
        }
        for &(kind, member, place, content) in &self.members {
            let row = self.groups[place].1.shares_of(content);
            builder.edge(kind, member, place as u32, &row);
        }
    }
}
