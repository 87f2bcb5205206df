//! Damaged trace files: each fault is named with its file, row and column, or, leniently, counted and left out.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::io::Write as _;
use std::path::Path;

use common::trajectory::Scenario;
use configuration::{ServerlessConfig, SimulatorConfig, SlotsConfig, TraceConfig, WorkloadKind};
use workloads::Episodes;
use workloads::trace::{
    Azure2019, Azure2019Paths, Azure2021, EventFunction, Fault, Skipped, TraceError, TraceFileKind,
};

const INVOCATIONS: &str =
    "HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,http,1,0,5\no,a,g,timer,2,2,2\n";
const DURATIONS: &str = "HashOwner,HashApp,HashFunction,Average,Count,Minimum,Maximum,percentile_Average_0,\
    percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,\
    percentile_Average_100\no,a,f,10,3,1,90,1,1,5,9,12,80,90\no,a,g,10,3,1,90,1,1,5,9,12,80,90\n";
const MEMORY: &str =
    "HashOwner,HashApp,HashFunction,SampleCount,AverageAllocatedMb\no,a,f,4,400.0\no,a,g,4,90\n";
const APPLICATIONS: &str = "HashOwner,HashApp,SampleCount,AverageAllocatedMb\no,a,4,400.0\n";
const EVENTS: &str = "app,func,end_timestamp,duration\na,f,1.5,0.5\na,g,500,499.5\na,f,300,0.25\n";

/// What a damaged trace should come to.
enum Right {
    /// An error, lenient or not.
    Refused,
    /// An error, or one row of this fault left out.
    Skipped(Fault),
}
use Right::{Refused, Skipped as Skip};

/// File, text to replace, replacement, words of the error, what it should come to.
type Case = (&'static str, &'static str, &'static str, &'static str, Right);

