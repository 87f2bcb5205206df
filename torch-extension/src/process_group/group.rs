//! A process group of c10d: collective operations over Gloo for CPU tensors and over NCCL for GPU tensors. Every rank
//! calls the same operations in the same order. An operation that other ranks do not join fails when the group's
//! deadline has passed, or at once when a connection breaks.

use std::net::IpAddr;
use std::ptr;
use std::time::Duration;

use tch::{Device, Kind, Tensor};

use super::ffi::{self, Opaque};
use super::store::{Store, host_text, millis};
use crate::TorchExtensionError;
use crate::ffi::{check, handle, own};

/// Kinds that are moved and added.
const KINDS: [Kind; 5] = [Kind::Float, Kind::Double, Kind::Int64, Kind::Int, Kind::Uint8];
/// Kinds of rows that gradients flow through on their way to other ranks.
const ROW_KINDS: [Kind; 3] = [Kind::Float, Kind::Double, Kind::BFloat16];

/// A group of processes that compute together.
#[derive(Debug)]
pub struct ProcessGroup {
    raw: *mut Opaque,
    rank: usize,
    size: usize,
    /// Device number of this rank's GPU, once it has joined.
    gpu: Option<usize>,
}

// SAFETY: the object is a counted reference to a backend that has threads and locks of its own.
unsafe impl Send for ProcessGroup {}

/// Numbers of rows to send to and to receive from each rank; one entry per rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Splits {
    /// Number of rows to send to each rank.
    pub send: Vec<i64>,
    /// Number of rows to receive from each rank.
    pub receive: Vec<i64>,
}

impl ProcessGroup {
    /// Joins the group of `size` ranks that meets in `store`; `host` is the address of this machine that the others
    /// reach. Every later operation has `deadline`.
    ///
    /// # Errors
    /// [`TorchExtensionError::Argument`] for a rank that is not below `size`, [`TorchExtensionError::Torch`] when the
    /// others do not come in time.
    pub fn gloo(
        store: &Store,
        rank: usize,
        size: usize,
        host: IpAddr,
        deadline: Duration,
    ) -> Result<Self, TorchExtensionError> {
        let (Ok(c_rank), Ok(c_size), true) = (i32::try_from(rank), i32::try_from(size), rank < size) else {
            let expected = "a rank below the number of ranks".to_owned();
            return Err(TorchExtensionError::Argument {
                argument: "rank",
                found: format!("{rank} of {size}"),
                expected,
            });
        };
        let host = host_text(host);
        let mut raw = ptr::null_mut();
        // SAFETY: store and host outlive the call; the group takes a reference to the store of its own.
        check(unsafe {
            ffi::longshore_group_gloo(store.raw(), c_rank, c_size, host.as_ptr(), millis(deadline), &mut raw)
        })?;
        Ok(ProcessGroup { raw, rank, size, gpu: None })
    }

    /// Joins the ranks' GPUs, too; all must call it, each with a device of its own. Afterwards the group takes tensors
    /// of that device as well. `deadline` is as in [`ProcessGroup::gloo`].
    ///
    /// # Errors
    /// [`TorchExtensionError::Argument`] for a device that is no GPU, [`TorchExtensionError::Torch`] when NCCL is not
    /// loaded ([`crate::cuda::load`]) or the others do not come in time.
    pub fn join_gpu(
        &mut self,
        store: &Store,
        device: Device,
        deadline: Duration,
    ) -> Result<(), TorchExtensionError> {
        let Device::Cuda(number) = device else {
            return Err(argument("device", format!("{device:?}"), "a GPU".to_owned()));
        };
        // NCCL's own rendezvous has no deadline that ends the wait for a lost rank.
        self.barrier()?;
        // SAFETY: the group is ours alone (`&mut`), the store outlives the call.
        check(unsafe {
            ffi::longshore_group_join_gpu(self.raw, store.raw(), number as i32, millis(deadline))
        })?;
        self.gpu = Some(number);
        Ok(())
    }

    /// This process's rank in the group, counted from 0.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Number of processes in the group.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// Bytes of rows that this rank has sent to others in [`ProcessGroup::all_to_all`] and
    /// [`ProcessGroup::exchange_rows`], backwards included.
    #[must_use]
    pub fn exchanged_bytes(&self) -> u64 {
        // SAFETY: the group is open as long as `self`; the counter is atomic.
        unsafe { ffi::longshore_group_exchanged_bytes(self.raw) }.unsigned_abs()
    }

