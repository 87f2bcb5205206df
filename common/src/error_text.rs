use std::error::Error;

/// An error with its causes as one line; a cause that the text before it tells already is not told again.
#[must_use]
pub fn error_text(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConfigError;

    #[test]
    fn a_cause_is_told_once() {
        let source = std::io::Error::other("no such file");
        let error = ConfigError::Read { path: "x.toml".into(), source };
        assert_eq!(error_text(&error), "x.toml: no such file");
    }
}
