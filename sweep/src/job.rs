//! What a run executes: a shell script, the same wherever it runs. It leaves its process id and its exit status in files, so that a
//! coordinator that was started again finds out what became of it.

use std::path::{Path, PathBuf};

use common::user_file::read_bytes;

use crate::SweepError;
use crate::entry::RunId;
use crate::layout::Layout;
use crate::program::Program;
use crate::state::State;
use crate::study::Study;

/// Bytes of a script and of its notes.
const LARGEST_FILE: u64 = 1 << 20;

/// A start of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The run.
    pub run: RunId,
    /// Counts the starts of the run from 1.
    pub attempt: u32,
    /// What it executes.
    pub script: PathBuf,
    /// Its output.
    pub log: PathBuf,
}

/// Where programs and files are.
#[derive(Clone, Debug)]
pub struct Place {
    /// The program `longshore`.
    pub program: PathBuf,
    /// The Python that has Optuna, for a study whose sampler it is.
    pub python: PathBuf,
    /// The folder that paths in configurations are relative to.
    pub working: PathBuf,
    /// The study's folder.
    pub layout: Layout,
}

impl Job {
    /// Writes the script of a start of a run.
    ///
    /// # Errors
    /// [`SweepError::Config`] where the setting contradicts its configuration; [`SweepError::Io`], [`SweepError::Durable`].
    pub fn write(
        place: &Place,
        state: &State,
        run: RunId,
        attempt: u32,
        target: u64,
        gpus: Option<&[u32]>,
    ) -> Result<Self, SweepError> {
        let layout = &place.layout;
        let script = layout.job(run, attempt, "sh");
        let log = layout.job(run, attempt, "log");
        let folder = script.parent().unwrap_or(&layout.folder);
        std::fs::create_dir_all(folder).map_err(|source| SweepError::io("create", folder, source))?;
        let commands = match &state.study.program {
            Program::Train { .. } => vec![training(place, state, run)?],
            Program::Evaluate { .. } => evaluations(place, state, run, target)?,
        };
        let text = script_text(place, run, attempt, gpus, &commands);
        durable::atomic_write(&script, text.as_bytes())?;
        Ok(Job { run, attempt, script, log })
    }
}

fn script_text(place: &Place, run: RunId, attempt: u32, gpus: Option<&[u32]>, commands: &[String]) -> String {
    let file = |extension: &str| quoted(&place.layout.job(run, attempt, extension));
    let (pid, exit) = (file("pid"), file("exit"));
    let gpus = gpus.map_or_else(String::new, |gpus| {
        let list: Vec<String> = gpus.iter().map(u32::to_string).collect();
        format!("export CUDA_VISIBLE_DEVICES={}\n", list.join(","))
    });
    // A signal to the group reaches the program, too; the shell stays to note how it ended.
    format!(
        "#!/bin/sh\ntrap : TERM INT\necho \"$$ $(cut -d ' ' -f 22 /proc/$$/stat)\" > {pid}.tmp && mv {pid}.tmp {pid}\n\
         cd {working} || exit 4\n{gpus}{commands}\ncode=$?\necho \"$code\" > {exit}.tmp && mv {exit}.tmp {exit}\nexit \"$code\"\n",
        working = quoted(&place.working),
        commands = commands.join(" && \\\n"),
    )
}

/// The command of a training; its configuration is written once, so that a trial stays what it was when files change.
fn training(place: &Place, state: &State, run: RunId) -> Result<String, SweepError> {
    let config = place.layout.config(run.trial);
    if !config.exists() {
        write_config(&state.study, state.trials[run.trial as usize].setting.clone(), run.trial, &config)?;
    }
    let copied_from = state.trials[run.trial as usize].copied_from;
    let from = copied_from
        .map_or_else(String::new, |from| format!(" --copy-from {}", quoted(&place.layout.copied(from))));
    Ok(format!(
        "{} train -c {} --run-folder {} --no-report --set seed={}{from}",
        quoted(&place.program),
        quoted(&config),
        quoted(&place.layout.run(run)),
        u64::from(run.seed) + 1,
    ))
}

