//! Actors that send trajectories that cannot be learnt from: after many in a row the next ones are not even decoded, for a while.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::ids::ActorId;

/// Damaged trajectories within [`PERIOD`] after which an actor is put off.
const MANY: u32 = 20;
/// How long damage is counted, and how long an actor is put off.
const PERIOD: Duration = Duration::from_secs(30);
/// Most actors that are watched: a hostile one can make up names.
const WATCHED: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Record {
    since: Instant,
    damaged: u32,
}

/// What actors have sent of late.
#[derive(Debug, Default)]
pub(crate) struct Suspects(HashMap<ActorId, Record>);

impl Suspects {
    /// Whether trajectories of this actor are dropped unread.
    pub(crate) fn is_put_off(&self, actor: ActorId, now: Instant) -> bool {
        self.0.get(&actor).is_some_and(|record| record.damaged >= MANY && now < record.since + PERIOD)
    }

    /// Notes a damaged trajectory; true where the actor is put off from now on.
    pub(crate) fn has_sent_damage(&mut self, actor: ActorId, now: Instant) -> bool {
        if self.0.len() >= WATCHED && !self.0.contains_key(&actor) {
            self.0.retain(|_, record| now < record.since + PERIOD);
            if self.0.len() >= WATCHED {
                return false;
            }
        }
        let record = self.0.entry(actor).or_insert(Record { since: now, damaged: 0 });
        if now >= record.since + PERIOD {
            *record = Record { since: now, damaged: 0 };
        }
        record.damaged += 1;
        if record.damaged == MANY {
            // It is put off for the whole of the time.
            record.since = now;
        }
        record.damaged == MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_damaged_trajectories_put_an_actor_off_for_a_while_and_no_other() {
        let mut suspects = Suspects::default();
        let start = Instant::now();
        let (bad, good) = (ActorId(1), ActorId(2));
        let put_off = (0..MANY).filter(|_| suspects.has_sent_damage(bad, start)).count();
        assert_eq!(put_off, 1, "it is said once");
        assert!(suspects.is_put_off(bad, start + PERIOD / 2) && !suspects.is_put_off(good, start));
        assert!(!suspects.is_put_off(bad, start + PERIOD), "it gets another chance");
        assert!(!suspects.has_sent_damage(bad, start + PERIOD));
        // Few over a long time are none.
        let rare = (0..100).any(|time| suspects.has_sent_damage(good, start + PERIOD * time));
        assert!(!rare);
    }

    #[test]
    fn names_that_are_made_up_take_no_memory_without_end() {
        let mut suspects = Suspects::default();
        let start = Instant::now();
        (0..3 * WATCHED as u64).for_each(|actor| {
            suspects.has_sent_damage(ActorId(actor), start);
        });
        assert_eq!(suspects.0.len(), WATCHED);
    }
}
