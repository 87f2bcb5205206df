//! How many file descriptors a process may have: each connection of a peer takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Enough for the peers of a large fleet, and few enough that connections which say nothing take a bounded part of the memory.
const ENOUGH: u64 = 65_536;

/// Raises the limit as far as it may be raised, up to [`ENOUGH`]. Shells begin with 1024, which a thousand connections use up; the higher
/// limit is one that the machine allows without asking anybody.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised it stays as it is, and what it is too low for says so.
    let current = Some(limit.maximum.unwrap_or(ENOUGH).min(ENOUGH));
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum: limit.maximum });
}
