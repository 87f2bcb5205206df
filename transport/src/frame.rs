//! The bytes of one frame, shared between their holders, sockets included.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The bytes of one frame, received from a socket or made to be sent. A clone shares them.
#[derive(Clone)]
pub struct Frame(Arc<Bytes>);

enum Bytes {
    Received(zmq::Message),
    Made(Vec<u8>),
}

impl Frame {
    pub(crate) fn from_message(message: zmq::Message) -> Self {
        Frame(Arc::new(Bytes::Received(message)))
    }
}

#[cfg(test)]
impl Frame {
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &*self.0 {
            Bytes::Received(message) => message,
            Bytes::Made(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Frame(Arc::new(Bytes::Made(bytes)))
    }
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        Frame::from(bytes.to_vec())
    }
}

impl PartialEq for Frame {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Frame {}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Frame({} bytes)", self.len())
    }
}
