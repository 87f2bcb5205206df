//! Every key with kind, unit, default, range and a sentence: what `longshore config reference` prints and
//! `docs/configuration.md` holds.

use serde_json::Value;

use crate::check::{expected, range};
use crate::schema::{alternatives, items, members, resolve, schema, schema_of};

/// A key of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// Dotted path; `[]` stands for each entry of a list, `NAME` for a name of the user's.
    pub key: String,
    /// What its value is.
    pub kind: String,
    /// Unit of a number, or empty.
    pub unit: String,
    /// What it is where it is left out; empty where it must be given.
    pub default: String,
    /// Least and greatest value, or the words to choose from.
    pub range: String,
    /// What it is for.
    pub text: String,
}

/// Endings of keys that tell the unit, the longest first.
const UNITS: [(&str, &str); 12] = [
    ("mb_per_vcpu", "MB"),
    ("mbps_per_vcpu", "Mbit/s"),
    ("_megabits", "Mbit"),
    ("_millicores", "1/1000 vCPU"),
    ("_percent", "%"),
    ("_minutes", "min"),
    ("_seconds", "s"),
    ("_mbps", "Mbit/s"),
    ("_mib", "MiB"),
    ("_mb", "MB"),
    ("_ms", "ms"),
    ("_steps", "decisions"),
];

/// All keys, in the order of the sections and then of the alphabet.
#[must_use]
pub fn entries() -> Vec<Entry> {
    entries_of(schema())
}

fn entries_of(schema: &Value) -> Vec<Entry> {
    let mut entries = Vec::new();
    list("", schema, None, &mut entries);
    entries
}

fn list(path: &str, part: &Value, defaults: Option<&Value>, entries: &mut Vec<Entry>) {
    let required: Vec<&str> = part
        .get("required")
        .and_then(Value::as_array)
        .map(|keys| keys.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let known = members(part).into_iter().flatten();
    // Values first, then the sections within, as in a file.
    let (sections, values): (Vec<_>, Vec<_>) = known.partition(|(_, one)| section(one).is_some());
    for (key, one) in values.into_iter().chain(sections) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let default = defaults.and_then(|defaults| defaults.get(key)).or_else(|| one.get("default"));
        let shown = if required.contains(&key.as_str()) && defaults.is_none() { None } else { default };
        match section(one) {
            Some(Section::Table(within)) => list(&path, within, default.or(Some(&Value::Null)), entries),
            Some(Section::Optional(within)) => list(&path, within, None, entries),
            Some(Section::List(within)) => {
                entries.push(entry(&path, one, shown));
                list(&format!("{path}[]"), within, None, entries);
            }
            Some(Section::Named(within)) => list(&format!("{path}.NAME"), within, None, entries),
            None => entries.push(entry(&path, one, shown)),
        }
    }
}

