//! Lines of a log, from the pieces in which an engine keeps them: a line longer than 16 KiB is
//! several entries of its log, each with the line's time in front when times are asked for. Old
//! engines also lose the end of such a line.

use bytes::{Buf, Bytes};

use crate::engine::model::Out;

/// What an engine keeps of a line in one piece.
const PIECE: usize = 16 * 1024;
/// A piece that its line goes on behind fills a buffer of the engine, 16 KiB or what the log's
/// driver prefers. Whatever else has no end is a last line that its program never ended.
const BUFFERS: usize = 4 * 1024;
/// Length of the time in front of a line, its space included, in the engine's own form:
/// `2026-11-21T21:51:45.123456789Z `.
const STAMP: usize = 31;

/// Puts the lines of a log together again, so that all that reads logs sees lines.
#[derive(Debug)]
pub struct Joined {
    stamped: bool,
    frames: [Frame; 2],
    terminal: Terminal,
}

/// What came last on one stream that has frames.
#[derive(Debug, Default)]
struct Frame {
    /// Bytes of its text, without the time.
    text: usize,
    /// Its line has no end yet.
    open: bool,
}

/// A terminal's output has no frames: a piece ends where it is full.
#[derive(Debug)]
struct Terminal {
    /// Bytes until the piece is full, the time in front included.
    left: usize,
    /// What follows a full piece, as far as it may be a time.
    held: Vec<u8>,
}

impl Joined {
    /// For a log that is read with or without times.
    pub fn new(stamped: bool) -> Self {
        let terminal = Terminal {
            left: STAMP + PIECE,
            held: Vec::new(),
        };
        Joined {
            stamped,
            frames: Default::default(),
            terminal,
        }
    }

    /// What of one frame is to be handed on. Of a very long frame this is some of it: `begins` and
    /// `ends` say whether it holds the frame's start and end.
    pub fn frame(&mut self, stream: Out, bytes: Bytes, begins: bool, ends: bool) -> Bytes {
        let last = &mut self.frames[usize::from(stream == Out::Err)];
        let mut out = bytes;
        let mut text = out.len();
        if begins {
            let stamp = if self.stamped { stamp(&out) } else { 0 };
            text -= stamp;
            if last.open {
                let goes_on = last.text > 0 && last.text.is_multiple_of(BUFFERS);
                match goes_on {
                    true => out.advance(stamp),
                    false => out = [b"\n", &out[..]].concat().into(),
                }
            }
            last.text = 0;
        }
        last.text += text;
        if ends {
            last.open = last.text == 0 || out.last() != Some(&b'\n');
        }
        out
    }

    /// What of a terminal's output is to be handed on.
    pub fn terminal(&mut self, bytes: Bytes) -> Bytes {
        if !self.stamped {
            return bytes;
        }
        self.terminal.take(bytes)
    }

    /// What was held back when the log ended.
    pub fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.terminal.held).into()
    }
}

impl Terminal {
    fn take(&mut self, bytes: Bytes) -> Bytes {
        let mut rest = match self.held.is_empty() {
            true => bytes,
            false => [&std::mem::take(&mut self.held)[..], &bytes[..]]
                .concat()
                .into(),
        };
        let mut out: Vec<u8> = Vec::with_capacity(rest.len());
        while !rest.is_empty() {
            if self.left == 0 {
                if rest.len() < STAMP && may_be_stamp(&rest) {
                    self.held = rest.to_vec();
                    break;
                }
                if rest.len() >= STAMP && may_be_stamp(&rest[..STAMP]) {
                    rest.advance(STAMP);
                    self.left = PIECE;
                } else {
                    // No piece ends here: the line is not the engine's to cut any more.
                    self.left = usize::MAX;
                }
                continue;
            }
            let most = &rest[..self.left.min(rest.len())];
            let len = match most.iter().position(|b| *b == b'\n') {
                Some(at) => {
                    self.left = STAMP + PIECE;
                    at + 1
                }
                None => {
                    self.left = self.left.saturating_sub(most.len());
                    most.len()
                }
            };
            out.extend_from_slice(&rest.split_to(len));
        }
        out.into()
    }
}

/// Whether this is the beginning of a time in the engine's own form, or all of one.
fn may_be_stamp(bytes: &[u8]) -> bool {
    const FORM: &[u8; STAMP] = b"0000-00-00T00:00:00.000000000Z ";
    bytes.iter().zip(FORM).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        form => byte == form,
    })
}

