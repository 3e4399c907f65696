//! Text that somebody else wrote, made harmless.

/// Labels come from whoever made the container: no control characters, nothing that turns the
/// writing direction around, not longer than a line bears.
pub fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
        .take(120)
        .collect()
}
