//! What a shard writes to its disk, so that after a restart it goes on with what it has acknowledged.
//!
//! Written are trajectories as received, which of them left which table, and the claim. Each new segment begins with a summary of
//! the older ones: the claim, and the next sequence number of each session. Not written are priorities and how often an item was
//! sampled: after a restart an item has the priority that its actor set, and counts as never sampled.

use std::collections::HashMap;
use std::sync::Arc;

use common::ids::{Digest, FencingToken, RunId};
use common::trajectory::TrajectoryHeader;
use durable::Disk;
use serde::{Deserialize, Serialize};
use transport::Message;
use transport::wire::{self, WireError};

use crate::claim::Claim;
use crate::effect::Change;
use crate::item::{Content, Item};
use crate::sessions::{MAX_SESSIONS, SessionKey};
use crate::storage::{ItemBytes, Observer, Storage, StorageError, StorageOptions};
use crate::tables::Items;

/// Kind of the envelope around [`State`].
const KIND_STATE: u16 = 257;

/// What earlier lives of the shard have stored.
#[derive(Debug, Default)]
pub struct Remembered {
    /// The run and learner that have claimed the shard.
    pub claim: Option<Claim>,
    /// The next sequence number of each session.
    pub sessions: Vec<(SessionKey, u64)>,
    /// The items that were stored and not removed, by key.
    pub items: Vec<RememberedItem>,
    /// All keys below it were used, or may have been.
    pub next_key: u64,
    /// Records that could not be read.
    pub damaged: u64,
}

/// An item that an earlier life of the shard has stored.
#[derive(Debug)]
pub struct RememberedItem {
    /// Key of the item.
    pub key: u64,
    /// Header of the trajectory.
    pub header: TrajectoryHeader,
    /// Frames of the trajectory.
    pub content: Content,
    /// Ids of the tables that it has left.
    pub left: Vec<u32>,
}

/// The summary at the beginning of a segment.
#[derive(Serialize, Deserialize)]
struct State {
    claim: Option<(RunId, FencingToken, Digest)>,
    sessions: Vec<(SessionKey, u64)>,
}

/// The claim, and of each session the next sequence number and the key of its last item.
#[derive(Debug, Default)]
struct Marks {
    claim: Option<Claim>,
    next: HashMap<SessionKey, (u64, u64)>,
}

/// The part of a shard that is on its disk.
#[derive(Debug)]
pub struct Journal {
    storage: Storage,
    marks: Marks,
}

impl Journal {
    /// Opens the journal on a disk that no other process uses.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn open(disk: Arc<dyn Disk>, segment_bytes: u64) -> Result<(Self, Remembered), StorageError> {
        let mut marks = Marks::default();
        let (storage, recovered) = Storage::open(disk, StorageOptions { segment_bytes }, &mut marks)?;
        for damage in &recovered.damaged {
            tracing::error!(file = %damage.file.display(), offset = damage.offset, bytes = damage.length, "stored data is lost: {}", damage.why);
        }
        if recovered.torn_bytes > 0 {
            // A few bytes are left by a crash; many mean that the file is damaged.
            tracing::warn!(
                bytes = recovered.torn_bytes,
                "the end of the newest segment cannot be read and was cut off: what an earlier life of the shard had not made durable, or damage"
            );
        }
        let mut remembered = Remembered {
            claim: marks.claim,
            sessions: marks.next.iter().map(|(key, (next, _))| (*key, *next)).collect(),
            items: Vec::with_capacity(recovered.items.len()),
            next_key: recovered.next_key,
            damaged: recovered.damaged.len() as u64,
        };
        remembered.sessions.sort_unstable();
        for item in recovered.items {
            match Content::read(item.meta, item.blocks) {
                Ok((header, content)) => {
                    remembered.items.push(RememberedItem { key: item.key, header, content, left: item.left });
                }
                Err(error) => {
                    remembered.damaged += 1;
                    tracing::error!(key = item.key, %error, "a stored trajectory cannot be read");
                }
            }
        }
        Ok((Journal { storage, marks }, remembered))
    }

    /// Writes a change, which is durable after the next [`Journal::commit`].
    ///
    /// # Errors
    /// [`StorageError`]; then nothing of the change is in the journal. It may be tried again unless the error is final.
    pub fn write(&mut self, change: &Change) -> Result<(), StorageError> {
        match change {
            Change::Insert(item) => {
                self.storage.insert(item.key, bytes(item))?;
                self.marks.note(&item.header, item.key);
            }
            Change::Leave { key, table } => self.storage.leave(*key, *table)?,
            Change::Remove(key) => self.storage.remove(*key)?,
            Change::Claim(claim) => {
                let marks = match claim {
                    Some(_) => Marks { claim: *claim, next: self.marks.next.clone() },
                    None => Marks::default(),
                };
                self.storage.state(&marks.encode())?;
                self.marks = marks;
            }
        }
        Ok(())
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn commit(&mut self) -> Result<(), StorageError> {
        let marks = &self.marks;
        self.storage.commit(&|| marks.encode())
    }

    /// Copies about `budget` bytes out of segments of which less than half is needed, and removes segments that are not needed.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn clean(&mut self, budget: u64, items: &Items<Content>) -> Result<(), StorageError> {
        self.storage.clean(budget, &|key, take| {
            if let Some(item) = items.get(&key) {
                take(bytes(&item));
            }
        })
    }

    /// The storage, for its counts.
    #[must_use]
    pub fn storage(&self) -> &Storage {
        &self.storage
    }
}

