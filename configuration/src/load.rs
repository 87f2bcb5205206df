use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use garde::Validate;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Config, check, renamed, schema};
use common::name::printable;
use common::{ExitCode, ExitStatus};

/// Bytes; a configuration has a few thousand.
const LARGEST_FILE: u64 = 16 << 20;

/// Why a configuration was refused. Every message names the file, the key and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// File that could not be read.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is not valid TOML.
    #[error("{origin}: not valid TOML: {message}")]
    Syntax {
        /// File, or where the text came from.
        origin: String,
        /// The parser's words, with line and column.
        message: String,
    },
    /// A key is unknown, missing or of the wrong type.
    #[error("{origin}: key `{key}`: {message}")]
    Key {
        /// File, or where the text came from.
        origin: String,
        /// Dotted path of the key.
        key: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A `--set` argument is malformed.
    #[error("--set {argument}: {message}")]
    Set {
        /// Argument as it was given, `KEY=VALUE`.
        argument: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// Values that are out of range or contradict each other.
    #[error("{origin}: {message}")]
    Invalid {
        /// File, or where the text came from.
        origin: String,
        /// A line a value.
        message: String,
    },
}

impl ExitStatus for ConfigError {
    fn exit_code(&self) -> ExitCode {
        ExitCode::Config
    }
}

/// Reads the file at `path`, applies `settings` (each `a.b=c`, the value in TOML or a bare word), and validates.
///
/// Paths in the file are kept as they are: a relative one is relative to the folder in which the program was started.
///
/// # Errors
/// See [`ConfigError`].
pub fn load(path: &Path, settings: &[String]) -> Result<Config, ConfigError> {
    let text = common::user_file::read_text(path, LARGEST_FILE)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&text, &path.display().to_string(), settings)
}

/// [`load`] for a text; `origin` names it in errors.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse(text: &str, origin: &str, settings: &[String]) -> Result<Config, ConfigError> {
    let read = read(text, origin, settings);
    match read {
        // What is wrong may be named by a key of the file that only a setting made wrong.
        Err(ConfigError::Invalid { origin: blamed, message })
            if blamed == origin && !settings.is_empty() && self::read(text, origin, &[]).is_ok() =>
        {
            Err(ConfigError::Invalid { origin: listed(settings), message })
        }
        read => read,
    }
}

/// The settings, as they were given.
fn listed(settings: &[String]) -> String {
    settings.iter().map(|setting| format!("--set {}", printable(setting))).collect::<Vec<_>>().join(" ")
}

fn read(text: &str, origin: &str, settings: &[String]) -> Result<Config, ConfigError> {
    let mut table = table_of(text, origin)?;
    let given = table.clone();
    for setting in settings {
        apply(&mut table, setting)?;
    }
    checked(table, schema::schema(), &|key| origin_of(key, origin, settings, &given))
}

/// Reads another kind of file than a configuration, with the same checks and the same words. `origin` names it in errors.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse_as<T>(text: &str, origin: &str) -> Result<T, ConfigError>
where
    T: DeserializeOwned + JsonSchema + Validate<Context = ()>,
{
    checked(table_of(text, origin)?, &schema::schema_of::<T>(), &|_| origin.to_owned())
}

fn table_of(text: &str, origin: &str) -> Result<toml::Table, ConfigError> {
    text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        origin: origin.to_owned(),
        message: one_line(text, &error),
    })
}

/// Reads `table` and judges it; `from` names the source of a key.
fn checked<T>(
    table: toml::Table,
    schema: &serde_json::Value,
    from: &dyn Fn(&str) -> String,
) -> Result<T, ConfigError>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    let faults = check::faults(&table, schema);
    if !faults.is_empty() {
        let named = faults.iter().map(|fault| (fault.key.clone(), fault.message.clone()));
        return Err(invalid(named, from));
    }
    let read: T = serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
        let key = error.path().to_string();
        let message = error.into_inner().to_string().trim_end().to_owned();
        ConfigError::Key { origin: from(&key), key, message }
    })?;
    let named = |report: garde::Report| {
        let all: Vec<_> = report.iter().map(|(key, error)| (key.to_string(), error.to_string())).collect();
        invalid(all.into_iter(), from)
    };
    read.validate().map_err(named)?;
    Ok(read)
}

/// The parser's words in one line, with the row of `text` that they are about.
fn one_line(text: &str, error: &toml::de::Error) -> String {
    let words = error.message().trim_end().replace('\n', "; ");
    match error.span() {
        Some(span) => {
            let start = text.floor_char_boundary(span.start);
            let row = text[..start].matches('\n').count() + 1;
            let line = text.lines().nth(row - 1).unwrap_or_default().trim();
            format!("row {row}, `{}`: {words}", printable(line))
        }
        None => words,
    }
}

