//! Text of others without its escape sequences. Where one begins and ends is `vte`'s knowledge; a
//! line is never swallowed: what looks like a sequence ends with it.

use vte::{Parser, Perform};

use super::harmless::caret;
use super::kind::{Kind, REPLACED, kind};

/// Ends whatever sequence a parser is in.
const CANCEL: u8 = 0x18;

/// Text for a journal or an error: escape sequences are taken out whole, other controls but the
/// newline become spaces, what is not seen is replaced.
pub fn plain(text: &str) -> String {
    let mut out = Spaced(String::with_capacity(text.len()));
    for (n, line) in text.split('\n').enumerate() {
        if n > 0 {
            out.0.push('\n');
        }
        Parser::new().advance(&mut out, line.as_bytes());
    }
    out.0
}

/// As [`plain`], on one line.
pub fn plain_line(text: &str) -> String {
    plain(text).replace('\n', " ")
}

struct Spaced(String);

impl Perform for Spaced {
    fn print(&mut self, c: char) {
        self.0.push(match kind(c) {
            Kind::Plain => c,
            Kind::Control | Kind::Upper => ' ',
            Kind::Hidden | Kind::Shape => REPLACED,
        });
    }
    fn execute(&mut self, _: u8) {
        self.0.push(' ');
    }
}

/// Takes escape sequences out of a log, piece by piece: sequences and characters may be cut
/// anywhere between two pieces.
#[derive(Default)]
pub struct LogCleaner {
    parser: Parser,
    /// After a carriage return: part of a line break, or a line that overwrites itself.
    returned: bool,
}

impl LogCleaner {
    /// Adds `bytes` to `out` without escape sequences. Other controls become visible, what is not
    /// seen is replaced, and what only shapes its neighbour is left out.
    pub fn clean(&mut self, bytes: &[u8], out: &mut String) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = piece.strip_suffix(b"\n").unwrap_or(piece);
            let returned = &mut self.returned;
            self.parser.advance(&mut Shown { out, returned }, text);
            if text.len() < piece.len() {
                self.parser.advance(&mut Cut(out), &[CANCEL]);
                self.returned = false;
                out.push('\n');
            }
        }
    }
}

struct Shown<'a> {
    out: &'a mut String,
    returned: &'a mut bool,
}

impl Shown<'_> {
    fn push(&mut self, c: char) {
        if std::mem::take(self.returned) {
            self.out.push('␍');
        }
        match kind(c) {
            Kind::Shape => {}
            _ if c == '\t' => self.out.push(c),
            _ => caret(self.out, c),
        }
    }
}

impl Perform for Shown<'_> {
    fn print(&mut self, c: char) {
        self.push(c);
    }
    fn execute(&mut self, byte: u8) {
        match byte {
            b'\r' => *self.returned = true,
            byte => self.push(char::from(byte)),
        }
    }
}

/// The end of a line: of a character that it cuts off, something is seen.
struct Cut<'a>(&'a mut String);

impl Perform for Cut<'_> {
    fn print(&mut self, c: char) {
        self.0.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(pieces: &[&[u8]]) -> String {
        let mut cleaner = LogCleaner::default();
        let mut out = String::new();
        for piece in pieces {
            cleaner.clean(piece, &mut out);
        }
        out
    }

    #[test]
    fn escape_sequences_are_taken_out_whole() {
        for (given, wanted) in [
            ("a\u{1b}[1;31mred\u{1b}[0m", "ared"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;http://e\u{1b}\\link", "link"),
            ("\u{1b}c\u{1b}", ""),
            ("tab\tcr\rnul\0\nnext\u{9b}2J", "tab cr nul \nnext 2J"),
            ("\u{1b}[31", ""),
            ("\u{1b}]0;no end\nnext\u{202e}", "\nnext\u{fffd}"),
        ] {
            assert_eq!(plain(given), wanted, "{given:?}");
        }
    }

    #[test]
    fn escape_sequences_leave_a_log() {
        assert_eq!(cleaned(&[b"a\x1b[31mred\x1b[0m b\n"]), "ared b\n");
        assert_eq!(cleaned(&[b"\x1b]0;title\x07x\n"]), "x\n");
        assert_eq!(cleaned(&[b"\x1b]52;c;aGk=\x1b\\x\n"]), "x\n");
        assert_eq!(cleaned(&[b"\x1bcx\x08y\n"]), "x^Hy\n");
    }

    #[test]
    fn a_sequence_cut_between_pieces_is_still_one() {
        assert_eq!(
            cleaned(&[b"a\x1b", b"[3", b"1mb\x1b]0;t", b"\x1b", b"\\c\r", b"\n"]),
            "abc\n"
        );
    }

    #[test]
    fn characters_may_be_cut_too() {
        let heart = "❤\u{fe0f}x\n".as_bytes();
        assert_eq!(cleaned(&[&heart[..2], &heart[2..4], &heart[4..]]), "❤x\n");
        assert_eq!(cleaned(&[b"a\xe2\x9d\nb\n"]), "a\u{fffd}\nb\n");
        assert_eq!(cleaned(&["a\u{200b}b\u{e0041}\n".as_bytes()]), "a�b�\n");
    }

    #[test]
    fn an_unfinished_sequence_costs_one_line_at_most() {
        assert_eq!(cleaned(&[b"\x1b]0;never ends\nnext\n"]), "\nnext\n");
        assert_eq!(cleaned(&[b"\x1b[12\nnext\n"]), "\nnext\n");
    }

    #[test]
    fn carriage_returns_do_not_overwrite() {
        assert_eq!(cleaned(&[b"10%\r20%\r\n"]), "10%␍20%\n");
    }

    #[test]
    fn c1_controls_are_replaced() {
        assert_eq!(cleaned(&["a\u{9b}2Jb\n".as_bytes()]), "a\u{fffd}2Jb\n");
        assert_eq!(cleaned(&[b"a\x9b2Jb\n"]), "a\u{fffd}2Jb\n");
    }
}
