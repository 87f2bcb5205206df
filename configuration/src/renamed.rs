//! Keys that earlier versions read, and what replaced them.

use serde_json::Value;

/// (old key, what to write instead).
const RENAMED: [(&str, &str); 5] = [
    (
        "simulator.serverless.load",
        "loads are in percent everywhere; write `load_percent = 70` where it was `load = 0.7`",
    ),
    ("replay.max_items", "bounds belong to a table; write `replay.tables.fresh.max_items`"),
    ("replay.max_mib", "bounds belong to a table; write `replay.tables.fresh.max_mib`"),
    ("replay.min_items", "bounds belong to a table; write `replay.tables.fresh.min_items`"),
    ("replay.max_waiting_steps", "the rate belongs to a table; write `replay.tables.fresh.tolerance_steps`"),
];

/// (what other systems call it, what it is called here).
const CALLED: [(&str, &str); 10] = [
    ("lr", "`learner.learning_rate`, e.g. { from = 6e-4, to = 1e-4 }"),
    ("batch_size", "`learner.batch_steps`"),
    ("train_batch_size", "`learner.batch_steps`"),
    ("num_workers", "`actor.count`"),
    ("num_envs", "`actor.environments`"),
    ("gamma", "`reward.discount_seconds`: the discount over t seconds is exp(-t / this)"),
    ("discount", "`reward.discount_seconds`: the discount over t seconds is exp(-t / this)"),
    ("grad_clip", "`learner.max_gradient_norm`"),
    ("total_timesteps", "`learner.budget_steps`"),
    ("loads", "`evaluation.loads` (lists of percent) or `simulator.serverless.load_percent`"),
];

/// What something is called here that other systems call `key`.
pub(crate) fn called_here(key: &str) -> Option<&'static str> {
    CALLED.iter().find(|(theirs, _)| *theirs == key).map(|(_, ours)| *ours)
}

/// What to write in place of an old key.
pub(crate) fn instead_of(key: &str) -> Option<&'static str> {
    RENAMED.iter().find(|(old, _)| *old == key).map(|(_, instead)| *instead)
}

/// Turns a configuration that an earlier version wrote, into a run folder or a checkpoint, into one of today.
pub fn bring_up_to_date(config: &mut Value) {
    let serverless = config.get_mut("simulator").and_then(|simulator| simulator.get_mut("serverless"));
    if let Some(Value::Object(serverless)) = serverless
        && let Some(load) = serverless.remove("load")
    {
        let percent = load.as_f64().map_or(load, |fraction| Value::from(percent_of(fraction)));
        serverless.insert("load_percent".to_owned(), percent);
    }
}

/// Without the digits that binary fractions leave: 0.07 is 7%.
fn percent_of(fraction: f64) -> f64 {
    (fraction * 1e11).round() / 1e9
}
