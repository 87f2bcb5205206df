//! Sends a frame without copying it: the library reads the bytes where they are, and drops its reference to them when it has
//! sent them. The `zmq` crate only sends bytes that it may keep, or a copy (docs/decisions/frames-without-copies.md).

#![expect(unsafe_code, reason = "the library takes shared bytes only through its C interface")]
#![deny(clippy::undocumented_unsafe_blocks)]

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;

use crate::Frame;

/// Frames of at most so many bytes are copied: that costs less than sharing them.
const COPIED: usize = 4 << 10;

/// Sends one frame of a message; the socket keeps a reference to its bytes until they are sent.
pub(crate) fn send(socket: &mut zmq::Socket, frame: &Frame, flags: i32) -> Result<(), zmq::Error> {
    if frame.len() <= COPIED {
        return socket.send(&**frame, flags);
    }
    let shared = Box::into_raw(Box::new(frame.clone()));
    let mut message = MaybeUninit::<zmq_sys::zmq_msg_t>::uninit();
    // SAFETY: `shared` is a frame of our own on the heap, whose bytes neither move nor change while it lives; `message` is
    // room for a message, which this call initialises. The library calls `release` with `shared` exactly once, when it
    // needs the bytes no more, from any thread: a frame may go to another thread and be dropped there.
    let made = unsafe {
        let bytes: &[u8] = &*shared;
        let data = bytes.as_ptr().cast_mut().cast::<c_void>();
        zmq_sys::zmq_msg_init_data(message.as_mut_ptr(), data, bytes.len(), Some(release), shared.cast())
    };
    if made != 0 {
        // SAFETY: the library has not taken the reference, and there is no other copy of the pointer.
        drop(unsafe { Box::from_raw(shared) });
        return Err(zmq::Error::ENOMEM);
    }
    // SAFETY: `message` was initialised above, and the socket lives as long as its owner's reference to it.
    let sent = unsafe { zmq_sys::zmq_msg_send(message.as_mut_ptr(), socket.as_mut_ptr(), flags as c_int) };
    if sent >= 0 {
        return Ok(());
    }
    // SAFETY: reads the error of the previous call on this thread.
    let error = zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() });
    // SAFETY: a message that was not sent is still ours; closing it releases the reference.
    unsafe { zmq_sys::zmq_msg_close(message.as_mut_ptr()) };
    Err(error)
}

/// Drops the library's reference to a frame.
extern "C" fn release(_bytes: *mut c_void, shared: *mut c_void) {
    // SAFETY: `shared` is what `send` made of a box, and the library passes it here once.
    drop(unsafe { Box::from_raw(shared.cast::<Frame>()) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket;

    #[test]
    fn shared_bytes_arrive_and_are_released() {
        let context = zmq::Context::new();
        let pair = |bind: bool| {
            let socket = context.socket(zmq::PAIR).unwrap();
            let end = if bind { socket.bind("inproc://shared") } else { socket.connect("inproc://shared") };
            end.unwrap();
            socket
        };
        let (mut here, there) = (pair(true), pair(false));
        for size in [0, 1, COPIED, COPIED + 1, 300_000] {
            let frame = Frame::from(vec![size as u8; size]);
            send(&mut here, &frame, zmq::SNDMORE).unwrap();
            send(&mut here, &frame, 0).unwrap();
            let received = socket::receive(&there).unwrap();
            assert_eq!(received, [frame.clone(), frame.clone()]);
            drop(received);
            assert_eq!(frame.holders(), 1, "{size}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_released() {
        let context = zmq::Context::new();
        let mut socket = context.socket(zmq::PUSH).unwrap();
        let frame = Frame::from(vec![7; 100_000]);
        assert_eq!(send(&mut socket, &frame, zmq::DONTWAIT), Err(zmq::Error::EAGAIN));
        assert_eq!(frame.holders(), 1);
    }

    #[test]
    fn what_is_queued_is_released_with_its_socket() {
        let context = zmq::Context::new();
        let mut here = context.socket(zmq::PAIR).unwrap();
        here.bind("inproc://queued").unwrap();
        let there = context.socket(zmq::PAIR).unwrap();
        there.connect("inproc://queued").unwrap();
        let frame = Frame::from(vec![7; 100_000]);
        send(&mut here, &frame, 0).unwrap();
        assert_eq!(frame.holders(), 2);
        drop((here, there));
        drop(context);
        assert_eq!(frame.holders(), 1);
    }
}
