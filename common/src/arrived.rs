//! What has arrived in an episode so far. Arrivals do not depend on decisions, so a baseline may know those to come (Mao et al.
//! 2019, "Variance reduction for reinforcement learning in input-driven environments").

use std::ops::Sub;

/// Totals over arrivals. A workflow counts as a whole when it arrives, because decisions move its later stages.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Arrived {
    /// How many.
    pub count: f64,
    /// Sum of 1 / reference duration, 1/s: what a second costs in `latency` while all of them are in the system.
    pub urgency: f64,
    /// Sum of reference duration × needed fraction of the cluster (of the scarcest resource), s.
    pub work: f64,
}

impl Arrived {
    /// Counts an arrival whose reference duration is `seconds` and that needs `fraction` of the cluster.
    pub fn add(&mut self, seconds: f64, fraction: f64) {
        self.count += 1.0;
        self.urgency += 1.0 / seconds;
        self.work += seconds * fraction;
    }
}

impl Sub for Arrived {
    type Output = Arrived;

    fn sub(self, earlier: Arrived) -> Arrived {
        Arrived {
            count: self.count - earlier.count,
            urgency: self.urgency - earlier.urgency,
            work: self.work - earlier.work,
        }
    }
}
