//! Which keys may differ between the configuration that a run began with and the one that it continues with.

use std::collections::BTreeMap;

use configuration::Config;

/// Keys that may change, with all that lies below them: how long the run goes on, where it computes, where its services keep
/// files and find each other, and what its report shows. None of them changes what is learnt from or how.
pub const MAY_CHANGE: [&str; 16] = [
    "learner.budget_steps",
    "learner.wall_limit_minutes",
    "learner.devices",
    "learner.threads",
    "learner.rank_deadline_seconds",
    "learner.partition_edges",
    "learner.keep_checkpoints",
    "learner.metrics_address",
    "actor.threads",
    "actor.metrics_address",
    "replay.folder",
    "replay.bind",
    "replay.metrics_address",
    "evaluation.schedulers",
    "evaluation.test_episodes",
    "evaluation.threads",
];
/// The same for a whole section.
pub const MAY_CHANGE_SECTION: &str = "transport";

/// A key whose value is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Dotted path of the key, e.g. `learner.target_period`.
    pub key: String,
    /// Value in the run; `None` where it was not given.
    pub before: Option<String>,
    /// Value that is asked for.
    pub now: Option<String>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "key `{}`: the run has {}, asked for is {}", self.key, text(&self.before), text(&self.now))
    }
}

/// The keys that changed though they may not, in their order.
#[must_use]
pub fn forbidden_changes(before: &Config, now: &Config) -> Vec<Change> {
    let (before, now) = (flat(before), flat(now));
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let differ = keys.into_iter().filter(|key| before.get(*key) != now.get(*key));
    differ
        .filter(|key| !may_change(key))
        .map(|key| Change { key: key.clone(), before: before.get(key).cloned(), now: now.get(key).cloned() })
        .collect()
}

/// Keys that say of what shape networks are, and what their outputs mean.
const SHAPE: [&str; 19] = [
    "simulator.scenario",
    "simulator.serverless.size_multiples",
    "reward.mode",
    "reward.latency",
    "reward.fairness",
    "reward.utilisation",
    "reward.slo",
    "reward.cost",
    "reward.idle_memory",
    "reward.cold_starts",
    "policy.encoder",
    "policy.width",
    "policy.heads",
    "policy.layers",
    "policy.value_layers",
    "policy.levels",
    "policy.actions",
    "policy.prior",
    "learner.algorithm",
];

/// The keys that give networks another shape, in their order.
#[must_use]
pub(crate) fn changes_of_shape(before: &Config, now: &Config) -> Vec<Change> {
    forbidden_changes(before, now).into_iter().filter(|change| is_of_shape(&change.key)).collect()
}

/// Whether a key says of what shape networks are, or what their outputs mean: it stays when a run goes on from a checkpoint of another.
#[must_use]
pub fn is_of_shape(key: &str) -> bool {
    SHAPE.iter().any(|shape| {
        key.strip_prefix(shape).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

fn may_change(key: &str) -> bool {
    MAY_CHANGE.contains(&key) || key.split('.').next() == Some(MAY_CHANGE_SECTION)
}

/// Every value by its dotted path; a list is one value.
fn flat(config: &Config) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    // A configuration was read from TOML, so it can be written as such.
    let table = toml::Table::try_from(config).unwrap_or_default();
    flatten("", &table, &mut values);
    values
}

fn flatten(path: &str, table: &toml::Table, values: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            toml::Value::Table(table) => flatten(&path, table, values),
            value => {
                values.insert(path, value.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use configuration::parse;

    fn config(settings: &[&str]) -> Config {
        let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n";
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        parse(text, "test", &settings).unwrap()
    }

    #[test]
    fn what_is_learnt_stays_and_what_only_carries_it_may_change() {
        let before = config(&[]);
        let carried = config(&[
            "learner.budget_steps=7",
            "learner.wall_limit_minutes=3.0",
            "learner.devices=[\"cpu\", \"cpu\"]",
            "learner.threads=3",
            "actor.threads=2",
            "replay.folder=\"elsewhere\"",
            "transport.weights_pull=\"tcp://127.0.0.1:9\"",
            "evaluation.test_episodes=3",
        ]);
        assert_eq!(forbidden_changes(&before, &carried), vec![]);
        let learnt = [
            ("seed=4", "seed"),
            ("name=other", "name"),
            ("learner.mode=lockstep", "learner.mode"),
            ("learner.batch_steps=99", "learner.batch_steps"),
            ("learner.learning_rate={ from = 0.1, to = 1e-4 }", "learner.learning_rate.from"),
            ("learner.group={ rollouts = 8 }", "learner.group.rollouts"),
            ("reward.slo=1.0", "reward.slo"),
            ("policy.width=32", "policy.width"),
            ("evaluation.loads=[50.0]", "evaluation.loads"),
            ("actor.environments=32", "actor.environments"),
        ];
        for (setting, key) in learnt {
            let changes = forbidden_changes(&before, &config(&[setting]));
            assert!(changes.iter().any(|change| change.key == key), "{setting}: {changes:?}");
        }
        let change = &forbidden_changes(&before, &config(&["seed=4"]))[0];
        assert_eq!(change.to_string(), "key `seed`: the run has 3, asked for is 4");
    }

    #[test]
    fn every_key_that_may_change_exists() {
        let full = config(&[
            "learner.metrics_address=\"127.0.0.1:1\"",
            "actor.metrics_address=\"127.0.0.1:2\"",
            "replay.metrics_address=\"127.0.0.1:3\"",
            "replay.bind=\"tcp://127.0.0.1:4\"",
        ]);
        let values = flat(&full);
        for key in MAY_CHANGE {
            assert!(values.contains_key(key), "{key}");
        }
    }
}
