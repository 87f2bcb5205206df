//! What a study file says about other crates: schedulers and metrics that must exist, keys that a copied training may not change.

use common::nearest;
use common::trajectory::Scenario;
use configuration::ConfigError;
use evaluation::METRICS;
use sweep::{Program, RacingRule, Study};

/// Refuses what would only show in a run.
///
/// # Errors
/// The key, what is wrong or unknown, and what comes near.
pub fn check(study: &Study) -> anyhow::Result<()> {
    match &study.program {
        Program::Train { .. } => shapes(study),
        Program::Evaluate { baseline, .. } => names(study, baseline),
    }
}

/// A copy goes on with the networks of what it is a copy of.
fn shapes(study: &Study) -> anyhow::Result<()> {
    let is_population = study.racing.rule == RacingRule::Population;
    let mut parameters = study.space.parameters.iter().filter(|_| is_population);
    let Some(parameter) = parameters.find(|parameter| learner::is_of_shape(&parameter.key)) else {
        return Ok(());
    };
    let why = "shapes networks or says what their outputs mean, and a copy goes on with the same networks; leave it out, or take \
               racing.rule = \"successive_halving\"";
    Err(invalid(&format!("parameters.{}", parameter.key), why).into())
}

/// Schedulers and metrics must exist.
fn names(study: &Study, baseline: &str) -> anyhow::Result<()> {
    scheduler("evaluate.baseline", baseline)?;
    let dimensions = study.space.dimensions();
    for place in 0..dimensions {
        for end in [0.0, 0.5, 1.0] {
            let mut point = vec![0.5; dimensions];
            point[place] = end;
            if let Some(name) = study.scheduler_of(&study.space.at(&point)) {
                scheduler(&format!("parameters.{}", study.space.parameters[place].key), &name)?;
            }
        }
    }
    for (number, constraint) in study.constraints.iter().enumerate() {
        metric(&format!("constraints[{number}].metric"), &constraint.metric)?;
        if let Some(of) = &constraint.of {
            scheduler(&format!("constraints[{number}].of"), of)?;
        }
    }
    for (number, objective) in study.objectives.iter().enumerate() {
        metric(&format!("objectives[{number}].metric"), &objective.metric)?;
    }
    Ok(())
}

fn scheduler(key: &str, name: &str) -> Result<(), ConfigError> {
    // What holds a `/` is a trained policy.
    if name.contains('/') {
        return Ok(());
    }
    let unknown = heuristics::heuristic(name, Scenario::Serverless).err();
    unknown.map_or(Ok(()), |error| Err(invalid(key, &error.to_string())))
}

fn metric(key: &str, name: &str) -> Result<(), ConfigError> {
    let known = || METRICS.iter().map(|metric| metric.key);
    if known().any(|one| one == name) {
        return Ok(());
    }
    let close = nearest(name, known());
    let hint = if close.is_empty() { known().collect::<Vec<_>>().join("`, `") } else { close.join("` or `") };
    Err(invalid(key, &format!("is `{name}`, which no evaluation measures; did you mean `{hint}`?")))
}

fn invalid(key: &str, message: &str) -> ConfigError {
    ConfigError::Invalid { origin: "the study".to_owned(), message: format!("key `{key}`: {message}") }
}
