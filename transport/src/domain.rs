//! Which roles may talk to which sockets.

use crate::message::Role;

/// Which roles a bound socket serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    /// A replay shard's socket.
    Shard,
    /// The learner's sockets.
    Weights,
}

impl Domain {
    const ALL: [Domain; 2] = [Domain::Shard, Domain::Weights];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Domain::Shard => "longshore.shard",
            Domain::Weights => "longshore.weights",
        }
    }

    pub(crate) fn from_name(name: &[u8]) -> Option<Domain> {
        Domain::ALL.into_iter().find(|domain| domain.name().as_bytes() == name)
    }

    pub(crate) fn admits(self, role: Role) -> bool {
        match self {
            Domain::Shard => matches!(role, Role::Learner | Role::Actor),
            Domain::Weights => matches!(role, Role::Replay | Role::Actor),
        }
    }
}
