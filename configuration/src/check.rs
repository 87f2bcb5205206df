//! Checks a file against the schema before it is read: known keys, kinds of values, ranges, and numbers that
//! are numbers. There is no other place where a single value is judged.

use serde_json::Value as Schema;
use toml::{Table, Value};

use crate::renamed;
use crate::schema::{alternatives, items, members, resolve};
use common::name::printable;
use common::nearest;

/// A key and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub key: String,
    pub message: String,
}

/// Everything that is wrong with `table` by `schema`; one of another kind of file than a configuration has no references.
pub(crate) fn faults(table: &Table, schema: &Schema) -> Vec<Fault> {
    let mut faults = Vec::new();
    check_table(table, schema, "", &mut faults);
    faults
}

fn check_table(table: &Table, schema: &Schema, path: &str, faults: &mut Vec<Fault>) {
    let known = members(schema);
    let others = schema.get("additionalProperties");
    let any = others.filter(|schema| schema.is_object());
    let takes_all = others.and_then(Schema::as_bool) == Some(true);
    for (key, value) in table {
        let path = joined(path, key);
        match known.and_then(|known| known.get(key)).or(any) {
            Some(schema) => check(value, schema, &path, faults),
            None if takes_all => {}
            None => faults.push(Fault { message: unknown(key, &path, schema), key: path }),
        }
    }
    let required = schema.get("required").and_then(Schema::as_array).into_iter().flatten();
    for key in required.filter_map(Schema::as_str).filter(|key| !table.contains_key(*key)) {
        let kind = known.and_then(|known| known.get(key)).map_or_else(String::new, expected);
        faults.push(Fault { key: joined(path, key), message: format!("is missing; it is {kind}") });
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn unknown(key: &str, path: &str, schema: &Schema) -> String {
    if let Some(instead) = renamed::instead_of(path) {
        return format!("is no longer read: {instead}");
    }
    let known: Vec<&str> = members(schema).into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    if let Some(ours) = renamed::called_here(key) {
        return format!("is unknown; here it is called {ours}");
    }
    let close = nearest(key, known.iter().copied());
    if !close.is_empty() {
        return format!("is unknown; did you mean `{}`?", close.join("` or `"));
    }
    if known.len() <= 8 {
        return format!("is unknown; here are `{}`", known.join("`, `"));
    }
    let reference =
        schema.get("x-reference").and_then(Schema::as_str).unwrap_or("longshore config reference");
    format!("is unknown; `{reference}` lists all keys")
}

fn check(value: &Value, schema: &Schema, path: &str, faults: &mut Vec<Fault>) {
    let schema = resolve(schema);
    if let Some(alternatives) = alternatives(schema) {
        return check_alternatives(value, schema, &alternatives, path, faults);
    }
    match value {
        Value::Table(table) if takes(schema, "object") => check_table(table, schema, path, faults),
        Value::Array(values) if takes(schema, "array") => {
            check_length(values.len(), schema, path, faults);
            for (place, value) in values.iter().enumerate() {
                if let Some(schema) = items(schema) {
                    check(value, schema, &format!("{path}[{place}]"), faults);
                }
            }
        }
        Value::Integer(number) if takes(schema, "integer") || takes(schema, "number") => {
            check_number(*number as f64, &number.to_string(), schema, path, faults);
        }
        Value::Float(number) if takes(schema, "number") => {
            check_number(*number, &format!("{number:?}").to_lowercase(), schema, path, faults);
        }
        Value::String(text) if takes(schema, "string") => check_text(text, schema, path, faults),
        Value::Boolean(_) if takes(schema, "boolean") => {}
        _ => faults.push(Fault {
            key: path.to_owned(),
            message: format!("is {}; it must be {}{}", described(value), expected(schema), example(path)),
        }),
    }
}

/// How a section looks, by its default.
fn example(path: &str) -> String {
    let default = crate::schema::default_at(&path.split('.').collect::<Vec<_>>());
    let members = default.and_then(Schema::as_object).filter(|members| members.len() <= 3);
    let given = members.filter(|members| !members.is_empty() && members.values().all(Schema::is_number));
    given.map_or_else(String::new, |members| {
        let members: Vec<String> = members.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        format!(", e.g. {{ {} }}", members.join(", "))
    })
}

/// A choice: one of several words, or a table of one of them; or what may be left out.
fn check_alternatives(
    value: &Value,
    whole: &Schema,
    alternatives: &[&Schema],
    path: &str,
    faults: &mut Vec<Fault>,
) {
    // A table is judged by the alternative that has its first key, so that what is wrong within it is said.
    let named = |schema: &&&Schema| match value {
        Value::Table(table) => {
            members(schema).is_some_and(|known| table.keys().any(|key| known.contains_key(key)))
        }
        Value::String(text) => schema.get("const").and_then(Schema::as_str) == Some(text),
        _ => false,
    };
    if let Some(schema) = alternatives.iter().find(named) {
        if value.is_table() {
            check(value, schema, path, faults);
        }
        return;
    }
    let only = match alternatives {
        [only] => Some(*only),
        _ => None,
    };
    if let Some(schema) = only {
        return check(value, schema, path, faults);
    }
    faults.push(Fault {
        key: path.to_owned(),
        message: format!("is {}; it must be {}", described(value), expected(whole)),
    });
}

fn check_length(length: usize, schema: &Schema, path: &str, faults: &mut Vec<Fault>) {
    let bound = |name: &str| schema.get(name).and_then(Schema::as_u64);
    let (least, most) = (bound("minItems").unwrap_or(0), bound("maxItems").unwrap_or(u64::MAX));
    if (least..=most).contains(&(length as u64)) {
        return;
    }
    let wanted = match (least, most) {
        (least, most) if least == most => format!("exactly {least}"),
        (least, u64::MAX) => format!("at least {least}"),
        (least, most) => format!("{least} to {most}"),
    };
    faults.push(Fault {
        key: path.to_owned(),
        message: format!("has {length} entries; it must have {wanted}"),
    });
}

fn check_number(number: f64, shown: &str, schema: &Schema, path: &str, faults: &mut Vec<Fault>) {
    let bound = |name: &str| schema.get(name).and_then(Schema::as_f64);
    let least = bound("minimum").unwrap_or(f64::NEG_INFINITY);
    let most = bound("maximum").unwrap_or(f64::INFINITY);
    if number.is_finite() && (least..=most).contains(&number) {
        return;
    }
    faults.push(Fault {
        key: path.to_owned(),
        message: format!("is {shown}; it must be {}", expected(schema)),
    });
}

fn check_text(text: &str, schema: &Schema, path: &str, faults: &mut Vec<Fault>) {
    let bound = |name: &str| schema.get(name).and_then(Schema::as_u64);
    let length = text.chars().count() as u64;
    let (least, most) = (bound("minLength").unwrap_or(0), bound("maxLength").unwrap_or(u64::MAX));
    if !(least..=most).contains(&length) {
        faults.push(Fault {
            key: path.to_owned(),
            message: format!("has {length} characters; it must have {least} to {most}"),
        });
    }
}

fn takes(schema: &Schema, kind: &str) -> bool {
    match schema.get("type") {
        Some(Schema::String(only)) => only == kind,
        Some(Schema::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

/// A value as a person would call it.
fn described(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() > 18 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{text}, which has more digits than a whole number may have")
        }
        Value::String(text) => format!("the text \"{}\"", printable(text)),
        Value::Integer(_) => format!("the whole number {value}"),
        Value::Float(number) => format!("the number {number:?}"),
        Value::Boolean(_) => format!("{value}"),
        Value::Datetime(_) => format!("the date {value}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table of keys".to_owned(),
    }
}

/// What a value must be, as a person would call it.
pub(crate) fn expected(schema: &Schema) -> String {
    let schema = resolve(schema);
    if let Some(alternatives) = alternatives(schema) {
        return alternatives.iter().map(|one| expected(one)).collect::<Vec<_>>().join(" or ");
    }
    if let Some(word) = schema.get("const") {
        return word.to_string();
    }
    let unit =
        schema.get("x-unit").and_then(Schema::as_str).map_or(String::new(), |unit| format!(" ({unit})"));
    if takes(schema, "integer") {
        return format!("a whole number{}{unit}", range(schema));
    }
    if takes(schema, "number") {
        return format!("a number{}{unit}", range(schema));
    }
    if takes(schema, "boolean") {
        return "true or false".to_owned();
    }
    if takes(schema, "array") {
        return match items(schema) {
            Some(items) => format!("a list, each entry {}", expected(items)),
            None => "a list".to_owned(),
        };
    }
    if takes(schema, "object") {
        let required = schema.get("required").and_then(Schema::as_array);
        return match required.map(|keys| keys.iter().filter_map(Schema::as_str).collect::<Vec<_>>()) {
            Some(keys) if !keys.is_empty() => format!("a table with `{}`", keys.join("`, `")),
            _ => "a section".to_owned(),
        };
    }
    "a text".to_owned()
}

/// ` from A to B`, as far as there are bounds.
pub(crate) fn range(schema: &Schema) -> String {
    let bound = |name: &str| schema.get(name).filter(|bound| bound.is_number()).map(plain);
    match (bound("minimum"), bound("maximum")) {
        (Some(least), Some(most)) => format!(" from {least} to {most}"),
        (Some(least), None) => format!(" from {least} on"),
        (None, Some(most)) => format!(" up to {most}"),
        (None, None) => String::new(),
    }
}

/// A number without needless digits.
fn plain(number: &Schema) -> String {
    match number.as_f64() {
        _ if number.is_i64() || number.is_u64() => number.to_string(),
        Some(number) if number.abs() >= 1e7 || (number != 0.0 && number.abs() < 1e-3) => {
            format!("{number:e}")
        }
        Some(number) => format!("{number}"),
        None => number.to_string(),
    }
}
