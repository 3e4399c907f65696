//! The store of lines: a ring of chunks of bytes with an index of lines, bounded in real memory
//! (index included). When it is full the oldest chunk goes, whole, and its lines are counted.
//!
//! Lines keep the bytes that came; they are cleaned when they are drawn. A line has a number that
//! it keeps for life, so that a position on screen outlives what is dropped above it.

use std::collections::VecDeque;

/// Bytes of text in one chunk. An offset into it fits 16 bits.
const CHUNK_BYTES: usize = 64 * 1024;
/// Lines in one chunk: a power of two, which is where a growing `Vec` stops exactly.
const CHUNK_LINES: usize = 16 * 1024;
/// What one chunk can take at most, index included.
const CHUNK_MOST: usize = CHUNK_BYTES + CHUNK_LINES * size_of::<Entry>();
/// The longest line that is kept; what comes after is cut and marked. It fits a chunk.
pub const LINE_MOST: usize = 60 * 1024;

/// What is known of a line besides its text, one bit each.
pub(super) mod flag {
    /// It came on standard error.
    pub const STDERR: u8 = 1;
    /// It was longer than [`super::LINE_MOST`].
    pub const CUT: u8 = 2;
    /// It holds an escape byte, so that what is read differs from what is stored.
    pub const ESCAPES: u8 = 4;
    /// It is ostler's own remark, not the container's.
    pub const NOTE: u8 = 8;
    /// The filters leave it out.
    pub const HIDDEN: u8 = 16;
    /// The search finds it.
    pub const HIT: u8 = 32;
}

/// Where a line lies in its chunk. It ends where the next one begins.
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u16,
    source: u16,
    /// Length of the timestamp before the text.
    stamp: u8,
    flags: u8,
}

#[derive(Debug)]
struct Chunk {
    /// Number of its first line.
    first: u64,
    bytes: Vec<u8>,
    lines: Vec<Entry>,
    /// Lines that are not hidden.
    shown: u32,
    /// Lines that are not hidden and that the search finds.
    hits: u32,
}

impl Chunk {
    fn new(first: u64) -> Self {
        Self {
            first,
            bytes: Vec::with_capacity(CHUNK_BYTES),
            lines: Vec::with_capacity(CHUNK_LINES / 16),
            shown: 0,
            hits: 0,
        }
    }

    fn memory(&self) -> usize {
        self.bytes.capacity() + self.lines.capacity() * size_of::<Entry>()
    }

    fn takes(&self, len: usize) -> bool {
        self.bytes.len() + len < CHUNK_BYTES && self.lines.len() < CHUNK_LINES
    }

    fn raw(&self, index: usize) -> RawLine<'_> {
        let entry = self.lines[index];
        let end = match self.lines.get(index + 1) {
            Some(next) => usize::from(next.start),
            None => self.bytes.len(),
        };
        let whole = &self.bytes[usize::from(entry.start)..end];
        RawLine {
            source: entry.source,
            flags: entry.flags,
            whole,
            stamp: usize::from(entry.stamp),
        }
    }

    fn count(&mut self, flags: u8) {
        if flags & flag::HIDDEN == 0 {
            self.shown += 1;
            self.hits += u32::from(flags & flag::HIT != 0);
        }
    }

    fn recount(&mut self) {
        self.shown = 0;
        self.hits = 0;
        for index in 0..self.lines.len() {
            self.count(self.lines[index].flags);
        }
    }
}

/// A line as it is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawLine<'a> {
    pub source: u16,
    pub flags: u8,
    pub whole: &'a [u8],
    pub stamp: usize,
}

impl<'a> RawLine<'a> {
    /// A line that is in no ring yet.
    pub fn loose(whole: &'a [u8], source: u16, stamp: u8, flags: u8) -> Self {
        Self {
            source,
            flags,
            whole,
            stamp: usize::from(stamp),
        }
    }

    /// The text, without its timestamp.
    pub fn text(&self) -> &'a [u8] {
        &self.whole[self.stamp..]
    }

    /// The timestamp that the engine put in front, as it was sent.
    pub fn stamp(&self) -> &'a [u8] {
        self.whole[..self.stamp].trim_ascii_end()
    }

    pub fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

#[derive(Debug)]
pub(super) struct Ring {
    chunks: VecDeque<Chunk>,
    /// A dropped chunk whose memory the next one takes over.
    spare: Option<Chunk>,
    budget: usize,
    next: u64,
    dropped: u64,
}

impl Ring {
    /// A ring that holds at most `budget` bytes, and at least two chunks.
    pub fn new(budget: usize) -> Self {
        Self {
            chunks: VecDeque::new(),
            spare: None,
            budget: budget.max(2 * CHUNK_MOST),
            next: 0,
            dropped: 0,
        }
    }

