//! The shard set: a list of addresses whose names are looked up again from time to time.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use configuration::LinkAddress;

use crate::endpoint::endpoint_of;
use crate::lookup::Lookup;
use crate::{Endpoint, TransportError};

/// How often names are looked up again.
const PERIOD: Duration = Duration::from_secs(10);
/// How often, while one is being looked up.
const PENDING_PERIOD: Duration = Duration::from_secs(1);
/// How long the names are waited for each time; one that takes longer counts when it is found.
const PATIENCE: Duration = Duration::from_secs(2);

/// The shards of a configured list. A host name with several addresses stands for a shard at each address. A name with one
/// address, or with none yet, stays a name, so that a service that moves is found again. A thread looks the names up every ten
/// seconds; while a name cannot be resolved, its last addresses count.
#[derive(Clone, Debug)]
pub struct ShardDirectory {
    shared: Arc<Shared>,
    seen: u64,
}

#[derive(Debug)]
struct Shared {
    shards: Mutex<Vec<Endpoint>>,
    version: AtomicU64,
}

type Begin = Box<dyn FnMut(&Endpoint) -> Lookup + Send>;

impl ShardDirectory {
    /// A directory of shards that never move.
    #[must_use]
    pub fn fixed(shards: Vec<Endpoint>) -> Self {
        let shared = Shared { shards: Mutex::new(shards), version: AtomicU64::new(0) };
        ShardDirectory { shared: Arc::new(shared), seen: 0 }
    }

    /// Looks the addresses up now, and then every ten seconds.
    ///
    /// # Errors
    /// [`TransportError::Thread`].
    pub fn watch(addresses: &[LinkAddress]) -> Result<Self, TransportError> {
        Self::watch_with(addresses.iter().map(Endpoint::from).collect(), PERIOD, Box::new(Lookup::begin))
    }

    fn watch_with(listed: Vec<Endpoint>, period: Duration, begin: Begin) -> Result<Self, TransportError> {
        let movable = listed.iter().any(Endpoint::is_name);
        let running = listed.iter().map(|_| None).collect();
        let mut watcher = Watcher { listed, begin, running, last: Vec::new(), many: HashSet::new() };
        let directory = ShardDirectory::fixed(watcher.look_up());
        if movable {
            let shared = Arc::downgrade(&directory.shared);
            std::thread::Builder::new()
                .name("shards".to_owned())
                .spawn(move || watcher.run(&shared, period))
                .map_err(|source| TransportError::Thread { name: "shards", source })?;
        }
        Ok(directory)
    }

    /// The current shards.
    #[must_use]
    pub fn shards(&self) -> Vec<Endpoint> {
        self.shared.shards.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The current shards, when the shard set has changed since the last call.
    pub fn changed(&mut self) -> Option<Vec<Endpoint>> {
        let version = self.shared.version.load(Ordering::Acquire);
        let changed = version != self.seen;
        self.seen = version;
        changed.then(|| self.shards())
    }
}

struct Watcher {
    listed: Vec<Endpoint>,
    begin: Begin,
    /// The lookup of each entry that goes on.
    running: Vec<Option<Lookup>>,
    /// The shards of each entry of the list, as last found.
    last: Vec<Vec<Endpoint>>,
    /// Entries that have stood for several shards: their shards are named by address from then on.
    many: HashSet<usize>,
}

impl Watcher {
    /// Runs until the last clone of the directory is dropped.
    fn run(mut self, shared: &Weak<Shared>, period: Duration) {
        loop {
            let is_waiting = self.running.iter().any(Option::is_some);
            std::thread::sleep(if is_waiting { period.min(PENDING_PERIOD) } else { period });
            let Some(shared) = shared.upgrade() else { return };
            let found = self.look_up();
            let mut shards = shared.shards.lock().unwrap_or_else(PoisonError::into_inner);
            if *shards != found {
                tracing::info!(shards = found.len(), "the shard set changed");
                *shards = found;
                shared.version.fetch_add(1, Ordering::Release);
            }
        }
    }

