//! A study file that was read and judged: what the rest of the crate works with.

use std::path::Path;

use common::RunSeed;
use configuration::{Config, ConfigError};

use crate::faults::Faults;
use crate::parameters::space_of;
use crate::program::{Configs, Program, Rung};
use crate::space::{Setting, Space};
use crate::storage::Storage;
use crate::study_check::{check_program, check_rungs, check_start, check_wishes};
use crate::study_file::{
    Budget, Constraint, HeldOut, Objective, Resources, SamplerFile, SamplerKind, StudyFile,
};
use crate::{RacingFile, SweepError};

/// Bytes; a study has a few hundred.
const LARGEST_FILE: u64 = 4 << 20;

/// A study.
#[derive(Clone, Debug)]
pub struct Study {
    /// The text of its file.
    pub text: String,
    /// The texts of the configurations that it names, by their paths: a study stays what it was when files change.
    pub configs: Configs,
    /// Name of the study.
    pub name: String,
    /// Seed of the sampler.
    pub seed: RunSeed,
    /// What a trial runs.
    pub program: Program,
    /// What is varied.
    pub space: Space,
    /// What is wanted.
    pub objectives: Vec<Objective>,
    /// What a trial must hold.
    pub constraints: Vec<Constraint>,
    /// How the next trial is chosen.
    pub sampler: SamplerFile,
    /// How weak trials are ended.
    pub racing: RacingFile,
    /// What a trial has spent at each decision; the last one is a whole trial.
    pub rungs: Vec<Rung>,
    /// When the study ends.
    pub budget: Budget,
    /// What runs may use.
    pub resources: Resources,
    /// What is tried first.
    pub start: Vec<Setting>,
    /// The comparison at the end.
    pub held_out: Option<HeldOut>,
}

impl Study {
    /// Reads a study file and the configurations that it names.
    ///
    /// # Errors
    /// [`SweepError::Config`]: what is wrong with which key, and what would be right.
    pub fn load(path: &Path) -> Result<Self, SweepError> {
        let text = read(path)?;
        let origin = path.display().to_string();
        refuse_unquoted(&text, &origin)?;
        let file: StudyFile = configuration::parse_as(&text, &origin)?;
        let train = file.train.iter().map(|train| &train.config);
        let evaluate = file.evaluate.iter().flat_map(|evaluate| &evaluate.configs);
        let named = train.chain(evaluate);
        let configs = named
            .map(|name| Ok((name.clone(), read(Path::new(name))?)))
            .collect::<Result<_, ConfigError>>()?;
        Study::parse(&text, &origin, configs)
    }

    /// A study from the texts of its file and its configurations; `origin` names the file in errors.
    ///
    /// # Errors
    /// As [`Study::load`].
    pub fn parse(text: &str, origin: &str, configs: Configs) -> Result<Self, SweepError> {
        let file: StudyFile = configuration::parse_as(text, origin)?;
        let mut faults = Faults::default();
        let space = space_of(&file.parameters, &mut faults);
        check_wishes(&file, &mut faults);
        let rungs = check_rungs(&file, &mut faults);
        check_start(&file, &space, &mut faults);
        faults.into_result(origin)?;
        let (program, rungs) = check_program(&file, &space, rungs, origin, &configs)?;
        Ok(Study {
            text: text.to_owned(),
            configs,
            name: file.name,
            seed: RunSeed(file.seed),
            program,
            space,
            objectives: file.objectives,
            constraints: file.constraints,
            sampler: file.sampler,
            racing: file.racing,
            rungs,
            budget: file.budget,
            resources: file.resources,
            start: file.start,
            held_out: file.held_out,
        })
    }

    /// Where the study of Optuna lies that suggests settings, if one does.
    pub(crate) fn storage(&self) -> Option<Storage> {
        let text = self.sampler.storage.as_ref().filter(|_| self.sampler.kind == SamplerKind::Optuna)?;
        // It was checked when the study was read.
        Storage::parse(text).ok()
    }

