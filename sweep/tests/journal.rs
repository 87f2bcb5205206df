//! The journal on a disk that lost power: what was acknowledged is there, what was not is cut off.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;

use sweep::{Entry, Journal, RunId, read_journal};

fn entry(number: u64) -> Entry {
    let values = [("eval/score".to_owned(), number as f64 / 3.0)].into();
    Entry::Reported { run: RunId { trial: number, seed: 0 }, spent: number, values }
}

#[test]
fn a_torn_end_is_cut_off_wherever_it_is_torn() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    (0..5).for_each(|number| journal.append(number as f64, &[entry(number)]).unwrap());
    drop(journal);
    let path = fs::read_dir(folder.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&path).unwrap();
    let mut kept = 0;
    for length in 0..=whole.len() {
        let torn = tempfile::tempdir().unwrap();
        fs::create_dir(torn.path().join("journal")).unwrap();
        fs::write(torn.path().join("journal").join(path.file_name().unwrap()), &whole[..length]).unwrap();
        let seen = read_journal(torn.path()).unwrap();
        let (mut journal, entries) = Journal::open(torn.path()).unwrap();
        assert_eq!(seen, entries, "{length} bytes");
        assert!(
            entries.len() >= kept && entries.iter().zip(0..).all(|(one, number)| one.entry == entry(number))
        );
        kept = entries.len();
        // It goes on behind what is whole.
        journal.append(9.0, &[entry(9)]).unwrap();
        drop(journal);
        assert_eq!(Journal::open(torn.path()).unwrap().1.len(), kept + 1);
    }
    assert_eq!(kept, 5);
}

#[test]
fn damage_in_the_middle_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(folder.path()).unwrap();
    (0..5).for_each(|number| journal.append(number as f64, &[entry(number)]).unwrap());
    drop(journal);
    let path = fs::read_dir(folder.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 0xff;
    fs::write(&path, bytes).unwrap();
    let error = Journal::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
}
