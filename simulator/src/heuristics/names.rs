//! Names with numbers in them, and the names that somebody may have meant.

/// Largest number that a name may hold.
const LARGEST: f64 = 1e6;
/// Names that a complaint suggests at most.
const SUGGESTED: usize = 3;

/// The number behind `prefix` in a name like `tetris_k0.01`, if it is one between 0 and `most`.
pub(super) fn knob(name: &str, prefix: &str, most: f64) -> Option<f64> {
    let value: f64 = name.strip_prefix(prefix)?.parse().ok()?;
    // Zero is never written with a minus.
    (0.0..=most.min(LARGEST)).contains(&value).then_some(value + 0.0)
}

/// What is wrong with a word that none of `patterns` is, in which X stands for a number, and what is next to it.
pub(super) fn unknown(word: &str, what: &str, patterns: &[&str]) -> String {
    let numbered = patterns.iter().find(|pattern| {
        pattern
            .strip_suffix('X')
            .is_some_and(|prefix| word.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()))
    });
    if let Some(pattern) = numbered {
        let most = if pattern.ends_with("_kX") { 1.0 } else { LARGEST };
        return format!("`{word}`: in `{pattern}` X is a number from 0 to {most}");
    }
    let close = nearest(word, patterns);
    match close.as_slice() {
        [] => format!("`{word}` is no {what}"),
        close => format!("`{word}` is no {what}; the nearest are `{}`", close.join("`, `")),
    }
}

/// Those that differ by a few letters, the nearest first.
fn nearest<'a>(word: &str, patterns: &[&'a str]) -> Vec<&'a str> {
    // Names are in lower case and without blanks.
    let word = &*word.trim().to_lowercase();
    let most = (word.chars().count() / 2).max(2);
    let mut close: Vec<(usize, &str)> = patterns
        .iter()
        .map(|pattern| (distance(word, pattern), *pattern))
        .filter(|(far, _)| *far <= most)
        .collect();
    close.sort();
    close.dedup();
    close.into_iter().take(SUGGESTED).map(|(_, pattern)| pattern).collect()
}

/// Letters that must be put in, taken out, replaced or swapped with a neighbour to turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().take(80).collect(), other.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_recognised() {
        assert_eq!(distance("sfj", "sjf"), 1);
        assert_eq!(nearest("warm-frist", &["warm-first", "wait-warm", "hiku"])[0], "warm-first");
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
