//! Optuna as the sampler of a study: suggestions come from an Optuna study in a storage of its own (PostgreSQL, for example), and what
//! trials come to is told there. Coordinators with the same storage and name share what they know; each has its own folder and trials.

mod sidecar;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::SweepError;
use crate::entry::Origin;
use crate::layout::Layout;
use crate::space::{Range, Setting, Space};
use crate::state::State;
use crate::storage::Storage;
use crate::study::Study;
use crate::suggestion::Suggestion;
use crate::trial::{Trial, TrialStatus};
use sidecar::{Sidecar, wrong};

/// An Optuna study.
#[derive(Debug)]
pub struct Optuna {
    sidecar: Sidecar,
    /// Trials that are not over there yet, by number, with their names there and how many rungs were reported.
    open: BTreeMap<u64, (String, usize)>,
    /// Trials that were looked at; the first `seen` have a name.
    seen: usize,
    /// Of those, suggestions.
    suggested: usize,
}

impl Optuna {
    /// Joins the Optuna study with the name of `study`, or makes it.
    ///
    /// # Errors
    /// [`SweepError::Tool`]: what Optuna or its storage says; [`SweepError::Io`], [`SweepError::Durable`].
    pub fn join(
        study: &Study,
        storage: &Storage,
        python: &Path,
        layout: &Layout,
    ) -> Result<Self, SweepError> {
        let owner = owner(layout)?;
        let mut sidecar = Sidecar::start(python)?;
        sidecar.ask(&json!({
            "do": "open",
            "storage": storage.url()?,
            "study": study.name,
            "directions": study.objectives.iter().map(|objective| objective.direction).collect::<Vec<_>>(),
            "sampler": study.sampler.optuna_sampler,
            "seed": seed_of(study, &owner),
            "space": space_of(&study.space),
            "owner": owner,
        }))?;
        Ok(Optuna { sidecar, open: BTreeMap::new(), seen: 0, suggested: 0 })
    }

    /// The next setting. Asked again before the answer was written down, it is the same.
    ///
    /// # Errors
    /// [`SweepError::Tool`].
    pub(crate) fn suggest(&mut self, number: u64, budget: Option<u64>) -> Result<Suggestion, SweepError> {
        let request = json!({ "do": "ask", "name": suggestion_name(number), "budget": budget });
        let mut answer = self.sidecar.ask(&request)?;
        if answer.get("exhausted").is_some() {
            return Ok(Suggestion::Exhausted);
        }
        let setting: Setting = serde_json::from_value(answer["setting"].take())
            .map_err(|error| wrong(format!("suggested no setting: {error}")))?;
        Ok(Suggestion::Setting(setting))
    }

    /// Tells what trials came to since the last time.
    ///
    /// # Errors
    /// [`SweepError::Tool`].
    pub(crate) fn follow(&mut self, state: &State) -> Result<(), SweepError> {
        for trial in &state.trials[self.seen.min(state.trials.len())..] {
            let name = match trial.origin {
                Origin::Baseline => None,
                Origin::Sampler => Some(suggestion_name(self.suggested as u64)),
                Origin::Person | Origin::Copy => Some(format!("own-{}", trial.number)),
            };
            self.suggested += usize::from(trial.origin == Origin::Sampler);
            self.open.extend(name.map(|name| (trial.number, (name, 0))));
        }
        self.seen = state.trials.len();
        let numbers: Vec<u64> = self.open.keys().copied().collect();
        numbers.into_iter().try_for_each(|number| self.tell(state, &state.trials[number as usize]))
    }

