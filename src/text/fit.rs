//! Text that fits into the cells of a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many cells a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// At most `room` cells of a text: what does not fit ends in `…`, at a word's end where one is near.
pub fn elide(text: &str, room: usize) -> Cow<'_, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    if room == 0 {
        return Cow::Borrowed("");
    }
    let whole = beginning(text, room - 1);
    let mid_word = text[whole.len()..].chars().next().is_some_and(|c| c != ' ');
    let cut = match whole.rfind(' ') {
        Some(space) if mid_word && width(&whole[..space]) * 5 >= room * 3 => &whole[..space],
        _ => whole,
    };
    Cow::Owned(format!("{}…", cut.trim_end()))
}

/// As much of the beginning of a text as fits. Characters together may be wider than each by
/// itself: what counts is the whole.
fn beginning(text: &str, room: usize) -> &str {
    let (mut used, mut end) = (0, 0);
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        end = at + c.len_utf8();
    }
    let mut fits = &text[..end];
    while width(fits) > room {
        let Some((last, _)) = fits.char_indices().next_back() else {
            break;
        };
        fits = &fits[..last];
    }
    fits
}

/// Splits a text into lines of at most `room` cells, at spaces where possible.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let gap = usize::from(!line.is_empty());
            if width(&line) + gap + width(word) <= room {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                continue;
            }
            // One word wider than the line: cut it, after its first character at least.
            let first = word.chars().next().map_or(0, char::len_utf8);
            let end = beginning(word, room).len().max(first);
            lines.push(word[..end].to_owned());
            word = &word[end..];
            if word.is_empty() {
                break;
            }
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_ends_in_an_ellipsis_at_a_word() {
        assert_eq!(elide("short", 10), "short");
        assert_eq!(elide("memory 256M reached again", 16), "memory 256M…");
        assert_eq!(elide("averylongnamewithoutspaces", 8), "averylo…");
        assert_eq!(elide("漢字漢字", 5), "漢字…");
        assert_eq!(elide("ab", 1), "…");
        assert_eq!(elide("ab", 0), "");
        // Two code points that are wider together than one by one.
        for text in [
            "I ❤\u{fe0f} PHP ❤\u{fe0f}❤\u{fe0f}",
            "❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}",
        ] {
            for room in 1..12 {
                let elided = elide(text, room);
                assert!(width(&elided) <= room, "{elided:?} in {room}");
            }
            for room in 2..12 {
                let lines = wrap(text, room);
                assert!(
                    lines.iter().all(|l| width(l) <= room),
                    "{lines:?} in {room}"
                );
            }
        }
        for room in 0..30 {
            assert!(width(&elide("one two three 漢字 four five", room)) <= room);
        }
    }

    #[test]
    fn wrapping_never_exceeds_and_loses_nothing() {
        let text = "a container was killed for memory averyveryverylongword end";
        for room in 1..40 {
            let lines = wrap(text, room);
            assert!(lines.iter().all(|l| width(l) <= room), "{room}: {lines:?}");
            let joined: String = lines.concat().replace(' ', "");
            assert_eq!(joined, text.replace(' ', ""));
        }
    }
}