const CASES: [Case; 36] = [
    // Rows of the file of invocations.
    (
        "invocations",
        "http,1,0,5",
        "http,1,x,5",
        "row 2, column `2`: `x` is not a whole number",
        Skip(Fault::NotANumber),
    ),
    (
        "invocations",
        "http,1,0,5",
        "http,1,,5",
        "row 2, column `2`: is empty where a whole number",
        Skip(Fault::EmptyCell),
    ),
    (
        "invocations",
        "http,1,0,5",
        "http,1,-3,5",
        "row 2, column `2`: `-3` is not a whole number",
        Skip(Fault::Negative),
    ),
    (
        "invocations",
        "http,1,0,5",
        "http,1,NaN,5",
        "row 2, column `2`: `NaN` is not a",
        Skip(Fault::NotFinite),
    ),
    (
        "invocations",
        "http,1,0,5",
        "http,1,2.5,5",
        "row 2, column `2`: `2.5` is not a whole",
        Skip(Fault::NotWhole),
    ),
    (
        "invocations",
        "http,1,0,5",
        "http,1,1e30,5",
        "`1e30` is not a whole number of invocations in this minute, from 0 to 10000000",
        Skip(Fault::TooLarge),
    ),
    (
        "invocations",
        "http,1,0,5",
        "http,1,99999999999,5",
        "column `2`: `99999999999` is not",
        Skip(Fault::TooLarge),
    ),
    (
        "invocations",
        "timer,2,2,2",
        "timer,2,2",
        "row 3, column `3`: is missing: the row has 6 fields where the header has 7",
        Skip(Fault::TooFewFields),
    ),
    (
        "invocations",
        "timer,2,2,2",
        "timer,2,2,2,2",
        "row 3, column `3`: is followed by more: the row has 8 fields",
        Skip(Fault::TooManyFields),
    ),
    (
        "invocations",
        "o,a,g",
        "o,a,f",
        "row 3, column `HashFunction`: `f` has row 2 already",
        Skip(Fault::Duplicate),
    ),
    (
        "invocations",
        "o,a,g,",
        "o,a,\"g,",
        "row 3, column `HashFunction`: a quote is opened here",
        Skip(Fault::OpenQuote),
    ),
    (
        "invocations",
        "o,a,g",
        "o,a,\0g",
        "row 3, column `HashFunction`: `\\0g` has a control character",
        Skip(Fault::ControlCharacter),
    ),
    ("invocations", "2,2,2", "2,\0,2", "row 3, column `2`: `\\0` is not", Skip(Fault::ControlCharacter)),
    (
        "invocations",
        "o,a,g",
        "o,a,",
        "row 3, column `HashFunction`: is empty where a name should be",
        Skip(Fault::EmptyCell),
    ),
    (
        "invocations",
        "o,a,g",
        "o,a,h",
        "row 3, column `HashFunction`: `h` has no row in",
        Skip(Fault::NoDurations),
    ),
    // Its structure.
    (
        "invocations",
        "Trigger,1,2,3",
        "Trigger,1,2,4",
        "row 1, column `4`: follows minute 2 where minute 3 should be",
        Refused,
    ),
    (
        "invocations",
        "Trigger,1,2,3",
        "Trigger,3,2,1",
        "row 1, column `2`: follows minute 3 where minute 4 should be",
        Refused,
    ),
    (
        "invocations",
        "Trigger,1,2,3",
        "Trigger,1,2,2",
        "row 1, column `2`: stands in the header twice, at 6 and at 7",
        Refused,
    ),
    (
        "invocations",
        "Trigger,1,2,3",
        "Trigger,x,y,z",
        "has no column `<a minute, e.g. 1>`; its columns are HashOwner",
        Refused,
    ),
    ("invocations", "HashFunction", "Function", "row 1: has no column `HashFunction`", Refused),
    (
        "invocations",
        INVOCATIONS,
        "",
        "is empty; row 1 should be a header with a column `HashFunction`",
        Refused,
    ),
    ("invocations", INVOCATIONS, "\n\r\n \n", "is empty; row 1 should be a header", Refused),
    (
        "invocations",
        "\no,a,f,http,1,0,5\no,a,g,timer,2,2,2\n",
        "\n",
        "has a header, but no row below it",
        Refused,
    ),
    // Durations.
    (
        "durations",
        "o,a,g,10,3,1,90,1,1,5",
        "o,a,g,10,3,1,90,1,1,-5",
        "row 3, column `percentile_Average_25`: `-5` is not a number of milliseconds",
        Skip(Fault::Negative),
    ),
    (
        "durations",
        "o,a,g,10,3,1,90,1,1,5",
        "o,a,g,10,3,1,90,1,1,inf",
        "row 3, column `percentile_Average_25`: `inf`",
        Skip(Fault::NotFinite),
    ),
    (
        "durations",
        "o,a,g,10,3,1,90,1,1,5",
        "o,a,g,10,3,1,90,1,1,1e9",
        "`1e9` is not a number of milliseconds from 0 to 604800000 (a week)",
        Skip(Fault::TooLarge),
    ),
    (
        "durations",
        "o,a,g,10,3,1,90,1,1,5",
        "o,a,g,10,3,1,90,1,1,55",
        "row 3, column `percentile_Average_50`: `9` is less than the percentile before it, 55",
        Skip(Fault::DecreasingPercentiles),
    ),
    ("durations", "percentile_Average_75", "p75", "row 1: has no column `percentile_Average_75`", Refused),
    // Memory.
    (
        "memory",
        "4,90",
        "4,9O",
        "row 3, column `AverageAllocatedMb`: `9O` is not a number of MB",
        Skip(Fault::NotANumber),
    ),
    (
        "memory",
        "o,a,g,4,90",
        "o,b,g,4,90",
        "invocations.csv: row 3, column `HashFunction`: `g` has no row in",
        Skip(Fault::NoMemory),
    ),
    ("memory", "AverageAllocatedMb", "Mb", "row 1: has no column `AverageAllocatedMb`", Refused),
    // Events.
    (
        "events",
        "a,g,500,499.5",
        "a,g,500,soon",
        "row 3, column `duration`: `soon` is not a number of seconds",
        Skip(Fault::NotANumber),
    ),
    (
        "events",
        "a,g,500,499.5",
        "a,g,500,501",
        "row 3, column `duration`: `501` is longer than the 500 s since the start",
        Skip(Fault::BeforeStart),
    ),
    (
        "events",
        "a,g,500,499.5",
        "a,g,1e12,1",
        "row 3, column `end_timestamp`: `1e12` is not a number of seconds since",
        Skip(Fault::TooLarge),
    ),
    ("events", "end_timestamp", "end", "row 1: has no column `end_timestamp`", Refused),
    ("events", EVENTS, "app,func,end_timestamp,duration\n", "has a header, but no row below it", Refused),
];

