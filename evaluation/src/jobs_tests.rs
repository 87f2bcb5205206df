use super::*;
use common::ExitStatus as _;

const SOUND: &str = r#"{"sequences": [{"name": "s", "steps": 9, "slots": 2, "capacity": [10, 10], "backlog": 3, "jobs": [
    {"id": 1, "length": 2, "demand": [3, 1], "arrival": 1}, {"id": 2, "length": 1, "demand": [3, 1], "arrival": 4}]}]}"#;

fn read(text: impl AsRef<[u8]>) -> Result<usize, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.json");
    std::fs::write(&path, text).unwrap();
    let read = read_jobs(&path).map_err(|error| {
        assert_eq!(error.exit_code(), common::ExitCode::Input);
        error.to_string()
    });
    Ok(read?.iter().map(|sequence| sequence.jobs.jobs().len()).sum())
}

#[test]
fn what_is_wrong_with_a_list_is_named_with_its_place() {
    assert_eq!(read(SOUND), Ok(2));
    assert_eq!(read(format!("\u{feff}{}", SOUND.replace('\n', "\r\n"))), Ok(2));
    for (from, to, key, words) in [
        (r#""id": 2"#, r#""id": 1"#, "`sequences[0].jobs[1].id`", "is 1, as of jobs[0]"),
        (r#""id": 2"#, r#""id": -1"#, "`sequences[0].jobs[1].id`", "is -1; a whole number from 0"),
        (r#""id": 2"#, r#""id": 18446744073709551616"#, "jobs[1].id`", "a whole number from 0"),
        (r#""length": 1"#, r#""length": 0"#, "jobs[1].length`", "is 0; a whole number from 1 to 10000000"),
        (r#""length": 1"#, r#""length": 4294967295"#, "jobs[1].length`", "is 4294967295; a whole"),
        (r#""length": 1"#, r#""length": 9999999"#, "jobs[1].length`", "together they may run 10000000"),
        (r#""length": 1"#, r#""length": 1.5"#, "jobs[1].length`", "is 1.5; a whole number"),
        (r#""length": 1"#, r#""length": "1""#, "jobs[1].length`", "is \"1\"; a whole number"),
        (r#""length": 1"#, r#""length": null"#, "jobs[1].length`", "is null; a whole number"),
        (r#""length": 1"#, r#""length": NaN"#, "jobs[1].length`", "line 2"),
        (
            r#""demand": [3, 1], "arrival": 4"#,
            r#""demand": [3, 11], "arrival": 4"#,
            "jobs[1].demand[1]`",
            "from 0 to 10",
        ),
        (
            r#""demand": [3, 1], "arrival": 4"#,
            r#""demand": [0, 0], "arrival": 4"#,
            "jobs[1].demand`",
            "at least 1 of one",
        ),
        (r#""id": 2"#, r#""id": 2, "ID": 4"#, "sequences[0].jobs[1]", "unknown field `ID`"),
        (r#""steps": 9"#, r#""steps": 9, "step": 1"#, "sequences[0]", "unknown field `step`"),
        (r#""steps": 9"#, r#""steps": 9, "arrival_rate": -0.5"#, "arrival_rate`", "is -0.5; a number from 0"),
        (r#""steps": 9"#, r#""steps": 9, "arrival_rate": "1""#, "arrival_rate`", "is \"1\"; a number from 0"),
        (r#""name": "s""#, r#""name": "s\n\u001b[2J""#, "`sequences[0].name`", r"s\n\u{1b}[2J"),
        (r#""name": "s""#, r#""name": """#, "`sequences[0].name`", "a name has letters"),
        (r#""arrival": 4"#, r#""arrival": 9"#, "`sequences[0].jobs`", "job 2: arrives at step 9"),
        (r#""arrival": 4"#, r#""arrival": 0"#, "jobs[1].arrival`", "is 0; a whole number from 1"),
        (r#""steps": 9"#, r#""steps": 4000000000"#, "`sequences[0].steps`", "from 1 to 10000000"),
        (r#""slots": 2"#, r#""slots": 4000000000"#, "`sequences[0].slots`", "from 1 to 1000"),
        (r#""backlog": 3"#, r#""backlog": 4000000000"#, "`sequences[0].backlog`", "from 0 to 1000000"),
        ("[10, 10]", "[10, 4000000000]", "`sequences[0].capacity[1]`", "from 1 to 1000"),
        ("[10, 10]", "[10, 11]", "`sequences[0].capacity`", "both resources must have the same"),
    ] {
        let text = SOUND.replacen(from, to, 1);
        assert_ne!(text, SOUND, "{from}");
        let error = read(&text).unwrap_err();
        assert!(
            error.contains("jobs.json: ") && error.contains(key) && error.contains(words),
            "{to}: {error}"
        );
    }
    let twice = SOUND.replace(
        "[{\"name\"",
        "[{\"name\": \"s\", \"steps\": 9, \"slots\": 1, \"capacity\": [9, 9], \"backlog\": 0, \
        \"jobs\": [{\"id\": 1, \"length\": 1, \"demand\": [1, 1], \"arrival\": 1}]}, {\"name\"",
    );
    assert!(read(twice).unwrap_err().contains("\"s\" is the name of sequences[0] too"));
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../simulator/data/slots_fixtures.json");
    assert!(read(std::fs::read(fixtures).unwrap()).unwrap() > 0);
    assert!(read(r#"{"sequences": []}"#).unwrap_err().contains("at least one sequence"));
    assert!(read(format!("{SOUND}]")).unwrap_err().contains("trailing"));
    for (bytes, words) in [
        (&b""[..], "EOF"),
        (b"PK\x03\x04", "is a zip archive"),
        (b"\x1f\x8b\x08", "gzip -d"),
        (b"\xff\xfe{\0", "UTF-16"),
    ] {
        let error = read(bytes).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}
