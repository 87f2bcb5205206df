//! What a study file must hold beside the kinds and ranges of its values.

use std::path::PathBuf;

use common::trajectory::Scenario;
use configuration::{Config, ConfigError};

use crate::SweepError;
use crate::faults::Faults;
use crate::program::{Configs, Program, Rung};
use crate::space::{Space, toml_text};
use crate::storage::Storage;
use crate::study_file::{
    EvaluateProgram, OptunaSampler, RacingRule, RungFile, SamplerKind, StudyFile, TrainProgram,
};

/// Fewest episodes of the comparison at the end.
const FEWEST_EPISODES: u32 = 10;

/// Objectives, constraints, sampler, budget and resources.
pub(crate) fn check_wishes(file: &StudyFile, faults: &mut Faults) {
    match (&file.train, &file.evaluate) {
        (None, None) => faults.push("train", "is missing; a study has a section [train] or [evaluate]"),
        (Some(_), Some(_)) => faults.push("evaluate", "is given beside `train`; a study has one of the two"),
        _ => {}
    }
    let metrics: Vec<&String> = file.objectives.iter().map(|objective| &objective.metric).collect();
    if let Some(place) = (1..metrics.len()).find(|&place| metrics[..place].contains(&metrics[place])) {
        faults.push(
            &format!("objectives[{place}].metric"),
            &format!("is `{}` again; name each objective once", metrics[place]),
        );
    }
    for (place, constraint) in file.constraints.iter().enumerate() {
        if constraint.of.is_some() && file.evaluate.is_none() {
            faults.push(
                &format!("constraints[{place}].of"),
                "compares with a scheduler, which only [evaluate] plays; leave it out, or limit `eval/of_limit/…` of a training with limits",
            );
        }
    }
    let budget = &file.budget;
    if budget.trials.is_none() && budget.minutes.is_none() && budget.steps.is_none() {
        faults.push("budget", "has no end; give `trials`, `minutes` or, with `train`, `steps`");
    }
    if budget.steps.is_some() && file.train.is_none() {
        faults.push(
            "budget.steps",
            "counts environment steps of [train]; an [evaluate] study ends by `trials` or `minutes`",
        );
    }
    if file.evaluate.is_some() && file.held_out.is_some_and(|held_out| held_out.seeds < FEWEST_EPISODES) {
        faults.push(
            "held_out.seeds",
            &format!("is less than {FEWEST_EPISODES}; with [evaluate] it counts episodes, and an interval of fewer means nothing (take 30 or more)"),
        );
    }
    check_sampler(file, faults);
    check_population(file, faults);
    check_resources(file, faults);
}

/// What population-based training needs.
fn check_population(file: &StudyFile, faults: &mut Faults) {
    if file.racing.rule != RacingRule::Population {
        return;
    }
    if file.train.is_none() {
        faults.push(
            "racing.rule",
            "is \"population\", which copies checkpoints of [train]; take \"successive_halving\"",
        );
    }
    if file.budget.trials.is_none() {
        faults.push(
            "budget.trials",
            "is missing; with racing.rule = \"population\" it says how many trials live at once",
        );
    }
    if let Some(place) = file.racing.rungs.iter().position(|rung| rung.seeds > 1) {
        faults.push(
            &format!("racing.rungs[{place}].seeds"),
            "is more than 1; a population has one run a trial, for a copy goes on from one checkpoint",
        );
    }
    if file.held_out.is_some() {
        faults.push(
            "held_out",
            "trains the best setting from the start, but what a population came to is a policy whose settings changed while it learnt; \
             leave it out, and compare policies with `longshore compare`",
        );
    }
}

fn check_sampler(file: &StudyFile, faults: &mut Faults) {
    let sampler = &file.sampler;
    let is_optuna = sampler.kind == SamplerKind::Optuna;
    match &sampler.storage {
        None if is_optuna => faults.push(
            "sampler.storage",
            "is missing; with kind = \"optuna\" it says where the study lies, e.g. \"sqlite:///optuna.db\"",
        ),
        Some(_) if !is_optuna => faults.push("sampler.storage", "is for kind = \"optuna\" only"),
        Some(text) => {
            Storage::parse(text).err().iter().for_each(|wrong| faults.push("sampler.storage", wrong));
        }
        None => {}
    }
    if sampler.optuna_sampler != OptunaSampler::Tpe && !is_optuna {
        faults.push("sampler.optuna_sampler", "is for kind = \"optuna\" only");
    }
    if sampler.population != 0 && sampler.kind != SamplerKind::CmaEs {
        faults.push("sampler.population", "is for kind = \"cma_es\" only");
    }
    if sampler.kind != SamplerKind::CmaEs {
        return;
    }
    if file.racing.rule != RacingRule::None {
        faults.push(
            "sampler.kind",
            "is \"cma_es\", which learns from whole trials; set racing.rule = \"none\", or take \"tpe\"",
        );
    }
    if file.objectives.len() > 1 {
        faults.push(
            "sampler.kind",
            "is \"cma_es\", which knows one objective; take \"tpe\", \"sobol\" or \"random\"",
        );
    }
}

