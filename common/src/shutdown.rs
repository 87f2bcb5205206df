//! How a service learns that it should end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A flag that is raised once and that threads can sleep on; every clone is the same flag.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    triggered: AtomicBool,
    // Taken when the flag is raised, so that nobody falls asleep between looking at the flag and waiting.
    gate: Mutex<()>,
    wake: Condvar,
}

impl Shutdown {
    /// A flag that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag and wakes everybody who waits for it.
    pub fn trigger(&self) {
        let _gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.triggered.store(true, Ordering::Release);
        self.shared.wake.notify_all();
    }

    /// Whether the flag is raised.
    #[must_use]
    pub fn is_triggered(&self) -> bool {
        self.shared.triggered.load(Ordering::Acquire)
    }

    /// Sleeps for `timeout` or until the flag is raised; returns whether it is.
    pub fn wait_timeout(&self, timeout: Duration) -> bool {
        let gate = self.shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
        let _woken = self
            .shared
            .wake
            .wait_timeout_while(gate, timeout, |()| !self.is_triggered())
            .unwrap_or_else(PoisonError::into_inner);
        self.is_triggered()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_is_woken() {
        let shutdown = Shutdown::new();
        let sleeper = shutdown.clone();
        let thread = std::thread::spawn(move || sleeper.wait_timeout(Duration::from_secs(600)));
        shutdown.trigger();
        assert!(thread.join().unwrap());
    }

    #[test]
    fn a_timeout_is_no_shutdown() {
        let shutdown = Shutdown::new();
        assert!(!shutdown.wait_timeout(Duration::from_millis(1)));
        assert!(!shutdown.is_triggered());
    }
}
