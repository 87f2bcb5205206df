//! `longshore`: thin subcommands over the crates.

pub mod bench;
pub mod doctor;
pub mod evaluate;
pub mod exit;
pub mod keygen;
pub mod report;
pub mod services;
pub mod train;