fn check_resources(file: &StudyFile, faults: &mut Faults) {
    let own = &file.resources;
    if own.cores > 0 && own.cores_per_run > own.cores {
        faults.push(
            "resources.cores_per_run",
            &format!("is {}, more than the {} of all runs together", own.cores_per_run, own.cores),
        );
    }
    if own.gpus_per_run > own.gpus {
        faults.push(
            "resources.gpus_per_run",
            &format!("is {}, more than the {} of `resources.gpus`", own.gpus_per_run, own.gpus),
        );
    }
}

/// The rungs as they are written, the last one included; none where the file has none.
pub(crate) fn check_rungs(file: &StudyFile, faults: &mut Faults) -> Vec<Rung> {
    let rungs = &file.racing.rungs;
    let mut read = Vec::new();
    for (place, rung) in rungs.iter().enumerate() {
        let at = format!("racing.rungs[{place}]");
        match spent(rung, file.train.is_some()) {
            Ok(spent) => read.push(Rung { spent, seeds: rung.seeds }),
            Err(message) => faults.push(&at, message),
        }
    }
    for (place, pair) in read.windows(2).enumerate() {
        let grows = pair[1].spent >= pair[0].spent && pair[1].seeds >= pair[0].seeds && pair[1] != pair[0];
        if !grows {
            faults.push(
                &format!("racing.rungs[{}]", place + 1),
                "spends no more than the rung before it; rungs ascend",
            );
        }
    }
    if file.racing.rule != RacingRule::None && rungs.len() < 2 {
        faults.push(
            "racing.rungs",
            "needs at least two rungs: a trial is ended at one of them, or goes on to the next",
        );
    }
    if file.evaluate.is_some() && rungs.is_empty() {
        faults.push(
            "racing.rungs",
            "is missing; say how many episodes a trial plays, e.g. [{ episodes = 12 }]",
        );
    }
    read
}

fn spent(rung: &RungFile, trains: bool) -> Result<u64, &'static str> {
    match (trains, rung.steps, rung.episodes) {
        (true, Some(steps), None) => Ok(steps),
        (true, ..) => Err("needs `steps` and no `episodes`: the study trains"),
        (false, None, Some(_)) if rung.seeds != 1 => {
            Err("has `seeds`; an evaluation has `episodes`, each with a seed of its own")
        }
        (false, None, Some(episodes)) => Ok(episodes),
        (false, ..) => Err("needs `episodes` and no `steps`: the study evaluates"),
    }
}

/// Settings that are tried first.
pub(crate) fn check_start(file: &StudyFile, space: &Space, faults: &mut Faults) {
    for (place, setting) in file.start.iter().enumerate() {
        if let Err(message) = space.check(setting) {
            faults.push(&format!("start[{place}]"), &message);
        }
    }
}

/// The program, and all rungs; each end of each parameter is tried on the configuration.
pub(crate) fn check_program(
    file: &StudyFile,
    space: &Space,
    rungs: Vec<Rung>,
    origin: &str,
    configs: &Configs,
) -> Result<(Program, Vec<Rung>), SweepError> {
    match (&file.train, &file.evaluate) {
        (Some(train), _) => training(train, space, rungs, origin, configs),
        (None, Some(evaluate)) => {
            evaluation(evaluate, space, origin, configs).map(|program| (program, rungs))
        }
        (None, None) => unreachable!("a study without a program was refused"),
    }
}

