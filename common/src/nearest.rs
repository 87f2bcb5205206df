//! Which of the words that are known somebody may have meant.

/// At most so many are worth reading.
const SUGGESTED: usize = 3;
/// What is longer is no slip of the hand.
const LONGEST: usize = 80;

/// The words that differ from `word` by a few letters (case aside), the nearest first; none where nothing is near.
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
