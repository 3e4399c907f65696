//! What the engine's bytes say: answers, and the two framings of its streams: output frames with an
//! 8-byte header, and JSON values one a line. Both may be cut anywhere by the network.

use bytes::{Buf, Bytes, BytesMut};

use super::model::{LogChunk, Out};

pub mod event;
pub mod joined;
pub mod lenient;

/// Frames up to this size are handed on whole.
const WHOLE: usize = 256 * 1024;
/// Of others at least this is handed on first.
const HEAD: usize = 64;
/// No line of JSON is longer.
const LONGEST_LINE: usize = 8 * 1024 * 1024;

/// Takes the output of a container or a command apart.
///
/// A container with a terminal has no frames; older engines do not say which it is. A frame
/// starts with 0, 1 or 2 and three zero bytes, which no text does.
#[derive(Debug, Default)]
pub struct Frames {
    buffer: BytesMut,
    raw: Option<bool>,
    /// Stream of the frame in hand, and bytes of it still to come.
    frame: Option<(Out, usize)>,
    /// Nothing of the frame in hand was given out yet.
    fresh: bool,
    /// What was given out last is the beginning of a frame.
    began: bool,
}

impl Frames {
    /// For a stream of which it is known whether it has frames; `None` to find out.
    pub fn new(framed: Option<bool>) -> Self {
        Frames {
            raw: framed.map(|framed| !framed),
            ..Frames::default()
        }
    }

    /// Adds what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next piece, when there is one. `Err` when the bytes are not frames.
    pub fn next_chunk(&mut self) -> Result<Option<LogChunk>, &'static str> {
        loop {
            if self.raw.is_none() {
                match looks_framed(&self.buffer) {
                    Some(framed) => self.raw = Some(!framed),
                    None => return Ok(None),
                }
            }
            if self.raw == Some(true) {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                let bytes = self.buffer.split().freeze();
                return Ok(Some(LogChunk {
                    stream: Out::Out,
                    bytes,
                }));
            }
            if let Some((stream, left)) = self.frame {
                let ready = self.buffer.len();
                // Of a long one the time in front comes whole.
                let head = if self.fresh { HEAD.min(left) } else { 1 };
                if ready < head || (ready < left && left <= WHOLE) {
                    return Ok(None);
                }
                let bytes = self.buffer.split_to(left.min(ready)).freeze();
                self.frame = (bytes.len() < left).then(|| (stream, left - bytes.len()));
                self.began = std::mem::take(&mut self.fresh);
                return Ok(Some(LogChunk { stream, bytes }));
            }
            if self.buffer.len() < 8 {
                return Ok(None);
            }
            let kind = self.buffer.get_u8();
            let zeroes = (self.buffer.get_u8(), self.buffer.get_u16());
            let length = self.buffer.get_u32() as usize;
            let stream = match (kind, zeroes) {
                (0 | 1, (0, 0)) => Out::Out,
                (2, (0, 0)) => Out::Err,
                // 3 is the engine's own word about an error in the stream.
                (3, (0, 0)) => Out::Err,
                _ => return Err("a frame of output starts with a header that is none"),
            };
            if length > 0 {
                self.frame = Some((stream, length));
                self.fresh = true;
            }
        }
    }

    /// Whether this is a terminal's output, which has no frames.
    pub fn is_raw(&self) -> bool {
        self.raw == Some(true)
    }

    /// Whether the last piece is the beginning of a frame.
    pub fn began(&self) -> bool {
        self.began
    }

    /// Whether more of the last piece's frame is still to come.
    pub fn is_inside(&self) -> bool {
        self.frame.is_some()
    }

    /// What is left when the stream ended: the beginning of a frame, if it was cut.
    pub fn finish(&mut self) -> Finished {
        let rest = self.buffer.split().freeze();
        match (self.frame.take(), self.raw) {
            (Some((stream, _)), _) if !rest.is_empty() => Finished::Cut(Some(LogChunk {
                stream,
                bytes: rest,
            })),
            (Some(_), _) => Finished::Cut(None),
            (None, Some(false)) if !rest.is_empty() => Finished::Cut(None),
            // Too short to be a frame: text of a container with a terminal.
            (None, None) if !rest.is_empty() => Finished::Rest(LogChunk {
                stream: Out::Out,
                bytes: rest,
            }),
            _ => Finished::Clean,
        }
    }
}

/// How a stream of frames ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Finished {
    /// Between two frames.
    Clean,
    /// With text that never had a frame.
    Rest(LogChunk),
    /// In the middle of one; with what had come of it.
    Cut(Option<LogChunk>),
}

fn looks_framed(bytes: &[u8]) -> Option<bool> {
    match bytes {
        [] => None,
        [first, ..] if *first > 3 => Some(false),
        [_, second, third, fourth, ..] => Some((*second, *third, *fourth) == (0, 0, 0)),
        [_, rest @ ..] if rest.iter().any(|byte| *byte != 0) => Some(false),
        _ => None,
    }
}

/// Takes a stream apart into lines. Used for JSON lines and for text.
#[derive(Debug, Default)]
pub struct Lines {
    buffer: BytesMut,
    /// How far the buffer was searched already.
    searched: usize,
}

