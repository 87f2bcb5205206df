//! Waiting for sockets.

use std::time::Duration;

/// Waits for `sockets` to have something to read.
pub(crate) fn wait(sockets: &[&zmq::Socket], timeout: Duration) {
    let mut items: Vec<_> = sockets.iter().map(|socket| socket.as_poll_item(zmq::POLLIN)).collect();
    if items.is_empty() {
        std::thread::sleep(timeout);
    } else if let Err(error) = zmq::poll(&mut items, i64::from(millis(timeout))) {
        // A signal; the caller looks at its sockets and comes back.
        tracing::trace!(%error, "waiting was cut short");
    }
}

/// Rounded up, so that a short wait is no busy loop.
pub(crate) fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
}
