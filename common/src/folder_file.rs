//! Reads files of a folder that somebody else may have made: only regular files that lie within it, each with a bound on its size.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use crate::name::printable;
use crate::user_file::{invalid, open_bounded, too_large};

/// Opens the file called `name` (a path within `folder`) of at most `most` bytes. `folder` itself may be reached through links.
///
/// # Errors
/// The system's error; where the name or a link leads out of the folder, the file is none, or it is too large: what is wrong and
/// what would be right.
pub fn open_within(folder: &Path, name: &str, most: u64) -> io::Result<File> {
    open_bounded(&path_within(folder, name)?, most)
}

/// Reads such a file.
///
/// # Errors
/// As [`open_within`].
pub fn read_within(folder: &Path, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // It may grow while it is read.
    open_within(folder, name, most)?.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(None, most)) } else { Ok(bytes) }
}

/// Whether what is called `name`, which may not be there yet, can be written without leaving the folder through a link.
///
/// # Errors
/// As [`open_within`].
pub fn check_within(folder: &Path, name: &str) -> io::Result<()> {
    match path_within(folder, name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        found => found.map(drop),
    }
}

/// Where the file called `name` lies, without links.
fn path_within(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let is_part = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.is_empty() || !Path::new(name).components().all(is_part) {
        let problem = "is no path within its folder; a file is named by its path from there, without `..`";
        return Err(invalid(format!("`{}` {problem}", printable(name))));
    }
    let folder = folder.canonicalize()?;
    let path = folder.join(name);
    let path = path.canonicalize().map_err(|error| {
        let leads_nowhere = error.kind() == io::ErrorKind::NotFound && path.is_symlink();
        if leads_nowhere { invalid("is a link that leads to nothing; remove it".to_owned()) } else { error }
    })?;
    if path.starts_with(&folder) {
        return Ok(path);
    }
    let target = printable(&path.to_string_lossy());
    Err(invalid(format!("is a link that leads out of its folder, to {target}; put the file itself there")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_regular_files_within_the_folder_are_read() {
        let parent = std::env::temp_dir().join(format!("longshore-folder-file-{}", std::process::id()));
        let (folder, deep) = (parent.join("folder"), parent.join("folder/deep"));
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(parent.join("outside"), b"secret").unwrap();
        std::fs::write(deep.join("file"), b"inside").unwrap();
        symlink("../outside", folder.join("out")).unwrap();
        symlink("deep/file", folder.join("in")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("/dev/zero", folder.join("zero")).unwrap();
        symlink("../missing", folder.join("missing")).unwrap();
        symlink(&folder, parent.join("link")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
        for (folder, name) in [(&folder, "deep/file"), (&folder, "in"), (&parent.join("link"), "in")] {
            assert_eq!(read_within(folder, name, 6).unwrap(), b"inside", "{name}");
        }
        let outside = parent.join("outside").display().to_string();
        for (name, words) in [
            ("", "is no path within its folder"),
            (&*outside, "is no path within its folder"),
            ("../outside", "is no path within its folder"),
            ("deep/../../outside", "is no path within its folder"),
            ("out", "is a link that leads out of its folder"),
            ("up/outside", "is a link that leads out of its folder"),
            ("zero", "is a link that leads out of its folder"),
            ("missing", "is a link that leads to nothing"),
            ("pipe", "is a pipe"),
            ("deep", "is a folder"),
        ] {
            let error = read_within(&folder, name, 6).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{name}");
            assert!(error.to_string().contains(words), "{name}: {error}");
        }
        for (name, may_be_written) in [("new", true), ("in", true), ("out", false), ("missing", false)] {
            assert_eq!(check_within(&folder, name).is_ok(), may_be_written, "{name}");
        }
        assert!(read_within(&folder, "in", 5).unwrap_err().to_string().contains("larger than 5 bytes"));
        assert_eq!(read_within(&folder, "none", 6).unwrap_err().kind(), io::ErrorKind::NotFound);
        std::fs::remove_dir_all(&parent).unwrap();
    }
}
