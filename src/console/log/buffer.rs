//! Lines of one or several containers: taken in as they come, filtered and searched on arrival.
//!
//! Chunks of bytes need not end where lines do; each stream's unfinished line waits until its end
//! comes. When filters or the search change, what is already there is judged anew from the newest
//! chunk to the oldest, one chunk per [`LogBuffer::work`], so that nobody waits for it.

use unicode_width::UnicodeWidthStr;

use crate::engine::stamp;

use super::clean::plain;
use super::intake::{Intake, Source, kept, split};
use super::judge::{Filter, Judge};
use super::pattern::Pattern;
use super::ring::{RawLine, Ring, flag};

/// What one view of logs may take unless told otherwise, in bytes.
pub const DEFAULT_MEMORY: usize = 8 << 20;

/// Lines that may have to move for one that comes late.
const MOVED_MOST: u64 = 20_000;

/// One container (or other origin) whose lines come in. Given out by [`LogBuffer::add_source`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceId(pub(super) u16);

/// Which of the two streams a line came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // each is what its name says
pub enum Stream {
    Stdout,
    Stderr,
}

/// A line to be drawn.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a>(RawLine<'a>);

impl<'a> Line<'a> {
    /// The text as it came, without the timestamp.
    pub fn text(&self) -> &'a [u8] {
        self.0.text()
    }

    /// The timestamp that the engine put in front of it; empty if none was asked for.
    pub fn stamp(&self) -> &'a [u8] {
        self.0.stamp()
    }

    /// Where it came from.
    pub fn source(&self) -> SourceId {
        SourceId(self.0.source)
    }

    /// Whether it came on standard error.
    pub fn stderr(&self) -> bool {
        self.0.is(flag::STDERR)
    }

    /// Whether the end of it is missing because it was too long.
    pub fn cut(&self) -> bool {
        self.0.is(flag::CUT)
    }

    /// Whether it is a remark of ostler's own.
    pub fn note(&self) -> bool {
        self.0.is(flag::NOTE)
    }

    /// Whether the search finds it.
    pub fn hit(&self) -> bool {
        self.0.is(flag::HIT)
    }
}

/// The lines of a Logs screen. Numbers of lines are for life: they do not move when old lines go.
#[derive(Debug)]
pub struct LogBuffer {
    ring: Ring,
    sources: Vec<Source>,
    judge: Judge,
    /// Chunks from the oldest on that the filters have not judged yet.
    unfiltered: usize,
    /// Chunks from the oldest on that have not been searched yet.
    unsearched: usize,
    /// Bytes taken in since the start.
    taken: u64,
}

impl Default for LogBuffer {
    fn default() -> Self {
        Self::new(DEFAULT_MEMORY)
    }
}

impl LogBuffer {
    /// A buffer that takes at most `memory` bytes for finished lines, index included.
    pub fn new(memory: usize) -> Self {
        Self {
            ring: Ring::new(memory),
            sources: Vec::new(),
            judge: Judge::default(),
            unfiltered: 0,
            unsearched: 0,
            taken: 0,
        }
    }

    /// Announces an origin of lines. `stamped`: its lines begin with a timestamp (RFC 3339) and a
    /// space. At most 65,536 can be told apart.
    pub fn add_source(&mut self, name: &str, stamped: bool) -> SourceId {
        let id = self.sources.len().min(usize::from(u16::MAX));
        if id == self.sources.len() {
            let open = Default::default();
            self.sources.push(Source {
                name: plain(name.as_bytes()),
                stamped,
                open,
                again: Vec::new(),
            });
        }
        SourceId(id as u16)
    }

    /// How many origins there are.
    pub fn sources(&self) -> usize {
        self.sources.len()
    }

    /// The name of an origin.
    pub fn source_name(&self, id: SourceId) -> &str {
        self.sources.get(usize::from(id.0)).map_or("", |s| &s.name)
    }

    /// Cells that the longest of their names takes.
    pub(super) fn longest_name(&self) -> usize {
        self.sources
            .iter()
            .map(|s| s.name.width())
            .max()
            .unwrap_or_default()
    }

    /// How many names of origins there are.
    pub(super) fn names(&self) -> usize {
        let names: std::collections::BTreeSet<&str> =
            self.sources.iter().map(|s| &s.name[..]).collect();
        names.len()
    }

    /// An origin is read anew from some time back on: what it has sent already is left out.
    pub fn resume(&mut self, id: SourceId) {
        let first = self.ring.first();
        let mut newest_first = (first..self.ring.next()).rev();
        let last = newest_first.find_map(|number| {
            let line = self.ring.line(number)?;
            (line.source == id.0 && !line.stamp().is_empty()).then(|| line.stamp().to_vec())
        });
        if let Some(source) = self.sources.get_mut(usize::from(id.0)) {
            source.again = last.unwrap_or_default();
            source.open = Default::default();
        }
    }

