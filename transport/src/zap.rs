//! The authenticator of ZeroMQ (its RFC 27): decides for each connecting key which role it belongs to, and whether it may connect.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::TransportError;
use crate::domain::Domain;
use crate::keys::Keys;
use crate::poll::wait;
use crate::refusals::{HandshakeWatch, RefusalLog};

const ADDRESS: &str = "inproc://zeromq.zap.01";
const POLL: Duration = Duration::from_millis(100);

/// Answers on a thread of its own until it is dropped.
pub(crate) struct ZapHandler {
    stop: common::Shutdown,
    watches: Sender<HandshakeWatch>,
    thread: Option<JoinHandle<()>>,
}

impl ZapHandler {
    pub(crate) fn start(context: &zmq::Context, keys: Arc<Keys>) -> Result<Self, TransportError> {
        let socket = context.socket(zmq::REP).map_err(TransportError::socket("open", ADDRESS))?;
        socket.set_linger(0).map_err(TransportError::socket("set up", ADDRESS))?;
        socket.bind(ADDRESS).map_err(TransportError::socket("bind", ADDRESS))?;
        let stop = common::Shutdown::new();
        let stopped = stop.clone();
        let (watches, watched) = channel();
        let thread = std::thread::Builder::new()
            .name("zap".to_owned())
            .spawn(move || serve(&socket, &keys, &watched, &stopped))
            .map_err(|source| TransportError::Thread { name: "zap", source })?;
        Ok(ZapHandler { stop, watches, thread: Some(thread) })
    }

    /// Logs failed handshakes of another socket from now on.
    pub(crate) fn watch(&self, watch: HandshakeWatch) {
        // The thread ends only when this handler is dropped.
        let _ = self.watches.send(watch);
    }
}

impl Drop for ZapHandler {
    fn drop(&mut self) {
        self.stop.trigger();
        if let Some(thread) = self.thread.take() {
            // It can only have panicked, and then there is nothing to wait for.
            let _ = thread.join();
        }
    }
}

fn serve(socket: &zmq::Socket, keys: &Keys, watched: &Receiver<HandshakeWatch>, stop: &common::Shutdown) {
    let mut log = RefusalLog::default();
    let mut watches = Vec::new();
    while !stop.is_triggered() {
        wait(&[socket], POLL);
        watches.extend(watched.try_iter());
        watches.iter().for_each(|watch: &HandshakeWatch| watch.log_failures(&mut log));
        while let Ok(request) = socket.recv_multipart(zmq::DONTWAIT) {
            let verdict = judge(&request, keys);
            if let Err(reason) = &verdict {
                let address = request.get(3).map(|bytes| String::from_utf8_lossy(bytes));
                log.refused(&address.unwrap_or_default(), reason);
            }
            let reply = answer(&request, &verdict);
            if let Err(error) = socket.send_multipart(reply, zmq::DONTWAIT) {
                tracing::debug!(%error, "an authentication request could not be answered");
            }
        }
    }
}

/// The name of the role that may connect. Request frames: version, id, domain, address, identity, mechanism, key.
fn judge(request: &[Vec<u8>], keys: &Keys) -> Result<&'static str, &'static str> {
    let [version, _, domain, _, _, mechanism, key] = request else { return Err("a malformed request") };
    if version != b"1.0" || mechanism != b"CURVE" {
        return Err("no CURVE key");
    }
    let role = keys.role_of(key).ok_or("an unknown key")?;
    let domain = Domain::from_name(domain).ok_or("an unknown domain")?;
    if domain.admits(role) { Ok(role.name()) } else { Err("a role that may not connect here") }
}

/// Reply frames: version, id, status, text, user id, metadata.
fn answer(request: &[Vec<u8>], verdict: &Result<&'static str, &'static str>) -> Vec<Vec<u8>> {
    let id = request.get(1).cloned().unwrap_or_default();
    let (status, text, user) = match verdict {
        Ok(role) => ("200", "OK", *role),
        Err(reason) => ("400", *reason, ""),
    };
    vec![b"1.0".to_vec(), id, status.into(), text.into(), user.into(), Vec::new()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyPair, Role};

    fn request(domain: &str, key: &[u8]) -> Vec<Vec<u8>> {
        let frames: [&[u8]; 7] = [b"1.0", b"1", domain.as_bytes(), b"127.0.0.1", b"", b"CURVE", key];
        frames.iter().map(|frame| frame.to_vec()).collect()
    }

    #[test]
    fn keys_open_the_doors_of_their_role_only() {
        let pairs = [(); 3].map(|()| KeyPair::generate().unwrap());
        let keys = Keys::from_pairs(Role::Replay, pairs[1].clone(), &pairs);
        let key = |role: Role| pairs[role as usize].public().to_vec();
        assert_eq!(judge(&request("longshore.shard", &key(Role::Actor)), &keys), Ok("actor"));
        assert!(judge(&request("longshore.weights", &key(Role::Learner)), &keys).is_err());
        assert!(judge(&request("elsewhere", &key(Role::Actor)), &keys).is_err());
        assert!(judge(&request("longshore.shard", &[7; 32]), &keys).is_err());
        assert!(judge(&request("longshore.shard", &key(Role::Actor))[..5], &keys).is_err());
    }
}
