//! The nearest known word to a mistyped one.

use strsim::osa_distance;

/// Longest word that is compared, in bytes: a domain.
const LONGEST: usize = 253;
/// Most words that it is compared with.
const MOST: usize = 10_000;

/// The candidate that `word` was probably meant to be, when one is near enough to say so.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing costs the product of the lengths; what is longer was meant for no word of ours.
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let length = lower.chars().count();
    let reach = (length / 3).clamp(1, 3);
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.len() <= LONGEST)
        .filter_map(|candidate| {
            let known = candidate.to_lowercase();
            let near = known.chars().count().abs_diff(length) <= reach;
            let distance = near.then(|| osa_distance(&lower, &known));
            let begins = lower.len() >= 3 && known.starts_with(&lower);
            match distance.filter(|distance| *distance <= reach) {
                Some(distance) => Some((distance, candidate)),
                None => begins.then_some((reach + 1, candidate)),
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
    fn does_not_compare_without_end() {
        let long = "x".repeat(1 << 20);
        assert_eq!(nearest(&long, [&*long]), None);
        let mut asked = 0;
        let words = std::iter::repeat("abd").inspect(|_| asked += 1);
        assert_eq!(nearest("abc", words), Some("abd"));
        assert_eq!(asked, MOST);
    }

    #[test]
    fn counts_edits() {
        assert_eq!(osa_distance("", "abc"), 3);
        assert_eq!(osa_distance("abcd", "abdc"), 1);
        assert_eq!(osa_distance("kitten", "sitting"), 3);
    }
}
