//! Names that users choose: which are valid, and how text of unknown origin is shown.

/// Length of the longest name in bytes.
pub const LONGEST_NAME: usize = 64;
/// The rule for names, for error messages.
pub const NAME_RULE: &str = "a name has 1 to 64 of the letters a to z and A to Z, digits, `.`, `_` and `-`, and begins with a letter or a digit";

/// Whether this is a valid name of a run, a workload or a part of one: names become folders, cells of tables and words on the command
/// line.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(letter)
}

/// A text that is safe in a terminal and a log line: characters that would move the cursor, end the line or change the direction
/// of writing are escaped, as `\u{1b}`.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_harmful(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The same for a text of several lines.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// Control characters, line ends, direction marks, and characters that XML does not allow.
fn is_harmful(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_that_any_file_system_and_table_takes() {
        for name in ["x", "azure2019", "python3.12", "short-small", "a_b", &"n".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        let long = "n".repeat(65);
        let wrong = [
            "",
            ".",
            "..",
            "../x",
            "/x",
            "a/b",
            "a\\b",
            "C:",
            "-x",
            "=x",
            "+x",
            "@x",
            ".x",
            "_x",
            "a b",
            "a\tb",
            "a\n",
            "a,b",
            "a+b",
            "<b>",
            "a|b",
            "é",
            "\u{1b}[31m",
            "a\0",
            &long,
        ];
        for name in wrong {
            assert!(!is_name(name), "{name:?}");
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(printable("\u{1b}[2Ja\r\nb\t\u{202e}c\0"), "\\u{1b}[2Ja\\r\\nb\\t\\u{202e}c\\u{0}");
        assert_eq!(printable("Größe <b> × 日本"), "Größe <b> × 日本");
        assert_eq!(printable_lines("a\u{7}\nb"), "a\\u{7}\nb");
    }
}
