//! Detects lost ranks. Every rank increments its own counter in the store twice a second and watches the others'
//! counters. A failed collective operation does not say which rank is lost; the heartbeat does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Store;
use crate::TorchExtensionError;

/// Time between two heartbeats of a rank.
const PERIOD: Duration = Duration::from_millis(500);
/// After a failed operation, a rank without a heartbeat for this long counts as lost.
const SILENCE: Duration = Duration::from_millis(2500);

/// A rank that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRank {
    /// Number of the lost rank, counted from 0.
    pub rank: usize,
    /// What is known about the cause, as text.
    pub how: String,
}

/// A thread that sends heartbeats and watches the other ranks, with its own connection to the store.
#[derive(Debug)]
pub struct Heartbeat {
    rank: usize,
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Seen {
    beats: Vec<i64>,
    last: Vec<Instant>,
    departures: Vec<Option<String>>,
    /// When the store last answered; rank 0 serves it.
    answered: Instant,
    is_gone: bool,
}

impl Heartbeat {
    /// Starts the heartbeat of `rank` of `size` ranks at the store at `address`.
    ///
    /// # Errors
    /// [`TorchExtensionError::Torch`] when the store cannot be reached.
    pub fn start(
        address: SocketAddr,
        rank: usize,
        size: usize,
        deadline: Duration,
    ) -> Result<Self, TorchExtensionError> {
        let store = Store::connect(address, deadline)?;
        let now = Instant::now();
        let seen = Arc::new(Mutex::new(Seen {
            beats: vec![0; size],
            last: vec![now; size],
            departures: vec![None; size],
            answered: now,
            is_gone: false,
        }));
        let stop = Arc::new(AtomicBool::new(false));
        let (thread_seen, thread_stop) = (Arc::clone(&seen), Arc::clone(&stop));
        let beat = move || {
            while !thread_stop.load(Ordering::Relaxed) {
                if pass(&store, rank, size, &thread_seen).is_err() {
                    lock(&thread_seen).is_gone = true;
                    return;
                }
                std::thread::sleep(PERIOD);
            }
        };
        std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(beat)
            .map_err(|error| TorchExtensionError::Torch(format!("no thread for the heartbeat: {error}")))?;
        Ok(Heartbeat { rank, seen, stop })
    }

    /// Lost ranks: those that left with a reason and those without a heartbeat for `patience`. When the store does not
    /// answer, only rank 0 is returned. Does not wait.
    #[must_use]
    pub fn silent(&self, patience: Duration) -> Vec<LostRank> {
        let seen = lock(&self.seen);
        if self.rank != 0 && (seen.is_gone || seen.answered.elapsed() >= patience) {
            return vec![LostRank { rank: 0, how: "the store that it serves does not answer".to_owned() }];
        }
        let others = (0..seen.last.len()).filter(|&rank| rank != self.rank);
        let gone = others.filter_map(|rank| {
            let how = match &seen.departures[rank] {
                Some(words) if words.is_empty() => return None,
                Some(words) => format!("it ended: {words}"),
                None if seen.last[rank].elapsed() >= patience => {
                    format!("no sign of life for {:.0} s", seen.last[rank].elapsed().as_secs_f64())
                }
                None => return None,
            };
            Some(LostRank { rank, how })
        });
        gone.collect()
    }

    /// Other ranks that have not sent a heartbeat yet.
    #[must_use]
    pub fn absent(&self) -> Vec<usize> {
        let seen = lock(&self.seen);
        (0..seen.beats.len()).filter(|&rank| rank != self.rank && seen.beats[rank] == 0).collect()
    }

    /// Call it after a collective operation failed: waits at most 5 seconds until a rank counts as lost and returns the
    /// lost ranks. This rank must call [`leave`] before, so that the others do not take it for the cause.
    #[must_use]
    pub fn lost_ranks(&self) -> Vec<LostRank> {
        let start = Instant::now();
        loop {
            let lost = self.silent(SILENCE);
            if !lost.is_empty() || start.elapsed() > 2 * SILENCE {
                return lost;
            }
            std::thread::sleep(PERIOD / 5);
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // The thread ends by itself; it may be stuck in a request to a store that is gone.
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Writes to the store that `rank` leaves, and why; the reason is empty where it leaves because of another rank, or at
/// the end.
///
/// # Errors
/// [`TorchExtensionError::Torch`] when the store is gone.
pub fn leave(store: &Store, rank: usize, words: &str) -> Result<(), TorchExtensionError> {
    store.set(&departure_key(rank), words)
}

/// The reason that `rank` gave to [`leave`]; `None` where it has not left.
///
/// # Errors
/// As [`leave`].
pub fn departure(store: &Store, rank: usize) -> Result<Option<String>, TorchExtensionError> {
    store.read(&departure_key(rank))
}

fn departure_key(rank: usize) -> String {
    format!("departure/{rank}")
}

fn pass(store: &Store, rank: usize, size: usize, seen: &Mutex<Seen>) -> Result<(), TorchExtensionError> {
    store.add(&format!("beat/{rank}"), 1)?;
    for other in (0..size).filter(|&other| other != rank) {
        let beats = store.add(&format!("beat/{other}"), 0)?;
        let departure = departure(store, other)?;
        let mut seen = lock(seen);
        if seen.beats[other] != beats {
            seen.beats[other] = beats;
            seen.last[other] = Instant::now();
        }
        seen.departures[other] = departure;
    }
    lock(seen).answered = Instant::now();
    Ok(())
}

fn lock(seen: &Mutex<Seen>) -> std::sync::MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
