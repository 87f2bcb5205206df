//! The learner's addresses, and a version of its weights.

use std::sync::Arc;

use common::ids::PolicyVersion;
use configuration::TransportConfig;

use crate::Endpoint;

/// A version and its weights, encoded as the learner has published them.
pub type VersionedWeights = (PolicyVersion, Arc<Vec<u8>>);

/// The learner's two addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsEndpoints {
    /// Where it announces versions.
    pub announce: Endpoint,
    /// Where it answers handshakes and pulls.
    pub pull: Endpoint,
}

impl WeightsEndpoints {
    /// Addresses within this process.
    #[must_use]
    pub fn inproc() -> Self {
        WeightsEndpoints {
            announce: Endpoint::inproc("longshore.weights.announce"),
            pull: Endpoint::inproc("longshore.weights.pull"),
        }
    }

    /// The addresses that actors and shards connect to.
    #[must_use]
    pub fn of_actors(config: &TransportConfig) -> Self {
        WeightsEndpoints { announce: (&config.weights_announce).into(), pull: (&config.weights_pull).into() }
    }

    /// The addresses that the learner binds.
    #[must_use]
    pub fn of_learner(config: &TransportConfig) -> Self {
        let announce = config.weights_announce_bind.as_ref().unwrap_or(&config.weights_announce);
        let pull = config.weights_pull_bind.as_ref().unwrap_or(&config.weights_pull);
        WeightsEndpoints { announce: announce.into(), pull: pull.into() }
    }
}
