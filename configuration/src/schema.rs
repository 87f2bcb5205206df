//! The JSON Schema of a configuration, made from the types that read it, and how to find one's way in it.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::Config;

/// The schema of [`Config`] (JSON Schema 2020-12). Ranges are those of the `garde` attributes, descriptions the doc comments.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = schemars::schema_for!(Config).to_value();
        bound_whole_numbers(&mut schema);
        schema
    })
}

/// The schema of another kind of file, without references.
pub(crate) fn schema_of<T: schemars::JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    bound_whole_numbers(&mut schema);
    schema
}

/// A whole number of a file has 64 bits with a sign, and none that the schema knows is larger.
fn bound_whole_numbers(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("type").is_some_and(|kind| kind == "integer") && !members.contains_key("maximum") {
                let most = match members.get("format").and_then(Value::as_str) {
                    Some("uint32") => i64::from(u32::MAX),
                    _ => i64::MAX,
                };
                members.insert("maximum".to_owned(), Value::from(most));
            }
            members.values_mut().for_each(bound_whole_numbers);
        }
        Value::Array(values) => values.iter_mut().for_each(bound_whole_numbers),
        _ => {}
    }
}

/// The target of `$ref`; the schema itself where it has none.
pub(crate) fn resolve(part: &Value) -> &Value {
    let target = part.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix("#/$defs/"));
    target.and_then(|name| schema().get("$defs")?.get(name)).unwrap_or(part)
}

/// The members of an object.
pub(crate) fn members(part: &Value) -> Option<&Map<String, Value>> {
    resolve(part).get("properties").and_then(Value::as_object)
}

/// What each entry of a list is.
pub(crate) fn items(part: &Value) -> Option<&Value> {
    part.get("items").filter(|items| items.is_object())
}

/// The alternatives of a choice, without the one to leave the key out.
pub(crate) fn alternatives(part: &Value) -> Option<Vec<&Value>> {
    let several = part.get("oneOf").or_else(|| part.get("anyOf"))?.as_array()?;
    let given = several.iter().filter(|one| one.get("type").is_none_or(|kind| kind != "null"));
    Some(given.map(resolve).collect())
}

/// The default of the key at a dotted path, where the schema states one.
pub(crate) fn default_at(path: &[&str]) -> Option<&'static Value> {
    let mut here = schema();
    let mut default = None;
    for key in path {
        let only = alternatives(resolve(here)).and_then(|all| (all.len() == 1).then(|| all[0]));
        here = members(only.unwrap_or(here))?.get(*key)?;
        let of_parent = default.and_then(|default: &Value| default.get(*key));
        default = here.get("default").or(of_parent);
    }
    default.filter(|default| !default.is_null())
}
