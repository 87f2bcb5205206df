//! What all clients share: how patient they are, and how often they log that they wait.

use std::time::Duration;

use configuration::TransportConfig;

/// An idle client notices by its heartbeat alone that a peer has restarted. With the time that a lost connection takes to come
/// back (at most 0.4 s) it goes on within a second.
const HEARTBEAT: Duration = Duration::from_millis(400);

/// How patient a client is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkOptions {
    /// After this long without a message the client sends a ping.
    pub heartbeat: Duration,
    /// A peer that does not answer for this long is treated as lost.
    pub peer_timeout: Duration,
    /// First pause before a lost peer is tried again; it doubles, with jitter.
    pub backoff: Duration,
    /// Longest such pause.
    pub backoff_max: Duration,
    /// A client that reaches no peer within this time fails.
    pub reach_deadline: Duration,
    /// How often a client that waits logs it.
    pub complaint_period: Duration,
}

impl Default for LinkOptions {
    fn default() -> Self {
        LinkOptions::from(&TransportConfig::default())
    }
}

impl From<&TransportConfig> for LinkOptions {
    fn from(config: &TransportConfig) -> Self {
        LinkOptions {
            heartbeat: HEARTBEAT,
            peer_timeout: config.peer_timeout_seconds.duration(),
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_millis(700),
            reach_deadline: config.reach_deadline_seconds.duration(),
            complaint_period: Duration::from_secs(5),
        }
    }
}

/// Decides when to log that something is still awaited: once a period, beginning one period after it was first missed.
#[derive(Debug)]
pub(crate) struct Complaint {
    period: Duration,
    /// When it was first missed, and when that was last logged.
    missed: Option<(Duration, Duration)>,
}

impl Complaint {
    pub(crate) fn new(period: Duration) -> Self {
        Complaint { period, missed: None }
    }

    /// Nothing is awaited (any more).
    pub(crate) fn settle(&mut self) {
        self.missed = None;
    }

    /// Something is awaited: returns for how long already, when it is time to log it.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Duration> {
        let (since, last) = *self.missed.get_or_insert((now, now));
        if now.saturating_sub(last) < self.period {
            return None;
        }
        self.missed = Some((since, now));
        Some(now.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_come_once_a_period_and_count_from_the_first_miss() {
        let period = Duration::from_secs(5);
        let mut complaint = Complaint::new(period);
        let start = Duration::from_secs(100);
        assert_eq!(complaint.due(start), None);
        assert_eq!(complaint.due(start + period), Some(period));
        assert_eq!(complaint.due(start + period * 3 / 2), None);
        assert_eq!(complaint.due(start + period * 2), Some(period * 2));
        complaint.settle();
        assert_eq!(complaint.due(start + period * 9), None);
    }
}
