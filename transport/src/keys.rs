//! CURVE keys: one pair a role, in files.
//!
//! A key folder holds `ROLE.public` and `ROLE.secret` for `learner`, `replay` and `actor`, each one line of Z85 text. A
//! service needs its own secret key and every public one. Secret files are readable by their owner alone.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::{Role, TransportError};

/// A CURVE key pair.
#[derive(Clone)]
pub struct KeyPair {
    public: [u8; 32],
    secret: [u8; 32],
}

impl KeyPair {
    /// A fresh pair.
    ///
    /// # Errors
    /// [`TransportError::NoCurve`].
    pub fn generate() -> Result<Self, TransportError> {
        crate::security::curve_support()?;
        let pair =
            zmq::CurveKeyPair::new().map_err(TransportError::socket("make a key pair with", "libzmq"))?;
        Ok(KeyPair { public: pair.public_key, secret: pair.secret_key })
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
        // A secret has no business in a log.
        formatter.debug_struct("KeyPair").finish_non_exhaustive()
    }
}

/// What one service holds: its own pair, and the public keys of all roles.
#[derive(Clone, Debug)]
pub struct Keys {
    role: Role,
    own: KeyPair,
    public: [[u8; 32]; 3],
}

impl Keys {
    /// Reads the keys of a service of `role` from a key folder.
    ///
    /// # Errors
    /// [`TransportError::Key`], also when others may read the secret.
    pub fn load(folder: &Path, role: Role) -> Result<Self, TransportError> {
        let mut public = [[0; 32]; 3];
        for (place, each) in public.iter_mut().zip(Role::ALL) {
            *place = read_key(&public_path(folder, each))?;
        }
        let path = secret_path(folder, role);
        check_mode(&path)?;
        let own = KeyPair { public: public[role as usize], secret: read_key(&path)? };
        Ok(Keys { role, own, public })
    }

    /// Keys that are in no file: `own` for `role`, and the public halves of `all` (in the order of [`Role::ALL`]).
    #[must_use]
    pub fn from_pairs(role: Role, own: KeyPair, all: &[KeyPair; 3]) -> Self {
        Keys { role, own, public: [all[0].public, all[1].public, all[2].public] }
    }

    /// Whose they are.
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

    /// Whose key this is, among those that are known.
    pub(crate) fn role_of(&self, key: &[u8]) -> Option<Role> {
        Role::ALL.into_iter().find(|role| self.public(*role) == key)
    }
}

/// Makes a key folder with a fresh pair for each role and returns the files written.
///
/// # Errors
/// [`TransportError::Key`] when any of the files exists and `replace` is not set, or cannot be written.
pub fn make_keys(folder: &Path, replace: bool) -> Result<Vec<PathBuf>, TransportError> {
    fs::create_dir_all(folder).map_err(|error| key_error(folder, format!("cannot be made: {error}")))?;
    let paths = Role::ALL.map(|role| (role, public_path(folder, role), secret_path(folder, role)));
    if !replace {
        for path in paths.iter().flat_map(|(_, public, secret)| [public, secret]) {
            if path.exists() {
                return Err(key_error(path, "exists; services that use it would be locked out".to_owned()));
            }
        }
    }
    let mut written = Vec::new();
    for (_, public, secret) in paths {
        let pair = KeyPair::generate()?;
        write_key(&public, &pair.public, 0o644)?;
        write_key(&secret, &pair.secret, 0o600)?;
        written.extend([public, secret]);
    }
    Ok(written)
}

fn public_path(folder: &Path, role: Role) -> PathBuf {
    folder.join(format!("{role}.public"))
}

fn secret_path(folder: &Path, role: Role) -> PathBuf {
    folder.join(format!("{role}.secret"))
}

fn key_error(path: &Path, message: String) -> TransportError {
    TransportError::Key { path: path.to_owned(), message }
}

fn read_key(path: &Path) -> Result<[u8; 32], TransportError> {
    let text = fs::read_to_string(path)
        .map_err(|error| key_error(path, format!("{error}; `longshore keygen` makes it")))?;
    zmq::z85_decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok()).ok_or_else(|| {
        key_error(path, "holds no key: one line of 40 characters of Z85 is expected".to_owned())
    })
}

fn check_mode(path: &Path) -> Result<(), TransportError> {
    let metadata = fs::metadata(path)
        .map_err(|error| key_error(path, format!("{error}; `longshore keygen` makes it")))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(key_error(path, format!("others may read it (mode {mode:03o}); run: chmod 600 {}", path.display())))
}

fn write_key(path: &Path, key: &[u8; 32], mode: u32) -> Result<(), TransportError> {
    let text = zmq::z85_encode(key).map_err(|_| key_error(path, "the key cannot be encoded".to_owned()))?;
    let write = || {
        // The mode counts only for a file that is made: an old one might be open to others.
        if path.exists() {
            fs::remove_file(path)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        writeln!(file, "{text}")?;
        file.sync_all()
    };
    write().map_err(|error: std::io::Error| key_error(path, format!("cannot be written: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(make_keys(folder.path(), false).unwrap().len(), 6);
        let keys = Keys::load(folder.path(), Role::Actor).unwrap();
        assert_eq!(keys.role_of(keys.own().public()), Some(Role::Actor));
        assert!(make_keys(folder.path(), false).unwrap_err().to_string().contains("exists"));
        make_keys(folder.path(), true).unwrap();
        let fresh = Keys::load(folder.path(), Role::Actor).unwrap();
        assert_ne!(fresh.own().public(), keys.own().public());
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        make_keys(folder.path(), false).unwrap();
        let path = secret_path(folder.path(), Role::Replay);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Keys::load(folder.path(), Role::Replay).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Security);
    }

    #[test]
    fn a_file_without_a_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        make_keys(folder.path(), false).unwrap();
        fs::write(folder.path().join("learner.public"), "not a key").unwrap();
        let error = Keys::load(folder.path(), Role::Actor).unwrap_err();
        assert!(error.to_string().contains("learner.public"), "{error}");
    }
}
