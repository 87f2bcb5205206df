//! What people ask of a study whose coordinator may be running: files in the folder `requests`, which the coordinator looks at and
//! removes. Where none runs, the next one does.

use std::fs;
use std::path::{Path, PathBuf};

use common::user_file::read_bytes;

use crate::SweepError;
use crate::layout::Layout;
use crate::space::Setting;

/// The file that asks the coordinator to end in order.
const STOP: &str = "stop";
/// Start of the names of files that ask for a trial.
const TRIAL: &str = "trial-";

/// Bytes of the setting of a trial.
const LARGEST_SETTING: u64 = 1 << 20;

/// Asks for a trial with this setting.
///
/// # Errors
/// [`SweepError::Durable`], [`SweepError::Io`].
pub fn ask_for_trial(folder: &Path, setting: &Setting) -> Result<(), SweepError> {
    let text = serde_json::to_vec(setting).expect("a setting is a table of values");
    let digest = common::ids::Digest::of(&text);
    ask(folder, &format!("{TRIAL}{digest}.json"), &text)
}

/// Asks the coordinator to end in order.
///
/// # Errors
/// As [`ask_for_trial`].
pub fn ask_to_stop(folder: &Path) -> Result<(), SweepError> {
    ask(folder, STOP, b"")
}

fn ask(folder: &Path, name: &str, text: &[u8]) -> Result<(), SweepError> {
    let requests = Layout::new(folder).requests();
    fs::create_dir_all(&requests).map_err(|source| SweepError::io("create", &requests, source))?;
    durable::atomic_write(&requests.join(name), text)?;
    Ok(())
}

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// Settings of trials, each with its file.
    pub(crate) trials: Vec<(PathBuf, Setting)>,
    /// Whether the coordinator is to end.
    pub(crate) stop: bool,
}

/// Looks at the requests; a file that cannot be read is left out.
pub(crate) fn requests(layout: &Layout) -> Requests {
    let mut requests = Requests::default();
    let mut files: Vec<PathBuf> = fs::read_dir(layout.requests())
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|file| file.path())
        .collect();
    files.sort();
    for path in files {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name == STOP {
            requests.stop = true;
        } else if name.starts_with(TRIAL) && path.extension().is_some_and(|extension| extension == "json") {
            let bytes = read_bytes(&path, LARGEST_SETTING).ok();
            let setting = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
            requests.trials.extend(setting.map(|setting| (path, setting)));
        }
    }
    requests
}

/// Takes the wish to end off the list, before a coordinator begins.
pub(crate) fn forget_stop(layout: &Layout) {
    // Where there is none, nothing is to be forgotten.
    let _ = fs::remove_file(layout.requests().join(STOP));
}
