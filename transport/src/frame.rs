//! Bytes of one frame, without a copy between socket and owner.

use std::fmt;
use std::ops::Deref;

/// The bytes of one frame, as they came from a socket or as they will go to one. A clone copies the bytes.
pub struct Frame(zmq::Message);

impl Frame {
    pub(crate) fn into_message(self) -> zmq::Message {
        self.0
    }

    /// What the connection says of the frame's sender, e.g. the user that its key stands for.
    pub(crate) fn property(&mut self, name: &str) -> Option<&str> {
        self.0.gets(name)
    }

    pub(crate) fn from_message(message: zmq::Message) -> Self {
        Frame(message)
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Frame(zmq::Message::from(bytes))
    }
}

impl From<&[u8]> for Frame {
    fn from(bytes: &[u8]) -> Self {
        Frame(zmq::Message::from(bytes))
    }
}

impl Clone for Frame {
    fn clone(&self) -> Self {
        Frame::from(&**self)
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
