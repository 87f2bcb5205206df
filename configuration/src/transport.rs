use std::path::PathBuf;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Seconds;
use crate::addresses::{LinkAddress, names_a_host};

/// Where the services find each other, and how long they are patient.
///
/// Addresses are `tcp://HOST:PORT`; HOST is a name, an IPv4 address or an IPv6 address in brackets. `longshore train` runs every service in one process and uses none of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Validate, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransportConfig {
    /// The replay shards, in the order of their ids. A host name with several addresses stands for a shard each.
    #[garde(length(min = 1, max = 256), inner(custom(names_a_host)))]
    pub shards: Vec<LinkAddress>,
    /// Where the learner announces versions; what actors connect to.
    #[garde(custom(names_a_host))]
    pub weights_announce: LinkAddress,
    /// Where actors pull weights from the learner.
    #[garde(custom(names_a_host))]
    pub weights_pull: LinkAddress,
    /// What the learner binds for announcements, where it is not `weights_announce` (e.g. `tcp://0.0.0.0:7700`).
    #[garde(skip)]
    pub weights_announce_bind: Option<LinkAddress>,
    /// What the learner binds for pulls, where it is not `weights_pull`.
    #[garde(skip)]
    pub weights_pull_bind: Option<LinkAddress>,
    /// Whether shards fetch each version of the weights from the learner and give it to the actors, which ask the learner
    /// itself only when no shard gives it.
    #[garde(skip)]
    pub relay_weights: bool,
    /// Folder of CURVE keys made by `longshore keygen`; without it links are neither encrypted nor authenticated.
    #[garde(skip)]
    pub keys: Option<PathBuf>,
    /// Allows a bind beyond loopback without keys.
    #[garde(skip)]
    pub insecure: bool,
    /// A peer that was never reached within this time is given up, in seconds.
    #[garde(range(min = 0.1, max = 86_400.0))]
    pub reach_deadline_seconds: Seconds,
    /// A peer that owes an answer for this long is taken for lost, in seconds.
    #[garde(range(min = 0.1, max = 3600.0))]
    pub peer_timeout_seconds: Seconds,
    /// Largest single frame that is accepted from a peer, in MiB.
    #[garde(range(min = 1, max = 4096))]
    pub max_frame_mib: u32,
}

impl Default for TransportConfig {
    fn default() -> Self {
        TransportConfig {
            shards: vec![LinkAddress::loopback(7710), LinkAddress::loopback(7711)],
            weights_announce: LinkAddress::loopback(7700),
            weights_pull: LinkAddress::loopback(7701),
            weights_announce_bind: None,
            weights_pull_bind: None,
            relay_weights: true,
            keys: None,
            insecure: false,
            reach_deadline_seconds: Seconds(120.0),
            peer_timeout_seconds: Seconds(10.0),
            max_frame_mib: 256,
        }
    }
}
