//! The operations that a log needs of a folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};

use crate::atomic::sync_folder;
use crate::error::{DurableError, at};

/// One folder of files that only grow at their ends. Errors are [`DurableError::Io`], naming file and operation.
pub trait Disk: Send + Sync + 'static {
    /// The path of a file, for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// The names of all files, in no order.
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn names(&self) -> Result<Vec<String>, DurableError>;

    /// The whole content of a file.
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn read(&self, name: &str) -> Result<Vec<u8>, DurableError>;

    /// Creates an empty file; none of that name may exist. Its name is durable after [`Disk::sync`].
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn create(&self, name: &str) -> Result<Box<dyn DiskFile>, DurableError>;

    /// Shortens a file to a length in bytes, and makes what stays durable.
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn truncate(&self, name: &str, length: u64) -> Result<(), DurableError>;

    /// Removes a file; the removal is durable after [`Disk::sync`].
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn remove(&self, name: &str) -> Result<(), DurableError>;

    /// Makes the names in the folder durable: files created and removed.
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn sync(&self) -> Result<(), DurableError>;
}

/// A file open for appending. Errors are [`DurableError::Io`].
pub trait DiskFile: Send {
    /// Writes the parts, one after the other, at the end. After an error any part of them may have been written.
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn append(&mut self, parts: &[&[u8]]) -> Result<(), DurableError>;

    /// Makes the content durable.
    ///
    /// # Errors
    /// [`DurableError::Io`]; then it is unknown how much is durable.
    fn sync(&mut self) -> Result<(), DurableError>;

    /// Shortens the file to a length in bytes; the next [`DiskFile::append`] goes on from there.
    ///
    /// # Errors
    /// [`DurableError::Io`].
    fn cut(&mut self, length: u64) -> Result<(), DurableError>;
}

/// A folder of the file system.
#[derive(Debug)]
pub struct FolderDisk {
    folder: PathBuf,
    /// The folder itself, open: where a process has no file descriptor left, its names can still be made durable.
    opened: Option<File>,
}

impl FolderDisk {
    /// A disk in this folder, which must exist.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        FolderDisk { folder: folder.to_owned(), opened: File::open(folder).ok() }
    }
}

impl Disk for FolderDisk {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn names(&self) -> Result<Vec<String>, DurableError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(at("list", &self.folder))? {
            // Names of our files are text.
            names.extend(entry.map_err(at("list", &self.folder))?.file_name().into_string());
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, DurableError> {
        let path = self.path(name);
        fs::read(&path).map_err(at("read", &path))
    }

    fn create(&self, name: &str) -> Result<Box<dyn DiskFile>, DurableError> {
        let path = self.path(name);
        // In append mode a write goes to the end even after the file was shortened.
        let file =
            OpenOptions::new().append(true).create_new(true).open(&path).map_err(at("create", &path))?;
        Ok(Box::new(FolderFile { path, file }))
    }

    fn truncate(&self, name: &str, length: u64) -> Result<(), DurableError> {
        let path = self.path(name);
        let file = OpenOptions::new().write(true).open(&path).map_err(at("open", &path))?;
        file.set_len(length).map_err(at("truncate", &path))?;
        file.sync_data().map_err(at("sync", &path))
    }

    fn remove(&self, name: &str) -> Result<(), DurableError> {
        let path = self.path(name);
        fs::remove_file(&path).map_err(at("remove", &path))
    }

    fn sync(&self) -> Result<(), DurableError> {
        match &self.opened {
            Some(folder) => folder.sync_all().map_err(at("sync", &self.folder)),
            None => sync_folder(&self.folder),
        }
    }
}

struct FolderFile {
    path: PathBuf,
    file: File,
}

impl DiskFile for FolderFile {
    fn append(&mut self, parts: &[&[u8]]) -> Result<(), DurableError> {
        let mut slices: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
        write_all_vectored(&mut self.file, &mut slices).map_err(at("append to", &self.path))
    }

    fn sync(&mut self) -> Result<(), DurableError> {
        self.file.sync_data().map_err(at("sync", &self.path))
    }

    fn cut(&mut self, length: u64) -> Result<(), DurableError> {
        self.file.set_len(length).map_err(at("truncate", &self.path))
    }
}

fn write_all_vectored(file: &mut impl Write, mut slices: &mut [IoSlice]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0); // drops empty ones, so that zero bytes written mean an error
    while !slices.is_empty() {
        match file.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut slices, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes three bytes at a time and is interrupted before each write.
    struct Slow(Vec<u8>, bool);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let taken = bytes.len().min(3);
            self.0.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn short_and_interrupted_writes_go_on_where_they_stopped() {
        let mut slow = Slow(Vec::new(), false);
        let mut slices = [b"".as_slice(), b"segm", b"", b"ents"].map(IoSlice::new);
        write_all_vectored(&mut slow, &mut slices).unwrap();
        assert_eq!(slow.0, b"segments");
    }

    #[test]
    fn a_cut_file_goes_on_at_its_new_end() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FolderDisk::new(folder.path());
        let mut file = disk.create("a").unwrap();
        file.append(&[b"one", b"", b"two"]).unwrap();
        file.cut(4).unwrap();
        file.append(&[b"hree"]).unwrap();
        file.sync().unwrap();
        assert_eq!(disk.read("a").unwrap(), b"onethree");
        disk.truncate("a", 3).unwrap();
        assert_eq!(disk.read("a").unwrap(), b"one");
    }

    #[test]
    fn a_file_is_made_once_and_errors_name_it() {
        let folder = tempfile::tempdir().unwrap();
        let disk = FolderDisk::new(folder.path());
        drop(disk.create("a").unwrap());
        let error = disk.create("a").err().unwrap().to_string();
        assert!(error.starts_with("cannot create ") && error.contains("/a: "), "{error}");
        assert_eq!(disk.names().unwrap(), ["a"]);
        disk.remove("a").unwrap();
        disk.sync().unwrap();
        assert!(disk.read("a").unwrap_err().to_string().contains("cannot read"));
    }
}
