//! The exchange between ranks in a pass over a batch with partitioned graphs: halo rows before each layer, sums for
//! pooling, and the embeddings that a decision needs.

use tch::{Device, Tensor};
use torch_extension::process_group::{ProcessGroup, Splits};

use crate::PolicyError;
use crate::segment::index;

/// What a rank exchanges with the other ranks in a pass over a batch.
#[derive(Debug)]
pub(crate) struct Spread {
    /// Rows of edge sources that other ranks own, exchanged in every layer.
    pub(crate) halo: Exchange,
    /// Embeddings that the deciding rank needs from other ranks.
    pub(crate) decisive: Exchange,
    /// Number of graphs that are spread over ranks; they are the first of the pooled graphs.
    pub(crate) graphs: i64,
    /// `[graphs]`, `Int64`: indices of the pooled graphs for which this rank yields outputs.
    pub(crate) deciding: Tensor,
}

/// Numbers of rows that a rank exchanges with the others in one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangedRows {
    /// Rows sent to all other ranks together.
    pub sent: u64,
    /// Rows received from all other ranks together: the size of the halo.
    pub received: u64,
}

impl Spread {
    pub(crate) fn moved_to(mut self, device: Device) -> Self {
        let places = [&mut self.halo.places, &mut self.decisive.places, &mut self.deciding];
        places.into_iter().for_each(|places| *places = places.to_device(device));
        self
    }

    pub(crate) fn rows(&self) -> ExchangedRows {
        let sum = |counts: &[i64]| counts.iter().sum::<i64>().unsigned_abs();
        let Splits { send, receive } = &self.halo.splits;
        ExchangedRows { sent: sum(send), received: sum(receive) }
    }
}

/// The exchange of one pass over a batch, with the process group whose ranks the graphs are spread over.
#[derive(Clone, Copy)]
pub(crate) struct Across<'a> {
    spread: &'a Spread,
    group: &'a ProcessGroup,
}

impl<'a> Across<'a> {
    /// `None` where the batch has no `spread`: all its graphs are whole.
    pub(crate) fn of(
        spread: Option<&'a Spread>,
        group: Option<&'a ProcessGroup>,
    ) -> Result<Option<Self>, PolicyError> {
        match (spread, group) {
            (None, _) => Ok(None),
            (Some(spread), Some(group)) => Ok(Some(Across { spread, group })),
            (Some(_), None) => Err(PolicyError::Alone),
        }
    }

    /// `[nodes + halo, width]`: `rows` of this rank's nodes, followed by the rows of the halo.
    pub(crate) fn with_halo(&self, rows: &Tensor) -> Result<Tensor, PolicyError> {
        self.spread.halo.append(rows, self.group)
    }

    /// `rows` of this rank's nodes, followed by the rows of other ranks that its decisions need.
    pub(crate) fn with_decisive(&self, rows: &Tensor) -> Result<Tensor, PolicyError> {
        self.spread.decisive.append(rows, self.group)
    }

    /// Adds up `totals` (`[pooled graphs, …]`, sums over this rank's nodes) over the ranks and returns the rows of the
    /// graphs for which this rank yields outputs, `[graphs, …]`.
    pub(crate) fn pooled(&self, totals: &Tensor) -> Result<Tensor, PolicyError> {
        let spread = self.spread.graphs;
        let sums = self.group.sum_over_ranks(&totals.narrow(0, 0, spread))?;
        let whole = totals.narrow(0, spread, totals.size()[0] - spread);
        Ok(Tensor::cat(&[sums, whole], 0).index_select(0, &self.spread.deciding))
    }
}

/// Rows that go to other ranks and come from them.
#[derive(Debug)]
pub(crate) struct Exchange {
    places: Tensor,
    splits: Splits,
}

impl Exchange {
    /// `send[r]` holds the indices of the rows that rank r needs; `receive[r]` is the number of rows that come from
    /// rank r.
    pub(crate) fn new(send: &[Vec<u32>], receive: Vec<i64>) -> Self {
        let places: Vec<i64> = send.iter().flatten().map(|&row| i64::from(row)).collect();
        let send = send.iter().map(|rows| rows.len() as i64).collect();
        Exchange { places: index(&places, Device::Cpu), splits: Splits { send, receive } }
    }

    fn append(&self, rows: &Tensor, group: &ProcessGroup) -> Result<Tensor, PolicyError> {
        let received = group.exchange_rows(rows, &self.places, &self.splits)?;
        Ok(Tensor::cat(&[rows, &received], 0))
    }
}
