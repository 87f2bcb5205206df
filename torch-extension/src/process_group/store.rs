//! The store of c10d: a small key-value server where ranks find each other. One rank serves it, all are its clients.

use std::ffi::{CString, c_char};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::IntoRawFd as _;
use std::ptr;
use std::time::Duration;

use super::ffi::{self, Opaque};
use crate::TorchExtensionError;
use crate::ffi::{check, take_text};

/// One connection to the store, and on the rank that serves it the server, too.
#[derive(Debug)]
pub struct Store {
    raw: *mut Opaque,
}

// SAFETY: the object is a client with a lock of its own around every request; it belongs to no thread.
unsafe impl Send for Store {}

impl Store {
    /// Serves a store on `listener` and connects to it. What the listener is bound to is where others may come from.
    ///
    /// # Errors
    /// [`TorchExtensionError::Torch`] when libtorch cannot serve there.
    pub fn serve(listener: TcpListener, deadline: Duration) -> Result<Self, TorchExtensionError> {
        let address = listener.local_addr().map_err(|error| TorchExtensionError::Torch(error.to_string()))?;
        Self::open(address, listener.into_raw_fd(), deadline)
    }

    /// Connects to the store at `address`, trying again until `deadline` has passed.
    ///
    /// # Errors
    /// [`TorchExtensionError::Torch`] when no server answers there in time.
    pub fn connect(address: SocketAddr, deadline: Duration) -> Result<Self, TorchExtensionError> {
        Self::open(address, -1, deadline)
    }

    fn open(address: SocketAddr, listener: i32, deadline: Duration) -> Result<Self, TorchExtensionError> {
        let host = host_text(address.ip());
        let mut raw = ptr::null_mut();
        // SAFETY: the host ends with a zero byte and outlives the call; a listener that is not −1 is an open socket
        // that is handed over; `raw` is written only on success.
        check(unsafe {
            ffi::longshore_store_open(host.as_ptr(), address.port(), listener, millis(deadline), &mut raw)
        })?;
        Ok(Store { raw })
    }

    /// Adds `amount` to the number under `key` (0 where there is none yet) and returns the sum.
    ///
    /// # Errors
    /// [`TorchExtensionError::Torch`] when the server is gone.
    pub fn add(&self, key: &str, amount: i64) -> Result<i64, TorchExtensionError> {
        let (key, mut sum) = (text(key), 0);
        // SAFETY: the store is open as long as `self`; key and `sum` outlive the call.
        check(unsafe { ffi::longshore_store_add(self.raw, key.as_ptr(), amount, &mut sum) })?;
        Ok(sum)
    }

    /// Puts `value` under `key`.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn set(&self, key: &str, value: &str) -> Result<(), TorchExtensionError> {
        let key = text(key);
        // SAFETY: as above; pointer and length are those of one slice.
        check(unsafe { ffi::longshore_store_set(self.raw, key.as_ptr(), value.as_ptr(), value.len()) })
    }

    /// The value under `key`, or `None` where there is none; does not wait.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub fn read(&self, key: &str) -> Result<Option<String>, TorchExtensionError> {
        let key = text(key);
        let mut value: *mut c_char = ptr::null_mut();
        // SAFETY: as above; `value` is written before the call returns.
        check(unsafe { ffi::longshore_store_read(self.raw, key.as_ptr(), &mut value) })?;
        Ok((!value.is_null()).then(|| take_text(value)))
    }

    pub(super) fn raw(&self) -> *mut Opaque {
        self.raw
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: made by `longshore_store_open`, closed once.
        unsafe { ffi::longshore_store_close(self.raw) }
    }
}

/// Text for C++; what follows a zero byte is cut off.
fn text(text: &str) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).unwrap_or_default()
}

pub(super) fn host_text(address: IpAddr) -> CString {
    text(&address.to_string())
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
