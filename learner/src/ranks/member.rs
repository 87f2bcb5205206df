//! Every rank but 0: it receives batches from rank 0 and learns with it.

use std::time::Duration;

use configuration::{Config, parse};
use policy::schema_of;
use state_graph::Schema;
use tch::Device;
use torch_extension::process_group::{Heartbeat, Store, leave};

use super::join::Joined;
use super::meeting::Meeting;
use super::parcel::unpack;
use super::{BATCH, broadcast, explain, join_gpus, rank_0_lost, round_key};
use crate::LearnerError;
use crate::batch::{Batch, Decoded};
use crate::checkpoints::restore_from;
use crate::update::Updater;

/// Pause between two reads of the store: short beside a batch, long beside a read.
const LOOK: Duration = Duration::from_millis(2);

/// Learns with the others on `device`, with `threads` threads (0: every core), until rank 0 ends the run.
///
/// # Errors
/// [`LearnerError::RankLost`] where a rank is lost; an error of learning, which is the same on all ranks.
pub fn serve_rank(meeting: &Meeting, threads: usize, device: Device) -> Result<(), LearnerError> {
    policy::set_threads(threads);
    let _span = tracing::info_span!("rank", number = meeting.rank).entered();
    let Joined { store, mut group, heartbeat } = meeting.attend()?;
    tracing::info!(ranks = meeting.size, process = std::process::id(), "joined the other ranks");
    let mut bytes = Vec::new();
    broadcast(&group, &mut bytes).map_err(|error| explain(error, &store, meeting.rank, &heartbeat))?;
    let (config, mut updater) = start(&bytes, device)?;
    join_gpus(&mut group, &store, device, meeting.deadline)
        .map_err(|error| explain(error, &store, meeting.rank, &heartbeat))?;
    updater.join(group);
    let schema = schema_of(&config);
    let learnt = learn(&mut updater, &schema, meeting, &store, &heartbeat)
        .map_err(|error| explain(error, &store, meeting.rank, &heartbeat));
    let words = match &learnt {
        Err(error) if !error.is_of_ranks() => error.to_string(),
        // A rank that ends because another was lost is not the cause.
        _ => String::new(),
    };
    // This fails where rank 0 is the one that was lost.
    let _ = leave(&store, meeting.rank, &words);
    learnt
}

/// The configuration and the updater that rank 0 sent.
fn start(bytes: &[u8], device: Device) -> Result<(Config, Updater), LearnerError> {
    let wrong = |message: String| {
        LearnerError::RankMessage(format!("rank 0 sent something else than a start: {message}"))
    };
    let parts = unpack(bytes)?;
    let (text, files) = parts.split_first().ok_or_else(|| wrong("nothing".to_owned()))?;
    let text = std::str::from_utf8(text).map_err(|error| wrong(error.to_string()))?;
    let config = parse(text, "rank 0", &[]).map_err(|error| wrong(error.to_string()))?;
    let mut updater = Updater::new(&schema_of(&config), &config, device);
    let find = |name: &str| {
        let found = files.chunks(2).find(|pair| pair[0] == name.as_bytes()).and_then(|pair| pair.get(1));
        found.copied().ok_or_else(|| wrong(format!("no `{name}`")))
    };
    restore_from(find, &mut updater)?;
    Ok((config, updater))
}

fn learn(
    updater: &mut Updater,
    schema: &Schema,
    meeting: &Meeting,
    store: &Store,
    heartbeat: &Heartbeat,
) -> Result<(), LearnerError> {
    for round in 0.. {
        if next(round, meeting, store, heartbeat)? != BATCH {
            break;
        }
        let mut bytes = Vec::new();
        if let Some(ranks) = updater.ranks() {
            broadcast(ranks, &mut bytes)?;
        }
        let (spent, batch) = batch(&bytes, schema)?;
        updater.round(&batch, spent)?;
    }
    Ok(())
}

/// What rank 0 announces for `round`; waits for it as long as rank 0 lives.
fn next(round: u64, meeting: &Meeting, store: &Store, heartbeat: &Heartbeat) -> Result<String, LearnerError> {
    loop {
        if let Some(word) = store.read(&round_key(round))? {
            return Ok(word);
        }
        if let Some(lost) = rank_0_lost(heartbeat, meeting.deadline) {
            return Err(lost);
        }
        std::thread::sleep(LOOK);
    }
}

fn batch(bytes: &[u8], schema: &Schema) -> Result<(f64, Batch), LearnerError> {
    let wrong = || LearnerError::RankMessage("rank 0 sent something else than a batch".to_owned());
    let parts = unpack(bytes)?;
    let (spent, encoded) = parts.split_first().ok_or_else(wrong)?;
    let spent = f64::from_le_bytes((*spent).try_into().map_err(|_| wrong())?);
    let decode = |trajectory: &&[u8]| match unpack(trajectory)?[..] {
        [weight, header, body, states] => {
            let weight = f32::from_le_bytes(weight.try_into().map_err(|_| wrong())?);
            let mut decoded = Decoded::of_bytes(schema, header, body, states)?;
            decoded.set_weight(weight);
            Ok(decoded)
        }
        _ => Err(wrong()),
    };
    let trajectories: Vec<Decoded> = encoded.iter().map(decode).collect::<Result<_, _>>()?;
    Ok((spent, Batch::new(trajectories)))
}