fn write_config(
    study: &Study,
    setting: crate::space::Setting,
    trial: u64,
    path: &Path,
) -> Result<(), SweepError> {
    let mut config = study.config_of(&setting)?;
    config.name = format!("{}-{trial:04}", study.name).chars().take(common::name::LONGEST_NAME).collect();
    let text = toml::to_string(&config).map_err(|error| {
        SweepError::Request(format!("the configuration of trial {trial} cannot be written: {error}"))
    })?;
    durable::atomic_write(path, text.as_bytes())?;
    Ok(())
}

/// The commands of an evaluation: each scheduler on each configuration, with results in [`results_file`].
fn evaluations(place: &Place, state: &State, run: RunId, target: u64) -> Result<Vec<String>, SweepError> {
    let Program::Evaluate { configs, set, baseline, .. } = &state.study.program else {
        return Ok(Vec::new());
    };
    let folder = place.layout.run(run);
    std::fs::create_dir_all(&folder).map_err(|source| SweepError::io("create", &folder, source))?;
    for (number, config) in configs.iter().enumerate() {
        let path = place.layout.evaluated(number);
        if !path.exists() {
            std::fs::create_dir_all(place.layout.folder.join("configs"))
                .map_err(|source| SweepError::io("create", &path, source))?;
            durable::atomic_write(&path, state.study.configs[config].as_bytes())?;
        }
    }
    let is_held_out = run.is_held_out();
    let own = state.study.scheduler_of(&state.trials[run.trial as usize].setting).unwrap_or_default();
    // At the end the baseline plays beside the trial, so that the results hold paired differences.
    let own = if is_held_out { vec![own, baseline.clone()] } else { vec![own] };
    let others =
        state.study.constraints.iter().enumerate().filter_map(|(number, constraint)| {
            Some((results_of_limit(number), vec![constraint.of.clone()?]))
        });
    let players: Vec<(String, Vec<String>)> =
        [(OWN_RESULTS.to_owned(), own)].into_iter().chain(others).collect();
    let settings: Vec<String> =
        set.iter().map(|setting| format!(" --set {}", quoted_text(setting))).collect();
    let part = if is_held_out { "test" } else { "tuning" };
    let command = |number: usize, (name, schedulers): &(String, Vec<String>)| {
        let output = quoted(&folder.join(results_file(number, name)));
        let schedulers: Vec<String> =
            schedulers.iter().map(|one| format!(" --scheduler {}", quoted_text(&escaped(one)))).collect();
        format!(
            "{} evaluate serverless -c {}{} --part {part} --seeds {target} --threads {}{} --json > {output}.tmp && mv {output}.tmp {output}",
            quoted(&place.program),
            quoted(&place.layout.evaluated(number)),
            settings.concat(),
            state.study.resources.cores_per_run,
            schedulers.concat(),
        )
    };
    let of_config = |number| players.iter().map(move |player| (number, player));
    Ok((0..configs.len()).flat_map(of_config).map(|(number, player)| command(number, player)).collect())
}

/// Name of the results of the trial's own scheduler.
pub(crate) const OWN_RESULTS: &str = "own";

/// Name of the results of the scheduler that a constraint compares with.
pub(crate) fn results_of_limit(constraint: usize) -> String {
    format!("limit-{constraint}")
}

/// The file of an evaluation's results on a configuration, in the run's folder.
pub(crate) fn results_file(config: usize, name: &str) -> String {
    format!("{config}-{name}.jsonl")
}

/// The GPUs that a script gives its run.
pub(crate) fn gpus_of(script: &Path) -> Vec<u32> {
    let text = text_of(script).unwrap_or_default();
    let list = text.lines().find_map(|line| line.strip_prefix("export CUDA_VISIBLE_DEVICES="));
    list.unwrap_or_default().split(',').filter_map(|gpu| gpu.parse().ok()).collect()
}

/// A script, or what one has noted beside itself.
pub(crate) fn text_of(path: &Path) -> Option<String> {
    String::from_utf8(read_bytes(path, LARGEST_FILE).ok()?).ok()
}

/// A comma in a scheduler's name, for a list of them.
fn escaped(name: &str) -> String {
    name.replace(',', "\\,")
}

fn quoted(path: &Path) -> String {
    quoted_text(&path.display().to_string())
}

/// A text as one word of a shell.
fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_odd_stays_one_word_of_the_shell() {
        assert_eq!(quoted_text("a b$c"), "'a b$c'");
        assert_eq!(quoted_text("it's"), "'it'\\''s'");
    }
}
