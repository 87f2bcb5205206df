//! Arrays that keep their memory from pass to pass.

/// `values` as `length` numbers of unknown content.
pub(super) fn sized(values: &mut Vec<f32>, length: usize) -> &mut [f32] {
    values.resize(length, 0.0);
    values
}

/// Appends the rows of `table` that `places` name.
pub(super) fn gather(table: &[f32], width: usize, places: &[i64], to: &mut Vec<f32>) {
    to.clear();
    for &place in places {
        let place = place as usize;
        to.extend_from_slice(&table[place * width..(place + 1) * width]);
    }
}

/// Adds to each row of `to` the row of `table` that `places` names for it.
pub(super) fn gather_adding(table: &[f32], width: usize, places: &[i64], to: &mut [f32]) {
    for (row, &place) in to.chunks_exact_mut(width).zip(places) {
        let place = place as usize;
        row.iter_mut().zip(&table[place * width..(place + 1) * width]).for_each(|(to, from)| *to += from);
    }
}
