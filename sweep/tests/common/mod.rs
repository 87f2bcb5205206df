//! Studies of a program that takes milliseconds.

#![allow(
    clippy::unwrap_used,
    dead_code,
    reason = "a test says by its panic what failed; each file uses some of this"
)]

use std::path::{Path, PathBuf};

use common::Shutdown;
use sweep::{Coordinator, Layout, LocalExecutor, Place, State, Study, SweepError};

/// The study with racing over two budgets and two seeds; `more` goes at the end.
pub fn text(parameters: &str, more: &str) -> String {
    let config = root().join("configs/train/slots.toml");
    format!(
        r#"
schema = 1
name = "test"
seed = 5
[train]
config = "{}"
set = ["learner.budget_steps=60000"]
[parameters."learner.learning_rate.from"]
log_uniform = [1e-4, 1e-2]
{parameters}
[[objectives]]
metric = "eval/score"
direction = "minimise"
[resources]
cores = 2
{more}
"#,
        config.display()
    )
}

/// Successive halving over two budgets and two seeds.
pub const RACE: &str = "[budget]\ntrials = 9\n[racing]\nrule = \"successive_halving\"\nrungs = [{ steps = 20000 }, { steps = 60000 }, { steps = 60000, seeds = 2 }]";

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub fn study(text: &str) -> Study {
    let config = root().join("configs/train/slots.toml");
    let content = std::fs::read_to_string(&config).unwrap();
    Study::parse(text, "test.toml", [(config.display().to_string(), content)].into()).unwrap()
}

pub fn open(folder: &Path, text: Option<&str>) -> Result<Coordinator, SweepError> {
    let place = Place {
        program: root().join("sweep/tests/trial.sh"),
        python: "python3".into(),
        working: root(),
        layout: Layout::new(folder),
    };
    Coordinator::open(place, text.map(study), Box::<LocalExecutor>::default())
}

/// Runs a study to its end.
pub fn run(folder: &Path, text: &str) -> Coordinator {
    let mut coordinator = open(folder, Some(text)).unwrap();
    coordinator.run(&Shutdown::new(), &mut |_: &State| {}).unwrap();
    coordinator
}
