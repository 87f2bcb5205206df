//! Whether the schedulers and metrics of a study that evaluates exist.

use common::nearest;
use common::trajectory::Scenario;
use configuration::ConfigError;
use evaluation::METRICS;
use sweep::{Program, Study};

/// Refuses schedulers and metrics that do not exist, before a run is wasted on them.
///
/// # Errors
/// The key, what is unknown, and what comes near.
pub fn check(study: &Study) -> anyhow::Result<()> {
    let Program::Evaluate { baseline, .. } = &study.program else { return Ok(()) };
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
