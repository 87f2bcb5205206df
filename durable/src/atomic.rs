//! Files and folders that appear as a whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use crate::error::{DurableError, at};

/// Writes `bytes` to the file at `path`, replacing its content; the folder must exist. When it returns, the content survives a
/// power loss. Links are followed. A device or a pipe is not replaced: the bytes are written into it.
///
/// # Errors
/// [`DurableError::Io`]; then the old content is still there.
pub fn atomic_write(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    match target(path)? {
        Target::Special => write_into(path, bytes),
        Target::File(file) => replace_file(&file, bytes),
    }
}

/// What is at a path.
enum Target {
    /// A regular file, existing or not, at this path without links.
    File(PathBuf),
    /// A device, a pipe or a socket, which is written into and never replaced.
    Special,
}

fn target(path: &Path) -> Result<Target, DurableError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(at("write", path)(std::io::ErrorKind::IsADirectory.into())),
        Ok(found) if found.is_file() => {
            Ok(Target::File(fs::canonicalize(path).map_err(at("resolve", path))?))
        }
        Ok(_) => Ok(Target::Special),
        // Nothing is there, or a link to nothing.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match fs::read_link(path) {
            Ok(next) => target(&parent(path).join(next)),
            Err(_) => Ok(Target::File(path.to_owned())),
        },
        Err(error) => Err(at("write", path)(error)),
    }
}

/// Writes into an existing device, pipe or socket.
fn write_into(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let mut file = fs::OpenOptions::new().write(true).open(path).map_err(at("open", path))?;
    file.write_all(bytes).map_err(at("write", path))
}

fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let temporary = temporary_name(path);
    let written = write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path).map_err(at("rename to", path)));
    if let Err(error) = written {
        // Half a file only takes up space. The error of the write is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    sync_folder(parent(path))
}

/// Checks whether [`atomic_write`] can write a file at `path`, before the work whose result goes there.
///
/// # Errors
/// [`DurableError::Io`] that says why not: for example, there is a folder at the path, or none to write into.
pub fn check_writable(path: &Path) -> Result<(), DurableError> {
    // Opening a pipe would wait for its reader.
    let Target::File(file) = target(path)? else { return Ok(()) };
    let temporary = temporary_name(&file);
    File::create(&temporary).map_err(at("create", &temporary))?;
    fs::remove_file(&temporary).map_err(at("remove", &temporary))
}

/// Writes a file that no other process reads yet. Its name becomes durable later, when it is moved to its place.
fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    let mut file = File::create(path).map_err(at("create", path))?;
    file.write_all(bytes).map_err(at("write", path))?;
    file.sync_all().map_err(at("sync", path))
}

/// Writes a file in a folder that [`atomic_folder`] fills.
///
/// # Errors
/// [`DurableError::Io`] that names the file.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
    fs::write(path, bytes).map_err(at("write", path))
}

/// Makes a folder appear at `path`, with everything that `fill` has written into the temporary folder that it is passed. An existing
/// folder is replaced.
///
/// # Errors
/// [`DurableError::Fill`] with `fill`'s error, else [`DurableError::Io`]; then the old folder is still there (or, on a file system that
/// cannot exchange two folders, after a crash between the two renames that a replacement then needs, next to it under a name
/// that ends in `.old`).
pub fn atomic_folder<E>(path: &Path, fill: impl FnOnce(&Path) -> Result<(), E>) -> Result<(), DurableError>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let temporary = temporary_name(path);
    remove_folder(&temporary)?;
    fs::create_dir_all(&temporary).map_err(at("create", &temporary))?;
    let filled = fill(&temporary)
        .map_err(|error| DurableError::Fill { path: path.to_owned(), source: error.into() })
        .and_then(|()| sync_tree(&temporary));
    if let Err(error) = filled {
        remove_folder(&temporary)?;
        return Err(error);
    }
    replace_folder(&temporary, path)?;
    sync_folder(parent(path))
}

/// Tidies a folder that only [`atomic_folder`] fills, after a program was killed while it wrote: what is unfinished is removed, and a
/// folder that was moved aside and not replaced gets its name back. Nobody may write in the folder meanwhile.
///
/// # Errors
/// [`DurableError::Io`].
pub fn remove_leftovers(folder: &Path) -> Result<(), DurableError> {
    let entries = fs::read_dir(folder).map_err(at("list", folder))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let unfinished = paths.map_err(at("list", folder))?.into_iter();
    let unfinished =
        unfinished.filter(|path| path.extension().is_some_and(|suffix| suffix == "tmp") && path.is_dir());
    for temporary in unfinished {
        let name = temporary.with_extension("");
        let old = with_suffix(&name, ".old");
        // Killed between the two renames: the new folder is whole, and the old one was the last that had the name.
        if !name.exists() && old.is_dir() {
            fs::rename(&old, &name).map_err(at("rename to", &name))?;
        }
        remove_folder(&temporary)?;
    }
    sync_folder(folder)
}

/// Makes the names in a folder durable: files created in it, renamed into it or removed from it.
///
/// # Errors
/// [`DurableError::Io`].
pub fn sync_folder(path: &Path) -> Result<(), DurableError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(at("sync", path))
}