/// Length of the time (and its space) that an engine put in front of a line; 0 if there is none.
pub fn stamp(line: &[u8]) -> usize {
    if line.len() > 10 && line[4] == b'-' && line[10] == b'T' {
        if line.get(STAMP - 1) == Some(&b' ') {
            return STAMP;
        }
        if let Some(space) = line.iter().take(40).position(|&b| b == b' ') {
            return space + 1;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-30T05:15:55.089129424Z ";
    const LATER: &str = "2026-11-30T05:15:56.513301376Z ";

    /// What comes of frames, both streams apart.
    fn framed(stamped: bool, frames: &[(Out, String)]) -> [String; 2] {
        let mut joined = Joined::new(stamped);
        let mut all = [String::new(), String::new()];
        for (stream, text) in frames {
            let bytes = joined.frame(*stream, text.clone().into(), true, true);
            all[usize::from(*stream == Out::Err)].push_str(std::str::from_utf8(&bytes).unwrap());
        }
        all
    }

    fn x(count: usize) -> String {
        "x".repeat(count)
    }

    /// As Docker 20.10 sends a line of 40,000 bytes, its two drivers with and without times.
    #[test]
    fn a_long_line_is_one_line_again() {
        let whole = x(40_000);
        for stamped in [false, true] {
            let time = if stamped { TIME } else { "" };
            let later = if stamped { LATER } else { "" };
            // json-file ends the last piece, local forgets to.
            for end in ["\n", ""] {
                let frames = [
                    (Out::Out, format!("{time}{}", x(PIECE))),
                    (Out::Err, format!("{later}err\n")),
                    (Out::Out, format!("{time}{}", x(PIECE))),
                    (Out::Out, format!("{time}{}{end}", x(7_232))),
                    (Out::Out, format!("{later}short\n")),
                ];
                assert_eq!(
                    framed(stamped, &frames),
                    [
                        format!("{time}{whole}\n{later}short\n"),
                        format!("{later}err\n")
                    ],
                    "{stamped} {end:?}"
                );
            }
        }
    }

    #[test]
    fn a_line_just_as_long_as_a_piece_ends() {
        let frames = [
            (Out::Out, format!("{TIME}{}", x(PIECE))),
            (Out::Out, format!("{TIME}\n")),
            (Out::Out, format!("{LATER}next\n")),
        ];
        let wanted = format!("{TIME}{}\n{LATER}next\n", x(PIECE));
        assert_eq!(framed(true, &frames)[0], wanted);
        // local sends nothing but the time for the end.
        let frames = [
            (Out::Out, format!("{TIME}{}", x(PIECE))),
            (Out::Out, TIME.to_owned()),
            (Out::Out, format!("{LATER}next\n")),
        ];
        assert_eq!(framed(true, &frames)[0], wanted);
    }

    #[test]
    fn a_line_that_a_program_never_ended_ends_where_the_next_run_begins() {
        let frames = [
            (Out::Out, format!("{TIME}password: ")),
            (Out::Out, format!("{LATER}started\n")),
        ];
        assert_eq!(
            framed(true, &frames)[0],
            format!("{TIME}password: \n{LATER}started\n")
        );
    }

    #[test]
    fn a_huge_frame_in_parts_is_one() {
        let mut joined = Joined::new(true);
        let mut all = Vec::new();
        for (text, begins, ends) in [
            (format!("{TIME}{}", x(300_000)), true, false),
            (format!("{}\n", x(10)), false, true),
            (format!("{LATER}next\n"), true, true),
        ] {
            all.extend_from_slice(&joined.frame(Out::Out, text.into(), begins, ends));
        }
        let wanted = format!("{TIME}{}\n{LATER}next\n", x(300_010));
        assert_eq!(String::from_utf8(all).unwrap(), wanted);
    }

    /// A terminal has no frames, so times stand in the middle of the text.
    #[test]
    fn a_terminals_long_line_has_one_time_wherever_the_network_cuts_it() {
        let sent = format!(
            "{LATER}first\r\n{TIME}{}{TIME}{}{TIME}{}\r\n{LATER}{TIME}said\r\n{TIME}{}",
            x(PIECE),
            x(PIECE),
            x(7_232),
            x(PIECE),
        );
        let wanted = format!(
            "{LATER}first\r\n{TIME}{}\r\n{LATER}{TIME}said\r\n{TIME}{}",
            x(40_000),
            x(PIECE)
        );
        for size in [1, 7, 30, 31, 32, 4096, PIECE + 31, 1 << 20] {
            let mut joined = Joined::new(true);
            let mut all = Vec::new();
            for piece in sent.as_bytes().chunks(size) {
                all.extend_from_slice(&joined.terminal(Bytes::copy_from_slice(piece)));
            }
            all.extend_from_slice(&joined.rest());
            assert_eq!(String::from_utf8(all).unwrap(), wanted, "{size}");
        }
        // Cut off in the middle of a time: that is text, as far as anybody knows.
        let mut joined = Joined::new(true);
        let sent = format!("{TIME}{}2026-11", x(PIECE));
        let taken = joined.terminal(sent.clone().into());
        assert_eq!([taken, joined.rest()].concat(), sent.as_bytes());
    }

    #[test]
    fn what_only_looks_like_a_time_stays() {
        let frames = [
            (Out::Out, format!("{TIME}a\n")),
            (Out::Out, format!("{TIME}{LATER}b\n")),
        ];
        assert_eq!(
            framed(true, &frames)[0],
            format!("{TIME}a\n{TIME}{LATER}b\n")
        );
        let frames = [(Out::Out, x(PIECE)), (Out::Out, format!("{LATER}b\n"))];
        assert_eq!(framed(false, &frames)[0], format!("{}{LATER}b\n", x(PIECE)));
    }
}
