//! Every key of a configuration: its description, its bounds, and what becomes of numbers that are none.
#![expect(clippy::unwrap_used, reason = "a test may fail by a panic, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

use configuration::{Entry, entries, parse, reference, schema};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every configuration that is shipped to be used, with its text.
fn shipped() -> Vec<(PathBuf, String)> {
    let folders = ["configs/train", "configs/evaluate"].map(|folder| root().join(folder));
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()).map(|file| file.unwrap().path());
    let read = |file: PathBuf| (file.clone(), fs::read_to_string(&file).unwrap());
    files.map(read).collect()
}

/// A `--set` of a key to `value`, wherever it lies.
fn setting(entry: &Entry, value: &str) -> Option<String> {
    let key = entry.key.replace("NAME", "fresh");
    if let Some((list, key)) = key.split_once("[].") {
        return match list {
            "simulator.slots.training" => {
                Some(part(list, key, value, &[("weight", "1.0"), ("steps", "50"), ("loads", "[10.0, 20.0]")]))
            }
            "simulator.serverless.training" => Some(part(
                list,
                key,
                value,
                &[
                    ("weight", "1.0"),
                    ("workload", "'trace'"),
                    ("loads", "[50.0, 90.0]"),
                    ("trace.training_minutes", "[0, 1]"),
                    ("trace.validation_minutes", "[2, 3]"),
                    ("trace.test_minutes", "[4, 5]"),
                ],
            )),
            "simulator.serverless.nodes" => Some(part(list, key, value, &NODE)),
            "simulator.serverless.runtimes" => Some(part(
                list,
                key,
                value,
                &[("name", "'r'"), ("share", "1.0"), ("median_ms", "100.0"), ("sigma", "0.4")],
            )),
            "simulator.serverless.mixed.classes" => Some(part(
                list,
                key,
                value,
                &[
                    ("name", "'c'"),
                    ("share", "1.0"),
                    ("functions", "3"),
                    ("median_seconds", "1.0"),
                    ("sigma", "0.5"),
                    ("memory_mb", "128"),
                    ("parallelism", "1.0"),
                ],
            )),
            _ => None,
        };
    }
    let value = match entry.kind.as_str() {
        "list of list of number" => format!("[[{value}]]"),
        "list of number" if entry.default.matches(',').count() == 1 => format!("[{value}, {value}]"),
        "list of number" => format!("[{value}]"),
        _ => value.to_owned(),
    };
    Some(format!("{key}={value}"))
}

/// What a node needs.
const NODE: [(&str, &str); 4] =
    [("cpu_millicores", "1000"), ("memory_mb", "8192"), ("network_mbps", "100"), ("speed", "1.0")];

/// A list of one entry with one of its values replaced.
fn part(list: &str, key: &str, value: &str, all: &[(&str, &str)]) -> String {
    let mut all: Vec<(&str, &str)> = all.iter().copied().filter(|(name, _)| *name != key).collect();
    let pair = format!("[{value}, {value}]");
    let node;
    match key.split_once("[].") {
        // The nodes of a part of a mixture.
        Some((nodes, key)) => {
            node = part(nodes, key, value, &NODE);
            all.push((nodes, node.strip_prefix(nodes).unwrap().strip_prefix('=').unwrap()));
        }
        None => all.push((key, if key == "loads" { &pair } else { value })),
    }
    let members: Vec<String> = all.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{list}=[{{ {} }}]", members.join(", "))
}

#[test]
fn no_number_that_is_none_is_ever_accepted() {
    let floats: Vec<Entry> = entries()
        .into_iter()
        .filter(|entry| entry.kind.ends_with("number") && !entry.kind.contains("whole"))
        .collect();
    assert!(floats.len() > 60, "{}", floats.len());
    for (file, text) in shipped() {
        for entry in &floats {
            for value in ["nan", "inf", "-inf", "1e300", "-1.0", "0.0"] {
                let set = setting(entry, value).unwrap_or_else(|| panic!("{} cannot be set", entry.key));
                let read = parse(&text, "file", std::slice::from_ref(&set));
                let within = |range: &str| {
                    let (least, most) = range.strip_prefix("from ").unwrap().split_once(" to ").unwrap();
                    let number: f64 = value.parse().unwrap();
                    number >= least.parse().unwrap() && number <= most.parse().unwrap()
                };
                if within(&entry.range) {
                    // What is in range may still not go together with the rest.
                    continue;
                }
                let error = read.expect_err(&set).to_string();
                assert!(
                    error.contains(entry.key.rsplit('.').next().unwrap()),
                    "{}: {set}: {error}",
                    file.display()
                );
                assert!(error.contains("it must be") && error.contains("from"), "{set}: {error}");
                assert!(error.starts_with("--set"), "{set}: {error}");
            }
        }
    }
}

