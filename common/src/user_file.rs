//! Reads files that people name, with a bound on their size; recognises those that are not the expected text, and says what they are
//! and what to do.

use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

const BYTE_ORDER_MARK: &str = "\u{feff}";
/// Offset of the magic bytes of a tar archive.
const TAR_MARK: (usize, &[u8]) = (257, b"ustar");
/// Bytes of a file that are examined.
const LOOKED_AT: usize = 4096;

const MAGICS: [(&[u8], &str); 16] = [
    (
        b"PK\x03\x04",
        "is a zip archive (or a spreadsheet, which is one); unpack it first, or save it as plain text",
    ),
    (b"PK\x05\x06", "is an empty zip archive; give the file that should be in it"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive; unpack it first"),
    (b"Rar!\x1a\x07", "is a rar archive; unpack it first"),
    (b"\xfd7zXZ\x00", "is compressed with xz; decompress it first: xz -d FILE"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; decompress it first: zstd -d FILE"),
    (b"BZh", "is compressed with bzip2; decompress it first: bzip2 -d FILE"),
    (b"\x04\x22\x4d\x18", "is compressed with lz4; decompress it first: lz4 -d FILE"),
    (b"\x1f\x9d", "is compressed with compress; decompress it first: uncompress FILE"),
    (b"\x1f\x8b", "is compressed with gzip; decompress it first: gzip -d FILE"),
    (b"PAR1", "is a Parquet file; save it as CSV"),
    (b"SQLite format 3\0", "is an SQLite database; export a table of it as text"),
    (b"%PDF", "is a PDF document; save it as plain text"),
    (b"\x7fELF", "is a program; give a text file"),
    (b"\xff\xfe", "is text in UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "is text in UTF-16; save it as UTF-8"),
];

/// What a file is, from its first bytes, where it is not UTF-8 text; and what to do about it.
#[must_use]
pub fn problem_of_content(start: &[u8]) -> Option<&'static str> {
    if let Some((_, problem)) = MAGICS.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Some(problem);
    }
    if start.get(TAR_MARK.0..).is_some_and(|rest| rest.starts_with(TAR_MARK.1)) {
        return Some("is a tar archive; unpack it first: tar -xf FILE");
    }
    let looked_at = &start[..start.len().min(LOOKED_AT)];
    let zeros = looked_at.iter().filter(|&&byte| byte == 0).count();
    // In Western text in UTF-16 every other byte is zero; a single zero byte is reported with its line.
    if zeros * 3 > looked_at.len() {
        let halves =
            [0, 1].map(|odd| looked_at.iter().skip(odd).step_by(2).filter(|&&byte| byte == 0).count());
        let is_wide = halves.contains(&0) && zeros * 2 + 2 >= looked_at.len();
        return Some(if is_wide {
            "is text in UTF-16; save it as UTF-8"
        } else {
            "is binary data, no text; give a text file"
        });
    }
    let controls = looked_at.iter().filter(|&&byte| byte < 0x20 && !byte.is_ascii_whitespace()).count();
    (controls * 20 > looked_at.len()).then_some("is binary data, no text; give a text file")
}

/// Why a path is not a regular file, which can be read more than once: it is a folder, a pipe or a device.
///
/// # Errors
/// The system's error, for example where the path does not exist.
pub fn problem_of_path(path: &Path) -> io::Result<Option<&'static str>> {
    Ok(problem_of_type(std::fs::metadata(path)?.file_type()))
}

fn problem_of_type(kind: FileType) -> Option<&'static str> {
    if kind.is_dir() {
        return Some("is a folder; give a file");
    }
    if kind.is_fifo() {
        return Some("is a pipe; write it to a file first and give that");
    }
    if kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
        return Some("is a device, not a file; give a file");
    }
    None
}

/// `error` or, where there is no file at `path`, one that lists the files of the folder with nearly that name.
#[must_use]
pub fn name_near(path: &Path, error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::NotFound {
        return error;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Ok(entries) = std::fs::read_dir(folder) else { return error };
    let names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    match crate::nearest(&name, names.iter().map(String::as_str)).as_slice() {
        [] => error,
        near => io::Error::new(
            io::ErrorKind::NotFound,
            format!("No such file; the nearest in that folder are `{}`", near.join("`, `")),
        ),
    }
}

/// Reads a text that a user wrote: UTF-8, with or without a byte order mark, of at most `most` bytes. Files that a shell passes
/// (`<(…)`, `/dev/stdin`) are read, too.
///
/// # Errors
/// The system's error, or what is wrong with the file and what to do.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let is_handed_over =
        path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd") || path == Path::new("/dev/stdin");
    if let Some(problem) =
        problem_of_path(path).map_err(|error| name_near(path, error))?.filter(|_| !is_handed_over)
    {
        return Err(invalid(problem.to_owned()));
    }
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(LOOKED_AT as u64).read_to_end(&mut bytes)?;
    if let Some(problem) = problem_of_content(&bytes) {
        return Err(invalid(problem.to_owned()));
    }
    read_rest(&mut file, most, &mut bytes)?;
    let text = text_of(bytes)?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(text))
}