/// A value that holds keys of its own.
enum Section<'a> {
    Table(&'a Value),
    Optional(&'a Value),
    List(&'a Value),
    Named(&'a Value),
}

fn section(part: &Value) -> Option<Section<'_>> {
    let whole = resolve(part);
    if whole.get("properties").is_some() {
        return Some(Section::Table(whole));
    }
    if let Some(named) = whole.get("additionalProperties").filter(|named| named.is_object()) {
        return Some(Section::Named(resolve(named)));
    }
    if let Some(entry) = items(whole).map(resolve).filter(|entry| entry.get("properties").is_some()) {
        return Some(Section::List(entry));
    }
    match alternatives(whole)?.as_slice() {
        [only] if only.get("properties").is_some() => Some(Section::Optional(only)),
        _ => None,
    }
}

fn entry(path: &str, part: &Value, default: Option<&Value>) -> Entry {
    let whole = resolve(part);
    let number = number_within(whole);
    let key = path.rsplit('.').next().unwrap_or(path);
    let unit = number.map_or_else(String::new, |_| unit(part, key));
    let text = part.get("description").or_else(|| whole.get("description")).and_then(Value::as_str);
    Entry {
        key: path.to_owned(),
        kind: kind(whole),
        unit,
        default: default.filter(|default| !default.is_null()).map_or_else(String::new, shown),
        range: number.map_or_else(|| words(whole), |number| range(number).trim().to_owned()),
        text: text.unwrap_or_default().replace('\n', " "),
    }
}

/// A default that is too long for a table is described by its length.
fn shown(default: &Value) -> String {
    match default {
        Value::Array(values) if values.iter().any(Value::is_object) => format!("{} entries", values.len()),
        other => other.to_string(),
    }
}

fn unit(part: &Value, key: &str) -> String {
    let stated = part.get("x-unit").and_then(Value::as_str);
    let by_name = || UNITS.iter().find(|(ending, _)| key.ends_with(ending)).map(|(_, unit)| *unit);
    stated.or_else(by_name).unwrap_or_default().to_owned()
}

/// The number that a value is or, of a list, that each entry is.
fn number_within(part: &Value) -> Option<&Value> {
    let is_number = |kind: &Value| kind == "number" || kind == "integer";
    let kinds = part.get("type")?;
    let direct = is_number(kinds) || kinds.as_array().is_some_and(|kinds| kinds.iter().any(is_number));
    if direct { Some(part) } else { number_within(resolve(items(part)?)) }
}

fn kind(part: &Value) -> String {
    let kinds = part.get("type");
    let has = |kind: &str| match kinds {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    };
    let named = [
        ("integer", "whole number"),
        ("number", "number"),
        ("boolean", "true or false"),
        ("string", "text"),
        ("object", "table"),
    ];
    if has("array") {
        let within = items(part).map(|items| kind(resolve(items))).unwrap_or_default();
        return format!("list of {within}");
    }
    named
        .iter()
        .find(|(kind, _)| has(kind))
        .map_or_else(|| "choice".to_owned(), |(_, name)| (*name).to_owned())
}

/// The words of a choice.
fn words(part: &Value) -> String {
    if part.get("oneOf").is_some() { expected(part) } else { String::new() }
}

/// All keys as a page of Markdown.
#[must_use]
pub fn reference() -> String {
    page(HEAD, entries())
}

/// All keys of another kind of file as a page of Markdown that begins with `head`.
#[must_use]
pub fn reference_of<T: schemars::JsonSchema>(head: &str) -> String {
    page(head, entries_of(&schema_of::<T>()))
}

fn page(head: &str, entries: Vec<Entry>) -> String {
    let mut text = String::from(head);
    let mut section = None;
    for entry in entries {
        let (place, key) = entry.key.rsplit_once('.').unwrap_or(("", &entry.key));
        if section.as_deref() != Some(place) {
            let title = if place.is_empty() { "At the top".to_owned() } else { format!("`[{place}]`") };
            text.push_str(&format!(
                "\n## {title}\n\n| key | kind | unit | default | range | |\n|---|---|---|---|---|---|\n"
            ));
            section = Some(place.to_owned());
        }
        let default = if entry.default.is_empty() { String::new() } else { format!("`{}`", entry.default) };
        let cells = [&entry.kind, &entry.unit, &default, &entry.range, &entry.text];
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text.push_str(&format!("| `{key}` | {} |\n", cells.join(" | ")));
    }
    text
}

const HEAD: &str = "# Every key of a configuration

`longshore config reference` prints this page from the code that reads the file; `longshore config check FILE` checks a file, and
`longshore config schema` prints a JSON Schema for editors. `--set section.key=value` sets one value. `[]` stands for each
entry of a list, `NAME` for a name of yours. A key without a default may be left out, or must be given where its section says so:
`schema`, `name`, `seed` and `simulator.scenario` always. In a run folder, what may change when a run goes on is said in
[formats.md](formats.md).
";
