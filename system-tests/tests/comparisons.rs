//! `evaluate`, `compare`, `report` and `trace` as programs: what they refuse, and what they make of little and of
//! hostile input.

#![allow(clippy::unwrap_used, reason = "a test says by its panic what failed")]

use std::fs;
use std::path::Path;
use std::process::Output;

use system_tests::{root, run};

fn longshore(arguments: &[&str]) -> Output {
    run("longshore", arguments)
}

fn refused(output: &Output, status: i32, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in:\n{text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

/// What a command that ends well prints: stdout, and stderr.
fn printed(arguments: &[&str]) -> (String, String) {
    let output = longshore(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

fn steady() -> String {
    root().join("configs/evaluate/steady.toml").display().to_string()
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

const SHORT: [&str; 4] = [
    "--set",
    "simulator.serverless.test_window_seconds=20",
    "--set",
    "simulator.serverless.warm_up_seconds=5",
];

#[test]
fn numbers_out_of_range_are_refused_with_their_flag() {
    let config = steady();
    let slots = ["evaluate", "slots"];
    let serverless = ["evaluate", "serverless", "-c", &config];
    let compare = ["compare", "--strongest", "--results", "/nowhere"];
    let report = ["report", "/nowhere"];
    let sample = ["trace", "sample", "/nowhere.csv", "--out", "/nowhere"];
    let flags: [(&[&str], &str); 14] = [
        (&slots, "--load"),
        (&slots, "--steps"),
        (&slots, "--episodes"),
        (&slots, "--batch"),
        (&slots, "--threads"),
        (&slots, "--seed"),
        (&serverless, "--load"),
        (&serverless, "--seeds"),
        (&serverless, "--batch"),
        (&compare, "--tolerance"),
        (&report, "--tolerance"),
        (&sample, "--functions"),
        (&sample, "--minutes"),
        (&sample, "--seed"),
    ];
    for (command, flag) in flags {
        for value in ["nan", "-inf", "-1", "1e300", "99999999999999999999999"] {
            let arguments: Vec<&str> = command.iter().copied().chain([flag, value]).collect();
            refused(&longshore(&arguments), 2, &[flag, value]);
        }
    }
    for (command, flag) in &flags[..9] {
        if !["--seed", "--threads"].contains(flag) {
            let arguments: Vec<&str> = command.iter().copied().chain([*flag, "0"]).collect();
            refused(&longshore(&arguments), 2, &[flag]);
        }
    }
}

#[test]
fn what_is_given_twice_is_refused() {
    refused(&longshore(&["evaluate", "slots", "--load", "10,50,10"]), 3, &["--load", "10 is given twice"]);
    refused(&longshore(&["evaluate", "slots", "--steps", "20", "--steps", "20"]), 3, &["--steps", "20"]);
    let config = steady();
    let twice = ["evaluate", "serverless", "-c", &config, "--load", "70,70%"];
    refused(&longshore(&twice), 3, &["--load", "70 is given twice"]);
}

#[test]
fn results_in_which_nothing_was_counted_are_refused() {
    let config = steady();
    let mut arguments = vec!["evaluate", "serverless", "-c", &config, "--load", "0.01", "--seeds", "2"];
    arguments.extend(["--scheduler", "sjf"]);
    arguments.extend(SHORT);
    refused(&longshore(&arguments), 3, &["`steady` at 0.01% load", "nothing was counted", "window_seconds"]);
    let slots =
        ["evaluate", "slots", "--load", "0.01", "--steps", "2", "--episodes", "1", "--scheduler", "sjf"];
    refused(&longshore(&slots), 3, &["`slots-2` at 0.01% load", "--episodes"]);
}

#[test]
fn a_run_cannot_be_named_into_another_folder() {
    let config = steady();
    for name in ["../x", "/tmp/x", "a/b", "=1", "a b"] {
        let setting = format!("name='{name}'");
        let train = ["train", "-c", &config, "--set", &setting, "--no-report"];
        refused(&longshore(&train), 3, &["key `name`", name, "letters"]);
        let evaluate = ["evaluate", "serverless", "-c", &config, "--set", &setting];
        refused(&longshore(&evaluate), 3, &["key `name`", name]);
    }
    let class = "simulator.serverless.mixed.classes=[{name='<b>',share=1.0,functions=1,median_seconds=0.1,sigma=0.1,memory_mb=128,parallelism=1.0}]";
    let evaluate = ["evaluate", "serverless", "-c", &config, "--set", class];
    refused(&longshore(&evaluate), 3, &["classes[0].name", "<b>"]);
}

#[test]
fn one_load_one_seed_and_one_scheduler_make_whole_pictures_and_any_spelling_finds_them() {
    let folder = tempfile::tempdir().unwrap();
    let (out, svg, page) =
        (path(folder.path(), "out"), path(folder.path(), "a.svg"), path(folder.path(), "a.html"));
    let config = steady();
    let evaluate = |scheduler: &str| {
        let mut arguments = vec!["evaluate", "serverless", "-c", &config, "--load", "70", "--seeds", "1"];
        arguments.extend(["--scheduler", scheduler, "--out", &out, "--svg", &svg]);
        arguments.extend(SHORT);
        printed(&arguments)
    };
    let (_, log) = evaluate("warm-first+drf");
    assert!(log.contains("1 episodes (seeds) of a point"), "{log}");
    printed(&["report", &out, "-o", &page]);
    for file in [&svg, &page] {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.contains("drf+default+warm-first+configured"));
        assert!(!text.contains("NaN") && text.contains(r##"stroke="#"##));
    }
    // Another spelling of the same is there already.
    let (_, _) = evaluate("drf+warm-first,sjf+warm-first");
    let episodes = fs::read_to_string(Path::new(&out).join("episodes.jsonl")).unwrap();
    assert_eq!(episodes.lines().count(), 2, "{episodes}");
    let (text, _) = printed(&["compare", "drf", "warm-first", "--results", &out]);
    assert!(text.contains("do not believe it yet"), "{text}");
    let (text, _) = printed(&["compare", "--strongest", "--baseline", "drf+warm-first", "--results", &out]);
    assert!(text.contains("fewer than 30 seeds"), "{text}");
    refused(&longshore(&["compare", "sjf", "warm-first", "--results", &out]), 3, &["itself"]);
    refused(&longshore(&["compare", "sjf", "hiku", "--results", &out]), 3, &["no results of `hiku`", "sjf"]);
}

#[test]
fn a_wrong_part_of_a_scheduler_is_pointed_at() {
    let config = steady();
    let evaluate =
        |scheduler: &str| longshore(&["evaluate", "serverless", "-c", &config, "--scheduler", scheduler]);
    refused(&evaluate("srpt+warm-frist"), 3, &["`warm-frist`", "the nearest are `warm-first`"]);
    refused(&evaluate("hiku+warm-first"), 3, &["`hiku` and `warm-first` both give the placement"]);
    refused(&evaluate("sjf,,fcfs"), 2, &["--scheduler", "a name is empty"]);
    refused(&evaluate("./sjf"), 5, &["./sjf"]);
}

/// An application, a function and what calls it, of a stranger.
const HOSTILE: [&str; 5] =
    ["=cmd|'/c calc'!A0", "<script>alert(1)</script>", "@a,b\"c", "\u{202e}+1", "| a | b |"];

#[test]
fn hostile_names_of_functions_command_nothing_and_survive_a_sample() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.csv");
    let mut text = "app,func,end_timestamp,duration\n".to_owned();
    for (number, name) in HOSTILE.iter().enumerate() {
        let cell = format!("\"{}\"", name.replace('"', "\"\""));
        text.push_str(&format!("{cell},{cell},{}.0,0.5\n", 10 + number));
    }
    fs::write(&events, &text).unwrap();
    let events = events.display().to_string();
    let svg = path(folder.path(), "trace.svg");
    let (table, log) = printed(&["trace", "inspect", &events, "--svg", &svg]);
    let drawn = fs::read_to_string(&svg).unwrap();
    for shown in [&table, &log, &drawn] {
        assert!(!shown.contains('\u{202e}') && !shown.contains('\u{1b}'), "{shown}");
    }
    assert!(!drawn.contains("<script"));
    let [one, two] = ["one", "two"].map(|name| path(folder.path(), name));
    printed(&["trace", "sample", &events, "--out", &one]);
    let sampled = Path::new(&one).join("events.csv");
    printed(&["trace", "sample", &sampled.display().to_string(), "--out", &two]);
    let bytes = fs::read(&sampled).unwrap();
    assert_eq!(bytes, fs::read(Path::new(&two).join("events.csv")).unwrap());
    let json = |file: &str| printed(&["trace", "inspect", file, "--json"]).0;
    assert_eq!(json(&events), json(&sampled.display().to_string()), "the same functions, byte for byte");
    // A row with a name that commands a terminal is refused, and its error is harmless.
    fs::write(&events, "app,func,end_timestamp,duration\na,\u{1b}[2Jb,10.0,0.5\n").unwrap();
    let output = longshore(&["trace", "inspect", &events]);
    refused(&output, 4, &["row 2", "control character"]);
    assert!(!output.stderr.contains(&0x1b));
    fs::write(&events, "app,\u{1b}[2Jfunc,end,duration\na,b,10.0,0.5\n").unwrap();
    let output = longshore(&["trace", "inspect", &events]);
    refused(&output, 4, &["row 1"]);
    assert!(!output.stderr.contains(&0x1b));
}
