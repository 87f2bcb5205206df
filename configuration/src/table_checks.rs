//! Tables that the services could not work with.

use std::collections::BTreeMap;

use crate::{
    ActorConfig, FRESH_TABLE, LearnerConfig, Mode, REPLAYED_TABLE, RemoverConfig, ReplayConfig,
    SamplerConfig, TableConfig,
};

/// Tables that the learner can learn from, and that neither side waits for in vain.
pub(crate) fn serve_all(
    actor: &ActorConfig,
    learner: &LearnerConfig,
) -> impl Fn(&ReplayConfig, &()) -> garde::Result {
    move |replay, ()| {
        let tables = replay.tables_for(learner);
        for (name, table) in &tables {
            tolerates_a_trajectory(name, table, actor)?;
            has_a_reader(name, table, learner)?;
        }
        let fresh = fresh_queue(&tables)?;
        holds_a_turn(fresh, replay, actor, learner)?;
        if learner.replayed_share > 0.0 {
            let Some(replayed) = tables.get(REPLAYED_TABLE) else {
                return fail(format!(
                    "learner.replayed_share = {} needs a table replay.tables.{REPLAYED_TABLE}",
                    learner.replayed_share
                ));
            };
            agree(fresh, replayed, learner)?;
        }
        Ok(())
    }
}

fn tolerates_a_trajectory(name: &str, table: &TableConfig, actor: &ActorConfig) -> garde::Result {
    let Some(samples_per_insert) = table.samples_per_insert else { return Ok(()) };
    let least = actor.unroll as f64 * samples_per_insert.max(1.0);
    if table.tolerance_steps as f64 >= least {
        return Ok(());
    }
    fail(format!(
        "replay.tables.{name}.tolerance_steps = {} is less than what one trajectory can bring, {least}: actor.unroll = {} \
         × max(1, samples_per_insert = {samples_per_insert})",
        table.tolerance_steps, actor.unroll
    ))
}

/// A table that is never sampled would soon hold back all inserts.
fn has_a_reader(name: &str, table: &TableConfig, learner: &LearnerConfig) -> garde::Result {
    if table.samples_per_insert.is_none()
        || name == FRESH_TABLE
        || name == REPLAYED_TABLE && learner.replayed_share > 0.0
    {
        return Ok(());
    }
    fail(format!(
        "replay.tables.{name}.samples_per_insert holds actors back until somebody samples this table, but the learner samples \
         only `{FRESH_TABLE}` and, with learner.replayed_share > 0, `{REPLAYED_TABLE}`; leave it out"
    ))
}

fn fresh_queue(tables: &BTreeMap<String, TableConfig>) -> Result<&TableConfig, garde::Error> {
    let queue = |table: &&TableConfig| {
        table.sampler == SamplerConfig::Fifo && matches!(table.remover, RemoverConfig::TimesSampled(_))
    };
    tables.get(FRESH_TABLE).filter(queue).ok_or_else(|| {
        garde::Error::new(format!(
            "replay.tables.{FRESH_TABLE} is what the learner learns from first: it must be there, with sampler = \"fifo\" and \
             remover = {{ times_sampled = 1 }} (or more)"
        ))
    })
}

fn holds_a_turn(
    fresh: &TableConfig,
    replay: &ReplayConfig,
    actor: &ActorConfig,
    learner: &LearnerConfig,
) -> garde::Result {
    let turn = actor.count * actor.environments;
    let held = fresh.max_items.saturating_mul(replay.shards);
    if learner.mode == Mode::Async || held >= turn {
        return Ok(());
    }
    fail(format!(
        "replay.tables.{FRESH_TABLE}.max_items × replay.shards = {held} is less than a turn of learner.mode = \"lockstep\", {turn} \
         trajectories (actor.count × actor.environments): no turn would ever be complete"
    ))
}

/// Of each step that it learns from first, the learner replays a fixed number; a rate that contradicts it makes one table wait
/// for the other.
fn agree(fresh: &TableConfig, replayed: &TableConfig, learner: &LearnerConfig) -> garde::Result {
    let share = learner.replayed_share;
    let replays = share / (1.0 - share);
    match (fresh.samples_per_insert, replayed.samples_per_insert, replayed.remover) {
        (Some(_), Some(_), _) => fail(format!(
            "replay.tables.{FRESH_TABLE}.samples_per_insert and replay.tables.{REPLAYED_TABLE}.samples_per_insert cannot both be kept: \
             learner.replayed_share = {share} fixes how many steps of one go with a step of the other; leave one out"
        )),
        (None, Some(rate), _) if rate > replays * limit(fresh) => fail(format!(
            "replay.tables.{REPLAYED_TABLE}.samples_per_insert = {rate} is more than {:.3} that the learner samples for each \
             step it needs to be inserted (learner.replayed_share = {share}, replay.tables.{FRESH_TABLE}.remover.times_sampled = \
             {}): the actors would be held back while the learner waits for `{FRESH_TABLE}`",
            replays * limit(fresh),
            limit(fresh)
        )),
        (Some(rate), None, RemoverConfig::TimesSampled(most)) if replays * rate > f64::from(most) => {
            fail(format!(
                "replay.tables.{REPLAYED_TABLE}.remover.times_sampled = {most} is less than the {:.3} samples of each step that \
             learner.replayed_share = {share} takes (replay.tables.{FRESH_TABLE}.samples_per_insert = {rate})",
                replays * rate
            ))
        }
        _ => Ok(()),
    }
}

fn limit(table: &TableConfig) -> f64 {
    match table.remover {
        RemoverConfig::TimesSampled(limit) => f64::from(limit),
        RemoverConfig::Fifo | RemoverConfig::LowestPriority => f64::INFINITY,
    }
}

fn fail(message: String) -> garde::Result {
    Err(garde::Error::new(message))
}