/// Opens a regular file of at most `most` bytes: nothing that is read from it is without an end.
///
/// # Errors
/// The system's error, or what is wrong with the file and what to do.
pub fn open_bounded(path: &Path, most: u64) -> io::Result<File> {
    // Opening a pipe would wait for its writer.
    if let Some(problem) = problem_of_path(path)? {
        return Err(invalid(problem.to_owned()));
    }
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    if bytes > most { Err(too_large(Some(bytes), most)) } else { Ok(file) }
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// As [`open_bounded`].
pub fn read_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_rest(&mut open_bounded(path, most)?, most, &mut bytes)?;
    Ok(bytes)
}

/// Reads what follows `bytes`, which are the beginning of the file, so that there are at most `most` in all.
fn read_rest(file: &mut File, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    let known = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len());
    if known.is_some_and(|known| known > most) {
        return Err(too_large(known, most));
    }
    file.take((most + 1).saturating_sub(bytes.len() as u64)).read_to_end(bytes)?;
    if bytes.len() as u64 > most { Err(too_large(None, most)) } else { Ok(()) }
}

/// The bytes as UTF-8.
fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let row = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        invalid(format!("is not UTF-8 (row {row}); save it as UTF-8"))
    })
}

/// An error of what is in a file.
pub(crate) fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// A file has more bytes than are read of one of its kind; how many, where that is known.
pub(crate) fn too_large(bytes: Option<u64>, most: u64) -> io::Error {
    let has = bytes.map_or_else(String::new, |bytes| format!(": it has {bytes} bytes"));
    invalid(format!("is larger than {}, the limit for such a file{has}", amount(most)))
}

/// A number of bytes in the largest unit that divides it.
fn amount(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let found = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    found.map_or_else(|| format!("{bytes} bytes"), |(shift, unit)| format!("{} {unit}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_by_its_beginning() {
        let mut tar = vec![b'a'; 257];
        tar.extend(b"ustar");
        let utf16: Vec<u8> = "app,func".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let binary: Vec<u8> = (0..=255).cycle().take(2000).collect();
        for (bytes, word) in [
            (&b"PK\x03\x04rest"[..], "zip"),
            (b"\xfd7zXZ\x00", "xz"),
            (b"\xff\xfea\0", "UTF-16"),
            (&utf16, "UTF-16"),
            (&tar, "tar"),
            (&[0; 100], "binary"),
            (&binary, "binary"),
        ] {
            let problem = problem_of_content(bytes).expect(word);
            assert!(problem.contains(word), "{problem}");
        }
        for text in ["", "a", "app,func\r\n\ta", "{\"a\": \"é\"}", "a,\0b,c,d,e,f,g,h,i,j,k,l"] {
            assert_eq!(problem_of_content(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn texts_are_read_or_refused_in_words() {
        let folder = std::env::temp_dir().join(format!("longshore-user-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("text");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_text(&path, 10)
        };
        assert_eq!(read("\u{feff}a\r\n".as_bytes()).unwrap(), "a\r\n");
        assert!(read(b"a\nb\xff").unwrap_err().to_string().contains("is not UTF-8 (row 2)"));
        let large = read(b"01234567890").unwrap_err().to_string();
        assert!(large.contains("is larger than 10 bytes") && large.contains("it has 11 bytes"), "{large}");
        // A file with a hole takes no room on the disk, and would take all memory.
        File::create(&path).unwrap().set_len(6 << 30).unwrap();
        let huge = read_bytes(&path, 16 << 20).unwrap_err().to_string();
        assert_eq!(huge, "is larger than 16 MiB, the limit for such a file: it has 6442450944 bytes");
        assert!(read_text(&folder, 10).unwrap_err().to_string().contains("is a folder"));
        assert!(read_text(Path::new("/dev/zero"), 10).unwrap_err().to_string().contains("is a device"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
