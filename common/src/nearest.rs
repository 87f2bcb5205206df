//! Suggestions for a mistyped word.

/// Largest number of suggestions.
const SUGGESTED: usize = 3;
/// Length of the longest word that is compared.
const LONGEST: usize = 80;

/// The known words that differ from `word` by a few letters (ignoring case), the nearest first; none where none is near.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let word: String = word.to_lowercase().chars().take(LONGEST).collect();
    let allowed = (word.chars().count() / 3).max(2);
    let mut close: Vec<(usize, &str)> = known
        .into_iter()
        .map(|one| (strsim::damerau_levenshtein(&word, &one.to_lowercase()), one))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    close.sort_by_key(|(distance, _)| *distance);
    close.dedup();
    close.into_iter().take(SUGGESTED).map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_found_and_other_words_are_not() {
        let known = ["budget_steps", "batch_steps", "wall_limit_minutes", "mode"];
        assert_eq!(nearest("bugdet_steps", known), ["budget_steps"]);
        assert_eq!(nearest("Mode", known), ["mode"]);
        assert_eq!(nearest("quantum", known), Vec::<&str>::new());
    }
}
