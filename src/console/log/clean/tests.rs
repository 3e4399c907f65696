use super::*;

fn shown(line: &str) -> String {
    plain(line.as_bytes())
}

#[test]
fn sequences_go_and_text_stays() {
    assert_eq!(shown("\x1b[31mred\x1b[0m"), "red");
    assert_eq!(shown("a\x1b[2J\x1b[1;1H\x1b[?25lb"), "ab");
    assert_eq!(shown("\x1b]0;title\x07x"), "x");
    assert_eq!(shown("\x1b]52;c;ZXZpbA==\x1b\\x"), "x");
    assert_eq!(shown("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\"), "link");
    assert_eq!(shown("\x1bP1$r\x1b\\x\x1b(B\x1bcy"), "xy");
}

#[test]
fn broken_sequences_are_seen_and_hide_nothing() {
    assert_eq!(
        shown("a\x1b]0;no end, then secret"),
        "a␛]0;no end, then secret"
    );
    assert_eq!(shown("a\x1b[31"), "a␛[31");
    assert_eq!(shown("a\x1b[3\x011m"), "a␛[3␁1m");
    assert_eq!(shown("a\x1b"), "a␛");
    assert_eq!(shown("\x1b\x1b[31mx"), "␛x");
}

#[test]
fn controls_and_invisible_characters_are_named() {
    assert_eq!(shown("a\0b\x08c\rd\x7f"), "a␀b␈c␍d␡");
    assert_eq!(shown("\u{9b}31m"), "<U+009B>31m");
    assert_eq!(shown("user\u{202e}txt.exe"), "user<U+202E>txt.exe");
    assert_eq!(shown("\u{2066}\u{feff}"), "<U+2066><U+FEFF>");
    assert_eq!(plain(b"\xff\xfeok\xc3"), "\u{fffd}\u{fffd}ok\u{fffd}");
    assert_eq!(plain(b"\x9b31m"), "\u{fffd}31m");
}

#[test]
fn tabs_stop_every_eight_cells() {
    assert_eq!(shown("a\tb"), "a       b");
    assert_eq!(shown("日本\tb"), "日本    b");
}

#[test]
fn marks_stay_on_their_letter_but_not_without_end() {
    let many = format!("e{}", "\u{301}".repeat(500));
    let glyphs = glyphs(many.as_bytes(), 10);
    assert_eq!(glyphs.list().len(), 1);
    assert_eq!(
        glyphs.symbol(0).chars().count(),
        1 + usize::from(MARKS_MOST)
    );
    assert_eq!(shown("\u{301}x"), "◌\u{301}x");
    assert_eq!(shown("👩\u{200d}🚀"), "👩🚀");
}

#[test]
fn looks_are_kept_as_hues() {
    let line = b"\x1b[1;31mA\x1b[22;38;5;46mB\x1b[38;2;10;20;250mC\x1b[mD\x1b[30;40;8mE";
    let stripped = strip(line);
    assert_eq!(&*stripped.text, b"ABCDE");
    let hues: Vec<_> = stripped
        .looks
        .iter()
        .map(|(at, s)| (*at, s.hue, s.bold))
        .collect();
    assert_eq!(
        hues,
        [
            (0, Some(Hue::Red), true),
            (1, Some(Hue::Green), false),
            (2, Some(Hue::Blue), false),
            (3, None, false),
            (4, Some(Hue::Grey), false),
        ]
    );
}

#[test]
fn the_width_is_bounded_when_asked() {
    assert!(glyphs(&[b'x'; 10_000], 80).columns() <= 80);
    assert_eq!(glyphs("日".as_bytes(), 80).columns(), 2);
}