/// [`parse`] for what this or an earlier version wrote itself: keys that were renamed since are understood.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse_earlier(text: &str, origin: &str) -> Result<Config, ConfigError> {
    let mut value: serde_json::Value = toml::from_str(text).map_err(|error: toml::de::Error| {
        ConfigError::Syntax { origin: origin.to_owned(), message: one_line(text, &error) }
    })?;
    renamed::bring_up_to_date(&mut value);
    serde_path_to_error::deserialize(value).map_err(|error| ConfigError::Key {
        origin: origin.to_owned(),
        key: error.path().to_string(),
        message: error.into_inner().to_string(),
    })
}

/// Refuses values that are out of range or contradict each other, in a configuration that comes from elsewhere than a file of today: a
/// checkpoint may be of anybody.
///
/// # Errors
/// Every key with what is wrong with it, in one line.
pub fn check_values(config: &Config) -> Result<(), String> {
    let fault = |(key, error): &(garde::Path, garde::Error)| {
        format!("key `{}`: {error}", printable(&key.to_string()))
    };
    let faults = |report: garde::Report| report.iter().map(fault).collect::<Vec<_>>().join("; ");
    config.validate().map_err(faults)
}

/// One error of all faults; `from` names the source of a key.
fn invalid(faults: impl Iterator<Item = (String, String)>, from: impl Fn(&str) -> String) -> ConfigError {
    let mut message = String::new();
    let mut origins = Vec::new();
    for (key, fault) in faults {
        let separator = if message.is_empty() { "" } else { "; " };
        let _ = write!(message, "{separator}key `{}`: {fault}", printable(&key));
        let origin = from(&key);
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    ConfigError::Invalid { origin: origins.join(", "), message }
}

/// The source of a key's value: the last `--set` of it, of what it lies in, or, where the file has no such section, of what lies
/// in it; else the file.
fn origin_of(key: &str, origin: &str, settings: &[String], given: &toml::Table) -> String {
    let within = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    // The outermost section around the key that the file does not have.
    let ends = key.match_indices('.').map(|(end, _)| end).chain([key.len()]);
    let missing = ends.map(|end| &key[..end]).find(|section| !holds(given, section));
    let gives = |setting: &&String| {
        let set = setting.split_once('=').map_or("", |(set, _)| set.trim());
        !set.is_empty() && (within(key, set) || missing.is_some_and(|section| within(set, section)))
    };
    settings
        .iter()
        .rev()
        .find(gives)
        .map_or_else(|| origin.to_owned(), |setting| format!("--set {}", printable(setting)))
}

/// Whether the file gives this key, or anything in this section.
fn holds(given: &toml::Table, key: &str) -> bool {
    let mut here = given;
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        match here.get(part.split('[').next().unwrap_or(part)) {
            Some(toml::Value::Table(table)) => here = table,
            Some(_) => return parts.peek().is_none(),
            None => return false,
        }
    }
    true
}

fn apply(table: &mut toml::Table, setting: &str) -> Result<(), ConfigError> {
    let fail = |message: String| ConfigError::Set { argument: printable(setting), message };
    let (key, text) = setting
        .split_once('=')
        .ok_or_else(|| fail("must look like section.key=value, e.g. learner.epochs=4".to_owned()))?;
    let value = parse_value(text);
    let mut parts: Vec<&str> = key.split('.').map(str::trim).collect();
    let last = parts.pop().filter(|part| !part.is_empty()).ok_or_else(|| fail("has no key".to_owned()))?;
    let mut here = table;
    for (place, part) in parts.iter().enumerate() {
        // A section that the file leaves out has its defaults, and one of them is replaced.
        let entry = here.entry(*part).or_insert_with(|| default_section(&parts[..=place]));
        here = entry.as_table_mut().ok_or_else(|| fail(format!("`{part}` is a value, not a section")))?;
    }
    here.insert(last.to_owned(), value);
    Ok(())
}

/// A TOML value, or, where it is none, the text itself: `--set name=fast` needs no quotes.
fn parse_value(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = format!("value = {text}").parse();
    // More than one key means that the text went on behind the value.
    parsed
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

/// What a section that is left out holds, as far as it has to be written out.
fn default_section(path: &[&str]) -> toml::Value {
    let default = schema::default_at(path).filter(|default| default.is_object());
    let table = default.and_then(|default| toml::Value::try_from(without_nulls(default)).ok());
    table.unwrap_or_else(|| toml::Value::Table(toml::Table::new()))
}

/// TOML has no word for nothing: what is left out is not there.
fn without_nulls(value: &serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(members) => {
            let given = members.iter().filter(|(_, value)| !value.is_null());
            given.map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        value => value.clone(),
    }
}
