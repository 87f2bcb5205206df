//! Ctrl-C and SIGTERM, and the signal of a file that has reached its largest size.

use common::{ExitCode, Shutdown};
use tokio::signal::unix::{SignalKind, signal};

use crate::TelemetryError;

/// The signal of a write beyond the largest file that the process may write (`ulimit -f`), as Linux numbers it.
const FILE_LIMIT: i32 = 25;

/// Makes a write beyond the largest file fail as on a full disk, instead of ending the process without a message.
pub(crate) fn survive_file_limit() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Once caught it stays caught, also without the runtime. Where it cannot be, the system ends the process as it would have.
    if let Ok(runtime) = runtime {
        let _guard = runtime.enter();
        let _ = signal(SignalKind::from_raw(FILE_LIMIT));
    }
}

/// A flag that the first of these signals raises; the second, or the first where the flag was raised already because the
/// work was done, ends the process at once with [`ExitCode::Interrupted`]. To be called once, by a binary.
///
/// # Errors
/// [`TelemetryError::Process`] when the handlers or their thread cannot be had.
pub fn shutdown_on_signals() -> Result<Shutdown, TelemetryError> {
    let fail = |error: std::io::Error| TelemetryError::Process {
        what: "the handling of signals",
        message: error.to_string(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    let mut hang_up = signal(SignalKind::hangup()).map_err(fail)?;
    drop(guard);
    let shutdown = Shutdown::new();
    let raised = shutdown.clone();
    let serve = move || {
        runtime.block_on(async {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hang_up.recv() => {} }
            if !raised.is_triggered() {
                tracing::info!("shutting down; press Ctrl-C again to exit now");
                raised.trigger();
                tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hang_up.recv() => {} }
            }
            std::process::exit(ExitCode::Interrupted as i32);
        });
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(serve).map_err(fail)?;
    Ok(shutdown)
}
