//! `longshore keygen`: makes the pairs of a key folder, and folders with what one role needs of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::KeyPair;
use super::files::{NewFile, cannot_write, finish, key_error, public_name, put, secret_name};
use crate::{Role, TransportError};

/// Which key files were made and which were there before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MadeKeys {
    /// Files that were made.
    pub made: Vec<PathBuf>,
    /// Files that were there and stay as they are.
    pub kept: Vec<PathBuf>,
}

/// Makes a pair for each role in a key folder. Complete pairs that are there stay, unless `replace` is set. What an
/// interrupted call has left is completed first.
///
/// # Errors
/// [`TransportError::Key`] when one half of a pair is missing, holds no key or does not belong to the other,
/// [`TransportError::KeyFile`] when a file cannot be written. Nothing is written before every pair has been checked.
pub fn make_keys(folder: &Path, replace: bool) -> Result<MadeKeys, TransportError> {
    fs::create_dir_all(folder).map_err(cannot_write(folder))?;
    let _lock = lock(folder);
    let mut keys = MadeKeys { made: finish(folder)?, kept: Vec::new() };
    let mut missing = Vec::new();
    for role in Role::ALL {
        if !replace && has_pair(folder, role)? {
            keys.kept.extend([folder.join(public_name(role)), folder.join(secret_name(role))]);
        } else {
            missing.push(role);
        }
    }
    keys.kept.retain(|path| !keys.made.contains(path));
    if missing.is_empty() {
        return Ok(keys);
    }
    let mut files = Vec::new();
    for role in missing {
        let pair = KeyPair::generate()?;
        files.push(public_file(role, &pair));
        files.push(secret_file(role, &pair));
    }
    put(folder, &files)?;
    keys.made.extend(files.into_iter().map(|file| folder.join(file.name)));
    Ok(keys)
}

/// Brings the folders `learner`, `replay` and `actor` of a key folder up to date: each holds the secret key of its role
/// and every public key, which is all that a service of this role needs. Folders that are missing are made if `make` is
/// set, and otherwise left out.
///
/// # Errors
/// [`TransportError::Key`] when the key folder holds no complete set, [`TransportError::KeyFile`] when a file cannot be
/// written.
pub fn write_role_folders(folder: &Path, make: bool) -> Result<MadeKeys, TransportError> {
    let _lock = lock(folder);
    let mut pairs = Vec::new();
    for role in Role::ALL {
        pairs.push((role, KeyPair::read(folder, role)?));
    }
    let mut keys = MadeKeys::default();
    for (role, own) in &pairs {
        let target = folder.join(role.to_string());
        if !make && !target.is_dir() {
            continue;
        }
        fs::create_dir_all(&target).map_err(cannot_write(&target))?;
        finish(&target)?;
        let mut files: Vec<NewFile> = pairs.iter().map(|(each, pair)| public_file(*each, pair)).collect();
        files.push(secret_file(*role, own));
        let is_current = files.iter().all(|file| file.is_in(&target));
        let paths = files.iter().map(|file| target.join(&file.name));
        if is_current {
            keys.kept.extend(paths);
        } else {
            keys.made.extend(paths);
            put(&target, &files)?;
        }
    }
    Ok(keys)
}

/// Keeps a second call out of a key folder as long as it is held. Some network file systems lock no folders; two calls
/// at the same time are not told from each other there.
fn lock(folder: &Path) -> Option<fs::File> {
    let open = fs::File::open(folder).ok()?;
    open.lock().ok()?;
    Some(open)
}

fn public_file(role: Role, pair: &KeyPair) -> NewFile {
    NewFile { name: public_name(role), key: pair.public, mode: 0o644 }
}

fn secret_file(role: Role, pair: &KeyPair) -> NewFile {
    NewFile { name: secret_name(role), key: pair.secret, mode: 0o600 }
}

/// Whether both halves of a role's pair exist; they must then be keys that belong to each other.
fn has_pair(folder: &Path, role: Role) -> Result<bool, TransportError> {
    let (public, secret) = (folder.join(public_name(role)), folder.join(secret_name(role)));
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
        (true, true) => KeyPair::read(folder, role).map(|_| true),
    }
}
