//! Links between the services: one envelope over ZeroMQ, with handshakes, acknowledgements, credits and CURVE.
//!
//! The only crate that names `zmq`. Callers see messages, and clients that hide the links: [`ActorClient`] (actor to shards
//! and learner), [`TrajectorySampler`] (learner to shards), [`WeightsPublisher`] and [`WeightsFollower`] (learner to actors
//! and shards), and [`Server`] (the base of a shard). A client belongs to one thread and owns its sockets. What clients
//! decide is in cores without sockets and clock ([`ActorCore`], [`SamplerCore`], [`WeightsCore`]). Nothing here waits for
//! ever: a lost peer is a repeated log line, and one that was never reached is an error.

mod actor_core;
mod block;
mod channel;
mod clients;
mod digest;
mod directory;
mod domain;
mod endpoint;
mod envelope;
mod error;
mod frame;
mod keys;
mod links;
mod lookup;
mod message;
mod options;
mod poll;
mod port;
mod refusals;
mod sampler;
mod security;
mod server;
mod shard_links;
mod shared;
mod socket;
mod socket_port;
mod weights;
pub mod wire;
mod writer;
mod zap;

pub use actor_core::{ActorCore, ActorIdentity};
pub use block::Block;
pub use clients::{ActorClient, TrajectorySampler, WeightsFollower};
pub use digest::{BlockDigest, BulkDigest};
pub use directory::ShardDirectory;
pub use endpoint::Endpoint;
pub use error::TransportError;
pub use frame::Frame;
pub use keys::{KeyPair, Keys, MadeKeys, curve_support, make_keys, write_role_folders};
pub use links::Links;
pub use message::{
    Ack, Announcement, Batch, Hello, Insert, Inserts, Item, MAX_BATCH_ITEMS, Message, NotReady, Pick,
    Prioritise, Pull, Refusal, Refused, Role, Sample, TableSize, Weights, Welcome,
};
pub use options::LinkOptions;
pub use port::Port;
pub use sampler::{LearnerIdentity, SampledItem, SamplerCore, Selector};
pub use security::{Security, Transport};
pub use server::{Delivery, Incoming, PeerId, Received, Server, ThreadSender};
pub use shard_links::LinkId;
pub use socket_port::SocketPort;
pub use weights::{VersionedWeights, WeightsCore, WeightsEndpoints, WeightsPublisher};
pub use writer::{Trajectory, WriterOptions};