fn training(
    train: &TrainProgram,
    space: &Space,
    rungs: Vec<Rung>,
    origin: &str,
    configs: &Configs,
) -> Result<(Program, Vec<Rung>), SweepError> {
    let text = text_of(configs, &train.config)?;
    let base = configuration::parse(text, &train.config, &train.set)?;
    let mut faults = Faults::default();
    if space.parameters.iter().any(|parameter| parameter.key == "seed" || parameter.key == "name") {
        faults.push("parameters", "holds `seed` or `name`, which a study sets itself: `racing.rungs` say how many seeds a trial has");
    }
    for parameter in &space.parameters {
        let key = &parameter.key;
        if train.set.iter().any(|setting| setting.split('=').next().map(str::trim) == Some(key.as_str())) {
            faults.push(&format!("parameters.{key}"), "is in `train.set`, too; give it in one of the two");
        }
        if key == "learner.budget_steps" {
            faults.push(
                &format!("parameters.{key}"),
                "is no parameter: `racing.rungs` say how long trials train; set it in `train.set`",
            );
        }
        let ends = [0.0, 1.0].map(|place| toml_text(&parameter.range.at(place)));
        let wrong = ends.iter().find_map(|value| wrong_value(text, train, &parameter.key, value));
        wrong.iter().for_each(|wrong| faults.push(&format!("parameters.{}", parameter.key), wrong));
    }
    let steps = base.learner.budget_steps;
    let rungs = if rungs.is_empty() { vec![Rung { spent: steps, seeds: 1 }] } else { rungs };
    if let Some(place) = rungs.iter().position(|rung| rung.spent > steps) {
        faults.push(
            &format!("racing.rungs[{place}].steps"),
            &format!(
                "is {}; a training of {} ends after {steps} steps (`learner.budget_steps`)",
                rungs[place].spent, train.config
            ),
        );
    }
    faults.into_result(origin)?;
    Ok((Program::Train { config: train.config.clone(), set: train.set.clone(), steps }, rungs))
}

/// The text of a configuration that the study names.
fn text_of<'a>(configs: &'a Configs, name: &str) -> Result<&'a str, ConfigError> {
    configs.get(name).map(String::as_str).ok_or_else(|| ConfigError::Read {
        path: PathBuf::from(name),
        source: std::io::ErrorKind::NotFound.into(),
    })
}

/// Why a value at an end of its range cannot be, beside the base. Contradictions with other keys show in their trial: those may be
/// parameters, too.
fn wrong_value(text: &str, train: &TrainProgram, key: &str, value: &str) -> Option<String> {
    let settings: Vec<String> = train.set.iter().cloned().chain([format!("{key}={value}")]).collect();
    let wrong = configuration::parse(text, &train.config, &settings).err()?.to_string();
    let is_own = wrong.contains(&format!("key `{key}`")) || !wrong.contains("key `");
    is_own.then(|| format!("cannot be {value}: {wrong}"))
}

fn evaluation(
    evaluate: &EvaluateProgram,
    space: &Space,
    origin: &str,
    configs: &Configs,
) -> Result<Program, SweepError> {
    let mut faults = Faults::default();
    for parameter in &space.parameters {
        if !evaluate.scheduler.contains(&format!("{{{}}}", parameter.key)) {
            faults.push(
                &format!("parameters.{}", parameter.key),
                &format!(
                    "does not occur in `evaluate.scheduler`; write {{{}}} where its value belongs",
                    parameter.key
                ),
            );
        }
        if parameter.only_if.is_some() {
            faults.push(
                &format!("parameters.{}.only_if", parameter.key),
                "is for [train]: a name with braces needs all its parameters",
            );
        }
    }
    let filled = space
        .at(&vec![0.5; space.dimensions()])
        .keys()
        .fold(evaluate.scheduler.clone(), |text, key| text.replace(&format!("{{{key}}}"), ""));
    if let Some((_, rest)) = filled.split_once('{') {
        let name = rest.split('}').next().unwrap_or(rest);
        faults.push("evaluate.scheduler", &format!("names {{{name}}}, which is no parameter of this study"));
    }
    for config in &evaluate.configs {
        let read: Config = configuration::parse(text_of(configs, config)?, config, &evaluate.set)?;
        if read.simulator.scenario != Scenario::Serverless {
            faults
                .push("evaluate.configs", &format!("holds {config}, which is not of scenario `serverless`"));
        }
    }
    faults.into_result(origin)?;
    Ok(Program::Evaluate {
        configs: evaluate.configs.clone(),
        set: evaluate.set.clone(),
        scheduler: evaluate.scheduler.clone(),
        baseline: evaluate.baseline.clone(),
    })
}