    /// Sums `tensor` over all ranks, in place. Every rank gets the same bits.
    ///
    /// # Errors
    /// [`TorchExtensionError::Argument`] for a tensor that cannot be moved, [`TorchExtensionError::Torch`] when a rank
    /// is lost or late.
    pub fn all_reduce(&self, tensor: &Tensor) -> Result<(), TorchExtensionError> {
        self.start_all_reduce(tensor)?.wait()
    }

    /// Starts [`ProcessGroup::all_reduce`] and returns at once; `tensor` must be left alone until it is done.
    ///
    /// # Errors
    /// As [`ProcessGroup::all_reduce`].
    pub fn start_all_reduce(&self, tensor: &Tensor) -> Result<PendingSum, TorchExtensionError> {
        self.check_movable("tensor", tensor)?;
        let mut work = ptr::null_mut();
        // SAFETY: the tensor is dense and of a kind and device that the group adds; C++ keeps a reference to its
        // memory.
        check(unsafe { ffi::longshore_group_all_reduce(self.raw, handle(tensor), &mut work) })?;
        Ok(PendingSum { work })
    }

    /// Gives every rank the values that `tensor` has on rank `root`, in place.
    ///
    /// # Errors
    /// As [`ProcessGroup::all_reduce`].
    pub fn broadcast(&self, tensor: &Tensor, root: usize) -> Result<(), TorchExtensionError> {
        self.check_movable("tensor", tensor)?;
        if root >= self.size {
            return Err(argument("root", format!("{root}"), format!("a rank below {}", self.size)));
        }
        // SAFETY: as in `start_all_reduce`; `root` is below `size`, which is an `i32`.
        check(unsafe { ffi::longshore_group_broadcast(self.raw, handle(tensor), root as i32) })
    }

    /// Returns when every rank has called it.
    ///
    /// # Errors
    /// [`TorchExtensionError::Torch`] when a rank is lost or late.
    pub fn barrier(&self) -> Result<(), TorchExtensionError> {
        // SAFETY: the group is open as long as `self`.
        check(unsafe { ffi::longshore_group_barrier(self.raw) })
    }

    /// Sends consecutive rows of `rows` to the ranks, `splits.send[r]` to rank r, and returns what came, in order of
    /// ranks.
    ///
    /// # Errors
    /// [`TorchExtensionError::Argument`] where rows and splits do not fit, else as [`ProcessGroup::all_reduce`].
    pub fn all_to_all(&self, rows: &Tensor, splits: &Splits) -> Result<Tensor, TorchExtensionError> {
        self.check_movable("rows", rows)?;
        self.check_splits(splits)?;
        let mut shape = rows.size();
        let sent: i64 = splits.send.iter().sum();
        if shape.first() != Some(&sent) {
            return Err(argument("rows", format!("{shape:?}"), format!("{sent} rows, as many as are sent")));
        }
        shape[0] = splits.receive.iter().sum();
        let received = Tensor::f_empty(shape.as_slice(), (rows.kind(), rows.device()))?;
        // SAFETY: both tensors are dense, of a device of the group, with as many rows as their splits add up to, and
        // each of the two split pointers has `size` entries.
        check(unsafe {
            ffi::longshore_group_all_to_all(
                self.raw,
                handle(&received),
                handle(rows),
                splits.receive.as_ptr(),
                splits.send.as_ptr(),
                self.size,
            )
        })?;
        Ok(received)
    }

    /// Sends `rows[places]` to the ranks, the first `splits.send[0]` places to rank 0 and so on, and returns the rows
    /// that came, in order of ranks. Differentiable in `rows`: in the backward the gradients of what was sent come back
    /// and are added up. All ranks must go through the same exchanges in the backward, so the result must take part in
    /// every rank's loss.
    ///
    /// `rows` is `[rows, width]` of `Float`, `Double` or `BFloat16`, in which they travel both ways (gradients of
    /// `BFloat16` rows are added up as `Float`); `places` is `[sum of splits.send]` of `Int64`.
    ///
    /// # Errors
    /// As [`ProcessGroup::all_to_all`].
    pub fn exchange_rows(
        &self,
        rows: &Tensor,
        places: &Tensor,
        splits: &Splits,
    ) -> Result<Tensor, TorchExtensionError> {
        let shape = rows.size();
        if shape.len() != 2 || !ROW_KINDS.contains(&rows.kind()) || !self.takes(rows.device()) {
            let found = format!("{:?} {shape:?} on {:?}", rows.kind(), rows.device());
            let expected = format!("a matrix of one of {ROW_KINDS:?} on {}", self.devices());
            return Err(argument("rows", found, expected));
        }
        self.check_splits(splits)?;
        let sent: i64 = splits.send.iter().sum();
        if places.size() != [sent] || places.kind() != Kind::Int64 || places.device() != rows.device() {
            let found = format!("{:?} {:?} on {:?}", places.kind(), places.size(), places.device());
            let expected = format!("Int64 [{sent}], as many as are sent, on {:?}", rows.device());
            return Err(argument("places", found, expected));
        }
        let mut received = ptr::null_mut();
        // SAFETY: shapes and kinds were checked, an index out of range is libtorch's own error; both split pointers
        // have `size` entries; the graph keeps its own references to the tensors and the group.
        check(unsafe {
            ffi::longshore_exchange_rows(
                self.raw,
                handle(rows),
                handle(places),
                splits.send.as_ptr(),
                splits.receive.as_ptr(),
                self.size,
                &mut received,
            )
        })?;
        Ok(own(received))
    }

