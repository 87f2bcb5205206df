//! The learner's addresses, and a version of its weights.

use std::sync::Arc;

use common::ids::PolicyVersion;
use configuration::TransportConfig;

use crate::{Endpoint, TransportError};

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
    ///
    /// # Errors
    /// [`TransportError::Address`].
    pub fn of_actors(config: &TransportConfig) -> Result<Self, TransportError> {
        Ok(WeightsEndpoints {
            announce: config.weights_announce.parse()?,
            pull: config.weights_pull.parse()?,
        })
    }

    /// The addresses that the learner binds.
    ///
    /// # Errors
    /// [`TransportError::Address`].
    pub fn of_learner(config: &TransportConfig) -> Result<Self, TransportError> {
        let announce = config.weights_announce_bind.as_ref().unwrap_or(&config.weights_announce);
        let pull = config.weights_pull_bind.as_ref().unwrap_or(&config.weights_pull);
        Ok(WeightsEndpoints { announce: announce.parse()?, pull: pull.parse()? })
    }
}
