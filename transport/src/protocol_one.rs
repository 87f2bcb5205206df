//! What protocol 1 says otherwise: trajectories uncompressed, and one table that is sampled in three ways. Messages of it
//! are read as those of protocol 2, and written for peers that speak nothing newer, so that services can be upgraded one
//! at a time.

use common::ids::PolicyVersion;
use common::trajectory::TrajectoryHeader;
use configuration::{FRESH_TABLE, REPLAYED_TABLE};
use serde::{Deserialize, Serialize};

use crate::Frame;
use crate::block::{Block, BlockDigest};
use crate::message::{Batch, BulkDigest, Insert, Item, Message, Pick, Sample, TableShare};
use crate::wire::{WireError, decode_value, encode_value};

const INSERT: u16 = 16;
const SAMPLE: u16 = 18;
const BATCH: u16 = 19;

#[derive(Serialize, Deserialize)]
struct InsertOne {
    header: TrajectoryHeader,
    body: BulkDigest,
    frames: BulkDigest,
}

#[derive(Serialize, Deserialize)]
enum SampleKind {
    Fifo,
    Uniform,
    Turn(PolicyVersion),
}

#[derive(Serialize, Deserialize)]
struct SampleOne {
    request: u64,
    kind: SampleKind,
    steps: u64,
    patience_ms: u32,
}

#[derive(Serialize, Deserialize)]
struct ItemOne {
    key: u64,
    header: TrajectoryHeader,
    times_sampled: u32,
    body: BulkDigest,
    frames: BulkDigest,
}

#[derive(Serialize, Deserialize)]
struct BatchOne {
    request: u64,
    items: Vec<ItemOne>,
}

/// Reads the kinds that protocol 2 has replaced.
pub(crate) fn decode_payload(kind: u16, bytes: &[u8]) -> Result<Message, WireError> {
    match kind {
        INSERT => decode_value::<InsertOne>(bytes).map(|insert| Message::Insert(insert.into())),
        SAMPLE => decode_value::<SampleOne>(bytes).map(|sample| Message::Sample(sample.into())),
        BATCH => decode_value::<BatchOne>(bytes).map(|batch| Message::Batch(batch.into())),
        _ => Err(WireError::UnknownKind { kind }),
    }
}

/// `message` and its frames as protocol 1 has them: kind, payload, frames.
///
/// # Errors
/// [`WireError::NotSpoken`] for what it has no words for.
pub(crate) fn lower(message: &Message, bulk: Vec<Frame>) -> Result<(u16, Vec<u8>, Vec<Frame>), WireError> {
    Ok(match message {
        Message::Insert(insert) => {
            let (digests, bulk) = open_all(&[insert.body, insert.states], bulk)?;
            let &[body, frames] = digests.as_slice() else { return Err(not_spoken(message)) };
            (INSERT, encode_value(&InsertOne { header: insert.header.clone(), body, frames })?, bulk)
        }
        Message::Sample(sample) => {
            let kind = match (sample.table.as_str(), sample.pick) {
                (FRESH_TABLE, Pick::Next) => SampleKind::Fifo,
                (FRESH_TABLE, Pick::Turn(version)) => SampleKind::Turn(version),
                (REPLAYED_TABLE, Pick::Next) => SampleKind::Uniform,
                _ => return Err(not_spoken(message)),
            };
            let (request, steps, patience_ms) = (sample.request, sample.steps, sample.patience_ms);
            (SAMPLE, encode_value(&SampleOne { request, kind, steps, patience_ms })?, bulk)
        }
        Message::Batch(batch) => {
            let blocks: Vec<_> = batch.items.iter().flat_map(|item| [item.body, item.states]).collect();
            let (digests, bulk) = open_all(&blocks, bulk)?;
            let items = batch.items.iter().zip(digests.chunks_exact(2)).map(|(item, digests)| ItemOne {
                key: item.key,
                header: item.header.clone(),
                times_sampled: item.times_sampled,
                body: digests[0],
                frames: digests[1],
            });
            (BATCH, encode_value(&BatchOne { request: batch.request, items: items.collect() })?, bulk)
        }
        Message::Prioritise(_) | Message::Inserts(_) => return Err(not_spoken(message)),
        message => (message.kind(), message.encode_payload()?, bulk),
    })
}

fn not_spoken(message: &Message) -> WireError {
    WireError::NotSpoken { kind: message.kind(), protocol: 1 }
}

fn open_all(digests: &[BlockDigest], bulk: Vec<Frame>) -> Result<(Vec<BulkDigest>, Vec<Frame>), WireError> {
    let blocks = digests.iter().zip(bulk).map(|(digest, bytes)| Block { bytes, digest: *digest }.open());
    let bulk = blocks.collect::<Result<Vec<_>, _>>()?;
    Ok((bulk.iter().map(|bytes| BulkDigest::of(bytes)).collect(), bulk))
}

fn plain(digest: BulkDigest) -> BlockDigest {
    BlockDigest { stored: digest, raw: None }
}

impl From<InsertOne> for Insert {
    fn from(one: InsertOne) -> Self {
        Insert { header: one.header, body: plain(one.body), states: plain(one.frames) }
    }
}

impl From<SampleOne> for Sample {
    fn from(one: SampleOne) -> Self {
        let (table, pick) = match one.kind {
            SampleKind::Fifo => (FRESH_TABLE, Pick::Next),
            SampleKind::Uniform => (REPLAYED_TABLE, Pick::Next),
            SampleKind::Turn(version) => (FRESH_TABLE, Pick::Turn(version)),
        };
        let (request, steps, patience_ms) = (one.request, one.steps, one.patience_ms);
        Sample { request, table: table.to_owned(), pick, steps, patience_ms }
    }
}

impl From<BatchOne> for Batch {
    fn from(one: BatchOne) -> Self {
        let items = one.items.into_iter().map(|item| Item {
            key: item.key,
            header: item.header,
            times_sampled: item.times_sampled,
            probability: 1.0,
            body: plain(item.body),
            states: plain(item.frames),
        });
        Batch { request: one.request, share: TableShare::default(), items: items.collect() }
    }
}
