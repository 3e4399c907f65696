//! Bytes become lines: cut anywhere, they wait until their line ends.

use crate::engine::stamp;

use super::judge::Judge;
use super::ring::{LINE_MOST, Ring, flag};

/// One origin of lines.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) stamped: bool,
    /// The unfinished lines of standard output and standard error.
    pub(super) open: [Open; 2],
    /// Lines up to this time were taken in before and come again.
    pub(super) again: Vec<u8>,
}

/// A line whose end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) bytes: Vec<u8>,
}

/// Splits off the first line. Slices are readers, and theirs is the fastest search for one byte
/// that the standard library has.
pub(super) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    use std::io::BufRead;
    let mut rest = bytes;
    let len = rest.skip_until(b'\n').ok()?; // reading from a slice does not fail
    let line = bytes[..len].strip_suffix(b"\n")?;
    Some((line, rest))
}

/// What is kept of a line, and whether that is not all of it.
pub(super) fn kept(line: &[u8]) -> (&[u8], bool) {
    let line = match line.strip_suffix(b"\r") {
        Some(line) if line.len() <= LINE_MOST => line,
        _ => line,
    };
    (&line[..line.len().min(LINE_MOST)], line.len() > LINE_MOST)
}

impl Open {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        // Two bytes more than a line may have: one for a final CR, one that says it was too long.
        let room = (LINE_MOST + 2).saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(super) fn finish(&mut self, intake: &mut Intake<'_>) {
        // If more came than is kept, the byte that makes it so is there.
        let (line, cut) = kept(&self.bytes);
        intake.line(line, line.contains(&0x1b), cut);
        self.bytes.clear();
        if self.bytes.capacity() > LINE_MOST / 4 {
            self.bytes = Vec::new(); // long lines are rare; many sources would hoard
        }
    }
}

/// Where finished lines of one stream go.
pub(super) struct Intake<'a> {
    pub(super) ring: &'a mut Ring,
    pub(super) judge: &'a Judge,
    pub(super) source: u16,
    pub(super) flags: u8,
    pub(super) stamped: bool,
    pub(super) again: &'a mut Vec<u8>,
    /// Chunks that had to go.
    pub(super) gone: usize,
}

impl Intake<'_> {
    #[inline]
    pub(super) fn line(&mut self, line: &[u8], escapes: bool, cut: bool) {
        let mut flags = self.flags;
        if cut {
            flags |= flag::CUT;
        }
        if escapes && line.contains(&0x1b) {
            flags |= flag::ESCAPES;
        }
        let stamp = if self.stamped { stamp(line) as u8 } else { 0 }; // at most 40
        if !self.again.is_empty() {
            if stamp > 0 && line[..usize::from(stamp)].trim_ascii_end() <= &self.again[..] {
                return;
            }
            self.again.clear();
        }
        if self.judge.active() {
            let text = &line[usize::from(stamp)..];
            let text = self.judge.readable(text, flags & flag::ESCAPES != 0);
            flags |= self.judge.hidden(&text) | self.judge.hit(&text);
        }
        self.gone += usize::from(self.ring.push(line, self.source, stamp, flags));
    }
}
