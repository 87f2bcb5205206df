//! How links are protected, and the context that all sockets of a process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use configuration::TransportConfig;

use crate::keys::{Keys, curve_support};
use crate::message::Role;
use crate::refusals::HandshakeWatch;
use crate::zap::ZapHandler;
use crate::{Endpoint, TransportError};

const DEFAULT_MAX_FRAME_BYTES: i64 = 256 << 20;

/// How TCP links are protected.
#[derive(Clone, Debug)]
pub enum Security {
    /// Neither encrypted nor authenticated: only loopback may be bound, unless `insecure` is set.
    Plain {
        /// Allows any address to be bound.
        insecure: bool,
    },
    /// Encrypted; a peer is known by its key, and each socket accepts certain roles only.
    Curve(Arc<Keys>),
}

/// The base of all sockets: one context (services of one process that share it can talk over `inproc://`) and how links are
/// protected. Clones share the context.
#[derive(Clone)]
pub struct Transport {
    context: zmq::Context,
    security: Security,
    max_frame_bytes: i64,
    // Authenticates peers of the context's bound sockets as long as a clone may bind one.
    zap: Option<Arc<ZapHandler>>,
}

impl Transport {
    /// A transport for services within one process.
    #[must_use]
    pub fn inproc() -> Self {
        Transport {
            context: zmq::Context::new(),
            security: Security::Plain { insecure: false },
            max_frame_bytes: DEFAULT_MAX_FRAME_BYTES,
            zap: None,
        }
    }

    /// A transport between processes.
    ///
    /// # Errors
    /// [`TransportError::NoCurve`]; [`TransportError::Thread`].
    pub fn tcp(security: Security) -> Result<Self, TransportError> {
        let mut transport = Transport { security, ..Transport::inproc() };
        if let Security::Curve(keys) = &transport.security {
            curve_support()?;
            let handler = ZapHandler::start(&transport.context, Arc::clone(keys))?;
            transport.zap = Some(Arc::new(handler));
        }
        Ok(transport)
    }

    /// The transport of a service of `role`, as configured.
    ///
    /// # Errors
    /// [`TransportError::Key`] and those of [`Transport::tcp`].
    pub fn from_config(config: &TransportConfig, role: Role) -> Result<Self, TransportError> {
        let security = match &config.keys {
            Some(folder) => Security::Curve(Arc::new(Keys::load(folder, role)?)),
            None => Security::Plain { insecure: config.insecure },
        };
        Ok(Transport::tcp(security)?.bounded(config))
    }

    /// The same, with the largest frame that `config` allows.
    pub(crate) fn bounded(mut self, config: &TransportConfig) -> Self {
        self.max_frame_bytes = i64::from(config.max_frame_mib) << 20;
        self
    }

    pub(crate) fn context(&self) -> &zmq::Context {
        &self.context
    }

    pub(crate) fn security(&self) -> &Security {
        &self.security
    }

    /// Logs failed handshakes with `socket`; must be called before the socket is bound.
    pub(crate) fn watch(&self, socket: &zmq::Socket, endpoint: &Endpoint) -> Result<(), TransportError> {
        static WATCHES: AtomicU64 = AtomicU64::new(0);
        if let Some(zap) = &self.zap {
            let number = WATCHES.fetch_add(1, Ordering::Relaxed);
            zap.watch(HandshakeWatch::new(&self.context, socket, endpoint, number)?);
        }
        Ok(())
    }

    pub(crate) fn max_frame_bytes(&self) -> i64 {
        self.max_frame_bytes
    }

    pub(crate) fn check_bind(&self, endpoint: &Endpoint) -> Result<(), TransportError> {
        match self.security {
            Security::Plain { insecure: false } if !endpoint.is_local() => {
                Err(TransportError::InsecureBind { endpoint: endpoint.to_string() })
            }
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Transport").field("security", &self.security).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ExitStatus as _;

    #[test]
    fn a_bind_beyond_loopback_needs_keys_or_a_word() {
        let outside: Endpoint = "tcp://0.0.0.0:7000".parse().unwrap();
        let plain = Transport::tcp(Security::Plain { insecure: false }).unwrap();
        let error = plain.check_bind(&outside).unwrap_err();
        assert_eq!(error.exit_code(), common::ExitCode::Security);
        Transport::tcp(Security::Plain { insecure: true }).unwrap().check_bind(&outside).unwrap();
    }
}
