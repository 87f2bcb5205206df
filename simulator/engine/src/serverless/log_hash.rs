//! A running hash over everything that happens in an episode: two episodes are the same exactly when theirs are, up to
//! the odds of 64 bits.

/// The hash so far (multiply and rotate, as in `FxHash`; not against adversaries).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LogHash(u64);

/// Kind of a hashed event.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(super) enum Happened {
    Arrived = 1,
    Started,
    Ready,
    Finished,
    Gone,
    PreWarmed,
    Kept,
    Interrupted,
    NodeDown,
    NodeUp,
    Unfinished,
    Rebound,
    Reserved,
    Held,
}

impl LogHash {
    /// Takes in one happening: what, when, and two numbers that tell it from others.
    pub fn add(&mut self, what: Happened, at: u64, who: u64, about: u64) {
        for value in [what as u64 ^ (at << 8), who, about] {
            self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    pub fn value(self) -> u64 {
        self.0
    }
}
