//! Text that is safe and fits: what comes from containers, labels and files is data, and must not
//! steer the terminal or pretend to be something else.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Makes foreign text harmless on one line of a terminal: control characters become their visible
/// pictures, line breaks and tabs become spaces, and characters that reorder or hide text
/// (bidirectional controls, zero-width characters, variation selectors, tags) become `�`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => out.push(' '),
            // The block "Control Pictures" shows C0 one to one.
            c @ '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('�')),
            '\u{7f}' => out.push('␡'),
            c if is_plain(c) => out.push(c),
            _ => out.push('�'),
        }
    }
    Cow::Owned(out)
}

fn is_plain(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        // What makes the character before it another one, of another width.
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

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

/// An age in its largest sensible unit: `12s`, `14m`, `5h`, `61d`.
pub fn age(seconds: i64) -> String {
    let s = seconds.max(0);
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..172_800 => format!("{}h", s / 3600),
        _ => format!("{}d", s / 86_400),
    }
}

/// Seconds until [`age`] of the same moment reads differently.
pub fn age_changes_in(seconds: i64) -> i64 {
    let s = seconds.max(0);
    match s {
        0..60 => 1,
        60..3600 => 60 - s % 60,
        3600..172_800 => 3600 - s % 3600,
        _ => 86_400 - s % 86_400,
    }
}

/// A size as an operator writes it: `128M`, `1.5G`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 9.95 || (value - value.round()).abs() < 0.05 {
        format!("{value:.0}{}", UNITS[unit])
    } else {
        format!("{value:.1}{}", UNITS[unit])
    }
}

/// A rate: whole numbers from 10 on, one decimal below, `0` for nothing.
pub fn rate(per: f64) -> String {
    if per <= 0.0 {
        "0".into()
    } else if per < 9.95 {
        let text = format!("{per:.1}");
        if text == "0.0" {
            "<0.1".into()
        } else {
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
    } else if per < 9999.5 {
        format!("{per:.0}")
    } else {
        format!("{:.0}k", per / 1000.0)
    }
}

/// `1 site`, `2 sites`.
pub fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(
            clean("plain ascii, ümlaut, 漢字"),
            "plain ascii, ümlaut, 漢字"
        );
        assert_eq!(clean("\u{1b}[31mred\u{7}"), "␛[31mred␇");
        assert_eq!(clean("a\r\nb\tc\nd"), "a b c d");
        assert_eq!(clean("gpj\u{202e}exe.\u{200b}x\u{9b}2J"), "gpj�exe.�x�2J");
        for c in (0..=0x9fu32)
            .chain(0x2000..0x2070)
            .filter_map(char::from_u32)
        {
            let out = clean(&c.to_string()).into_owned();
            assert!(!out.chars().any(char::is_control), "{c:?} passed");
        }
    }

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
            assert!(!clean(text).contains('\u{fe0f}'));
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

    #[test]
    fn ages_tell_when_they_change() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3599, "59m"),
            (3600, "1h"),
            (172_800, "2d"),
            (61 * 86_400, "61d"),
        ] {
            assert_eq!(age(seconds), text);
            let next = age_changes_in(seconds);
            assert_ne!(age(seconds + next), text);
            assert_eq!(age(seconds + next - 1), text);
        }
    }

    #[test]
    fn sizes_and_rates_are_short() {
        assert_eq!(size(128 << 20), "128M");
        assert_eq!(size(3 << 29), "1.5G");
        assert_eq!(size(0), "0B");
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(0.04), "<0.1");
        assert_eq!(rate(31.2), "31");
        assert_eq!(rate(2.0), "2");
        assert_eq!(rate(2.5), "2.5");
    }
}
