//! Times this project's networks in the process that it is called in.

use std::fs;
use std::time::Instant;

use anyhow::Result;
use configuration::Storage;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::encoder::ProductionEncoder;
use crate::gatv2::Gatv2;
use crate::work::{Pass, Work};

/// What shall be measured.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    /// Work that is measured.
    pub work: Work,
    /// What is timed.
    pub pass: Pass,
    /// Threads of tensor operations.
    pub threads: usize,
    /// Device on which the work runs.
    pub device: Device,
    /// Timed passes, after one that is not.
    pub repeats: usize,
}

/// What one process measured; peers print the same fields and more.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Measurement {
    /// Seconds of each pass.
    #[serde(default)]
    pub seconds: Vec<f64>,
    /// Most memory that the process held, MB.
    pub peak_mb: f64,
    /// Why nothing was measured.
    #[serde(default)]
    pub error: Option<String>,
}

/// Times as ordered the network that keeps projections as `storage`.
///
/// # Errors
/// When libtorch fails.
pub fn measure(order: &Order, storage: Storage) -> Result<Measurement> {
    policy::set_threads(order.threads);
    let mut pass = network(order.work, storage, order.device)?;
    pass(order.pass)?;
    let mut seconds = Vec::with_capacity(order.repeats);
    for _ in 0..order.repeats {
        let start = Instant::now();
        pass(order.pass)?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    Ok(Measurement { seconds, peak_mb: peak_mb(), error: None })
}

/// The network for such work, as what runs one pass of it.
fn network(work: Work, storage: Storage, device: Device) -> Result<Box<dyn FnMut(Pass) -> Result<f64>>> {
    if work.is_typed() {
        let mut network = ProductionEncoder::new(&work.states(), storage, device);
        Ok(Box::new(move |pass| network.run(pass)))
    } else {
        let mut network = Gatv2::new(&work.graph(), storage, device)?;
        Ok(Box::new(move |pass| network.run(pass)))
    }
}

/// Peak memory of this process so far, MB; 0 where the system does not tell.
fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kilobytes(&status, "VmHWM:").map_or(0.0, |kilobytes| kilobytes / 1024.0)
}

/// The figure behind `key` in a file of `/proc`.
pub(crate) fn kilobytes(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}
