//! Sums and softmaxes over groups of rows: edges by the node that they enter, options by their graph.

use tch::{Device, Kind, Tensor};

/// `[segments, …]`: row g is the sum of the rows whose entry in `segment` (`[rows]`, `Int64`) is g.
pub(crate) fn sum(rows: &Tensor, segment: &Tensor, segments: i64) -> Tensor {
    let mut shape = rows.size();
    shape[0] = segments;
    Tensor::zeros(shape.as_slice(), (rows.kind(), rows.device())).index_add(0, segment, rows)
}

/// Elementwise maximum of each segment, `[segments, …]`, without gradient; subtracted before an exponential for
/// stability.
fn max(rows: &Tensor, segment: &Tensor, segments: i64) -> Tensor {
    let mut shape = rows.size();
    shape[0] = segments;
    let mut index = segment.shallow_clone();
    for _ in 1..shape.len() {
        index = index.unsqueeze(-1);
    }
    tch::no_grad(|| {
        Tensor::full(shape.as_slice(), f64::NEG_INFINITY, (rows.kind(), rows.device()))
            .internal_scatter_reduce(0, &index.expand_as(rows), &rows.detach(), "amax", true)
    })
}

/// Log-softmax over the values of each segment, `[rows]`, nats.
pub(crate) fn log_softmax(values: &Tensor, segment: &Tensor, segments: i64) -> Tensor {
    let shifted = values - max(values, segment, segments).index_select(0, segment);
    let totals = sum(&shifted.exp(), segment, segments).log();
    shifted - totals.index_select(0, segment)
}

/// Entropy of each segment's distribution from its log-probabilities: `[segments]`, nats.
pub(crate) fn entropy(log_probabilities: &Tensor, segment: &Tensor, segments: i64) -> Tensor {
    sum(&(log_probabilities * log_probabilities.exp()), segment, segments).neg()
}

/// Row indices as an `Int64` tensor on `device`.
pub(crate) fn index(values: &[i64], device: Device) -> Tensor {
    Tensor::from_slice(values).to_kind(Kind::Int64).to_device(device)
}
