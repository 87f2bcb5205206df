//! CURVE keys: one pair for each role, in files.
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

/// Which key files [`make_keys`] has made and which were there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeKeys {
    /// Files that were made.
    pub made: Vec<PathBuf>,
    /// Files that were there and stay as they are.
    pub kept: Vec<PathBuf>,
}

/// Makes a pair for each role in a key folder. Complete pairs that are there stay, unless `replace` is set.
///
/// # Errors
/// [`TransportError::Key`] when one half of a pair is missing or holds no key, [`TransportError::KeyFile`] when a
/// file cannot be written. Nothing is written before every pair has been checked.
pub fn make_keys(folder: &Path, replace: bool) -> Result<MadeKeys, TransportError> {
    fs::create_dir_all(folder)
        .map_err(|source| TransportError::KeyFile { path: folder.to_owned(), source })?;
    let (mut missing, mut keys) = (Vec::new(), MadeKeys::default());
    for role in Role::ALL {
        if !replace && has_pair(folder, role)? {
            keys.kept.extend([public_path(folder, role), secret_path(folder, role)]);
        } else {
            missing.push(role);
        }
    }
    for role in missing {
        let (public, secret) = (public_path(folder, role), secret_path(folder, role));
        let pair = KeyPair::generate()?;
        write_key(&public, &pair.public, 0o644)?;
        write_key(&secret, &pair.secret, 0o600)?;
        keys.made.extend([public, secret]);
    }
    Ok(keys)
}

/// Whether both halves of a role's pair exist and are keys.
fn has_pair(folder: &Path, role: Role) -> Result<bool, TransportError> {
    let (public, secret) = (public_path(folder, role), secret_path(folder, role));
    let lone = |there: &Path, missing: &Path| {
        let message = format!(
            "is half a pair: {} is missing; bring it back, or remove this file so that a new pair is made (`--force` makes all \
             pairs anew)",
            missing.display()
        );
        Err(key_error(there, message))
    };
    match (public.exists(), secret.exists()) {
        (false, false) => Ok(false),
        (true, false) => lone(&public, &secret),
        (false, true) => lone(&secret, &public),
        (true, true) => {
            read_key(&public)?;
            check_mode(&secret)?;
            read_key(&secret).map(|_| true)
        }
    }
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
    let write = || -> std::io::Result<()> {
        // The mode is only set on a new file; an existing one may be readable by others.
        if path.exists() {
            fs::remove_file(path)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        writeln!(file, "{text}")?;
        file.sync_all()
    };
    write().map_err(|source| TransportError::KeyFile { path: path.to_owned(), source })
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
mod tests {
    use super::*;
    use common::ExitStatus as _;

    #[test]
    fn the_linked_library_can_do_curve() {
        curve_support().unwrap();
    }

    #[test]
    fn keys_are_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let made = make_keys(folder.path(), false).unwrap();
        assert_eq!((made.made.len(), made.kept.len()), (6, 0));
        let keys = Keys::load(folder.path(), Role::Actor).unwrap();
        assert_eq!(keys.role_of(keys.own().public()), Some(Role::Actor));
        assert_eq!(make_keys(folder.path(), false).unwrap(), MadeKeys { made: Vec::new(), kept: made.made });
        let same = Keys::load(folder.path(), Role::Actor).unwrap();
        assert_eq!(same.own().public(), keys.own().public());
        make_keys(folder.path(), true).unwrap();
        let fresh = Keys::load(folder.path(), Role::Actor).unwrap();
        assert_ne!(fresh.own().public(), keys.own().public());
    }

    #[test]
    fn missing_pairs_are_made_and_a_lone_half_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        make_keys(folder.path(), false).unwrap();
        let learner = fs::read(secret_path(folder.path(), Role::Learner)).unwrap();
        for path in [public_path(folder.path(), Role::Actor), secret_path(folder.path(), Role::Actor)] {
            fs::remove_file(path).unwrap();
        }
        let keys = make_keys(folder.path(), false).unwrap();
        assert_eq!((keys.made.len(), keys.kept.len()), (2, 4));
        assert!(keys.made.iter().all(|path| path.to_string_lossy().contains("actor.")));
        assert_eq!(fs::read(secret_path(folder.path(), Role::Learner)).unwrap(), learner);
        fs::remove_file(secret_path(folder.path(), Role::Actor)).unwrap();
        for path in [public_path(folder.path(), Role::Replay), secret_path(folder.path(), Role::Replay)] {
            fs::remove_file(path).unwrap();
        }
        let error = make_keys(folder.path(), false).unwrap_err();
        assert!(
            error.to_string().contains("actor.public") && error.to_string().contains("half a pair"),
            "{error}"
        );
        assert!(!public_path(folder.path(), Role::Replay).exists(), "nothing is made beside a lone half");
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
