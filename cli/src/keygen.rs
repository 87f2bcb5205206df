//! `longshore keygen`: the keys that services know each other by.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use common::ExitCode;
use transport::{Keys, Role, make_keys};

/// Makes the key pairs of learner, replay shards and actors.
///
/// A folder that holds all of them already is left as it is, so that the command can stand in a start-up script.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  longshore keygen keys\n  longshore-learner -c configs/train/cluster.toml --set transport.keys=keys"
)]
pub struct KeygenArguments {
    /// Folder of the keys; made where it is missing. Each service needs its own secret file and every public one.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Replaces keys that are there; services that use them are locked out until they have the new ones.
    #[arg(long)]
    pub force: bool,
}

/// Makes the keys, or says that they are there.
///
/// # Errors
/// [`transport::TransportError::Key`] when the folder cannot be written, or holds some keys but not all.
pub fn run(arguments: &KeygenArguments) -> anyhow::Result<ExitCode> {
    let mut stdout = std::io::stdout().lock();
    if !arguments.force && is_complete(&arguments.folder) {
        writeln!(stdout, "{} holds all keys; nothing was changed", arguments.folder.display())?;
        return Ok(ExitCode::Success);
    }
    let written = make_keys(&arguments.folder, arguments.force)
        .with_context(|| format!("failed to make keys in {}", arguments.folder.display()))?;
    for path in written {
        writeln!(stdout, "{}", path.display())?;
    }
    Ok(ExitCode::Success)
}

fn is_complete(folder: &Path) -> bool {
    Role::ALL.into_iter().all(|role| Keys::load(folder, role).is_ok())
}
