//! Sums and softmaxes over groups of rows: edges by the node that they enter, candidates by their graph.

use tch::{Device, Kind, Tensor};

/// Row g of the result is the sum of the rows whose `segment` is g.
pub(crate) fn sum(rows: &Tensor, segment: &Tensor, segments: i64) -> Tensor {
    let mut shape = rows.size();
    shape[0] = segments;
    Tensor::zeros(shape.as_slice(), (rows.kind(), rows.device())).index_add(0, segment, rows)
}

/// The largest row of each segment, without gradient; meant to be subtracted before an exponential.
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

/// Logarithm of the softmax over the values of each segment.
pub(crate) fn log_softmax(values: &Tensor, segment: &Tensor, segments: i64) -> Tensor {
    let shifted = values - max(values, segment, segments).index_select(0, segment);
    let totals = sum(&shifted.exp(), segment, segments).log();
    shifted - totals.index_select(0, segment)
}

/// Entropy of each segment's distribution given its log-probabilities, in nats.
pub(crate) fn entropy(log_probabilities: &Tensor, segment: &Tensor, segments: i64) -> Tensor {
    sum(&(log_probabilities * log_probabilities.exp()), segment, segments).neg()
}

/// A tensor of indices of rows on `device`.
pub(crate) fn index(values: &[i64], device: Device) -> Tensor {
    Tensor::from_slice(values).to_kind(Kind::Int64).to_device(device)
}
