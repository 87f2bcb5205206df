use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use garde::Validate;

use super::Config;

/// Bytes; a configuration has a few thousand.
const LARGEST_FILE: u64 = 16 << 20;

/// Why a configuration was refused. Every message names the file, the key and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no TOML.
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
        /// The argument.
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

/// Reads the file at `path`, applies `settings` (each `a.b=c`, the value in TOML or a bare word), and validates.
///
/// Relative paths in the file are taken relative to the file's folder where they exist there, else to the current one.
///
/// # Errors
/// See [`ConfigError`].
pub fn load(path: &Path, settings: &[String]) -> Result<Config, ConfigError> {
    let text = crate::user_file::read_text(path, LARGEST_FILE)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse(&text, &path.display().to_string(), settings)
}

/// [`load`] for a text; `origin` names it in errors.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse(text: &str, origin: &str, settings: &[String]) -> Result<Config, ConfigError> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
        origin: origin.to_owned(),
        message: error.to_string(),
    })?;
    for setting in settings {
        apply(&mut table, setting)?;
    }
    let config: Config = serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
        let key = error.path().to_string();
        ConfigError::Key {
            origin: origin_of(&key, origin, settings),
            key,
            message: error.into_inner().to_string().trim_end().to_owned(),
        }
    })?;
    config.validate().map_err(|report| {
        let mut message = String::new();
        let mut origins = Vec::new();
        for (key, error) in report.iter() {
            let separator = if message.is_empty() { "" } else { "; " };
            let _ = write!(message, "{separator}key `{key}`: {error}");
            let from = origin_of(&key.to_string(), origin, settings);
            if !origins.contains(&from) {
                origins.push(from);
            }
        }
        ConfigError::Invalid { origin: origins.join(", "), message }
    })?;
    Ok(config)
}

/// Who gave the value of a key: the last `--set` of it or of what it lies in, else the file.
fn origin_of(key: &str, origin: &str, settings: &[String]) -> String {
    let gives = |setting: &&String| {
        let given = setting.split_once('=').map_or("", |(given, _)| given.trim());
        let within = |long: &str, short: &str| {
            long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        !given.is_empty() && within(key, given)
    };
    settings.iter().rev().find(gives).map_or_else(|| origin.to_owned(), |setting| format!("--set {setting}"))
}

fn apply(table: &mut toml::Table, setting: &str) -> Result<(), ConfigError> {
    let fail = |message: String| ConfigError::Set { argument: setting.to_owned(), message };
    let (key, text) = setting
        .split_once('=')
        .ok_or_else(|| fail("must look like section.key=value, e.g. learner.entropy_cost=0.01".to_owned()))?;
    let value = parse_value(text);
    let mut parts: Vec<&str> = key.split('.').map(str::trim).collect();
    let last = parts.pop().filter(|part| !part.is_empty()).ok_or_else(|| fail("has no key".to_owned()))?;
    let mut here = table;
    for part in parts {
        let entry = here.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        here = entry.as_table_mut().ok_or_else(|| fail(format!("`{part}` is a value, not a section")))?;
    }
    here.insert(last.to_owned(), value);
    Ok(())
}

/// A TOML value, or, where it is none, the text itself: `--set name=fast` needs no quotes.
fn parse_value(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = format!("value = {text}").parse();
    parsed
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| toml::Value::String(text.to_owned()))
}