#[test]
fn every_number_has_a_least_and_a_greatest_value() {
    fn walk(part: &serde_json::Value, path: &str) {
        match part {
            serde_json::Value::Object(members) => {
                let kind = members.get("type").map(ToString::to_string).unwrap_or_default();
                if kind.contains("number") || kind.contains("integer") {
                    let bounded = members.contains_key("minimum") && members.contains_key("maximum");
                    assert!(bounded, "{path} has no bounds: {part}");
                }
                members.iter().for_each(|(key, member)| walk(member, &format!("{path}/{key}")));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| walk(value, path)),
            _ => {}
        }
    }
    walk(schema(), "");
}

#[test]
fn every_key_says_what_it_is_for_and_numbers_their_unit_or_none() {
    for entry in entries() {
        assert!(entry.text.len() > 3, "{} says nothing: {entry:?}", entry.key);
        assert!(!entry.kind.is_empty(), "{entry:?}");
    }
    let unit = |key: &str| entries().into_iter().find(|entry| entry.key == key).unwrap().unit;
    assert_eq!(unit("learner.wall_limit_minutes"), "min");
    assert_eq!(unit("simulator.serverless.load_percent"), "%");
    assert_eq!(unit("evaluation.loads"), "%");
    assert_eq!(unit("learner.epochs"), "");
}

#[test]
fn the_page_of_all_keys_is_what_the_code_says() {
    let page = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    assert!(
        page == reference(),
        "docs/configuration.md is out of date: `longshore config reference > docs/configuration.md`"
    );
}

#[test]
fn a_section_that_is_left_out_can_be_set_in_part() {
    let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n";
    let set = |setting: &str| parse(text, "file", &[setting.to_owned()]);
    let config = set("learner.learning_rate.from=0.01").unwrap();
    assert_eq!((config.learner.learning_rate.from, config.learner.learning_rate.to), (0.01, 1e-4));
    for (setting, words) in [
        ("lerner.epochs=3", ["--set lerner.epochs=3", "`learner`"]),
        ("learner.epoch=3", ["--set learner.epoch=3", "`epochs`"]),
        ("simulator.serverless.failures.mean_up_seconds=5.0", ["--set simulator", "mean_down_seconds"]),
    ] {
        let error = set(setting).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
        assert!(!error.contains("file:"), "{error}");
    }
}

#[test]
fn a_setting_is_one_value_and_is_blamed_for_what_it_makes_wrong() {
    let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"slots\"\n[policy]\nwidth = 32\nheads = 4\n";
    let refused = |setting: &str| parse(text, "file", &[setting.to_owned()]).unwrap_err().to_string();
    // What follows a line's end is not dropped in silence.
    let error = refused("learner.epochs=4\nfoo=1");
    assert!(error.contains("--set learner.epochs=4\\nfoo=1") && error.contains("whole number"), "{error}");
    let error = refused("learner.ep\nochs=4");
    assert!(!error.contains('\n'), "{error}");
    // The file gives the key that is named, and the setting made it wrong.
    assert!(refused("policy.heads=5").starts_with("--set policy.heads=5: "), "{}", refused("policy.heads=5"));
    let error = refused("learner.budget_steps=99999999999999999999999");
    assert!(error.contains("more digits"), "{error}");
}

#[test]
fn a_configuration_of_an_earlier_version_is_understood_where_programs_wrote_it() {
    let text = "schema = 1\nname = \"t\"\nseed = 3\n[simulator]\nscenario = \"serverless\"\n[simulator.serverless]\nload = 0.7\n";
    let config = configuration::parse_earlier(text, "config.toml").unwrap();
    assert_eq!(config.simulator.serverless.load_percent, 70.0);
    let error = parse(text, "config.toml", &[]).unwrap_err().to_string();
    assert!(error.contains("load_percent = 70"), "{error}");
}
