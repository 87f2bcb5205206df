//! What a scheduler asks of the simulations that it plays.

/// What a scheduler needs or decides beside the starts of invocations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Interests {
    /// Simulations record cluster events for it, e.g. to build a state graph from them.
    pub events: bool,
    /// It decides how long containers are kept.
    pub keep_alive: bool,
    /// It is asked at ticks which containers are pre-warmed and which idle ones released.
    pub pools: bool,
    /// It may release idle containers before a start that needs memory.
    pub evictions: bool,
    /// It may read when functions will be called; only references do.
    pub foresight: bool,
}

impl Interests {
    /// It decides about starts alone, on what it sees at each decision.
    pub const NONE: Interests =
        Interests { events: false, keep_alive: false, pools: false, evictions: false, foresight: false };
    /// The same, but it follows what happens.
    pub const EVENTS: Interests = Interests { events: true, ..Interests::NONE };
}
