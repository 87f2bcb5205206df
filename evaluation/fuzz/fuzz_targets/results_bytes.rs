//! Any bytes as the files of a results folder: reading and drawing it ends, does not panic, and no page holds a script of a file.
//!
//! The input is read as `which file (u8)` and its content; the other files are those of a real folder.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use results_folder::Folder;

static FOLDER: LazyLock<Folder> = LazyLock::new(Folder::new);

fuzz_target!(|input: &[u8]| {
    let Some((&which, bytes)) = input.split_first() else { return };
    let mut contents = [0, 1, 2].map(|place| FOLDER.files[place].1.as_slice());
    contents[usize::from(which) % 3] = bytes;
    FOLDER.write(contents);
    let _ = FOLDER.draw();
});
