//! The graph encoder against the size of its graph, beside its peers: full-graph epochs and inference from a thousand to ten
//! million edges (the paper's figure 1). Every measurement is a process of its own, so that its peak memory is its own and
//! none profits from memory that another has left; all contenders take turns on the same graphs.
//!
//! - [`Work`] says on what, [`measure()`] times this project's networks on it in the process it is called in;
//! - [`compare()`] starts such a process, or a peer, for everyone in turn;
//! - [`picture()`] and [`large_slope()`] say how cost follows size;
//! - [`measure_ranks`] starts several such processes on one graph;
//! - [`cuts()`] says what cutting graphs takes and what a cut costs.
//!
//! [`replay`] and [`sweep`] are about other parts: the replay service and studies beside their peers.

mod community;
mod compare;
mod contender;
mod cuts;
mod encoder;
mod gatv2;
mod graph;
mod graph_file;
mod measure;
mod picture;
mod ranks;
pub mod replay;
pub mod sweep;
mod typed;
mod work;

pub use compare::{Outcome, Plan, Row, compare};
pub use cuts::{CutRow, Cutter, Topology, cuts};
pub use measure::{Measurement, Order, measure};
pub use picture::{large_slope, picture};
pub use ranks::{RankMeasurement, RankOrder, measure_ranks, run_rank};
pub use work::{Pass, Work};