fn read(folder: &Path, lenient: bool) -> Result<Skipped, TraceError> {
    let file = |name: &str| folder.join(format!("{name}.csv"));
    let (invocations, durations, memory) = (file("invocations"), file("durations"), file("memory"));
    let paths = Azure2019Paths { invocations: &invocations, durations: &durations, memory: &memory };
    let mut skipped = Azure2019::read(paths, lenient)?.skipped;
    skipped.faults.extend(Azure2021::read(&file("events"), lenient)?.skipped.faults);
    Ok(skipped)
}

/// Rows of other functions, so large that those of a case are little beside them.
const LARGE: [(&str, &str); 4] = [
    ("invocations", "o,b,large#,http,9000000,9000000,9000000\n"),
    ("durations", "o,b,large#,10,3,1,90,1,1,5,9,12,80,90\n"),
    ("memory", "o,b,large#,4,400\n"),
    ("events", "b,large#,600000,600000\n"),
];

/// Adds a hundred of them to each file in a folder.
fn enlarge(folder: &Path) {
    for (name, row) in LARGE {
        let path = folder.join(format!("{name}.csv"));
        let mut text = std::fs::read(&path).unwrap();
        (0..100).for_each(|number| text.extend(row.replace('#', &number.to_string()).bytes()));
        std::fs::write(path, text).unwrap();
    }
}

fn written(change: impl Fn(&str, &str) -> Vec<u8>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("invocations", INVOCATIONS), ("durations", DURATIONS), ("memory", MEMORY), ("events", EVENTS)]
    {
        std::fs::write(folder.path().join(format!("{name}.csv")), change(name, text)).unwrap();
    }
    folder
}

fn sound() -> tempfile::TempDir {
    written(|_, text| text.into())
}

