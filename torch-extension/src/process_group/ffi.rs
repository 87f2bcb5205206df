//! What `process_group.cpp` and `exchange.cpp` offer. Tensors cross as pointers to libtorch's own objects.

use std::ffi::{c_char, c_int};
use std::marker::{PhantomData, PhantomPinned};

use torch_sys::C_tensor;

/// Something that C++ made and only C++ looks into.
#[repr(C)]
pub(super) struct Opaque {
    bytes: [u8; 0],
    marker: PhantomData<(*mut u8, PhantomPinned)>,
}

unsafe extern "C" {
    pub(super) fn longshore_store_open(
        host: *const c_char,
        port: u16,
        listener: c_int,
        timeout_ms: i64,
        out: *mut *mut Opaque,
    ) -> *mut c_char;
    pub(super) fn longshore_store_close(store: *mut Opaque);
    pub(super) fn longshore_store_add(
        store: *mut Opaque,
        key: *const c_char,
        amount: i64,
        out: *mut i64,
    ) -> *mut c_char;
    pub(super) fn longshore_store_set(
        store: *mut Opaque,
        key: *const c_char,
        bytes: *const u8,
        count: usize,
    ) -> *mut c_char;
    pub(super) fn longshore_store_read(
        store: *mut Opaque,
        key: *const c_char,
        out: *mut *mut c_char,
    ) -> *mut c_char;
    pub(super) fn longshore_group_gloo(
        store: *mut Opaque,
        rank: c_int,
        size: c_int,
        host: *const c_char,
        timeout_ms: i64,
        out: *mut *mut Opaque,
    ) -> *mut c_char;
    pub(super) fn longshore_group_join_gpu(
        group: *mut Opaque,
        store: *mut Opaque,
        device: c_int,
        timeout_ms: i64,
    ) -> *mut c_char;
    pub(super) fn longshore_group_close(group: *mut Opaque);
    pub(super) fn longshore_group_exchanged_bytes(group: *mut Opaque) -> i64;
    pub(super) fn longshore_group_all_reduce(
        group: *mut Opaque,
        tensor: *const C_tensor,
        out: *mut *mut Opaque,
    ) -> *mut c_char;
    pub(super) fn longshore_work_finish(work: *mut Opaque) -> *mut c_char;
    pub(super) fn longshore_work_close(work: *mut Opaque);
    pub(super) fn longshore_group_broadcast(
        group: *mut Opaque,
        tensor: *const C_tensor,
        root: c_int,
    ) -> *mut c_char;
    pub(super) fn longshore_group_barrier(group: *mut Opaque) -> *mut c_char;
    pub(super) fn longshore_group_all_to_all(
        group: *mut Opaque,
        output: *const C_tensor,
        input: *const C_tensor,
        output_counts: *const i64,
        input_counts: *const i64,
        ranks: usize,
    ) -> *mut c_char;
    pub(super) fn longshore_exchange_rows(
        group: *mut Opaque,
        rows: *const C_tensor,
        places: *const C_tensor,
        send: *const i64,
        receive: *const i64,
        ranks: usize,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    pub(super) fn longshore_sum_over_ranks(
        group: *mut Opaque,
        mine: *const C_tensor,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
}
