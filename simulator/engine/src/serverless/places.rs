//! Ids of what comes and goes, invocations and containers: the high bits count those that came before, the low bits are the
//! place, which is used again. So ids rise with time and are never used twice, and places are dense: tables by place stay as
//! small as the largest number that was there at once.

use common::ids::{ContainerId, InvocationId};

/// Number of low bits of an id that are its place.
const PLACE_BITS: u32 = 28;

/// The id of what came after `count` others and lies at `place`.
pub(super) fn id_at(count: u64, place: u32) -> u64 {
    debug_assert!(place >> PLACE_BITS == 0, "so many would fill any memory");
    (count << PLACE_BITS) | u64::from(place)
}

/// Tells the lives of a place apart: a number that no other container of the same place has, but for a wrap-around that is too
/// far away to matter.
pub(super) fn life_of(container: ContainerId) -> u32 {
    (container.0 >> PLACE_BITS) as u32
}

fn place(id: u64) -> usize {
    (id & ((1 << PLACE_BITS) - 1)) as usize
}

/// Dense index of an invocation of `serverless` for tables of one's own; it is used again once the invocation has ended.
#[must_use]
#[inline]
pub fn invocation_place(id: InvocationId) -> usize {
    place(id.0)
}

/// Dense index of a container for tables of one's own; it is used again once the container is gone.
#[must_use]
#[inline]
pub fn container_place(id: ContainerId) -> usize {
    place(id.0)
}