    /// Refuses a study that asks for more than a place has; `cores`: those of the place, `None` where runs wait in a queue.
    ///
    /// # Errors
    /// [`SweepError::Config`].
    pub fn check_place(&self, cores: Option<u32>) -> Result<(), SweepError> {
        let Resources { cores: wanted, cores_per_run, .. } = self.resources;
        let message = match cores {
            Some(there) if wanted > there => {
                format!("key `resources.cores`: is {wanted}; this machine has {there}")
            }
            Some(there) if cores_per_run > there => {
                format!("key `resources.cores_per_run`: is {cores_per_run}; this machine has {there}")
            }
            None if wanted == 0 => {
                "key `resources.cores`: is 0, all of this machine, but runs wait in a queue: give the cores of all runs together".to_owned()
            }
            _ => return Ok(()),
        };
        Err(ConfigError::Invalid { origin: format!("study `{}`", self.name), message }.into())
    }

    /// Runs at once: as many as there are cores and GPUs for.
    #[must_use]
    pub fn runs_at_once(&self) -> usize {
        let Resources { cores, cores_per_run, gpus, gpus_per_run, .. } = self.resources;
        let cores = if cores == 0 { available_cores() } else { cores };
        let by_cores = (cores / cores_per_run).max(1);
        let by_gpus = gpus.checked_div(gpus_per_run).unwrap_or(u32::MAX);
        by_cores.min(by_gpus) as usize
    }

    /// Names of all metrics that are read.
    #[must_use]
    pub fn metrics(&self) -> Vec<&str> {
        let wanted = self.objectives.iter().map(|objective| objective.metric.as_str());
        let mut names: Vec<&str> =
            wanted.chain(self.constraints.iter().map(|constraint| constraint.metric.as_str())).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What the value of a constraint is called in the journal. An evaluation measures it otherwise than an objective of the same name.
    #[must_use]
    pub fn constraint_key(&self, number: usize) -> String {
        let metric = &self.constraints[number].metric;
        match self.program {
            Program::Train { .. } => metric.clone(),
            Program::Evaluate { .. } => format!("constraint {number}: {metric}"),
        }
    }

    /// The configuration of a training trial.
    ///
    /// # Errors
    /// What contradicts the rest of the configuration.
    pub fn config_of(&self, setting: &Setting) -> Result<Config, ConfigError> {
        let (name, set) = match &self.program {
            Program::Train { config, set, .. } => (config, set),
            Program::Evaluate { configs, set, .. } => (&configs[0], set),
        };
        let own = setting.iter().map(|(key, value)| format!("{key}={}", crate::space::toml_text(value)));
        let settings: Vec<String> = set.iter().cloned().chain(own).collect();
        configuration::parse(&self.configs[name], name, &settings)
    }

    /// The scheduler of an evaluation trial: the template with the setting's values; that of the baseline where it sets nothing.
    #[must_use]
    pub fn scheduler_of(&self, setting: &Setting) -> Option<String> {
        let Program::Evaluate { scheduler, baseline, .. } = &self.program else { return None };
        if setting.is_empty() {
            return Some(baseline.clone());
        }
        let filled = setting.iter().fold(scheduler.clone(), |text, (key, value)| {
            text.replace(&format!("{{{key}}}"), &crate::space::plain_text(value))
        });
        Some(filled)
    }
}

/// `[parameters.learner.epochs]` is a table in a table; what is meant is `[parameters."learner.epochs"]`.
fn refuse_unquoted(text: &str, origin: &str) -> Result<(), ConfigError> {
    let Ok(table) = text.parse::<toml::Table>() else { return Ok(()) };
    let parameters = table.get("parameters").and_then(toml::Value::as_table).into_iter().flatten();
    for (key, value) in parameters {
        let within = value.as_table().into_iter().flatten();
        if let Some((inner, _)) =
            within.into_iter().find(|(inner, value)| value.is_table() && *inner != "only_if")
        {
            let message = format!(
                "key `parameters.{key}.{inner}`: a key with dots is quoted: [parameters.\"{key}.{inner}\"]"
            );
            return Err(ConfigError::Invalid { origin: origin.to_owned(), message });
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, ConfigError> {
    common::user_file::read_text(path, LARGEST_FILE)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// Cores of this machine.
pub(crate) fn available_cores() -> u32 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32)
}
