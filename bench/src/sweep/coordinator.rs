//! What a coordinator costs as its study grows: trials that take no time, with everything written down.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use sweep::{End, Entry, Journal, Sampler, State, Step, Study, next};

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// Trials of the study.
    pub trials: usize,
    /// Milliseconds of a suggestion with all that belongs to it, over the last tenth of the study: median and 99th percentile.
    pub ask_ms: [f64; 2],
    /// The same over the first tenth.
    pub first_ask_ms: [f64; 2],
    /// Bytes of the journal for a trial.
    pub bytes: f64,
    /// Seconds to read the journal again.
    pub resume_seconds: f64,
    /// Memory of this process at the end, MiB.
    pub memory_mib: f64,
    /// Seconds of the whole study.
    pub seconds: f64,
}

/// A study of so many trials of six numbers in `folder`; its journal is synced after every entry, as always.
///
/// # Errors
/// Where the journal cannot be written.
pub fn growth(folder: &Path, trials: usize) -> anyhow::Result<Growth> {
    let started = Instant::now();
    let study = study(trials)?;
    let (mut journal, _) = Journal::open(folder)?;
    let entry = Entry::Study { text: study.text.clone(), configs: study.configs.clone() };
    journal.append(0.0, &[entry])?;
    let mut state = State::new(study);
    let mut sampler = Sampler::new(&state.study.sampler, state.study.seed);
    let mut asks = Vec::with_capacity(trials);
    loop {
        let asked = Instant::now();
        let step = next(&state, &mut sampler, 1, &[])?;
        let entries = match step {
            Step::Done | Step::Wait => break,
            Step::Decide(entry) => vec![entry],
            Step::Start { run, target } => {
                let attempt = 1;
                let setting = &state.trials[run.trial as usize].setting;
                let value: f64 =
                    setting.values().filter_map(serde_json::Value::as_f64).map(|x| (x - 0.3).powi(2)).sum();
                let values = [("eval/score".to_owned(), value)].into();
                vec![
                    Entry::Started { run, attempt, target },
                    Entry::Reported { run, spent: target, values },
                    Entry::Ended { run, attempt, how: End::Finished },
                ]
            }
        };
        let is_ask = matches!(entries[0], Entry::Trial { .. });
        journal.append(0.0, &entries)?;
        entries.iter().try_for_each(|entry| state.apply(0.0, entry))?;
        if is_ask {
            asks.push(1e3 * asked.elapsed().as_secs_f64());
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    drop(journal);
    let resumed = Instant::now();
    let (_, entries) = Journal::open(folder)?;
    let again = State::of(&entries)?;
    let resume_seconds = resumed.elapsed().as_secs_f64();
    anyhow::ensure!(
        again.is_some_and(|again| again.trials.len() == state.trials.len()),
        "trials are missing"
    );
    let tenth = (asks.len() / 10).max(1);
    Ok(Growth {
        trials: state.trials.len() - 1,
        first_ask_ms: percentiles(&asks[..tenth]),
        ask_ms: percentiles(&asks[asks.len() - tenth..]),
        bytes: bytes_of(folder) as f64 / trials as f64,
        resume_seconds,
        memory_mib: memory_mib(),
        seconds,
    })
}

fn study(trials: usize) -> anyhow::Result<Study> {
    let keys = ["rho_bar", "c_bar", "lambda", "ratio_clip", "max_gradient_norm", "advantage_clip"];
    let parameters: String =
        keys.iter().map(|key| format!("[parameters.\"learner.{key}\"]\nuniform = [0.1, 0.95]\n")).collect();
    let text = format!(
        "schema = 1\nname = \"growth\"\nseed = 1\n[train]\nconfig = \"slots\"\n{parameters}[[objectives]]\nmetric = \"eval/score\"\n\
         direction = \"minimise\"\n[budget]\ntrials = {trials}\n"
    );
    let config = "schema = 1\nname = \"slots\"\nseed = 1\n[simulator]\nscenario = \"slots\"\n";
    Ok(Study::parse(&text, "growth", [("slots".to_owned(), config.to_owned())].into())?)
}

fn percentiles(values: &[f64]) -> [f64; 2] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [0.5, 0.99].map(|part| sorted[((sorted.len() - 1) as f64 * part) as usize])
}

fn bytes_of(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder.join("journal")).into_iter().flatten().flatten();
    files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
}

fn memory_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
