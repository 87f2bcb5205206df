//! CURVE keys: one pair for each role, in files.
//!
//! A key folder holds `ROLE.public` and `ROLE.secret` for `learner`, `replay` and `actor`, each one line of Z85 text. A
//! service needs its own secret key and every public one. Secret files are readable by their owner alone.

use std::path::Path;

use crate::{Role, TransportError};

mod files;
mod making;

use files::{check_finished, check_mode, key_error, public_name, read_key, secret_name};
pub use making::{MadeKeys, make_keys, write_role_folders};

/// A CURVE key pair.
#[derive(Clone)]
pub struct KeyPair {
    public: [u8; 32],
    secret: [u8; 32],
}

impl KeyPair {
    /// Generates a new pair.
    ///
    /// # Errors
    /// [`TransportError::NoCurve`].
    pub fn generate() -> Result<Self, TransportError> {
        curve_support()?;
        let pair =
            zmq::CurveKeyPair::new().map_err(TransportError::socket("make a key pair with", "libzmq"))?;
        Ok(KeyPair { public: pair.public_key, secret: pair.secret_key })
    }

    /// Reads both halves of a role's pair.
    fn read(folder: &Path, role: Role) -> Result<Self, TransportError> {
        let (public, secret) = (folder.join(public_name(role)), folder.join(secret_name(role)));
        let key = read_key(&public)?;
        check_mode(&secret)?;
        let pair = KeyPair { public: key, secret: read_key(&secret)? };
        // A key pair of CURVE is one of X25519; the messaging library's Rust interface cannot derive its public half.
        if x25519_dalek::x25519(pair.secret, x25519_dalek::X25519_BASEPOINT_BYTES) == pair.public {
            return Ok(pair);
        }
        let message = format!(
            "does not belong to {}; bring back the file that does, or remove both and run `longshore keygen`, which makes a new \
             pair (every service then needs the new {})",
            secret.display(),
            public_name(role)
        );
        Err(key_error(&public, message))
    }

    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    pub(crate) fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A secret must not appear in a log.
        formatter.debug_struct("KeyPair").finish_non_exhaustive()
    }
}

/// The keys of one service: its own pair, and the public keys of all roles.
#[derive(Clone, Debug)]
pub struct Keys {
    role: Role,
    own: KeyPair,
    public: [[u8; 32]; 3],
}

impl Keys {
    /// Reads the keys of a service of `role` from a key folder, which need not hold the secrets of other roles.
    ///
    /// # Errors
    /// [`TransportError::Key`], also when others may read the secret, or when it does not belong to the public key.
    pub fn load(folder: &Path, role: Role) -> Result<Self, TransportError> {
        check_finished(folder)?;
        let mut public = [[0; 32]; 3];
        for (place, each) in public.iter_mut().zip(Role::ALL) {
            *place = read_key(&folder.join(public_name(each)))?;
        }
        Ok(Keys { role, own: KeyPair::read(folder, role)?, public })
    }

    /// The roles whose secret keys a key folder holds.
    #[must_use]
    pub fn roles_in(folder: &Path) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| folder.join(secret_name(*role)).exists()).collect()
    }

    /// Keys that are in no file: `own` for `role`, and the public halves of `all` (in the order of [`Role::ALL`]).
    #[must_use]
    pub fn from_pairs(role: Role, own: KeyPair, all: &[KeyPair; 3]) -> Self {
        Keys { role, own, public: [all[0].public, all[1].public, all[2].public] }
    }

    /// The role of the service.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    pub(crate) fn own(&self) -> &KeyPair {
        &self.own
    }

    pub(crate) fn public(&self, role: Role) -> &[u8] {
        &self.public[role as usize]
    }

    /// The role that a public key belongs to.
    pub(crate) fn role_of(&self, key: &[u8]) -> Option<Role> {
        Role::ALL.into_iter().find(|role| self.public(*role) == key)
    }
}

/// The version of the linked libzmq, where it supports CURVE.
///
/// # Errors
/// [`TransportError::NoCurve`].
pub fn curve_support() -> Result<String, TransportError> {
    let (major, minor, patch) = zmq::version();
    let version = format!("{major}.{minor}.{patch}");
    if zmq::has("curve") == Some(true) { Ok(version) } else { Err(TransportError::NoCurve { version }) }
}

#[cfg(test)]
mod tests;
