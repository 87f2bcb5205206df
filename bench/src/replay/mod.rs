//! The replay service beside DeepMind Reverb: what a trajectory costs from the process that writes it to the one that samples
//! it, in CPU time of all processes, and how long it takes until it is acknowledged.
//!
//! Servers, writer and sampler are processes of their own that speak TCP on loopback, as in production. Items are cut out of
//! random bytes, each at another place, so that nothing is compressed and nothing is the same buffer twice. Where cores are
//! shared, CPU time per item is the figure to compare: rates are whatever the scheduler makes of it.

mod client;
mod contender;
mod load;
mod plan;
mod process;
mod reverb;
mod rounds;
mod service;
mod shards;
mod turn;

pub use client::{SampleOrder, WriteOrder, sample, write};
pub use contender::{Contender, contenders};
pub use load::Load;
pub use plan::{Case, Plan};
pub use process::Measurement;
pub use rounds::{Row, compare};
pub use service::Keeps;
pub use turn::Turn;
