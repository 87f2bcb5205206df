//! Schedulers compared: the same episodes for each, statistics that say how sure they are, tables, pictures and JSON
//! records.
//!
//! A heuristic and a learnt policy go through the same [`play_batch`]; nothing here can tell them apart. Results are the
//! same whatever the number of threads, decision times aside. [`Grid`] plays, [`ResultsFolder`] keeps, [`compare()`] and
//! [`strongest()`] judge.

// What is shown can come from files of anybody: it is cut by letters, as an offset within one is a panic.
#![cfg_attr(not(test), deny(clippy::string_slice))]

mod bins;
mod compare;
mod contender;
mod decision_times;
mod episodes_file;
mod error;
mod folder;
mod grid;
mod jobs;
mod judged;
mod manifest;
mod manifest_file;
mod metrics;
mod picture;
mod play;
mod record;
mod recording;
mod recording_file;
mod reference;
mod report;
mod results;
mod results_csv;
mod serverless;
mod slots;
mod spelling;
mod spread;
mod statistics;
mod strongest;
mod summary;
mod table;
mod tally;
mod trace_picture;

pub use compare::{Comparison, PairedDifference, Verdict, compare};
pub use contender::{Contender, MakeScheduler};
pub use decision_times::DecisionTimes;
pub use error::EvaluationError;
pub use folder::{ResultsFolder, is_results_file, read_results};
pub use grid::{Grid, Kind, Workload};
pub use jobs::{JobsRecord, evaluate_jobs, read_jobs};
pub use judged::Judged;
pub use manifest::{Manifest, SchedulerEntry, WorkloadEntry, digest_of};
pub use metrics::{METRICS, Metric, SLOTS_METRICS, SLOTS_SUMS, SUMS, metrics_of, sums_of};
pub use picture::{serverless_picture, slots_picture};
pub use play::play_batch;
pub use record::{Cell, EpisodeRecord};
pub use recording::{ContainerState, Recording, Span, record_episode};
pub use recording_file::{read_recordings, recording_path, write_recording};
pub use reference::{Reference, is_reference, shown_name};
pub use report::{Explained, ReportInput, middle_load, report_html};
pub use results::{ENOUGH_SEEDS, Episode, Point, Results, Summary};
pub use results_csv::summaries_csv;
pub use serverless::{
    Difference, ServerlessPlan, ServerlessRecord, evaluate_serverless, serverless_records, serverless_table,
};
pub use slots::{SlotsPlan, SlotsPoint, evaluate_slots, slots_point, slots_table, slots_workloads};
pub use spelling::policy_name;
pub use statistics::{Bootstrap, Interval, bootstrap_interval, ratio_of_sums};
pub use strongest::{Rank, Ranking, strongest};
pub use table::Table;
pub use tally::{Advance, Progress};
pub use trace_picture::trace_picture;
