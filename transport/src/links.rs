//! Everything a service needs to reach the others, as one argument. Services are the same in one process and over TCP.

use configuration::TransportConfig;

use crate::message::Role;
use crate::{Endpoint, ShardDirectory, Transport, TransportError, WeightsEndpoints};

/// The context of the sockets and the addresses of the other services.
#[derive(Clone, Debug)]
pub struct Links {
    /// The context and security of the sockets.
    pub transport: Transport,
    /// The replay shards.
    pub shards: ShardDirectory,
    /// The learner's addresses: what it binds, or what actors connect to.
    pub weights: WeightsEndpoints,
    /// Whether shards relay weights, so that one learner need not send them to many actors.
    pub relay: bool,
}

impl Links {
    /// Links within one process; services that have clones of it reach each other.
    #[must_use]
    pub fn inproc(shards: usize, config: &TransportConfig) -> Self {
        let shard = |shard| Endpoint::inproc(&format!("longshore.shard.{shard}"));
        Links {
            transport: Transport::inproc().bounded(config),
            shards: ShardDirectory::fixed((0..shards).map(shard).collect()),
            weights: WeightsEndpoints::inproc(),
            // Within a process the learner sends nothing over a network.
            relay: false,
        }
    }

    /// The links of an actor's process.
    ///
    /// # Errors
    /// [`TransportError::Key`], [`TransportError::Address`].
    pub fn of_actor(config: &TransportConfig) -> Result<Self, TransportError> {
        Ok(Links {
            transport: Transport::from_config(config, Role::Actor)?,
            shards: ShardDirectory::watch(&config.shards)?,
            weights: WeightsEndpoints::of_actors(config),
            relay: config.relay_weights,
        })
    }

    /// The links of the learner's process.
    ///
    /// # Errors
    /// [`TransportError::Key`], [`TransportError::Address`].
    pub fn of_learner(config: &TransportConfig) -> Result<Self, TransportError> {
        Ok(Links {
            transport: Transport::from_config(config, Role::Learner)?,
            shards: ShardDirectory::watch(&config.shards)?,
            weights: WeightsEndpoints::of_learner(config),
            relay: config.relay_weights,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_carries_what_its_configuration_allows() {
        let config = TransportConfig { max_frame_mib: 3, ..TransportConfig::default() };
        assert_eq!(Links::inproc(1, &config).transport.max_frame_bytes(), 3 << 20);
    }
}
