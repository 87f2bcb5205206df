//! The names of all parts, and the numbers behind those that have one.

// The knobs below are the best on tuning episodes of the seven workloads in `configs/evaluate` (10 seeds at 70, 90 and 110%
// load; least product of primary and guard relative to `sjf`, geometric means over workloads and loads); docs/schedulers.md
// has the figures.

/// Knob of Tetris.
pub(super) const TETRIS_KNOB: f64 = 0.9;
/// An invocation waits up to this many times its estimate for a warm container.
pub(super) const WAIT_WARM: f64 = 8.0;
/// Invocations that are expected to take longer are withheld, seconds.
pub(super) const WITHHOLD_LONGER_THAN: f64 = 1.0;
/// A long invocation is withheld for this many times its estimate.
pub(super) const WITHHOLD_PATIENCE: f64 = 0.5;
/// Load of a node at most under consistent hashing with bounded loads, over the average load.
pub(super) const CH_BL_BOUND: f64 = 1.5;
/// The same under CH-RLU.
pub(super) const CH_RLU_BOUND: f64 = 2.0;
/// Noise on the loads that CH-RLU sees: uniform from 0 to this.
pub(super) const HASHING_NOISE: f64 = 0.1;
/// A node with no load at all is never refused, whatever the name says.
pub(super) const SMALLEST_BOUND: f64 = 1.0;

/// Forms of the names of whole schedulers; X stands for a number.
pub(crate) const NAMES: &[&str] = &[
    "fcfs",
    "sjf",
    "packer",
    "tetris",
    "tetris_kX",
    "wait_warm",
    "wait_warm_X",
    "heft",
    "ORDER+SIZE+PLACEMENT+KEEP-ALIVE+RESERVATIONS",
];

/// Orders by name.
pub const ORDERS: &[&str] = &[
    "fcfs",
    "sjf",
    "srpt",
    "wspt",
    "svf",
    "hrrn",
    "withhold",
    "withhold_X",
    "drf",
    "critical-path",
    "packer",
    "tetris",
    "tetris_kX",
];
/// Sizes by name.
pub const SIZES: &[&str] = &["default", "smallest", "largest"];
/// Placements by name.
pub const PLACEMENTS: &[&str] = &[
    "warm-first",
    "wait-warm",
    "wait-warm_X",
    "hiku",
    "least-loaded",
    "power-of-two",
    "best-fit",
    "best-aligned",
    "hermod",
    "ch-bl",
    "ch-bl_X",
    "ch-rlu",
    "ch-rlu_X",
    "earliest-finish",
];
/// Reservations by name: for one function, or for so many.
pub const RESERVATIONS: &[&str] = &["reserve", "reserve_X"];
/// Keep-alive rules by name.
pub const KEEP_ALIVES: &[&str] = &["configured", "fixed_X", "hybrid-histogram", "greedy-dual", "belady"];
