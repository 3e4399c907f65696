//! Text of others without what a terminal would obey or nobody would see: whole texts, in which
//! escape sequences stay as visible text.

use std::borrow::Cow;
use std::fmt::Write;

use super::kind::{Kind, REPLACED, kind};

/// On one line of the console: controls become their pictures (␛), line breaks and tabs spaces,
/// what is not seen [`REPLACED`].
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| kind(c) == Kind::Plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => out.push(' '),
            c => out.push(picture(c)),
        }
    }
    Cow::Owned(out)
}

/// The picture of a control, and [`REPLACED`] for what is not seen.
fn picture(c: char) -> char {
    match kind(c) {
        Kind::Plain => c,
        Kind::Control if c == '\u{7f}' => '␡',
        // The block "Control Pictures" shows them one to one.
        Kind::Control => char::from_u32(0x2400 + c as u32).unwrap_or(REPLACED),
        Kind::Upper | Kind::Hidden | Kind::Shape => REPLACED,
    }
}

/// On one line of the command line: controls become `^[`, a line break ␊, what is not seen
/// [`REPLACED`].
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push('␊'),
            c => caret(&mut out, c),
        }
    }
    out
}

/// As [`line()`], with line breaks and tabs as they are.
pub fn lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c => caret(&mut out, c),
        }
    }
    out
}

/// A control as `^[`, and [`REPLACED`] for what is not seen.
pub(super) fn caret(out: &mut String, c: char) {
    match kind(c) {
        Kind::Plain => out.push(c),
        Kind::Control => out.extend(['^', char::from(c as u8 ^ 0x40)]),
        Kind::Upper | Kind::Hidden | Kind::Shape => out.push(REPLACED),
    }
}

/// What is not seen replaced in a text of ours that has colours.
pub fn seen(text: &str) -> String {
    text.chars()
        .map(|c| match kind(c) {
            Kind::Plain | Kind::Control => c,
            Kind::Upper | Kind::Hidden | Kind::Shape => REPLACED,
        })
        .collect()
}

/// JSON that says the same and shows as ASCII what a terminal would obey or nobody would see. The
/// controls below the blank are escaped in any JSON.
pub fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match kind(c) {
            Kind::Plain => out.push(c),
            Kind::Control if c != '\u{7f}' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out
}

/// A label, as it can stand in a sentence: what is not shown is left out, and it is not longer than
/// a line bears.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 120;
    let shown = text.chars().filter(|c| kind(*c) == Kind::Plain);
    shown.take(LONGEST).collect()
}

/// What a program said, on one line of at most `most` characters: what is not shown becomes a
/// space, and spaces one space.
pub fn short(text: &str, most: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || kind(c) != Kind::Plain);
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut text = words.join(" ");
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
    text
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
        assert!(!clean("I ❤\u{fe0f} PHP").contains('\u{fe0f}'));
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(line("a\x1b[2Jb\nc"), "a^[[2Jb␊c");
        assert_eq!(line("a\u{202e}b\u{9b}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(line("blog ä 漢"), "blog ä 漢");
        assert_eq!(line("a\u{7f}"), "a^?");
    }

    #[test]
    fn what_nobody_sees_is_replaced_everywhere() {
        let odd = [
            '\u{200b}', '\u{200f}', '\u{202e}', '\u{2069}', '\u{feff}', '\u{61c}',
        ];
        for c in odd.into_iter().chain('\u{e0000}'..='\u{e007f}') {
            let text = format!("a{c}b");
            assert_eq!(clean(&text), "a\u{fffd}b", "{c:?}");
            assert_eq!(line(&text), "a\u{fffd}b", "{c:?}");
            assert_eq!(lines(&text), "a\u{fffd}b", "{c:?}");
            assert_eq!(seen(&text), "a\u{fffd}b", "{c:?}");
            assert_eq!(printable(&text), "ab", "{c:?}");
            assert_eq!(short(&text, 9), "a b", "{c:?}");
        }
    }

    #[test]
    fn json_says_the_same_in_what_can_be_seen() {
        let text = "a\u{202e}b\u{200b}\u{e0041}\u{7f}\u{9b}\x1b\n漢";
        let json = escaped(&serde_json::to_string_pretty(&[text]).unwrap());
        assert!(json.contains("a\\u202eb\\u200b\\udb40\\udc41\\u007f\\u009b"));
        assert!(json.contains('漢'));
        let back: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, [text]);
    }

    #[test]
    fn what_programs_say_is_one_short_line() {
        assert_eq!(short("a\x1b[31m\n\n b\r", 9), "a [31m b");
        assert_eq!(short("four words are here", 4), "four…");
    }
}
