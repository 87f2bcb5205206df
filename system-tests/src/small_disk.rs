//! A disk that is soon full.

#![allow(clippy::print_stderr, reason = "what is not tried is told to whoever reads the test's output")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file system of a MiB in memory, gone when it is dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where this user may not mount one.
    ///
    /// # Panics
    /// Where the folder cannot be created.
    #[must_use]
    pub fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).expect("the test's folder can be written");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("SKIPPED: a disk of 1 MB can be mounted by root alone");
        }
        mounted.then(|| SmallDisk(at.to_owned()))
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Leaves so many KiB free.
    ///
    /// # Panics
    /// Where the disk cannot be written.
    pub fn leave(&self, kib: usize) {
        let filler = self.0.join("filler");
        fs::write(&filler, []).expect("the file can be emptied");
        // What does not fit any more is what was asked for.
        let _ = fs::write(&filler, vec![0; (1024 - kib) << 10]);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a program that failed may still hold it for a moment.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