    fn tell(&mut self, state: &State, trial: &Trial) -> Result<(), SweepError> {
        let Some((name, reported)) = self.open.get_mut(&trial.number) else { return Ok(()) };
        let values = |outcome: &crate::Outcome| -> Vec<f64> {
            let signs = state.study.objectives.iter().map(|objective| objective.direction.sign());
            outcome.objectives.iter().zip(signs).map(|(value, sign)| sign * value).collect()
        };
        for (step, outcome) in trial.outcomes.iter().enumerate().skip(*reported) {
            let value = values(outcome)[0];
            self.sidecar.ask(&json!({ "do": "report", "name": name, "step": step, "value": value }))?;
            *reported = step + 1;
        }
        let how = match state.status(trial) {
            TrialStatus::Finished => "finished",
            TrialStatus::Pruned => "pruned",
            TrialStatus::Failed => "failed",
            TrialStatus::Waiting | TrialStatus::Running | TrialStatus::Paused => return Ok(()),
        };
        let last = trial.outcomes.last();
        // What a copy inherited was measured with other settings.
        let inherited = trial.copied_from.map_or(0, |from| from.rung + 1);
        let reports: Vec<f64> =
            trial.outcomes.iter().skip(inherited).map(|outcome| values(outcome)[0]).collect();
        self.sidecar.ask(&json!({
            "do": "tell",
            "name": name,
            "state": how,
            "values": last.map(values),
            "constraints": last.filter(|_| !state.study.constraints.is_empty()).map(|outcome| outcome.missed),
            "setting": trial.setting,
            "reports": reports,
        }))?;
        self.open.remove(&trial.number);
        Ok(())
    }
}

/// Everything that an Optuna study holds, as it stands there.
///
/// # Errors
/// [`SweepError::Tool`].
pub(crate) fn read(name: &str, storage: &Storage, python: &Path) -> Result<Value, SweepError> {
    let mut sidecar = Sidecar::start(python)?;
    sidecar.ask(
        &json!({ "do": "open", "storage": storage.url()?, "study": name, "owner": "", "create": false }),
    )?;
    sidecar.ask(&json!({ "do": "trials" }))
}

/// Copies the ended trials of a study into an Optuna study with its name. Those that are there stay.
///
/// # Errors
/// As [`Optuna::join`].
pub fn export_to_optuna(
    state: &State,
    storage: &Storage,
    python: &Path,
    layout: &Layout,
) -> Result<(), SweepError> {
    Optuna::join(&state.study, storage, python, layout)?.follow(state)
}

/// The seed of a coordinator's sampler: two with the same one would draw the same.
fn seed_of(study: &Study, owner: &str) -> u32 {
    let [first, second, third, fourth, ..] =
        common::ids::Digest::of(format!("{} {owner}", study.seed.0).as_bytes()).0;
    u32::from_be_bytes([first, second, third, fourth])
}

/// The name of a suggestion: they are counted from 0.
fn suggestion_name(number: u64) -> String {
    format!("suggestion-{number}")
}

/// Bytes of the name of a coordinator.
const LONGEST_OWNER: u64 = 4 << 10;

/// Tells the coordinators of a shared study apart: drawn once for each folder.
fn owner(layout: &Layout) -> Result<String, SweepError> {
    let path = layout.folder.join("owner");
    match common::user_file::read_text(&path, LONGEST_OWNER) {
        Ok(owner) => Ok(owner.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let owner = common::ids::RunId(rand::random()).to_string();
            durable::atomic_write(&path, owner.as_bytes())?;
            Ok(owner)
        }
        Err(source) => Err(SweepError::io("read", &path, source)),
    }
}

fn space_of(space: &Space) -> Vec<Value> {
    let parameter = |parameter: &crate::Parameter| {
        let (kind, values) = match &parameter.range {
            Range::Uniform(low, high) => ("uniform", json!([low, high])),
            Range::LogUniform(low, high) => ("log_uniform", json!([low, high])),
            Range::Integer(low, high) => ("integer", json!([low, high])),
            Range::LogInteger(low, high) => ("log_integer", json!([low, high])),
            Range::Choice(values) => ("choice", json!(values)),
        };
        let only_if = parameter
            .only_if
            .as_ref()
            .map(|(other, is)| json!({ "key": space.parameters[*other].key, "is": is }));
        json!({ "key": parameter.key, "kind": kind, "values": values, "only_if": only_if })
    };
    space.parameters.iter().map(parameter).collect()
}
