//! What is wrong with a study file, all at once.

use configuration::ConfigError;

use crate::SweepError;

/// Keys and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    pub(crate) fn push(&mut self, key: &str, message: &str) {
        self.0.push(format!("key `{key}`: {message}"));
    }

    pub(crate) fn into_result(self, origin: &str) -> Result<(), SweepError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Invalid { origin: origin.to_owned(), message: self.0.join("; ") }.into())
    }
}