    /// The sum of `mine` over all ranks. Differentiable: in the backward gradients are summed over the ranks, too, so
    /// `L` is the sum of all ranks' losses. As with [`ProcessGroup::exchange_rows`] every rank's loss must hold the
    /// result.
    ///
    /// # Errors
    /// As [`ProcessGroup::all_reduce`].
    pub fn sum_over_ranks(&self, mine: &Tensor) -> Result<Tensor, TorchExtensionError> {
        if !matches!(mine.kind(), Kind::Float | Kind::Double) || !self.takes(mine.device()) {
            let found = format!("{:?} on {:?}", mine.kind(), mine.device());
            return Err(argument("mine", found, format!("Float or Double on {}", self.devices())));
        }
        let mut sum = ptr::null_mut();
        // SAFETY: a float tensor of a device of the group; the graph keeps its own reference to the group.
        check(unsafe { ffi::longshore_sum_over_ranks(self.raw, handle(mine), &mut sum) })?;
        Ok(own(sum))
    }

    fn takes(&self, device: Device) -> bool {
        device == Device::Cpu || self.gpu.is_some_and(|number| device == Device::Cuda(number))
    }

    fn devices(&self) -> String {
        self.gpu.map_or_else(|| "the CPU".to_owned(), |number| format!("the CPU or cuda:{number}"))
    }

    fn check_movable(&self, name: &'static str, tensor: &Tensor) -> Result<(), TorchExtensionError> {
        let fits = self.takes(tensor.device()) && KINDS.contains(&tensor.kind()) && tensor.is_contiguous();
        if fits {
            return Ok(());
        }
        let dense = if tensor.is_contiguous() { "dense" } else { "with strides" };
        let found = format!("{dense} {:?} on {:?}", tensor.kind(), tensor.device());
        Err(argument(name, found, format!("dense, on {}, one of {KINDS:?}", self.devices())))
    }

    fn check_splits(&self, splits: &Splits) -> Result<(), TorchExtensionError> {
        for (name, counts) in [("splits.send", &splits.send), ("splits.receive", &splits.receive)] {
            if counts.len() != self.size || counts.iter().any(|&count| count < 0) {
                let expected = format!("{} counts, none below zero", self.size);
                return Err(argument(name, format!("{counts:?}"), expected));
            }
        }
        Ok(())
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // SAFETY: made by `longshore_group_gloo`, closed once; graphs that still need it have references of their own.
        unsafe { ffi::longshore_group_close(self.raw) }
    }
}

/// An unfinished sum over the ranks.
#[derive(Debug)]
#[must_use = "the tensor holds the sum only after `wait`"]
pub struct PendingSum {
    work: *mut Opaque,
}

impl PendingSum {
    /// Waits until the tensor holds the sum.
    ///
    /// # Errors
    /// [`TorchExtensionError::Torch`] when a rank is lost or late.
    pub fn wait(self) -> Result<(), TorchExtensionError> {
        // SAFETY: made by `longshore_group_all_reduce` and open until `self` is dropped.
        check(unsafe { ffi::longshore_work_finish(self.work) })
    }
}

impl Drop for PendingSum {
    fn drop(&mut self) {
        // SAFETY: closed once; the operation itself keeps what it works on.
        unsafe { ffi::longshore_work_close(self.work) }
    }
}

fn argument(argument: &'static str, found: String, expected: String) -> TorchExtensionError {
    TorchExtensionError::Argument { argument, found, expected }
}
