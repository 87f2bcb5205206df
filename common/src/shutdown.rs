//! How the threads of a service learn that it shuts down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A flag that is raised once and that threads can wait for; all clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    triggered: AtomicBool,
    // Locked when the flag is raised, so that no thread misses it between the check and the wait.
    gate: Mutex<()>,
    wake: Condvar,
}

impl Shutdown {
    /// A flag that is not raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the flag and wakes all waiting threads.
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

    /// Waits for `timeout` or until the flag is raised; returns whether it is.
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
