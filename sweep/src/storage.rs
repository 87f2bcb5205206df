//! Where an Optuna study lies. An address that holds a password is a secret, and secrets come from files.

use std::path::{Path, PathBuf};

use common::user_file::read_text;

use crate::SweepError;

/// Bytes of a file that holds an address.
const LONGEST_ADDRESS: u64 = 64 << 10;

/// The storage of an Optuna study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Its address: `sqlite:///optuna.db`, `postgresql+psycopg://user@host/name`.
    Url(String),
    /// A file whose only line is the address.
    File(PathBuf),
}

impl Storage {
    /// From a text that is an address or the path of a file.
    ///
    /// # Errors
    /// What is wrong, where it is an address with a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((_, rest)) = text.split_once("://") else { return Ok(Storage::File(PathBuf::from(text))) };
        let user = rest.split('/').next().and_then(|host| host.rsplit_once('@')).map(|(user, _)| user);
        if user.is_some_and(|user| user.contains(':')) {
            return Err("is an address with a password; write it into a file that only you can read, and give the file's path".to_owned());
        }
        Ok(Storage::Url(text.to_owned()))
    }

    /// The address.
    ///
    /// # Errors
    /// [`SweepError::Io`] where the file cannot be read; [`SweepError::Request`] where it holds none.
    pub(crate) fn url(&self) -> Result<String, SweepError> {
        match self {
            Storage::Url(url) => Ok(url.clone()),
            Storage::File(path) => of_file(path),
        }
    }
}

fn of_file(path: &Path) -> Result<String, SweepError> {
    let text = read_text(path, LONGEST_ADDRESS)
        .map_err(|source| SweepError::io("read the storage's address from", path, source))?;
    let url = text.trim();
    if url.lines().count() == 1 && url.contains("://") {
        return Ok(url.to_owned());
    }
    Err(SweepError::Request(format!(
        "{} must hold one line, the address of an Optuna storage, e.g. postgresql+psycopg://user:password@host/name",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_password_must_stand_in_a_file() {
        assert_eq!(Storage::parse("sqlite:///a.db"), Ok(Storage::Url("sqlite:///a.db".to_owned())));
        let without = "postgresql+psycopg://me@host:5432/optuna";
        assert_eq!(Storage::parse(without), Ok(Storage::Url(without.to_owned())));
        assert_eq!(Storage::parse("storage.url"), Ok(Storage::File("storage.url".into())));
        assert!(Storage::parse("postgresql+psycopg://me:secret@host/optuna").is_err());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("storage.url");
        std::fs::write(&file, "postgresql+psycopg://me:secret@host/optuna\n").unwrap();
        assert!(of_file(&file).unwrap().ends_with("host/optuna"));
        std::fs::write(&file, "my database").unwrap();
        assert!(of_file(&file).unwrap_err().to_string().contains("must hold one line"));
    }
}
