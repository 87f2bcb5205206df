//! A real results folder, values of which were changed: reading and drawing it ends, does not panic, and no page holds a script of a
//! file, whatever the names in it are.
//!
//! The input is read as changes: `which file (u8), which value (u16), how (u8), length (u8)` and so many bytes of text.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use results_folder::{Folder, MARKER};
use serde_json::{Number, Value};

static FOLDER: LazyLock<(Folder, [Vec<Value>; 3])> = LazyLock::new(|| {
    let folder = Folder::new();
    assert!(folder.draw().is_some(), "the real folder is drawn");
    let lines = [0, 1, 2].map(|place| values(&folder.files[place].1, place == 1));
    (folder, lines)
});

fuzz_target!(|input: &[u8]| {
    let (folder, real) = &*FOLDER;
    let mut files = real.clone();
    let mut rest = input;
    while let Some(([which, low, high, how, length], after)) = rest.split_first_chunk() {
        let (text, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let file = &mut files[usize::from(*which) % 3];
        let count = file.iter().map(count).sum::<usize>().max(1);
        let mut place = usize::from(u16::from_le_bytes([*low, *high])) % count;
        if let Some(value) = file.iter_mut().find_map(|value| at(value, &mut place)) {
            *value = changed(value, *how, &String::from_utf8_lossy(text));
        }
    }
    let contents =
        files.map(|lines| lines.iter().map(|line| line.to_string() + "\n").collect::<String>().into_bytes());
    folder.write([&contents[0], &contents[1], &contents[2]]);
    let _ = folder.draw();
});

/// The values of a file: one, or one a line.
fn values(bytes: &[u8], by_line: bool) -> Vec<Value> {
    let read = |bytes: &[u8]| serde_json::from_slice(bytes).expect("it was written as JSON");
    if by_line {
        bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
    } else {
        vec![read(bytes)]
    }
}

/// How many values there are in one, itself among them.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(values) => values.values().map(count).sum(),
        _ => 0,
    }
}

/// The value at a place, in the order in which they are written.
fn at<'a>(value: &'a mut Value, place: &mut usize) -> Option<&'a mut Value> {
    if *place == 0 {
        return Some(value);
    }
    *place -= 1;
    match value {
        Value::Array(values) => values.iter_mut().find_map(|value| at(value, place)),
        Value::Object(values) => values.values_mut().find_map(|value| at(value, place)),
        _ => None,
    }
}

/// Another value in its place.
fn changed(value: &Value, how: u8, text: &str) -> Value {
    match how % 10 {
        0 => Value::String(text.to_owned()),
        1 => Value::String(format!("{MARKER}{text}")),
        2 => Number::from_f64(f64::from_bits(bits(text))).map_or(Value::Null, Value::Number),
        3 => Value::from(bits(text)),
        4 => Value::from(text.len()),
        5 => Value::Null,
        6 => Value::Array(vec![value.clone(); text.len()]),
        7 => [1e308, -1e308, 5e-324, 0.0, -1.0, 1e15][text.len() % 6].into(),
        8 => [u64::MAX, u64::from(u32::MAX), 0, 1, 1 << 53, 400][text.len() % 6].into(),
        _ => value.as_object().map_or(Value::Bool(true), |values| {
            let mut values = values.clone();
            values.insert(text.to_owned(), Value::String(MARKER.to_owned()));
            Value::Object(values)
        }),
    }
}

fn bits(text: &str) -> u64 {
    text.bytes().take(8).fold(0, |bits, byte| bits << 8 | u64::from(byte))
}
