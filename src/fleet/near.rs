//! The nearest known word to a mistyped one.

use strsim::osa_distance;

/// The candidate that `word` was probably meant to be, when one is near enough to say so.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let reach = (lower.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = osa_distance(&lower, &candidate.to_lowercase());
            let begins = lower.len() >= 3 && candidate.to_lowercase().starts_with(&lower);
            if distance <= reach {
                Some((distance, candidate))
            } else {
                begins.then_some((reach + 1, candidate))
            }
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let keys = ["memory", "domains", "host", "health"];
        assert_eq!(nearest("memroy", keys), Some("memory"));
        assert_eq!(nearest("Domain", keys), Some("domains"));
        assert_eq!(nearest("mem", keys), Some("memory"));
        assert_eq!(nearest("hots", keys), Some("host"));
        assert_eq!(nearest("colour", keys), None);
    }

    #[test]
    fn counts_edits() {
        assert_eq!(osa_distance("", "abc"), 3);
        assert_eq!(osa_distance("abcd", "abdc"), 1);
        assert_eq!(osa_distance("kitten", "sitting"), 3);
    }
}
