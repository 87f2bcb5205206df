//! The payloads of a shard's records, drawn byte by byte in `docs/formats.md`.

const INSERT: u8 = 1;
const LEAVE: u8 = 2;
const REMOVE: u8 = 3;
const STATE: u8 = 4;

/// An item as it is stored. Only the caller knows what the bytes mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemBytes<'a> {
    /// A description of the item (an envelope).
    pub meta: &'a [u8],
    /// The bytes of the item (body and states).
    pub blocks: [&'a [u8]; 2],
}

/// A record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    Insert { key: u64, left: Vec<u32>, item: ItemBytes<'a> },
    Leave { key: u64, table: u32 },
    Remove { key: u64 },
    State { next_key: u64, bytes: &'a [u8] },
}

/// Kind and first part of the payload; meta and blocks follow it.
pub(super) fn insert_head(key: u64, item: &ItemBytes<'_>, left: &[u32]) -> (u8, Vec<u8>) {
    let [first, second] = item.blocks;
    let mut head = Vec::with_capacity(40 + 4 * left.len());
    for number in [key, left.len() as u64, item.meta.len() as u64, first.len() as u64, second.len() as u64] {
        head.extend_from_slice(&number.to_le_bytes());
    }
    left.iter().for_each(|table| head.extend_from_slice(&table.to_le_bytes()));
    (INSERT, head)
}

/// Kind and payload.
pub(super) fn leave(key: u64, table: u32) -> (u8, [u8; 12]) {
    let mut payload = [0; 12];
    payload[..8].copy_from_slice(&key.to_le_bytes());
    payload[8..].copy_from_slice(&table.to_le_bytes());
    (LEAVE, payload)
}

/// Kind and payload.
pub(super) fn remove(key: u64) -> (u8, [u8; 8]) {
    (REMOVE, key.to_le_bytes())
}

/// Kind and first part of the payload; the snapshot follows it.
pub(super) fn state_head(next_key: u64) -> (u8, [u8; 8]) {
    (STATE, next_key.to_le_bytes())
}

/// None for a record that no shard has written.
pub(super) fn decode(kind: u8, payload: &[u8]) -> Option<Stored<'_>> {
    let mut rest = Rest(payload);
    let stored = match kind {
        INSERT => {
            let (key, tables) = (rest.u64()?, rest.u64()?);
            let lengths = [rest.u64()?, rest.u64()?, rest.u64()?];
            let left = rest.take(tables.checked_mul(4)?)?.as_chunks().0;
            let left = left.iter().map(|&table| u32::from_le_bytes(table)).collect();
            let item = ItemBytes {
                meta: rest.take(lengths[0])?,
                blocks: [rest.take(lengths[1])?, rest.take(lengths[2])?],
            };
            Stored::Insert { key, left, item }
        }
        LEAVE => Stored::Leave { key: rest.u64()?, table: rest.u32()? },
        REMOVE => Stored::Remove { key: rest.u64()? },
        STATE => {
            let next_key = rest.u64()?;
            Stored::State { next_key, bytes: std::mem::take(&mut rest.0) }
        }
        _ => return None,
    };
    rest.0.is_empty().then_some(stored)
}

/// What is still to be decoded.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn insert_payload(key: u64, item: &ItemBytes<'_>, left: &[u32]) -> Vec<u8> {
        [&insert_head(key, item, left).1, item.meta, item.blocks[0], item.blocks[1]].concat()
    }

    #[test]
    fn records_come_back_as_they_were() {
        let item = ItemBytes { meta: b"meta", blocks: [b"body", b""] };
        let payload = insert_payload(7, &item, &[2, 9]);
        assert_eq!(decode(INSERT, &payload), Some(Stored::Insert { key: 7, left: vec![2, 9], item }));
        let (kind, payload) = leave(7, 2);
        assert_eq!(decode(kind, &payload), Some(Stored::Leave { key: 7, table: 2 }));
        let (kind, payload) = remove(8);
        assert_eq!(decode(kind, &payload), Some(Stored::Remove { key: 8 }));
        let (kind, head) = state_head(9);
        let payload = [&head, b"marks".as_slice()].concat();
        assert_eq!(decode(kind, &payload), Some(Stored::State { next_key: 9, bytes: b"marks" }));
    }

    #[test]
    fn what_is_too_short_too_long_or_unknown_is_refused() {
        let item = ItemBytes { meta: b"meta", blocks: [b"body", b"states"] };
        let mut payload = insert_payload(7, &item, &[1]);
        assert!((0..payload.len()).all(|length| decode(INSERT, &payload[..length]).is_none()));
        payload.push(0);
        assert_eq!(decode(INSERT, &payload), None);
        assert_eq!(decode(REMOVE, &[0; 9]), None);
        assert_eq!(decode(0, &[]), None);
        assert_eq!(decode(5, &[0; 8]), None);
    }

    proptest! {
        #[test]
        fn hostile_lengths_are_refused(key: u64, lengths: [u64; 4], rest in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut payload = key.to_le_bytes().to_vec();
            lengths.iter().for_each(|length| payload.extend_from_slice(&length.to_le_bytes()));
            payload.extend_from_slice(&rest);
            let told = u128::from(lengths[0]) * 4 + lengths[1..].iter().map(|&length| u128::from(length)).sum::<u128>();
            prop_assert_eq!(decode(INSERT, &payload).is_some(), told == rest.len() as u128);
        }
    }
}