    /// Adds a line. `line` is at most [`LINE_MOST`] bytes. Says whether the oldest chunk had to go.
    pub fn push(&mut self, line: &[u8], source: u16, stamp: u8, flags: u8) -> bool {
        let mut gone = false;
        if !self.chunks.back().is_some_and(|c| c.takes(line.len())) {
            gone = self.open();
        }
        let Some(chunk) = self.chunks.back_mut() else {
            return gone; // open() has just put one there
        };
        chunk.lines.push(Entry {
            start: chunk.bytes.len() as u16, // takes() keeps it under CHUNK_BYTES
            source,
            stamp,
            flags,
        });
        chunk.bytes.extend_from_slice(line);
        chunk.count(flags);
        self.next += 1;
        gone
    }

    /// Starts a chunk, dropping old ones until it fits even when it grows to its most.
    fn open(&mut self) -> bool {
        let mut used: usize = self.chunks.iter().map(Chunk::memory).sum();
        let mut gone = false;
        while used + CHUNK_MOST > self.budget {
            let Some(mut old) = self.chunks.pop_front() else {
                break;
            };
            used -= old.memory();
            self.dropped += old.lines.len() as u64;
            old.bytes.clear();
            old.lines.clear();
            self.spare = Some(old);
            gone = true;
        }
        let chunk = match self.spare.take() {
            Some(spare) => Chunk {
                first: self.next,
                shown: 0,
                hits: 0,
                ..spare
            },
            None => Chunk::new(self.next),
        };
        self.chunks.push_back(chunk);
        gone
    }

    /// Forgets all lines; numbers go on.
    pub fn clear(&mut self) {
        self.chunks.clear();
        self.spare = None;
        self.dropped = 0;
    }

    /// Bytes taken, index included.
    pub fn memory(&self) -> usize {
        self.chunks.iter().map(Chunk::memory).sum()
    }

    /// Number of the oldest line kept (or of the next to come).
    pub fn first(&self) -> u64 {
        self.chunks.front().map_or(self.next, |c| c.first)
    }

    /// Number that the next line will get.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Lines that had to go since the start or the last `clear`.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    pub fn shown(&self) -> u64 {
        self.chunks.iter().map(|c| u64::from(c.shown)).sum()
    }

    pub fn hits(&self) -> u64 {
        self.chunks.iter().map(|c| u64::from(c.hits)).sum()
    }

    /// Index of the chunk that holds line `number`, or the nearest one.
    fn chunk_of(&self, number: u64) -> usize {
        self.chunks
            .partition_point(|c| c.first <= number)
            .saturating_sub(1)
    }

    pub fn line(&self, number: u64) -> Option<RawLine<'_>> {
        let chunk = self.chunks.get(self.chunk_of(number))?;
        let index = usize::try_from(number.checked_sub(chunk.first)?).ok()?;
        (index < chunk.lines.len()).then(|| chunk.raw(index))
    }

    /// The first line at or after `number` that is not hidden and has all of `flags`.
    pub fn seek_down(&self, number: u64, flags: u8) -> Option<u64> {
        for at in self.chunk_of(number)..self.chunks.len() {
            let chunk = &self.chunks[at];
            if chunk.shown == 0 || (flags & flag::HIT != 0 && chunk.hits == 0) {
                continue;
            }
            let from = number.saturating_sub(chunk.first) as usize;
            let tail = chunk.lines.get(from..).unwrap_or_default();
            if let Some(found) = tail.iter().position(|l| wanted(l.flags, flags)) {
                return Some(chunk.first + (from + found) as u64);
            }
        }
        None
    }

    /// The last line at or before `number` that is not hidden and has all of `flags`.
    pub fn seek_up(&self, number: u64, flags: u8) -> Option<u64> {
        if self.chunks.is_empty() {
            return None;
        }
        for at in (0..=self.chunk_of(number)).rev() {
            let chunk = &self.chunks[at];
            if number < chunk.first
                || chunk.shown == 0
                || (flags & flag::HIT != 0 && chunk.hits == 0)
            {
                continue;
            }
            let upto = ((number - chunk.first) as usize)
                .saturating_add(1)
                .min(chunk.lines.len());
            let head = &chunk.lines[..upto];
            if let Some(found) = head.iter().rposition(|l| wanted(l.flags, flags)) {
                return Some(chunk.first + found as u64);
            }
        }
        None
    }

    /// How many lines at or after `number` are not hidden and have all of `flags`.
    pub fn count_from(&self, number: u64, flags: u8) -> u64 {
        let mut count = 0;
        for chunk in self
            .chunks
            .range(self.chunk_of(number).min(self.chunks.len())..)
        {
            if number <= chunk.first {
                let hits = flags & flag::HIT != 0;
                count += u64::from(if hits { chunk.hits } else { chunk.shown });
            } else {
                let from = (number - chunk.first) as usize;
                let tail = chunk.lines.get(from..).unwrap_or_default();
                count += tail.iter().filter(|l| wanted(l.flags, flags)).count() as u64;
            }
        }
        count
    }

    /// Sets and clears flags of all lines at once.
    pub fn flag_all(&mut self, set: u8, clear: u8) {
        for chunk in &mut self.chunks {
            for line in &mut chunk.lines {
                if line.flags & flag::NOTE == 0 {
                    line.flags = (line.flags | set) & !clear;
                }
            }
            chunk.recount();
        }
    }

    /// Takes back the newest lines, from `number` on; their numbers will be given again.
    pub fn truncate(&mut self, number: u64) {
        while self.chunks.back().is_some_and(|c| c.first >= number) {
            self.spare = self.chunks.pop_back();
            if let Some(spare) = &mut self.spare {
                spare.bytes.clear();
                spare.lines.clear();
            }
        }
        if let Some(chunk) = self.chunks.back_mut() {
            let keep = (number - chunk.first) as usize; // the loop above leaves first < number
            if let Some(entry) = chunk.lines.get(keep) {
                chunk.bytes.truncate(usize::from(entry.start));
                chunk.lines.truncate(keep);
                chunk.recount();
            }
        }
        self.next = self.next.min(number);
    }

    /// Judges each line of one chunk anew: `judge` gives its flags.
    pub fn judge(&mut self, chunk: usize, mut judge: impl FnMut(RawLine<'_>) -> u8) {
        let Some(chunk) = self.chunks.get_mut(chunk) else {
            return;
        };
        for index in 0..chunk.lines.len() {
            let flags = judge(chunk.raw(index));
            chunk.lines[index].flags = flags;
        }
        chunk.recount();
    }
}

