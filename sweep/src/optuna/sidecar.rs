//! The Python process that speaks with Optuna: one JSON object a line, one answer a line (`sidecar.py` says which).

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use serde_json::Value;

use crate::SweepError;

/// What the process executes.
const PROGRAM: &str = include_str!("sidecar.py");
/// Longest wait for an answer: a sampler at thousands of trials, or a database far away, takes its time.
const TO_ANSWER: Duration = Duration::from_secs(300);
/// Longest wait for the process to end.
const TO_END: Duration = Duration::from_secs(5);

/// The process.
#[derive(Debug)]
pub(super) struct Sidecar {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Sidecar {
    /// Starts the process with this interpreter.
    pub(super) fn start(python: &Path) -> Result<Self, SweepError> {
        let mut child = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the coordinator, which has things to tell before it ends.
            .process_group(0)
            .spawn()
            .map_err(|source| {
                wrong(format!(
                    "cannot start {}: {source}; give the interpreter that has Optuna with --python",
                    python.display()
                ))
            })?;
        let input = child.stdin.take();
        let output = child.stdout.take().expect("its output is piped");
        let (sender, answers) = channel();
        // It ends with the output of the process.
        std::thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Sidecar { child, input, answers })
    }

    /// Asks for something, and waits for the answer.
    pub(super) fn ask(&mut self, request: &Value) -> Result<Value, SweepError> {
        // Where it has ended, its last line says why.
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{request}").and_then(|()| input.flush());
        }
        let line = self.answers.recv_timeout(TO_ANSWER).map_err(|error| {
            wrong(match error {
                RecvTimeoutError::Timeout => format!("no answer within {} s", TO_ANSWER.as_secs()),
                RecvTimeoutError::Disconnected => {
                    "its process has ended; what it printed says why".to_owned()
                }
            })
        })?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|error| wrong(format!("answered `{line}`: {error}")))?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => Err(wrong(error.to_owned())),
            None => Ok(answer),
        }
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        let since = std::time::Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if since.elapsed() > TO_END {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(super) fn wrong(message: String) -> SweepError {
    SweepError::Tool { tool: "optuna", message }
}