    fn look_up(&mut self) -> Vec<Endpoint> {
        self.last.resize(self.listed.len(), Vec::new());
        for (place, mut found) in self.addresses().into_iter().enumerate() {
            found.sort_unstable();
            found.dedup();
            if found.len() > 1 {
                self.many.insert(place);
            }
            if self.many.contains(&place) {
                if !found.is_empty() {
                    self.last[place] = found.into_iter().map(endpoint_of).collect();
                }
            } else if found.is_empty() && self.running[place].is_some() {
                // It may stand for several shards, which must not be taken for one; what was found before stays.
                tracing::warn!(name = %self.listed[place], "no name server gives an address for the shard's name yet");
            } else {
                self.last[place] = vec![self.listed[place].clone()];
            }
        }
        self.last.concat()
    }

    /// The addresses of each entry as far as they are found in time: one name must not delay the others.
    fn addresses(&mut self) -> Vec<Vec<SocketAddr>> {
        for (running, endpoint) in self.running.iter_mut().zip(&self.listed) {
            running.get_or_insert_with(|| (self.begin)(endpoint));
        }
        let deadline = Instant::now() + PATIENCE;
        let each = self.running.iter_mut().map(|running| {
            let left = deadline.saturating_duration_since(Instant::now());
            let found = running.as_mut().and_then(|lookup| lookup.found(left)).map(<[_]>::to_vec);
            if found.is_some() {
                *running = None;
            }
            found.unwrap_or_default()
        });
        each.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn addresses(hosts: &[u8]) -> Vec<SocketAddr> {
        hosts.iter().map(|host| SocketAddr::from(([10, 0, 0, *host], 7000))).collect()
    }

    fn texts(shards: &[Endpoint]) -> Vec<&str> {
        shards.iter().map(Endpoint::as_str).collect()
    }

    /// What lookups of a name give, one after the other; the last for ever.
    fn watch(answers: &[&[u8]]) -> ShardDirectory {
        let mut answers: VecDeque<_> = answers.iter().map(|hosts| addresses(hosts)).collect();
        let lookup = move |_: &Endpoint| {
            Lookup::done(if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() })
        };
        let listed = vec!["tcp://replay:7000".parse().unwrap()];
        ShardDirectory::watch_with(listed, Duration::from_millis(5), Box::new(lookup)).unwrap()
    }

    fn wait(directory: &mut ShardDirectory) -> Vec<Endpoint> {
        let start = Instant::now();
        loop {
            if let Some(shards) = directory.changed() {
                return shards;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "nothing changed");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn shards_come_and_go_and_are_kept_while_the_name_is_not_found() {
        let mut directory = watch(&[&[2, 1], &[], &[1, 2, 3], &[3]]);
        assert_eq!(texts(&directory.shards()), ["tcp://10.0.0.1:7000", "tcp://10.0.0.2:7000"]);
        let mut seen = wait(&mut directory);
        if seen.len() == 3 {
            seen = wait(&mut directory);
        }
        // One is left, and it is known by its address as before.
        assert_eq!(texts(&seen), ["tcp://10.0.0.3:7000"]);
    }

    #[test]
    fn a_name_that_nobody_answers_delays_no_other() {
        let listed = ["tcp://lost:7000", "tcp://replay:7000"].map(|text| text.parse().unwrap());
        let begin = |endpoint: &Endpoint| match endpoint.as_str() {
            "tcp://lost:7000" => Lookup::stuck(),
            _ => Lookup::done(addresses(&[1, 2])),
        };
        let directory = ShardDirectory::watch_with(listed.into(), PERIOD, Box::new(begin)).unwrap();
        let expected = ["tcp://10.0.0.1:7000", "tcp://10.0.0.2:7000"];
        assert_eq!(texts(&directory.shards()), expected);
    }

    #[test]
    fn a_name_of_one_shard_stays_a_name() {
        let directory = watch(&[&[1]]);
        assert_eq!(texts(&directory.shards()), ["tcp://replay:7000"]);
    }
}
