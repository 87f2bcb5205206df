//! What all clients share: patience, and the log lines of somebody who waits.

use std::time::Duration;

use configuration::TransportConfig;

/// Whoever has nothing to say and nothing to hear learns only by this that a peer was restarted: together with the time that a
/// lost connection takes to come back (0.4 s at most), he goes on within a second.
const HEARTBEAT: Duration = Duration::from_millis(400);

/// How patient a client is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkOptions {
    /// A silent link is asked whether anybody is there after this long.
    pub heartbeat: Duration,
    /// A peer that owes an answer for this long is taken for lost.
    pub peer_timeout: Duration,
    /// First pause before a lost peer is tried again; it doubles, with jitter.
    pub backoff: Duration,
    /// Longest such pause.
    pub backoff_max: Duration,
    /// A peer that was never reached in this time is given up.
    pub reach_deadline: Duration,
    /// Somebody who waits says so this often.
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
            peer_timeout: Duration::from_secs_f64(config.peer_timeout_seconds),
            backoff: Duration::from_millis(100),
            backoff_max: Duration::from_millis(700),
            reach_deadline: Duration::from_secs_f64(config.reach_deadline_seconds),
            complaint_period: Duration::from_secs(5),
        }
    }
}

/// Says now and then that something is still awaited, beginning one period after it was first missed.
#[derive(Debug)]
pub(crate) struct Complaint {
    period: Duration,
    missed: Option<(Duration, Duration)>,
}

impl Complaint {
    pub(crate) fn new(period: Duration) -> Self {
        Complaint { period, missed: None }
    }

    /// Nothing is missed (any more).
    pub(crate) fn settle(&mut self) {
        self.missed = None;
    }

    /// Something is missed; when it is time to say so, for how long already.
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