fn replace_folder(temporary: &Path, path: &Path) -> Result<(), DurableError> {
    if !path.exists() {
        return fs::rename(temporary, path).map_err(at("rename to", path));
    }
    match exchange(temporary, path) {
        // What was there has the temporary name now, and is removed once the new one is durable.
        Ok(()) => return sync_folder(parent(path)).and_then(|()| remove_folder(temporary)),
        Err(error) if cannot_exchange(error) => {}
        Err(error) => return Err(at("replace", path)(error.into())),
    }
    let old = with_suffix(path, ".old");
    remove_folder(&old)?;
    fs::rename(path, &old).map_err(at("rename", path))?;
    fs::rename(temporary, path).map_err(at("rename to", path))?;
    remove_folder(&old)
}

/// Gives each of two folders the name of the other, in one step: at no moment is one of the names without a folder.
fn exchange(one: &Path, other: &Path) -> Result<(), Errno> {
    rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

/// Whether the kernel or the file system knows no exchange.
fn cannot_exchange(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}

fn sync_tree(folder: &Path) -> Result<(), DurableError> {
    for entry in fs::read_dir(folder).map_err(at("list", folder))? {
        let path = entry.map_err(at("list", folder))?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path).and_then(|file| file.sync_all()).map_err(at("sync", &path))?;
        }
    }
    sync_folder(folder)
}

fn remove_folder(path: &Path) -> Result<(), DurableError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

fn temporary_name(path: &Path) -> PathBuf {
    with_suffix(path, ".tmp")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(suffix);
    path.with_file_name(name)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::ExitStatus as _;

    #[test]
    fn a_folder_that_is_replaced_is_there_at_every_moment() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("best");
        let write = |text: String| {
            atomic_folder(&path, |folder| write_file(&folder.join("weights"), text.as_bytes()))
        };
        write("0".to_owned()).unwrap();
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut looks = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    // It can be exchanged between the opening of the folder and that of the file, not be gone.
                    assert!(path.is_dir());
                    looks += 1;
                }
                looks
            });
            (1..200).for_each(|number| write(number.to_string()).unwrap());
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(watcher.join().unwrap() > 0);
        });
        assert_eq!(fs::read_to_string(path.join("weights")).unwrap(), "199");
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "nothing else stays");
    }

    #[test]
    fn a_file_is_replaced_and_no_temporary_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        atomic_write(&path, b"one").unwrap();
        atomic_write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_pipe_is_written_into_and_stays_a_pipe() {
        use std::os::unix::fs::FileTypeExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("pipe", &link).unwrap();
        for path in [&path, &link] {
            check_writable(path).unwrap();
            let reader = std::thread::spawn({
                let path = path.clone();
                move || fs::read(path).unwrap()
            });
            atomic_write(path, b"bytes").unwrap();
            assert_eq!(reader.join().unwrap(), b"bytes");
        }
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("deep");
        fs::create_dir(&deep).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("deep/second", &link).unwrap();
        std::os::unix::fs::symlink("file", deep.join("second")).unwrap();
        // Of a link that leads to nothing the target is made.
        for content in ["one", "two"] {
            check_writable(&link).unwrap();
            atomic_write(&link, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(deep.join("file")).unwrap(), content);
        }
        assert!(link.is_symlink() && deep.join("second").is_symlink());
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 2);
        std::os::unix::fs::symlink("loop", folder.path().join("loop")).unwrap();
        assert!(atomic_write(&folder.path().join("loop"), b"").unwrap_err().to_string().contains("loop"));
    }

    #[test]
    fn the_remains_of_a_crashed_write_do_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.json");
        atomic_write(&path, b"whole").unwrap();
        fs::write(temporary_name(&path), b"ha").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        atomic_write(&path, b"newer").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"newer");
    }

    #[test]
    fn a_write_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        // A folder stands where the file should go: the last step fails.
        fs::create_dir(&path).unwrap();
        let error = atomic_write(&path, b"bytes").unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(error.exit_code(), common::ExitCode::Storage);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn it_is_known_beforehand_whether_a_file_can_be_written() {
        let folder = tempfile::tempdir().unwrap();
        check_writable(&folder.path().join("picture.svg")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        for wrong in [folder.path().to_owned(), folder.path().join("missing/picture.svg")] {
            let error = check_writable(&wrong).unwrap_err().to_string();
            assert!(error.contains(&wrong.display().to_string()), "{error}");
        }
    }

    #[test]
    fn an_error_names_the_file() {
        let error = atomic_write(Path::new("/does/not/exist/file"), b"").unwrap_err();
        assert!(error.to_string().contains("/does/not/exist/file"), "{error}");
    }

    #[test]
    fn a_folder_appears_whole_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        for content in ["a", "b"] {
            atomic_folder(&path, |inside| {
                fs::create_dir(inside.join("deep"))?;
                fs::write(inside.join("deep/file"), content)
            })
            .unwrap();
            assert_eq!(fs::read_to_string(path.join("deep/file")).unwrap(), content);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_leftovers_of_a_kill_are_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["v1", "best.tmp", "best.old", "kept.old", "kept", "moved.old"] {
            fs::create_dir(at(name)).unwrap();
            fs::write(at(name).join("file"), name).unwrap();
        }
        fs::write(at("notes.tmp"), "of somebody else").unwrap();
        remove_leftovers(folder.path()).unwrap();
        let mut left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["best", "kept", "kept.old", "moved.old", "notes.tmp", "v1"]);
        assert_eq!(fs::read_to_string(at("best/file")).unwrap(), "best.old");
        assert_eq!(fs::read_to_string(at("kept/file")).unwrap(), "kept");
    }

    #[test]
    fn a_folder_that_cannot_be_filled_does_not_appear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let error = atomic_folder(&path, |inside| {
            fs::write(inside.join("half"), b"x").unwrap();
            Err("the disk is full")
        })
        .unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