    /// Takes in bytes of one stream, cut anywhere.
    pub fn append(&mut self, id: SourceId, stream: Stream, bytes: &[u8]) {
        let Some(source) = self.sources.get_mut(usize::from(id.0)) else {
            return;
        };
        self.taken += bytes.len() as u64;
        let mut intake = Intake {
            ring: &mut self.ring,
            judge: &self.judge,
            source: id.0,
            flags: if stream == Stream::Stderr {
                flag::STDERR
            } else {
                0
            },
            stamped: source.stamped,
            again: &mut source.again,
            gone: 0,
        };
        let open = &mut source.open[stream as usize];
        // Looking once for escapes in all of it saves looking in each line.
        let escapes = bytes.contains(&0x1b);
        let mut rest = bytes;
        while let Some((line, after)) = split(rest) {
            if open.bytes.is_empty() {
                let (line, cut) = kept(line);
                intake.line(line, escapes, cut);
            } else {
                open.add(line);
                open.finish(&mut intake);
            }
            rest = after;
        }
        if !rest.is_empty() {
            open.add(rest);
        }
        let gone = intake.gone;
        self.forget_chunks(gone);
    }

    /// Puts the lines from `number` on, which have just come in, where their timestamps say: logs of
    /// several containers are read one after the other at first. Lines move, and their numbers with
    /// them, so this is for a view that follows. What would have to move far stays where it is.
    pub fn interleave(&mut self, number: u64) {
        if self.sources.len() < 2 || self.progress().is_some() {
            return;
        }
        let stamp = |n: u64| {
            self.ring
                .line(n)
                .map(|l| l.stamp())
                .filter(|s| !s.is_empty())
        };
        let (Some(new), Some(before)) = (stamp(number), number.checked_sub(1).and_then(stamp))
        else {
            return;
        };
        if before <= new {
            return;
        }
        let mut from = number - 1;
        while let Some(at) = from.checked_sub(1) {
            match self.ring.line(at) {
                Some(line) if line.stamp().is_empty() || line.stamp() > new => from = at,
                _ => break,
            }
            if number - from > MOVED_MOST {
                return;
            }
        }
        struct Moved {
            stamp: Vec<u8>,
            whole: Vec<u8>,
            line: (u16, u8, u8),
        }
        let mut moved: Vec<Moved> = Vec::new();
        for line in (from..self.ring.next()).filter_map(|n| self.ring.line(n)) {
            let stamp = match (line.stamp(), moved.last()) {
                // A line without a time belongs to the one before it.
                (b"", Some(last)) => last.stamp.clone(),
                (stamp, _) => stamp.to_vec(),
            };
            let whole = line.whole.to_vec();
            moved.push(Moved {
                stamp,
                whole,
                line: (line.source, line.stamp as u8, line.flags),
            });
        }
        moved.sort_by(|a, b| a.stamp.cmp(&b.stamp));
        self.ring.truncate(from);
        let mut gone = 0;
        for Moved {
            whole,
            line: (source, stamp, flags),
            ..
        } in moved
        {
            gone += usize::from(self.ring.push(&whole, source, stamp, flags));
        }
        self.forget_chunks(gone);
    }

    /// A stream has ended: its unfinished lines are as finished as they will be.
    pub fn end(&mut self, id: SourceId) {
        let Some(source) = self.sources.get_mut(usize::from(id.0)) else {
            return;
        };
        let mut gone = 0;
        for (stream, open) in source.open.iter_mut().enumerate() {
            if open.bytes.is_empty() {
                continue;
            }
            let mut intake = Intake {
                ring: &mut self.ring,
                judge: &self.judge,
                source: id.0,
                flags: if stream == 1 { flag::STDERR } else { 0 },
                stamped: source.stamped,
                again: &mut source.again,
                gone: 0,
            };
            open.finish(&mut intake);
            gone += intake.gone;
        }
        self.forget_chunks(gone);
    }

    /// Puts a remark of ostler's own between the lines. Filters do not touch it.
    pub fn note(&mut self, id: SourceId, text: &str) {
        let (text, _) = kept(text.as_bytes());
        let gone = self.ring.push(text, id.0, 0, flag::NOTE);
        self.forget_chunks(usize::from(gone));
    }

