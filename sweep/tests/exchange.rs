//! Sweep files of Weights & Biases: read, refused, and written so that they read as the same study.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

mod common;

use common::{root, text};
use sweep::{Program, RacingRule, Range, SamplerKind, Study, from_wandb, to_wandb};

/// As the documentation of W&B writes them.
const SWEEP: &str = "
program: train.py
name: My first sweep!
method: bayes
metric: {name: eval/score, goal: minimize}
run_cap: 40
early_terminate: {type: hyperband, min_iter: 3, eta: 2}
parameters:
  learner:
    parameters:
      epochs: {min: 1, max: 3}
      replayed_share: {values: [0.0, 0.1, 0.3]}
      minibatches: {distribution: q_log_uniform_values, q: 1, min: 4, max: 16}
      evaluate_every: {value: 10}
  learner.learning_rate.from: {distribution: log_uniform, min: -8, max: -5}
  learner.entropy_cost.from: {distribution: q_uniform, q: 0.1, min: 0.1, max: 0.3}
";

fn study(text: &str) -> Study {
    let config = "configs/train/slots.toml";
    let content = std::fs::read_to_string(root().join(config)).unwrap();
    Study::parse(text, "test.toml", [(config.to_owned(), content)].into()).unwrap()
}

#[test]
fn a_sweep_file_becomes_a_study() {
    let draft = from_wandb(SWEEP, "sweep.yaml", "configs/train/slots.toml", 8000).unwrap();
    let text = draft.text().replace("steps = 8000", "steps = 9000");
    let study = study(&text);
    assert_eq!(study.name, "My-first-sweep");
    assert_eq!((study.sampler.kind, study.budget.trials), (SamplerKind::Tpe, Some(40)));
    assert_eq!((study.racing.rule, study.racing.one_in), (RacingRule::SuccessiveHalving, 2));
    assert_eq!(study.rungs.iter().map(|rung| rung.spent).collect::<Vec<_>>(), [2000, 4000, 9000]);
    let Program::Train { set, .. } = &study.program else { panic!() };
    assert_eq!(set, &["learner.evaluate_every=10"]);
    let range = |key: &str| &study.space.parameters.iter().find(|one| one.key == key).unwrap().range;
    assert_eq!(range("learner.epochs"), &Range::Integer(1, 3));
    assert_eq!(range("learner.minibatches"), &Range::LogInteger(4, 16));
    let Range::LogUniform(low, high) = range("learner.learning_rate.from") else { panic!() };
    assert!((low.ln() + 8.0).abs() < 1e-9 && (high.ln() + 5.0).abs() < 1e-9);
    let steps = [0.1, 0.2, 0.3].map(serde_json::Value::from).to_vec();
    assert_eq!(range("learner.entropy_cost.from"), &Range::Choice(steps));
    assert!(draft.notes.iter().any(|note| note.contains("train.py")), "{:?}", draft.notes);
}

#[test]
fn what_is_wrong_with_a_sweep_file_is_named() {
    let wrong = [
        ("method: [", "is no YAML"),
        ("- a", "is no table of keys"),
        (
            "method: magic\nparameters: {a: {value: 1}}",
            "key `method`: is `magic`; it must be grid, random or bayes",
        ),
        ("method: grid", "key `parameters`: is missing"),
        ("method: grid\nparameters: {a: 3}", "key `parameters.a`: is no table"),
        ("method: grid\nparameters: {a: {min: 3}}", "key `parameters.a`: has no `max`"),
        ("method: grid\nparameters: {a: {min: x, max: 3}}", "key `parameters.a`: `min` is no number"),
        (
            "method: grid\nparameters: {a: {distribution: normal, mu: 0}}",
            "key `parameters.a`: distribution `normal` has no equal here; those that have: int_uniform",
        ),
        (
            "method: grid\nmetric: {goal: best}\nparameters: {a: {value: 1}}",
            "key `metric.goal`: is `best`; it must be minimize or maximize",
        ),
        (
            "method: grid\nearly_terminate: {type: envelope}\nparameters: {a: {value: 1}}",
            "key `early_terminate.type`: is `envelope`; it must be hyperband",
        ),
    ];
    for (text, expected) in wrong {
        let message = from_wandb(text, "sweep.yaml", "configs/train/slots.toml", 8000).unwrap_err();
        assert!(message.starts_with(expected), "{text}: {message}");
    }
}

#[test]
fn a_study_that_is_written_for_wandb_reads_as_the_same() {
    let parameters = "[parameters.\"learner.epochs\"]\ninteger = [1, 4]\nlog = true\n\
                      [parameters.\"learner.replayed_share\"]\nchoice = [0.0, 0.5]\n\
                      [parameters.\"learner.entropy_cost.from\"]\nuniform = [0.0, 0.1]";
    let before = common::study(&text(parameters, "[budget]\ntrials = 9"));
    let (yaml, notes) = to_wandb(&before).unwrap();
    assert_eq!(notes.len(), 1, "{notes:?}");
    let draft = from_wandb(&yaml, "back.yaml", "configs/train/slots.toml", 60_000).unwrap();
    let after = study(&draft.text());
    let mut ranges: Vec<_> = before.space.parameters.iter().map(|one| (&one.key, &one.range)).collect();
    ranges.sort_by_key(|(key, _)| *key);
    let mut again: Vec<_> = after.space.parameters.iter().map(|one| (&one.key, &one.range)).collect();
    again.sort_by_key(|(key, _)| *key);
    assert_eq!(ranges, again);
    assert_eq!((before.budget.trials, before.name), (after.budget.trials, after.name));
    let Program::Train { set, .. } = &after.program else { panic!() };
    assert_eq!(set, &["learner.budget_steps=60000"]);
}
