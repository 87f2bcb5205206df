//! Studies: many trainings, or many evaluations of a rule, with different settings, and which setting is best.
//!
//! A study is a file ([`Study`]) and a folder with a journal of [`Entry`]s. The state is a fold over the journal ([`State`]); what to
//! do next is a function of the state ([`next`]); the coordinator ([`Coordinator`]) writes each decision down before it acts, and starts
//! and stops runs through an [`Executor`]. So a coordinator that is killed at any point goes on as if it had not been.
//!
//! Deliberately absent: learners and schedulers. A run is a process of `longshore train` or `longshore evaluate`, and what it reports is
//! what those write anyway.

mod amend;
mod coordinator;
mod copies;
mod ending;
mod entry;
mod error;
mod exchange;
mod executor;
mod faults;
mod held_out;
mod importance;
mod job;
mod journal;
mod layout;
mod measure;
mod optuna;
mod outcome;
mod parameters;
mod population;
mod program;
mod report;
mod requests;
mod sampler;
mod schedule;
mod space;
mod state;
mod statistics;
mod storage;
mod study;
mod study_check;
mod study_file;
mod suggestion;
mod trial;

pub use amend::check_amendment;
pub use coordinator::Coordinator;
pub use entry::{CopiedFrom, End, Entry, Origin, RunId, Values};
pub use error::SweepError;
pub use exchange::{Draft, Imported, from_optuna, from_wandb, to_wandb};
pub use executor::{Executor, JobStatus, LocalExecutor, SlurmExecutor};
pub use held_out::{Comparison, held_out};
pub use importance::importances;
pub use job::{Job, Place};
pub use journal::{Journal, Timed, read_journal};
pub use layout::Layout;
pub use optuna::export_to_optuna;
pub use outcome::{Outcome, best_first, dominates};
pub use program::{Configs, Program, Rung};
pub use report::report;
pub use requests::{ask_for_trial, ask_to_stop};
pub use sampler::Sampler;
pub use schedule::{Step, is_spent, next};
pub use space::{Parameter, Range, Setting, Space, plain_text, toml_text};
pub use state::State;
pub use storage::Storage;
pub use study::Study;
pub use study_file::*;
pub use suggestion::{Known, Suggestion};
pub use trial::{Run, RunStatus, Trial, TrialStatus};