fn bytes(item: &Item) -> ItemBytes<'_> {
    let content = &item.content;
    ItemBytes { meta: &content.envelope, blocks: [&content.body, &content.states] }
}

impl Marks {
    fn note(&mut self, header: &TrajectoryHeader, key: u64) {
        let session = SessionKey { actor: header.actor, incarnation: header.incarnation };
        let (next, last) = self.next.entry(session).or_default();
        *next = (*next).max(header.sequence.0.saturating_add(1));
        *last = (*last).max(key);
        if self.next.len() > 2 * MAX_SESSIONS {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let mut by_age: Vec<_> = self.next.iter().map(|(session, (_, key))| (*key, *session)).collect();
        by_age.sort_unstable();
        for (_, session) in by_age.into_iter().take(MAX_SESSIONS) {
            self.next.remove(&session);
        }
    }

    fn encode(&self) -> Vec<u8> {
        let claim = self.claim.map(|claim| (claim.run, claim.token, claim.schema));
        let mut sessions: Vec<_> = self.next.iter().map(|(key, (next, _))| (*key, *next)).collect();
        sessions.sort_unstable();
        // Far smaller than the largest payload of an envelope.
        wire::seal(KIND_STATE, &State { claim, sessions }).unwrap_or_default()
    }

    fn read_state(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let State { claim, sessions } = wire::unseal(KIND_STATE, bytes)?;
        self.claim = claim.map(|(run, token, schema)| Claim { run, token, incarnation: None, schema });
        if self.claim.is_none() {
            // A run has ended here; actors of the next one begin at 0.
            self.next.clear();
        }
        for (session, next) in sessions {
            let known = self.next.entry(session).or_default();
            known.0 = known.0.max(next);
        }
        Ok(())
    }
}

impl Observer for Marks {
    fn inserted(&mut self, key: u64, meta: &[u8]) {
        match wire::header_of(meta) {
            Ok(Message::Insert(insert)) => self.note(&insert.header, key),
            Ok(_) => tracing::error!(key, "a stored record is not a trajectory"),
            Err(error) => tracing::error!(key, %error, "a stored record cannot be read"),
        }
    }

    fn state(&mut self, bytes: &[u8]) {
        if let Err(error) = self.read_state(bytes) {
            tracing::error!(%error, "a stored state cannot be read");
        }
    }
}

#[cfg(test)]
mod tests {
    use common::ids::{ActorId, Incarnation};

    use super::*;

    /// A session known from a segment's summary counts as silent since then: it is forgotten before one that has sent something.
    #[test]
    fn the_silent_are_forgotten_first() {
        let session = |life: u64| SessionKey { actor: ActorId(0), incarnation: Incarnation(life) };
        let mut marks = Marks::default();
        let told = 0..MAX_SESSIONS as u64;
        marks.next.extend(told.clone().map(|life| (session(life), (3, 0))));
        let sent = MAX_SESSIONS as u64..2 * MAX_SESSIONS as u64;
        marks.next.extend(sent.clone().map(|life| (session(life), (1, life))));
        marks.forget_oldest();
        assert_eq!(marks.next.len(), MAX_SESSIONS);
        assert!(sent.into_iter().all(|life| marks.next.contains_key(&session(life))));
    }
}
