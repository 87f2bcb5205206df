//! What arguments may be: numbers in their ranges, lists of names, nothing twice.

use std::fmt::Display;

use configuration::ConfigError;

/// Largest number of episodes or seeds of one point of an evaluation.
pub const MOST_EPISODES: i64 = 1_000_000;
/// Longest episode of `slots`, steps.
pub const MOST_STEPS: i64 = 100_000;
/// Largest number of threads that an argument accepts.
pub const MOST_THREADS: u64 = 1024;
/// Largest number of episodes that a learnt policy plays side by side.
pub const MOST_TOGETHER: u64 = 65_536;

/// Offered load in percent, as in a configuration 0.01 to 10000.
///
/// # Errors
/// What would be right.
pub fn percent(text: &str) -> Result<f64, String> {
    within(text.strip_suffix('%').unwrap_or(text), 0.01, 10_000.0)
        .ok_or_else(|| "a load is from 0.01 to 10000 percent, e.g. 130".to_owned())
}

/// A tolerance: the fraction by which a scheduler may be worse, 0–1000.
///
/// # Errors
/// What would be right.
pub fn tolerance(text: &str) -> Result<f64, String> {
    within(text, 0.0, 1000.0)
        .ok_or_else(|| "a tolerance is a share from 0 to 1000, e.g. 0.05 for 5%".to_owned())
}

fn within(text: &str, least: f64, most: f64) -> Option<f64> {
    let value: f64 = text.trim().parse().ok()?;
    // Zero has no sign.
    (least..=most).contains(&value).then_some(value + 0.0)
}

/// Names of schedulers that one argument gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

/// Names with commas between them; `\,` is a comma within a name.
///
/// # Errors
/// What would be right.
pub fn names(text: &str) -> Result<Names, String> {
    let mut names = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if letters.next_if_eq(&',').is_some() => append(&mut names, ','),
            ',' => names.push(String::new()),
            letter => append(&mut names, letter),
        }
    }
    if names.iter().any(String::is_empty) {
        return Err(
            "a name is empty; give names with one comma between them, and `\\,` for a comma in a name"
                .to_owned(),
        );
    }
    Ok(Names(names))
}

fn append(names: &mut [String], letter: char) {
    if let Some(last) = names.last_mut() {
        last.push(letter);
    }
}

/// The names of all arguments of a flag.
#[must_use]
pub fn all_names(arguments: &[Names]) -> Vec<String> {
    arguments.iter().flat_map(|names| names.0.clone()).collect()
}

/// Refuses a value that is given twice, because its episodes would be the same.
///
/// # Errors
/// An error that names the repeated value.
pub fn once<T: PartialEq + Display>(flag: &str, values: &[T]) -> Result<(), ConfigError> {
    let twice = (1..values.len()).find(|&place| values[..place].contains(&values[place]));
    twice.map_or(Ok(()), |place| {
        let message = format!("{} is given twice; give each value once", values[place]);
        Err(ConfigError::Invalid { origin: flag.to_owned(), message })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lie_in_their_ranges() {
        assert_eq!(percent("184.5"), Ok(184.5));
        assert_eq!(percent("70%"), Ok(70.0));
        for wrong in ["0", "-1", "nan", "inf", "-inf", "1e300", "x", "", "%", "7%%", "1e-320"] {
            assert!(percent(wrong).is_err_and(|words| words.contains("0.01 to 10000")), "{wrong}");
        }
        assert_eq!(tolerance("0"), Ok(0.0));
        for wrong in ["-1", "nan", "inf", "1e300", "x", ""] {
            assert!(tolerance(wrong).is_err_and(|words| words.contains("0 to 1000")), "{wrong}");
        }
    }

    #[test]
    fn names_may_hold_commas() {
        let list = |text: &str| names(text).map(|names| names.0);
        assert_eq!(list("sjf,runs/a b"), Ok(vec!["sjf".to_owned(), "runs/a b".to_owned()]));
        assert_eq!(list(r"runs/a\,b,sjf"), Ok(vec!["runs/a,b".to_owned(), "sjf".to_owned()]));
        assert_eq!(list(r"runs/a\b"), Ok(vec![r"runs/a\b".to_owned()]));
        for wrong in ["", ",", "sjf,", "sjf,,fcfs"] {
            assert!(list(wrong).is_err_and(|words| words.contains("empty")), "{wrong}");
        }
    }

    #[test]
    fn nothing_is_given_twice() {
        assert!(once("--load", &[10.0, 20.0]).is_ok());
        let error = once("--load", &[10.0, 20.0, 10.0]).err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some("--load: 10 is given twice; give each value once"));
    }
}