impl Lines {
    /// Adds what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line that is not blank, without its end. `Err` when a line never ends.
    pub fn next_line(&mut self) -> Result<Option<Bytes>, &'static str> {
        loop {
            let Some(at) = self.buffer[self.searched..]
                .iter()
                .position(|byte| *byte == b'\n')
            else {
                self.searched = self.buffer.len();
                if self.searched > LONGEST_LINE {
                    return Err("a line is longer than 8 MiB");
                }
                return Ok(None);
            };
            let mut line = self.buffer.split_to(self.searched + at + 1);
            self.searched = 0;
            while line
                .last()
                .is_some_and(|byte| matches!(byte, b'\n' | b'\r'))
            {
                line.truncate(line.len() - 1);
            }
            if !line.is_empty() {
                return Ok(Some(line.freeze()));
            }
        }
    }

    /// What came after the last end of a line.
    pub fn rest(&mut self) -> Option<Bytes> {
        self.searched = 0;
        let rest = self.buffer.split();
        (!rest.iter().all(u8::is_ascii_whitespace)).then(|| rest.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, text: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, 0, 0, 0];
        bytes.extend((text.len() as u32).to_be_bytes());
        bytes.extend(text);
        bytes
    }

    fn all(frames: &mut Frames) -> Vec<(Out, String)> {
        let mut got = Vec::new();
        while let Some(chunk) = frames.next_chunk().unwrap() {
            got.push((
                chunk.stream,
                String::from_utf8(chunk.bytes.to_vec()).unwrap(),
            ));
        }
        got
    }

    #[test]
    fn frames_cut_at_every_place_read_the_same() {
        let mut bytes = frame(1, "bonjour é\n".as_bytes());
        bytes.extend(frame(2, b"no\n"));
        bytes.extend(frame(1, b""));
        bytes.extend(frame(1, "日本\n".as_bytes()));
        let want = vec![
            (Out::Out, "bonjour é\n".to_owned()),
            (Out::Err, "no\n".to_owned()),
            (Out::Out, "日本\n".to_owned()),
        ];
        for first in 0..bytes.len() {
            for second in first..bytes.len() {
                let mut frames = Frames::default();
                let mut got = Vec::new();
                for part in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                    frames.push(part);
                    got.extend(all(&mut frames));
                }
                assert_eq!(got, want, "cut at {first} and {second}");
                assert_eq!(frames.finish(), Finished::Clean);
            }
        }
    }

    #[test]
    fn a_cut_frame_is_said_to_be_cut() {
        let bytes = frame(1, b"hello");
        for length in 1..bytes.len() {
            let mut frames = Frames::new(Some(true));
            frames.push(&bytes[..length]);
            assert_eq!(frames.next_chunk(), Ok(None));
            assert!(matches!(frames.finish(), Finished::Cut(_)), "{length}");
        }
    }

    #[test]
    fn a_huge_frame_comes_in_pieces() {
        let text = vec![b'x'; WHOLE + 5];
        let bytes = frame(1, &text);
        let mut frames = Frames::default();
        frames.push(&bytes[..20]);
        assert_eq!(frames.next_chunk(), Ok(None));
        frames.push(&bytes[20..1000]);
        assert_eq!(frames.next_chunk().unwrap().unwrap().bytes.len(), 992);
        assert!(frames.began() && frames.is_inside());
        assert_eq!(frames.next_chunk(), Ok(None));
        frames.push(&bytes[1000..]);
        assert_eq!(
            frames.next_chunk().unwrap().unwrap().bytes.len(),
            WHOLE + 5 - 992
        );
        assert!(!frames.began() && !frames.is_inside());
        assert_eq!(frames.finish(), Finished::Clean);
    }

    #[test]
    fn a_terminal_has_no_frames() {
        let mut frames = Frames::default();
        frames.push(b"login: ");
        assert_eq!(all(&mut frames), [(Out::Out, "login: ".to_owned())]);
        frames.push(b"\x01\x00\x00\x00");
        assert_eq!(frames.next_chunk().unwrap().unwrap().bytes.len(), 4);
        // A single byte that could be a header, and then the end.
        let mut frames = Frames::default();
        frames.push(b"\x01");
        assert_eq!(frames.next_chunk(), Ok(None));
        assert!(matches!(frames.finish(), Finished::Rest(_)));
        let mut frames = Frames::default();
        frames.push(b"\x01a");
        assert_eq!(frames.next_chunk().unwrap().unwrap().bytes.len(), 2);
    }

    #[test]
    fn a_header_that_is_none_is_an_error() {
        let mut frames = Frames::new(Some(true));
        frames.push(b"HTTP/1.1 500");
        assert!(frames.next_chunk().is_err());
    }

    #[test]
    fn lines_cut_at_every_place_read_the_same() {
        let text = "{\"a\":\"é\"}\r\n\r\n{\"b\":2}\n\n{\"c\":3}".as_bytes();
        for cut in 0..=text.len() {
            let mut lines = Lines::default();
            let mut got = Vec::new();
            for part in [&text[..cut], &text[cut..]] {
                lines.push(part);
                while let Some(line) = lines.next_line().unwrap() {
                    got.push(line);
                }
            }
            got.extend(lines.rest());
            let got: Vec<&str> = got
                .iter()
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect();
            assert_eq!(
                got,
                ["{\"a\":\"é\"}", "{\"b\":2}", "{\"c\":3}"],
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_line_that_never_ends_is_an_error() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; LONGEST_LINE + 1]);
        assert!(lines.next_line().is_err());
    }
}
