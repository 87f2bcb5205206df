//! Waiting for sockets.

use std::time::Duration;

/// Waits for `sockets` to have something to read.
pub(crate) fn wait(sockets: &[&zmq::Socket], timeout: Duration) {
    let mut items: Vec<_> = sockets.iter().map(|socket| socket.as_poll_item(zmq::POLLIN)).collect();
    if items.is_empty() {
        std::thread::sleep(timeout);
    } else if let Err(error) = zmq::poll(&mut items, i64::from(millis(timeout))) {
        // A signal came; the caller looks at its sockets and waits again.
        tracing::trace!(%error, "waiting was cut short");
    }
}

/// Milliseconds, rounded up: a short wait must not become a busy loop.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