#[test]
fn each_fault_is_named_or_counted() {
    for (file, from, to, expected, right) in CASES {
        let folder = written(|name, text| {
            let damaged = if name == file { text.replacen(from, to, 1) } else { text.to_owned() };
            assert_eq!(name == file, damaged != text, "{expected}");
            damaged.into()
        });
        let error = read(folder.path(), false).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\nlacks: {expected}");
        assert!(error.contains(&format!("{file}.csv")) || error.contains("invocations.csv"), "{error}");
        match right {
            Refused => assert_eq!(read(folder.path(), true).expect_err(expected).to_string(), error),
            Skip(fault) => {
                enlarge(folder.path());
                let skipped = read(folder.path(), true).expect(expected);
                assert_eq!(skipped.faults[&fault].rows, 1, "{skipped}");
                assert_eq!(skipped.faults[&fault].first, error);
                assert!(skipped.to_string().contains(fault.words()), "{skipped}");
            }
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let folder = sound();
    std::fs::remove_file(folder.path().join("memory.csv")).unwrap();
    let error = read(folder.path(), true).unwrap_err().to_string();
    assert!(error.contains("memory.csv: cannot be read: No such file"), "{error}");
}

#[test]
fn a_gap_in_the_minutes_does_not_hide_what_file_it_is() {
    let folder = sound();
    let path = folder.path().join("invocations.csv");
    std::fs::write(&path, INVOCATIONS.replace("Trigger,1,2,3", "Trigger,1,3,4")).unwrap();
    assert_eq!(TraceFileKind::of(&path).unwrap(), TraceFileKind::Invocations);
    let error = read(folder.path(), false).unwrap_err().to_string();
    assert!(error.contains("`3`") && error.contains("invocations"), "{error}");
}

#[test]
fn invalid_utf8_is_named_or_counted() {
    let folder = sound();
    let path = folder.path().join("durations.csv");
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.iter().rposition(|&byte| byte == b'g').unwrap();
    bytes[place] = 0xff;
    std::fs::write(&path, &bytes).unwrap();
    let error = read(folder.path(), false).unwrap_err().to_string();
    assert!(error.contains("durations.csv: row 3, column `HashFunction`: is not UTF-8"), "{error}");
    enlarge(folder.path());
    assert_eq!(read(folder.path(), true).unwrap().faults[&Fault::NotUtf8].rows, 1);
    bytes[3] = 0xff;
    std::fs::write(&path, &bytes).unwrap();
    let error = read(folder.path(), true).unwrap_err().to_string();
    assert!(error.contains("row 1, column 1: the header is not UTF-8"), "{error}");
}

fn compress(text: &str) -> Vec<u8> {
    compress_bytes(text.as_bytes())
}

fn compress_bytes(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_is_read_and_damaged_gzip_refused() {
    let folder = sound();
    let path = folder.path().join("events.csv.gz");
    let whole = compress(EVENTS);
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(Azure2021::read(&path, false).unwrap().events.len(), 3);
    for lenient in [false, true] {
        std::fs::write(&path, &whole[..whole.len() - 12]).unwrap();
        let error = Azure2021::read(&path, lenient).unwrap_err().to_string();
        assert!(error.contains("events.csv.gz: after row "), "{error}");
        assert!(error.contains("damaged or ends too early"), "{error}");
        std::fs::write(&path, EVENTS).unwrap();
        let error = Azure2021::read(&path, lenient).unwrap_err().to_string();
        assert!(error.contains("is not gzip data although its name ends in `.gz`"), "{error}");
    }
}

#[test]
fn byte_order_marks_line_ends_quotes_and_blank_lines_change_nothing() {
    let plain = sound();
    let events = |folder: &tempfile::TempDir| {
        Azure2021::read(&folder.path().join("events.csv"), false).unwrap().events
    };
    let changes: [fn(&str) -> String; 4] = [
        |text| format!("\u{feff}{text}"),
        |text| text.replace('\n', "\r\n"),
        |text| text.replace("o,a", "\"o\",\"a\"").replace("a,f", "\"a\",f"),
        |text| text.replace('\n', "\n\n").trim_end().to_owned(),
    ];
    for change in changes {
        let folder = written(|_, text| change(text).into());
        assert_eq!(read(folder.path(), false).unwrap(), Skipped::default());
        assert_eq!(events(&folder), events(&plain));
    }
    // Rows are lines as an editor counts them, also between blank ones and with CRLF.
    let folder = written(|_, text| text.replace("http,1,0", "http,1,x").replace('\n', "\r\n\r\n").into());
    let error = read(folder.path(), false).unwrap_err().to_string();
    assert!(error.contains("row 3, column `2`"), "{error}");
}

#[test]
fn nothing_left_is_an_error_also_leniently() {
    let folder =
        written(|name, text| if name == "memory" { text.replace(",4,", ",4,-") } else { text.into() }.into());
    let error = read(folder.path(), true).unwrap_err().to_string();
    assert!(
        error.contains("memory.csv: nothing usable is left of it; left out: 2 rows with a negative"),
        "{error}"
    );
    assert!(error.contains("row 2, column `AverageAllocatedMb`"), "{error}");
}

fn load(folder: &Path, last_minute: u32) -> Result<Episodes, String> {
    let trace = TraceConfig {
        invocations: Some(folder.join("invocations.csv")),
        durations: Some(folder.join("durations.csv")),
        memory: Some(folder.join("memory.csv")),
        training_minutes: [1, last_minute],
        validation_minutes: [3, 3],
        test_minutes: [3, 3],
        ..TraceConfig::default()
    };
    let serverless =
        ServerlessConfig { workload: WorkloadKind::Trace, trace: Some(trace), ..ServerlessConfig::default() };
    let config =
        SimulatorConfig { scenario: Scenario::Serverless, slots: SlotsConfig::default(), serverless };
    Episodes::new(&config).map_err(|error| error.to_string())
}

#[test]
fn memory_by_application_is_shared_by_its_functions() {
    let folder = written(|name, text| if name == "memory" { APPLICATIONS } else { text }.into());
    let episodes = load(folder.path(), 2).unwrap();
    let functions = &episodes.workload().unwrap().cluster().functions;
    assert_eq!(functions.len(), 2);
    assert_eq!((functions[0].peak_memory_mb, functions[0].default_memory_mb), (200, 256));
    assert_eq!(functions[0].application, functions[1].application);
}

#[test]
fn minutes_that_the_file_lacks_are_refused() {
    let error = load(sound().path(), 9).err().unwrap();
    assert!(error.contains("has minutes 1 to 3, not 1 to 9"), "{error}");
}

/// The bundled trace of 2021 with its text changed.
fn bundled_events(change: impl Fn(&str) -> String) -> Azure2021 {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/azure2021/events.csv");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    std::fs::write(&path, change(&std::fs::read_to_string(data).unwrap())).unwrap();
    Azure2021::read(&path, false).unwrap()
}

#[test]
fn the_order_of_rows_makes_no_difference() {
    let plain = bundled_events(str::to_owned);
    let sorted_by = |value: fn(&str) -> f64| {
        bundled_events(move |text| {
            let (header, rows) = text.split_once('\n').unwrap();
            let mut rows: Vec<&str> = rows.lines().collect();
            rows.sort_by(|a, b| value(a).total_cmp(&value(b)));
            format!("{header}\n{}\n", rows.join("\n"))
        })
    };
    let by_end = sorted_by(|row| row.split(',').nth(2).unwrap().parse().unwrap());
    let by_duration = sorted_by(|row| row.split(',').nth(3).unwrap().parse().unwrap());
    for other in [by_end, by_duration] {
        assert_eq!(other.events, plain.events);
        assert_eq!(other.functions.len(), plain.functions.len());
        let same =
            |(a, b): (&EventFunction, &EventFunction)| a.key == b.key && a.application == b.application;
        assert!(other.functions.iter().zip(&plain.functions).all(same));
    }
}

#[test]
fn what_is_left_out_is_counted_with_its_share() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    let write = |rows: &str| {
        std::fs::write(
            &path,
            format!("app,func,end_timestamp,duration\n{}{rows}", "a,f,200,100\n".repeat(100)),
        )
        .unwrap();
    };
    let share = |rows: &str, fault: Fault| {
        write(rows);
        let skipped = Azure2021::read(&path, true).unwrap().skipped;
        (skipped.faults[&fault].invocation_share, skipped.faults[&fault].work_share)
    };
    let near = |(a, b): (f64, f64), c: f64, d: f64| (a - c).abs() < 1e-12 && (b - d).abs() < 1e-12;
    assert!(near(share("a,g,soon,200\n", Fault::NotANumber), 1.0 / 101.0, 200.0 / 10_200.0));
    // What a row took is taken for the mean where it cannot be made out.
    assert!(near(share("a,g,300,soon\n", Fault::NotANumber), 1.0 / 101.0, 1.0 / 101.0));
    assert!(near(share("a,\"g,300,50\n", Fault::OpenQuote), 1.0 / 101.0, 50.0 / 10_050.0));
    // Few rows, much work: as many invocations as before, but a fifth of all time.
    write("a,g,soon,2500\n");
    let error = Azure2021::read(&path, true).unwrap_err().to_string();
    for words in
        ["events.csv: too much is left out", "1.0% of the invocations and 20.0% of the work", "row 102"]
    {
        assert!(error.contains(words), "{error}");
    }
    write(&"a,g,soon,0.1\n".repeat(6));
    let error = Azure2021::read(&path, true).unwrap_err().to_string();
    assert!(error.contains("5.7% of the invocations and 0.0% of the work, where 5% of each"), "{error}");
}

#[test]
fn a_damaged_row_of_properties_costs_its_functions_invocations() {
    // `f` has 6 of 12 invocations; its durations are damaged, so it is no function that the trace lacks.
    let folder = written(|name, text| {
        if name == "durations" { text.replacen(",5,9,", ",5,x,", 1) } else { text.to_owned() }.into()
    });
    let error = read(folder.path(), true).unwrap_err().to_string();
    assert!(error.contains("50.0% of the invocations") && error.contains("damaged rows"), "{error}");
    assert!(error.contains("1 row with text in place of a number (50.00% of the invocations"), "{error}");
    assert!(!error.contains("of functions without durations"), "{error}");
    // A row of counts that is damaged: what can be made out of it counts.
    let folder = written(|name, text| {
        if name == "invocations" { text.replacen("http,1,0,5", "http,1,x,5", 1) } else { text.to_owned() }
            .into()
    });
    let error = read(folder.path(), true).unwrap_err().to_string();
    // 6 invocations at 400 MB beside 6 at 90 MB.
    assert!(error.contains("50.0% of the invocations and 81.6% of the work"), "{error}");
    // Functions that are in no row of another file are no damage, and half of a trace may be of such.
    let folder = written(|name, text| {
        if name == "memory" { MEMORY.replace("o,a,f", "o,z,f") } else { text.to_owned() }.into()
    });
    let skipped = read(folder.path(), true).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(skipped.faults[&Fault::NoMemory].invocation_share, 0.5);
    let folder = written(|name, text| {
        if name == "memory" {
            MEMORY.replace("o,a,f", "o,z,f")
        } else {
            text.replace("http,1,0,5", "http,1,9,5")
        }
        .into()
    });
    let error = read(folder.path(), true).unwrap_err().to_string();
    assert!(error.contains("functions without durations or memory; give the files"), "{error}");
}

#[test]
fn files_that_are_no_trace_are_told_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv");
    let wide: Vec<u8> = EVENTS.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut tar = vec![b'e'; 257];
    tar.extend(b"ustar\0");
    tar.resize(1024, 0);
    let gzipped_tar = compress_bytes(&tar);
    for (bytes, words) in [
        (&b"PK\x03\x04..."[..], "is a zip archive"),
        (&tar, "is a tar archive; unpack it first"),
        (&gzipped_tar, "is a tar archive; unpack it first"),
        (&compress_bytes(&compress(EVENTS)), "is compressed twice"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7z archive"),
        (b"\xfd7zXZ\x00", "xz -d"),
        (b"\x28\xb5\x2f\xfd", "zstd -d"),
        (b"BZh9", "bzip2 -d"),
        (&wide, "is text in UTF-16; save it as UTF-8"),
        (&[0; 4096], "is binary data"),
        (EVENTS.replace(',', ";").as_bytes(), "separated by semicolons; save the file with commas"),
        (EVENTS.replace(',', "\t").as_bytes(), "separated by tabs"),
        (EVENTS.replace('\n', "\r").as_bytes(), "a carriage return alone"),
        (b"", "is empty; row 1 should be a header"),
        (b"app,func\n", "has no column `end_timestamp`; its columns are app, func"),
        (b"app,FUNC,func,end_timestamp,duration\n", "stands in the header twice"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        for lenient in [false, true] {
            let error = Azure2021::read(&path, lenient).expect_err(words).to_string();
            assert!(error.contains("events.csv: ") && error.contains(words), "{error}\nlacks: {words}");
        }
    }
    assert!(Azure2021::read(folder.path(), false).unwrap_err().to_string().contains("is a folder"));
    assert!(Azure2021::read(Path::new("/dev/zero"), false).unwrap_err().to_string().contains("is a device"));
    let pipe = folder.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(Azure2021::read(&pipe, false).unwrap_err().to_string().contains("is a pipe"));
    let long = format!("app,func,end_timestamp,duration\n{}", "x".repeat(17 << 20));
    std::fs::write(&path, long).unwrap();
    assert!(Azure2021::read(&path, true).unwrap_err().to_string().contains("row 2: is longer than 16 MiB"));
}

#[test]
fn several_members_and_other_capitals_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.csv.gz");
    let (one, two) = EVENTS.split_at(50);
    std::fs::write(&path, [compress(one), compress(two)].concat()).unwrap();
    assert_eq!(Azure2021::read(&path, false).unwrap().events.len(), 3);
    std::fs::write(
        &path,
        compress(&EVENTS.replace("app,func,end_timestamp", " App , FUNC,\"End_Timestamp\"")),
    )
    .unwrap();
    assert_eq!(Azure2021::read(&path, false).unwrap().events.len(), 3);
    let plain = sound();
    let capitals = written(|_, text| {
        let (header, rows) = text.split_once('\n').unwrap();
        format!("{}\n{rows}", header.to_uppercase().replace(',', " ,")).into()
    });
    assert_eq!(read(capitals.path(), false).unwrap(), read(plain.path(), false).unwrap());
}

#[test]
fn the_bundled_samples_are_sound() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    let sample = bundled_events(str::to_owned);
    assert_eq!((sample.events.len(), sample.functions.len(), sample.range()), (998, 49, [1, 108]));
    let file = |name: &str| data.join("azure2019").join(name);
    let (invocations, durations, memory) =
        (file("invocations.csv"), file("durations.csv"), file("memory.csv"));
    let paths = Azure2019Paths { invocations: &invocations, durations: &durations, memory: &memory };
    let sample = Azure2019::read(paths, false).unwrap();
    assert_eq!((sample.functions.len(), sample.first_minute, sample.minutes), (100, 480, 480));
}
