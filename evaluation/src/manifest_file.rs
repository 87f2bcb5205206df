//! `evaluation.json` of a results folder, which anybody may have written: it is read within bounds, and every value is checked.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use common::folder_file::read_within;
use common::name::printable;

use crate::error::EvaluationError;
use crate::manifest::Manifest;

/// File name of the manifest in a results folder.
pub(crate) const MANIFEST: &str = "evaluation.json";
/// Bytes of the file.
const LARGEST_FILE: u64 = 16 << 20;
/// Workloads, and schedulers.
const MOST_ENTRIES: usize = 10_000;
/// Bytes of the name of a workload or a scheduler: a path with a preference behind it.
pub(crate) const LONGEST_NAME: usize = 8 << 10;

/// Reads the manifest of a results folder.
///
/// # Errors
/// When there is none, or it is malformed, of another schema or beyond a bound.
pub(crate) fn read_manifest(folder: &Path) -> Result<Manifest, EvaluationError> {
    let path = folder.join(MANIFEST);
    let bytes =
        read_within(folder, MANIFEST, LARGEST_FILE).map_err(|error| no_manifest(folder, &path, error))?;
    let mut manifest: Manifest = parse(&path, &bytes)?;
    let fail = |key: &str, message: String| wrong(&path, key, message);
    if manifest.schema != 1 {
        let message = format!("is {}; this version of Longshore reads 1", manifest.schema);
        return Err(fail("schema", message));
    }
    check_names(&path, "workloads", manifest.workloads.iter().map(|one| &one.name))?;
    check_names(&path, "schedulers", manifest.schedulers.iter().map(|one| &one.name))?;
    manifest.name_rules();
    Ok(manifest)
}

fn no_manifest(folder: &Path, path: &Path, cause: Error) -> EvaluationError {
    if cause.kind() != ErrorKind::NotFound {
        return EvaluationError::Read { path: path.to_owned(), cause };
    }
    let message =
        format!("is no results folder: it has no {MANIFEST}; `longshore evaluate … --out FOLDER` writes one");
    EvaluationError::Read { path: folder.to_owned(), cause: Error::new(ErrorKind::NotFound, message) }
}

fn check_names<'a>(
    path: &Path,
    key: &str,
    names: impl ExactSizeIterator<Item = &'a String>,
) -> Result<(), EvaluationError> {
    if names.len() > MOST_ENTRIES {
        let message = format!("has {} entries; at most {MOST_ENTRIES} are possible", names.len());
        return Err(wrong(path, key, message));
    }
    for (place, name) in names.enumerate() {
        if let Some(message) = problem_of_name(name) {
            return Err(wrong(path, &format!("{key}[{place}].name"), message));
        }
    }
    Ok(())
}

/// Why a text is too long for the name of a workload or a scheduler: a report repeats each many times.
pub(crate) fn problem_of_name(name: &str) -> Option<String> {
    let message = || format!("has {} bytes; a name has at most {LONGEST_NAME}", name.len());
    (name.len() > LONGEST_NAME).then(message)
}

/// Reads a JSON file of a results folder.
///
/// # Errors
/// [`EvaluationError::Key`] that names the wrong value.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, EvaluationError> {
    let fail = |key: &str, error: &serde_json::Error| wrong(path, key, printable(&error.to_string()));
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| fail(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| fail(".", &error))?;
    Ok(value)
}

/// A wrong value of a file.
pub(crate) fn wrong(path: &Path, key: &str, message: String) -> EvaluationError {
    EvaluationError::Key { path: PathBuf::from(path), key: printable(key), message }
}
