use std::error::Error;

use crate::name::printable_lines;

/// An error with its causes as one text. A cause that the text before it already contains is left out, and control characters are
/// made visible.
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
    printable_lines(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("x.toml: {source}")]
    struct Unreadable {
        source: std::io::Error,
    }

    #[test]
    fn a_cause_is_told_once() {
        let error = Unreadable { source: std::io::Error::other("no such file") };
        assert_eq!(error_text(&error), "x.toml: no such file");
    }
}
