//! What must hold, and what has happened so far.

use std::collections::{HashMap, HashSet};

use common::trajectory::TrajectoryHeader;
use replay::{Change, Core};

/// A trajectory: actor, life of the actor, its own number.
pub type Identity = (u64, u64, u64);

pub fn identity(header: &TrajectoryHeader) -> Identity {
    (header.actor.0, header.incarnation.0, header.ordinal)
}

/// What one shard's disk has been told, and has made durable.
#[derive(Default)]
pub struct ShardHistory {
    /// By key, of all that is durable.
    keys: HashMap<u64, Identity>,
    durable: HashSet<Identity>,
    removed: HashSet<Identity>,
    /// Was stored and removed by changes of which it was not said, before a crash, whether they had become durable.
    perhaps: HashSet<Identity>,
    /// Left the table of fresh ones, and it is durable.
    left: HashSet<u64>,
}

impl ShardHistory {
    /// A change has become durable.
    pub fn committed(&mut self, change: &Change) {
        match change {
            Change::Insert(item) => {
                let identity = identity(&item.header);
                assert!(self.durable.insert(identity), "{identity:?} was stored twice");
                assert!(self.keys.insert(item.key, identity).is_none(), "key {} was used twice", item.key);
            }
            Change::Leave { key, .. } => {
                self.left.insert(*key);
            }
            Change::Remove(key) => {
                self.removed.insert(self.keys[key]);
                self.left.insert(*key);
            }
            Change::Claim(_) => {}
        }
    }

    /// The shard has come back with `core`. What was queued when it crashed may be durable or not: changes `unsure`.
    pub fn recovered(&mut self, core: &Core, unsure: &[Change]) {
        let mut held = HashSet::new();
        let unsure_inserts: HashMap<u64, Identity> = unsure
            .iter()
            .filter_map(|change| match change {
                Change::Insert(item) => Some((item.key, identity(&item.header))),
                _ => None,
            })
            .collect();
        let gone: HashSet<u64> = unsure
            .iter()
            .filter_map(|change| match change {
                Change::Remove(key) => Some(*key),
                _ => None,
            })
            .collect();
        let both = unsure_inserts.iter().filter(|(key, _)| gone.contains(key));
        self.perhaps.extend(both.map(|(_, identity)| *identity));
        for item in core.items().iter() {
            let identity = identity(&item.header);
            assert!(held.insert(identity), "{identity:?} came back twice");
            assert!(!self.removed.contains(&identity), "{identity:?} came back though it was removed");
            let known = self.keys.get(item.key()).or_else(|| unsure_inserts.get(item.key()));
            assert_eq!(known, Some(&identity), "key {} came back as another", item.key());
            if self.durable.insert(identity) {
                self.keys.insert(*item.key(), identity);
            }
        }
        for (key, identity) in self.keys.clone() {
            if !held.contains(&identity) && !self.removed.contains(&identity) {
                assert!(gone.contains(&key), "{identity:?} was stored and is lost");
                self.removed.insert(identity);
            }
        }
    }

    /// Whether the shard may say that it has stored this one.
    pub fn has(&self, identity: &Identity) -> bool {
        self.durable.contains(identity) || self.perhaps.contains(identity)
    }
}
