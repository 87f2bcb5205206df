//! A study as a sweep file of Weights & Biases.

use serde_json::{Value, json};

use crate::program::Program;
use crate::space::{Parameter, Range};
use crate::study::Study;
use crate::study_file::{Direction, RacingRule, SamplerKind};

/// Turns the arguments of W&B's agent, `key=value`, into those of `longshore train`.
const COMMAND: &str = "for setting in \"$@\"; do set -- \"$@\" --set \"$setting\"; shift; done; \
                       exec longshore train -c \"$CONFIG\" --no-report --run-folder \"runs/${WANDB_RUN_ID:-sweep-$$}\" \"$@\"";

/// The sweep file, and what it cannot say.
///
/// # Errors
/// Why a study is none for W&B.
pub fn to_wandb(study: &Study) -> Result<(String, Vec<String>), String> {
    let Program::Train { config, set, .. } = &study.program else {
        return Err("the study evaluates a rule, which W&B's agent cannot; export it as a table".to_owned());
    };
    let mut notes = vec![format!(
        "`{}` is in the TensorBoard files of each run: W&B learns of it when they are synced",
        study.objectives[0].metric
    )];
    let mut parameters = serde_json::Map::new();
    for parameter in &study.space.parameters {
        if parameter.only_if.is_some() {
            notes.push(format!("`{}` counts always: W&B knows no conditions", parameter.key));
        }
        parameters.insert(parameter.key.clone(), described(parameter));
    }
    for setting in set {
        let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
        parameters.insert(key.trim().to_owned(), json!({ "value": value_of(value.trim()) }));
    }
    if study.objectives.len() > 1 {
        notes.push(format!("only the first objective, `{}`, is kept", study.objectives[0].metric));
    }
    if !study.constraints.is_empty() {
        notes.push("constraints are left out".to_owned());
    }
    let goal = if study.objectives[0].direction == Direction::Minimise { "minimize" } else { "maximize" };
    let method = match study.sampler.kind {
        SamplerKind::Grid => "grid",
        SamplerKind::Random | SamplerKind::Sobol => "random",
        SamplerKind::Tpe | SamplerKind::CmaEs | SamplerKind::Optuna => "bayes",
    };
    let mut file = json!({
        "name": study.name,
        "method": method,
        "metric": { "name": study.objectives[0].metric, "goal": goal },
        "parameters": parameters,
        "program": "longshore",
        "command": ["env", format!("CONFIG={config}"), "sh", "-c", COMMAND, "--", "${args_no_hyphens}"],
    });
    if let Some(trials) = study.budget.trials {
        file["run_cap"] = json!(trials);
    }
    if matches!(study.racing.rule, RacingRule::Population | RacingRule::Median) {
        notes.push("racing is left out: W&B has hyperband only".to_owned());
    }
    if study.racing.rule == RacingRule::SuccessiveHalving {
        file["early_terminate"] = json!({ "type": "hyperband", "eta": study.racing.one_in, "s": study.rungs.len() - 1, "max_iter": 27 });
        notes.push("the rungs are parts of 27 reports: hyperband counts reports".to_owned());
    }
    let text = serde_saphyr::to_string(&file).map_err(|error| error.to_string())?;
    let head: String = notes.iter().map(|note| format!("# {note}\n")).collect();
    Ok((head + &text, notes))
}

/// The value of a setting: TOML, or a text without quotes.
fn value_of(text: &str) -> Value {
    let table = format!("value = {text}").parse::<toml::Table>().ok();
    let value = table.and_then(|table| serde_json::to_value(table.get("value")?).ok());
    value.unwrap_or_else(|| Value::from(text))
}

fn described(parameter: &Parameter) -> Value {
    match &parameter.range {
        Range::Uniform(low, high) => json!({ "distribution": "uniform", "min": low, "max": high }),
        Range::LogUniform(low, high) => {
            json!({ "distribution": "log_uniform_values", "min": low, "max": high })
        }
        Range::Integer(low, high) => json!({ "distribution": "int_uniform", "min": low, "max": high }),
        Range::LogInteger(low, high) => {
            json!({ "distribution": "q_log_uniform_values", "q": 1, "min": low, "max": high })
        }
        Range::Choice(values) => json!({ "values": values }),
    }
}
