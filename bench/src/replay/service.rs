//! A replay service as the comparison drives it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::process::Process;

/// Which items a table keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Keeps {
    /// The newest: what was written together dies together, and nothing is ever cleaned.
    #[default]
    Newest,
    /// Each for a time of its own, drawn from an exponential distribution: segments die by halves.
    Mixed,
}

/// A service that has been started and holds nothing yet; it ends with this value.
pub(super) trait Service {
    /// Server processes of the service.
    fn servers(&self) -> &[Process];
    /// Where the error output of its clients goes.
    fn folder(&self) -> &Path;
    /// The process that fills it and then inserts for `seconds`, with `window` items not acknowledged at most.
    fn writer(&self, window: usize, seconds: f64) -> Command;
    /// The process that samples for `seconds`.
    fn sampler(&self, seconds: f64) -> Command;
    /// Bytes that it has copied so far, to free its disk of removed items.
    fn cleaned_bytes(&self) -> Result<u64>;
}
