//! Text that others wrote, made safe to show: it never reaches a terminal as a command.

/// `text` on one line, every control character made visible.
pub fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('␊'),
            c => push(&mut shown, c),
        }
    }
    shown
}

/// `text` with its line breaks, every other control character made visible.
pub fn lines(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            c => push(&mut shown, c),
        }
    }
    shown
}

/// `1 site`, `2 sites`.
pub fn count(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

fn push(shown: &mut String, c: char) {
    match c {
        '\u{0}'..='\u{1f}' => {
            shown.push('^');
            shown.push(char::from(c as u8 + b'@'));
        }
        '\u{7f}' => shown.push_str("^?"),
        // C1 controls, and marks that turn the writing direction around.
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            shown.push('\u{fffd}');
        }
        c => shown.push(c),
    }
}

/// Takes terminal escape sequences out of a log, piece by piece: sequences may be cut anywhere
/// between two pieces.
#[derive(Debug, Default)]
pub struct LogCleaner {
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// A carriage return: part of a line break, or a line that overwrites itself.
    Return,
    /// After ESC.
    Escape,
    /// In `ESC [ …` until a final byte.
    Control,
    /// In an operating system command or the like, until BEL or ST.
    Command,
    /// After ESC inside a command.
    CommandEscape,
}

impl LogCleaner {
    /// `bytes` without escape sequences; other control characters become visible. Bytes that are not
    /// UTF-8 pass, except those that are C1 controls on their own.
    pub fn clean(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for &byte in bytes {
            self.state = self.step(byte, out);
        }
    }

    fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> State {
        match self.state {
            State::Return if byte == b'\n' => {
                out.push(b'\n');
                return State::Text;
            }
            State::Return if byte == b'\r' => return State::Return,
            State::Return => out.extend_from_slice("␍".as_bytes()),
            _ => {}
        }
        match self.state {
            State::Text | State::Return => match byte {
                0x1b => State::Escape,
                b'\r' => State::Return,
                b'\n' | b'\t' => {
                    out.push(byte);
                    State::Text
                }
                0..=0x1f => {
                    out.extend_from_slice(&[b'^', byte + b'@']);
                    State::Text
                }
                0x7f => {
                    out.extend_from_slice(b"^?");
                    State::Text
                }
                _ => {
                    out.push(byte);
                    State::Text
                }
            },
            State::Escape => match byte {
                b'[' => State::Control,
                b']' | b'P' | b'X' | b'^' | b'_' => State::Command,
                0x1b => State::Escape,
                // A line is never swallowed: what looks like a sequence ends with it.
                b'\n' => {
                    out.push(b'\n');
                    State::Text
                }
                0x20..=0x2f => State::Escape,
                _ => State::Text,
            },
            State::Control => match byte {
                0x40..=0x7e => State::Text,
                0x1b => State::Escape,
                b'\n' => {
                    out.push(b'\n');
                    State::Text
                }
                _ => State::Control,
            },
            State::Command | State::CommandEscape => match byte {
                0x07 => State::Text,
                b'\\' if self.state == State::CommandEscape => State::Text,
                0x1b => State::CommandEscape,
                b'\n' => {
                    out.push(b'\n');
                    State::Text
                }
                _ => State::Command,
            },
        }
    }
}

/// Replaces what is left of C1 controls and direction marks, which are more than one byte long.
pub fn decoded(bytes: &[u8]) -> String {
    lines(&String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(pieces: &[&[u8]]) -> String {
        let mut cleaner = LogCleaner::default();
        let mut out = Vec::new();
        for piece in pieces {
            cleaner.clean(piece, &mut out);
        }
        decoded(&out)
    }

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(line("a\x1b[2Jb\nc"), "a^[[2Jb␊c");
        assert_eq!(line("a\u{202e}b\u{9b}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(line("blog ä 漢"), "blog ä 漢");
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
