//! Schedulers compared: the same episodes for each, statistics that say how sure they are, tables, pictures and JSON
//! records.
//!
//! A heuristic and a learnt policy go through the same [`play_batch`]; nothing here can tell them apart. Results are the
//! same whatever the number of threads, decision times aside.

mod contender;
mod error;
mod jobs;
mod metrics;
mod picture;
mod play;
mod serverless;
mod slots;
mod statistics;
mod table;

pub use contender::{CLAIRVOYANT_INSERTION, Contender, MakeScheduler};
pub use error::EvaluationError;
pub use jobs::{JobsRecord, evaluate_jobs, read_jobs};
pub use metrics::{METRICS, Metric};
pub use picture::{serverless_picture, slots_picture};
pub use play::{DecisionTimes, Progress, play_batch};
pub use serverless::{Difference, ServerlessPlan, ServerlessRecord, evaluate_serverless, serverless_table};
pub use slots::{SlotsPlan, SlotsPoint, evaluate_slots, slots_table};
pub use statistics::{Interval, bootstrap_interval, ratio_of_sums};
pub use table::Table;
