//! `longshore`: thin subcommands over the crates.

mod arguments;
pub mod bench;
pub mod compare;
pub mod config;
pub mod curves;
pub mod doctor;
pub mod evaluate;
pub mod exit;
pub mod explain;
pub mod keygen;
pub mod policies;
pub mod report;
pub mod run_report;
pub mod services;
pub mod sweep;
pub mod trace;
pub mod train;
