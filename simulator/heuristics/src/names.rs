//! Names with numbers in them, and suggestions for unknown names.

/// Largest number that a name may hold.
const LARGEST: f64 = 1e6;
/// Words before the suggested names.
pub(super) const NEAREST: &str = "the nearest are";

/// The number behind `prefix` in a name like `tetris_k0.01`, if it is one between 0 and `most`.
pub(super) fn knob(name: &str, prefix: &str, most: f64) -> Option<f64> {
    let value: f64 = name.strip_prefix(prefix)?.parse().ok()?;
    // Zero is never written with a minus.
    (0.0..=most.min(LARGEST)).contains(&value).then_some(value + 0.0)
}

/// How many reservations a part of this name makes: `reserve` one, `reserve_3` three.
pub(super) fn reservations(word: &str) -> Option<usize> {
    if word == "reserve" {
        return Some(1);
    }
    let most = knob(word, "reserve_", f64::INFINITY)?;
    (most >= 1.0 && most.fract() == 0.0).then_some(most as usize)
}

/// What is wrong with a word that none of `patterns` is, in which X stands for a number, and what is next to it.
pub(super) fn unknown(word: &str, what: &str, patterns: &[&str]) -> String {
    if word.is_empty() {
        return "a part of the name is empty; give names of parts with one `+` between them".to_owned();
    }
    let numbered = patterns.iter().find(|pattern| {
        pattern
            .strip_suffix('X')
            .is_some_and(|prefix| word.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
    });
    if let Some(pattern) = numbered {
        if *pattern == "reserve_X" {
            return format!("`{word}`: in `{pattern}` X is a whole number from 1 to {LARGEST}");
        }
        let most = if pattern.ends_with("_kX") { 1.0 } else { LARGEST };
        return format!("`{word}`: in `{pattern}` X is a number from 0 to {most}");
    }
    let close = common::nearest(word, patterns.iter().copied());
    match close.as_slice() {
        [] => format!("`{word}` is no {what}"),
        close => format!("`{word}` is no {what}; {NEAREST} `{}`", close.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_recognised() {
        let parts = ["warm-first", "wait-warm", "hiku"];
        assert!(unknown("warm-frist", "part", &parts).contains("the nearest are `warm-first`"));
        assert!(unknown("zzzzzz", "part", &["sjf"]).ends_with("is no part"));
        assert!(unknown("tetris_k2", "rule", &["tetris", "tetris_kX"]).contains("from 0 to 1"));
    }

    #[test]
    fn numbers_in_names_are_bounded() {
        assert_eq!(knob("k-0", "k", 1.0).map(f64::to_bits), Some(0.0_f64.to_bits()));
        for wrong in ["k", "k-1", "k2", "knan", "kinf", "k1e300", "x1"] {
            assert_eq!(knob(wrong, "k", 1.0), None, "{wrong}");
        }
        assert_eq!(knob("k1e7", "k", f64::INFINITY), None);
    }
}