fn wanted(flags: u8, all: u8) -> bool {
    flags & flag::HIDDEN == 0 && flags & all == all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_entry_is_small() {
        assert_eq!(size_of::<Entry>(), 6);
    }

    #[test]
    fn the_bound_holds_for_empty_and_for_long_lines() {
        for len in [0, 1, 7, 100, LINE_MOST] {
            let mut ring = Ring::new(1 << 20);
            let line = vec![b'x'; len];
            for _ in 0..400_000 / (len + 1) + 100 {
                ring.push(&line, 0, 0, 0);
                assert!(ring.chunks.len() < 64);
            }
            assert!(ring.memory() <= 1 << 20, "{len}: {}", ring.memory());
            assert_eq!(ring.first(), ring.dropped());
            assert_eq!(ring.shown(), ring.next() - ring.dropped());
        }
    }

    #[test]
    fn the_newest_lines_can_be_taken_back() {
        let mut ring = Ring::new(1 << 20);
        let fill = |ring: &mut Ring, numbers: std::ops::Range<u32>| {
            for n in numbers {
                ring.push(format!("line {n}").as_bytes(), 0, 0, 0);
            }
        };
        for keep in [40_000, 39_999, 20_000, 1, 0] {
            ring.clear();
            let base = ring.next();
            fill(&mut ring, 0..40_000);
            ring.truncate(base + u64::from(keep));
            assert_eq!(
                (ring.next() - base, ring.shown()),
                (keep.into(), keep.into())
            );
            fill(&mut ring, keep..40_000);
            for n in [0, keep.saturating_sub(1), keep.min(39_999), 39_999] {
                let line = ring.line(base + u64::from(n)).unwrap();
                assert_eq!(line.text(), format!("line {n}").as_bytes());
            }
            assert!(ring.memory() <= 1 << 20);
        }
    }

    #[test]
    fn lines_are_found_by_number_and_by_flag() {
        let mut ring = Ring::new(1 << 20);
        for n in 0..30_000u32 {
            let flags = if n % 1000 == 7 { flag::HIT } else { 0 };
            let hidden = if n % 2 == 0 { flag::HIDDEN } else { 0 };
            ring.push(n.to_string().as_bytes(), 3, 0, flags | hidden);
        }
        assert_eq!(ring.line(29_999).map(|l| l.text()), Some(&b"29999"[..]));
        assert!(ring.line(30_000).is_none());
        assert_eq!(ring.seek_down(0, 0), Some(1));
        assert_eq!(ring.seek_down(8, flag::HIT), Some(1007));
        assert_eq!(ring.seek_up(1006, flag::HIT), Some(7));
        assert_eq!(ring.seek_up(6, flag::HIT), None);
        assert_eq!(ring.seek_down(29_008, flag::HIT), None);
        assert_eq!(ring.seek_up(u64::MAX, 0), Some(29_999));
        assert_eq!(ring.count_from(29_990, 0), 5);
        assert_eq!(ring.count_from(0, flag::HIT), 30);
        assert_eq!(ring.hits(), 30);
    }
}
