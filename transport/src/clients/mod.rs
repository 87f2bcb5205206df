//! The clients of shards and learner over sockets: each tells its core the time, and waits where the caller wants to wait.

mod actor;
mod driver;
mod sampler;
mod weights;

pub use actor::ActorClient;
pub use sampler::TrajectorySampler;
pub use weights::WeightsFollower;
