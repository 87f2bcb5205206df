//! What may change in a study that has begun.

use crate::SweepError;
use crate::program::Program;
use crate::study::Study;
use crate::study_file::RacingRule;

/// Refuses a change that would make trials mean something else. Ranges may grow, parameters be added, and what says how long and how
/// the study goes on may change.
///
/// # Errors
/// [`SweepError::Changed`]: the key, and what to do instead.
pub fn check_amendment(old: &Study, new: &Study) -> Result<(), SweepError> {
    let wrong = |key: &str, why: &str| {
        let message = format!(
            "key `{key}`: {why}; to begin another study, give it another name, or another folder with --folder"
        );
        Err(SweepError::Changed { origin: format!("study `{}`, which has begun", old.name), message })
    };
    if old.name != new.name {
        let message = format!("key `name`: is `{}`; give another folder with --folder", new.name);
        return Err(SweepError::Changed { origin: format!("the folder of study `{}`", old.name), message });
    }
    if old.seed != new.seed {
        return wrong("seed", "may not change");
    }
    if !is_same_program(&old.program, &new.program) {
        let key = if matches!(old.program, Program::Train { .. }) { "train" } else { "evaluate" };
        return wrong(key, "may not change: trials before and after could not be compared");
    }
    if let Some((name, _)) = old.configs.iter().find(|(name, text)| new.configs.get(*name) != Some(text)) {
        return wrong(
            name,
            "the configuration has changed since the study began: trials before and after could not be compared",
        );
    }
    if old.objectives != new.objectives {
        return wrong("objectives", "may not change");
    }
    if old.constraints != new.constraints {
        return wrong("constraints", "may not change");
    }
    if old.rungs != new.rungs {
        return wrong("racing.rungs", "may not change: trials have been judged at them");
    }
    let is_population = |study: &Study| study.racing.rule == RacingRule::Population;
    if is_population(old) != is_population(new) {
        return wrong("racing.rule", "may not change to or from \"population\"");
    }
    for parameter in &old.space.parameters {
        let key = format!("parameters.{}", parameter.key);
        let now = new.space.parameters.iter().find(|one| one.key == parameter.key);
        match now {
            None => return wrong(&key, "is missing; a parameter stays"),
            Some(now) if !now.range.holds(&parameter.range) => {
                return wrong(
                    &key,
                    &format!("must still hold {}; a range may only grow", parameter.range.words()),
                );
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn is_same_program(old: &Program, new: &Program) -> bool {
    match (old, new) {
        (
            Program::Train { config, set, steps },
            Program::Train { config: other, set: others, steps: more },
        ) => config == other && set == others && steps == more,
        (
            Program::Evaluate { configs, set, scheduler, .. },
            Program::Evaluate { configs: other, set: others, scheduler: template, .. },
        ) => configs == other && set == others && scheduler == template,
        _ => false,
    }
}
