//! Frees the disk space of items that are not needed.

use durable::DurableError;

use super::index::Needed;
use super::{Cleaning, Items, Storage, StorageError};

impl Storage {
    /// Removes segments of which nothing is needed. While the disk holds more than twice what is needed (and two segments more),
    /// also cleans segments of which less than half is needed, the worst first: copies about `budget` bytes of what is needed to
    /// the end of the log, and removes the segment once all of it is copied. Must be called after each commit, because copies must
    /// be committed before their segment is removed. With nothing to do it only looks at the counts of each segment.
    ///
    /// An item that `items` does not have is not needed.
    ///
    /// # Errors
    /// [`StorageError::Durable`]. Unless the error is final, nothing is lost and the next call goes on.
    pub fn clean(&mut self, budget: u64, items: &Items<'_>) -> Result<(), StorageError> {
        let mut copied = 0;
        while let Some(mut cleaning) = self.cleaning.take().or_else(|| self.next_cleaning()) {
            let emptied = self.empty(&mut cleaning, budget, &mut copied, items);
            let removable = matches!(emptied, Ok(true)) && !self.log.has_uncommitted();
            let removed = if removable { self.log.remove(cleaning.segment) } else { Ok(()) };
            if !removable || removed.is_err() {
                self.cleaning = Some(cleaning);
                emptied?;
                return Ok(removed?);
            }
            self.index.segment_removed(cleaning.segment);
        }
        Ok(())
    }

    fn next_cleaning(&self) -> Option<Cleaning> {
        let segment = self.index.worst_segment(self.committed_state_at?, 2 * self.segment_bytes)?;
        Some(Cleaning { segment, keys: self.index.keys_in(segment) })
    }

    /// Copies what is needed of a segment until `copied` reaches the budget; returns whether that was all.
    fn empty(
        &mut self,
        cleaning: &mut Cleaning,
        budget: u64,
        copied: &mut u64,
        items: &Items<'_>,
    ) -> Result<bool, StorageError> {
        while let Some(&key) = cleaning.keys.last() {
            let needed = self.index.needed(key, cleaning.segment);
            if needed != Needed::Nothing {
                if *copied >= budget {
                    return Ok(false);
                }
                let bytes = self.copy(key, needed, items)?;
                *copied += bytes;
                self.cleaned_bytes += bytes;
            }
            cleaning.keys.pop();
        }
        Ok(true)
    }

    fn copy(&mut self, key: u64, needed: Needed, items: &Items<'_>) -> Result<u64, DurableError> {
        match needed {
            Needed::Nothing => Ok(0),
            Needed::Removal => Ok(self.append_remove(key)?.bytes),
            Needed::Left(tables) => tables
                .into_iter()
                .try_fold(0, |bytes, table| Ok(bytes + self.append_leave(key, table)?.bytes)),
            Needed::Item(left) => {
                let mut spot = None;
                items(key, &mut |item| spot = Some(self.append_item(key, item, &left)));
                let spot = spot.unwrap_or_else(|| self.append_remove(key))?;
                Ok(spot.bytes)
            }
        }
    }
}
