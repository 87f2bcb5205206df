//! Schedulers of scenario `serverless`, made of parts that combine by name: order + size + placement + keep-alive, e.g.
//! `srpt+default+hiku+hybrid-histogram`, or `srpt+hiku+hybrid-histogram` without what is the default; and the short names of well-known combinations.

mod alignment;
mod by_name;
mod composed;
mod hash;
pub mod keep_alive;
mod naming;
pub mod order;
mod parts;
pub mod placement;
mod reservations;
mod size;
mod starts;

pub(super) use by_name::{by_name, canonical};
pub use composed::{Composed, MakeKeepAlive};
pub(super) use parts::NAMES;
pub use parts::{KEEP_ALIVES, ORDERS, PLACEMENTS, RESERVATIONS, SIZES};
pub use size::Size;
pub use starts::warm_up;