    /// The unfinished lines that have something in them and pass the filters so far.
    pub fn open_lines(&self) -> impl Iterator<Item = Line<'_>> {
        let streams = self.sources.iter().enumerate().flat_map(|(id, source)| {
            let [out, err] = &source.open;
            [(id, source, out, 0), (id, source, err, flag::STDERR)]
        });
        streams.filter_map(|(id, source, open, flags)| {
            let bytes = &open.bytes[..];
            let stamp = if source.stamped {
                stamp(bytes) as u8
            } else {
                0
            };
            let line = RawLine::loose(bytes, id as u16, stamp, flags);
            let text = self.judge.readable(line.text(), bytes.contains(&0x1b));
            (!line.text().is_empty() && self.judge.hidden(&text) == 0).then_some(Line(line))
        })
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.ring.clear();
        for source in &mut self.sources {
            source.open = Default::default();
        }
        (self.unfiltered, self.unsearched) = (0, 0);
    }

    /// The filters in force.
    pub fn filters(&self) -> &[Filter] {
        &self.judge.filters
    }

    /// Sets the filters; lines already there are judged by [`Self::work`].
    pub fn set_filters(&mut self, filters: Vec<Filter>) {
        self.judge.filters = filters;
        self.judge_anew();
    }

    /// Whether only lines that report an error are shown.
    pub fn errors_only(&self) -> bool {
        self.judge.errors
    }

    /// Shows only lines that report an error, or the others too; lines already there are judged by
    /// [`Self::work`].
    pub fn set_errors_only(&mut self, errors: bool) {
        self.judge.errors = errors;
        self.judge_anew();
    }

    fn judge_anew(&mut self) {
        if !self.judge.filters() {
            self.ring.flag_all(0, flag::HIDDEN);
            self.unfiltered = 0;
        } else {
            self.ring.flag_all(flag::HIDDEN, 0);
            self.unfiltered = self.ring.chunks();
            self.work();
        }
    }

    /// The search in force.
    pub fn search(&self) -> Option<&Pattern> {
        self.judge.search.as_ref()
    }

    /// Sets the search; lines already there are searched by [`Self::work`].
    pub fn set_search(&mut self, search: Option<Pattern>) {
        self.ring.flag_all(0, flag::HIT);
        self.unsearched = if search.is_some() {
            self.ring.chunks()
        } else {
            0
        };
        self.judge.search = search;
        self.work();
    }

    /// Judges one more chunk (64 KiB) of old lines. Says whether there is more to do.
    pub fn work(&mut self) -> bool {
        let at = self.unfiltered.max(self.unsearched);
        if at == 0 {
            return false;
        }
        let (filter, search) = (self.unfiltered == at, self.unsearched == at);
        let judge = &self.judge;
        self.ring.judge(at - 1, |line| {
            let mut flags = line.flags;
            if flags & flag::NOTE == 0 {
                let text = judge.readable(line.text(), flags & flag::ESCAPES != 0);
                if filter {
                    flags = (flags & !flag::HIDDEN) | judge.hidden(&text);
                }
                if search {
                    flags = (flags & !flag::HIT) | judge.hit(&text);
                }
            }
            flags
        });
        self.unfiltered -= usize::from(filter);
        self.unsearched -= usize::from(search);
        self.unfiltered.max(self.unsearched) > 0
    }

    /// How far the judging of old lines is, in percent; nothing while there is none to do.
    pub fn progress(&self) -> Option<u8> {
        let todo = self.unfiltered.max(self.unsearched);
        let all = self.ring.chunks().max(1);
        (todo > 0).then(|| (100 * (all - todo.min(all)) / all) as u8)
    }

    /// The line with that number, if it is still there.
    pub fn line(&self, number: u64) -> Option<Line<'_>> {
        self.ring.line(number).map(Line)
    }

    /// The first line to be shown at or after `number`.
    pub fn shown_down(&self, number: u64) -> Option<u64> {
        self.ring.seek_down(number, 0)
    }

    /// The last line to be shown at or before `number`.
    pub fn shown_up(&self, number: u64) -> Option<u64> {
        self.ring.seek_up(number, 0)
    }

    /// The first line that the search finds at or after `number`.
    pub fn hit_down(&self, number: u64) -> Option<u64> {
        self.ring.seek_down(number, flag::HIT)
    }

    /// The last line that the search finds at or before `number`.
    pub fn hit_up(&self, number: u64) -> Option<u64> {
        self.ring.seek_up(number, flag::HIT)
    }

    /// How many lines are to be shown from `number` on.
    pub fn shown_from(&self, number: u64) -> u64 {
        self.ring.count_from(number, 0)
    }

    /// How many lines the search finds from `number` on.
    pub fn hits_from(&self, number: u64) -> u64 {
        self.ring.count_from(number, flag::HIT)
    }

    /// How many lines pass the filters.
    pub fn shown(&self) -> u64 {
        self.ring.shown()
    }

    /// How many lines are kept.
    pub fn kept(&self) -> u64 {
        self.ring.next() - self.ring.first()
    }

    /// How many of the lines that pass the filters the search finds.
    pub fn hits(&self) -> u64 {
        self.ring.hits()
    }

    /// How many lines had to go, for memory, since the start or the last `clear`.
    pub fn dropped(&self) -> u64 {
        self.ring.dropped()
    }

    /// Number of the oldest line kept.
    pub fn first(&self) -> u64 {
        self.ring.first()
    }

    /// Number of the next line to come.
    pub fn next(&self) -> u64 {
        self.ring.next()
    }

    /// Bytes taken in since the start.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Bytes that finished lines take now, index included.
    pub fn memory(&self) -> usize {
        self.ring.memory()
    }

    fn forget_chunks(&mut self, gone: usize) {
        self.unfiltered = self.unfiltered.saturating_sub(gone);
        self.unsearched = self.unsearched.saturating_sub(gone);
    }
}

#[cfg(test)]
mod tests;
