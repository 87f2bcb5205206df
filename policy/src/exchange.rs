//! What the ranks exchange in a pass over a batch whose graphs are cut: halo rows before each layer, sums of pools, and the
//! embeddings that decisions are taken on.

use tch::{Device, Tensor};
use torch_extension::process_group::{ProcessGroup, Splits};

use crate::PolicyError;
use crate::segment::index;

/// What a rank exchanges with the others in a pass over a batch.
#[derive(Debug)]
pub(crate) struct Spread {
    /// Rows that edges leave, in every layer.
    pub(crate) halo: Exchange,
    /// Embeddings that decisions are taken on.
    pub(crate) decisive: Exchange,
    /// The first so many pooled graphs are spread.
    pub(crate) graphs: i64,
    /// Pooled graphs that this rank says something of.
    pub(crate) deciding: Tensor,
}

/// Rows that a rank exchanges with the others in one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangedRows {
    /// To all others together.
    pub sent: u64,
    /// From them: the halo.
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

/// A pass over a batch whose graphs are spread over the ranks of a group.
#[derive(Clone, Copy)]
pub(crate) struct Across<'a> {
    spread: &'a Spread,
    group: &'a ProcessGroup,
}

impl<'a> Across<'a> {
    /// `None` where all graphs of the batch are whole: it has no `spread`.
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

    /// `rows` of this rank's nodes with those of the halo behind them.
    pub(crate) fn with_halo(&self, rows: &Tensor) -> Result<Tensor, PolicyError> {
        self.spread.halo.append(rows, self.group)
    }

    /// `rows` of this rank's nodes with those behind them that its decisions need of others.
    pub(crate) fn with_decisive(&self, rows: &Tensor) -> Result<Tensor, PolicyError> {
        self.spread.decisive.append(rows, self.group)
    }

    /// Sums over nodes, `[pooled graphs, …]`, of the graphs that this rank says something of.
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
    /// `send[r]` are the rows that rank r needs; from it come `receive[r]`.
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
