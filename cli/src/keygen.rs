//! `longshore keygen`: the keys that services know each other by.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use common::ExitCode;
use transport::{make_keys, write_role_folders};

/// Makes the key pairs of learner, replay shards and actors.
///
/// Pairs that are there are left as they are, so that the command can stand in a start-up script; half a pair is an error, and
/// so is a pair whose halves do not belong together. A call that was interrupted is completed by the next one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  longshore keygen keys\n  longshore-learner -c configs/train/cluster.toml --set transport.keys=keys\n\n  \
                  longshore keygen keys --role-folders\n  scp -rp keys/actor machine:keys"
)]
pub struct KeygenArguments {
    /// Folder of the keys; made where it is missing. Each service needs its own secret file and every public one.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Replaces keys that are there; services that use them are locked out until they have the new ones.
    #[arg(long)]
    pub force: bool,
    /// Makes the folders FOLDER/learner, FOLDER/replay and FOLDER/actor, too, each with what a service of this role needs and
    /// no other secret. Once they are there, every call keeps them up to date.
    #[arg(long)]
    pub role_folders: bool,
}

/// Makes the keys that are missing, and says what it made and what it left.
///
/// # Errors
/// [`transport::TransportError`] when the folder cannot be written, or holds half of a pair.
pub fn run(arguments: &KeygenArguments) -> anyhow::Result<ExitCode> {
    let failed = || format!("failed to make keys in {}", arguments.folder.display());
    let mut keys = make_keys(&arguments.folder, arguments.force).with_context(failed)?;
    let shared = write_role_folders(&arguments.folder, arguments.role_folders).with_context(failed)?;
    keys.made.extend(shared.made);
    keys.kept.extend(shared.kept);
    let mut stdout = telemetry::stdout();
    if keys.made.is_empty() {
        writeln!(stdout, "{} holds all keys; nothing was changed", arguments.folder.display())?;
        return Ok(ExitCode::Success);
    }
    for path in keys.made {
        writeln!(stdout, "{}", path.display())?;
    }
    for path in keys.kept {
        writeln!(stdout, "{}  was there and is left as it is", path.display())?;
    }
    Ok(ExitCode::Success)
}
