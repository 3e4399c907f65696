//! Words that lines are filtered by.

/// The words of a filter, in lower case.
pub fn words(filter: &str) -> Vec<String> {
    filter.split_whitespace().map(str::to_lowercase).collect()
}

/// Whether a text contains a lower-case word, whatever its own case.
pub fn contains(text: &str, word: &str) -> bool {
    if text.is_ascii() {
        let (text, word) = (text.as_bytes(), word.as_bytes());
        return text.len() >= word.len()
            && (word.is_empty()
                || text
                    .windows(word.len())
                    .any(|part| part.eq_ignore_ascii_case(word)));
    }
    text.to_lowercase().contains(word)
}
