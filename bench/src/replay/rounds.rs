//! The comparison itself: in each round every contender has one turn.

use anyhow::Result;

use super::contender::{Contender, contenders};
use super::load::Load;
use super::plan::{Case, Plan};
use super::turn::{Turn, turn};

/// How one contender fared in one case.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was done.
    pub case: Case,
    /// Kind of load.
    pub load: Load,
    /// Service that was measured.
    pub contender: Contender,
    /// Its turns, or why it has none.
    pub turns: Result<Vec<Turn>, String>,
}

/// Measures all of `plan`. `done` gets the rows of each case and load.
///
/// # Errors
/// When `done` fails.
pub fn compare(plan: &Plan, mut done: impl FnMut(&[Row]) -> Result<()>) -> Result<()> {
    for &load in &plan.loads {
        for &case in plan.cases.iter().filter(|case| case.takes(load)) {
            done(&take_turns(plan, case, load))?;
        }
    }
    Ok(())
}

/// Every contender once a round, so that whatever else the machine does falls on all alike.
fn take_turns(plan: &Plan, case: Case, load: Load) -> Vec<Row> {
    let new = |contender| Row { case, load, contender, turns: Ok(Vec::new()) };
    let mut rows: Vec<Row> =
        contenders(case, &plan.shards, plan.peers.as_deref()).into_iter().map(new).collect();
    for round in 1..=plan.rounds {
        for row in &mut rows {
            let Ok(turns) = &mut row.turns else { continue };
            tracing::info!(%case, %load, contender = row.contender.name(), round, rounds = plan.rounds, "measuring");
            match turn(plan, case, load, &row.contender) {
                Ok(turn) => turns.push(turn),
                Err(error) => row.turns = Err(format!("{error:#}")),
            }
        }
    }
    rows
}
