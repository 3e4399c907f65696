//! Which lines are looked at, and what keys do about it.

use std::time::{Duration, Instant};

use crossterm::event::KeyEvent;

use super::action::LogAction;
use super::buffer::{Filter, LogBuffer, SourceId, Stream};
use super::clean::plain;
use super::pattern::{Pattern, Reading};
use super::prompt::{Asked, Prompt, Typed};
use super::row::{Manner, ready, rows};

/// What happens to the Logs screen.
#[derive(Debug)]
pub enum LogMessage<'a> {
    /// Bytes of one stream came in, cut anywhere.
    Bytes {
        /// Where from.
        source: SourceId,
        /// On which stream.
        stream: Stream,
        /// What came.
        bytes: &'a [u8],
    },
    /// A stream ended, or was lost; `why` is shown between the lines.
    Ended {
        /// Which.
        source: SourceId,
        /// In a few words.
        why: &'a str,
    },
    /// The screen has this many columns and rows.
    Resize(u16, u16),
    /// A little time for work that is left over; see [`LogScreen::is_busy`].
    Tick,
    /// The keymap's answer to a key.
    Action(LogAction),
    /// A key press while [`LogScreen::is_typing`].
    Key(KeyEvent),
    /// Pasted text; taken only while [`LogScreen::is_typing`].
    Paste(&'a str),
}

/// What the Logs screen wants of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEffect {
    /// Put this text (harmless, one line) into the clipboard.
    Copy(String),
    /// Leave the screen.
    Leave,
}

/// How long one tick works at most: half a frame at 60 a second.
const SLICE: Duration = Duration::from_millis(8);
/// Columns that one step to the right moves by.
const STEP: usize = 16;

/// A place: a line, and a row of it where it is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Spot {
    pub line: u64,
    pub row: usize,
}

/// The Logs screen.
#[derive(Debug)]
pub struct LogScreen {
    pub(super) title: String,
    pub(super) buffer: LogBuffer,
    size: (u16, u16),
    /// First row on screen while paused.
    top: Spot,
    cursor: u64,
    pub(super) follow: bool,
    /// Lines from this one on came after the pause began.
    paused_at: u64,
    pub(super) wrap: bool,
    pub(super) times: bool,
    pub(super) raw: bool,
    /// Columns that are out of sight on the left.
    pub(super) shift: usize,
    pub(super) prompt: Option<Prompt>,
    /// How patterns were read last time.
    reading: Reading,
    /// What the last key came to, if it needs words.
    pub(super) notice: Option<String>,
    /// A jump that waits until everything has been searched.
    jump: Option<Jump>,
}

#[derive(Debug, Clone, Copy)]
enum Jump {
    /// To the nearest hit, first upwards from here: logs are read from their end.
    Nearest,
    Down,
    Up,
}

impl LogScreen {
    /// A screen that follows; `title` says whose log it is.
    pub fn new(title: &str) -> Self {
        Self::with_buffer(title, LogBuffer::default())
    }

    /// A screen on a buffer of another size.
    pub fn with_buffer(title: &str, buffer: LogBuffer) -> Self {
        Self {
            title: plain(title.as_bytes()),
            buffer,
            size: (80, 24),
            top: Spot::default(),
            cursor: 0,
            follow: true,
            paused_at: 0,
            wrap: false,
            times: false,
            raw: false,
            shift: 0,
            prompt: None,
            reading: Reading::Text,
            notice: None,
            jump: None,
        }
    }

    /// Announces an origin of lines; see [`LogBuffer::add_source`].
    pub fn add_source(&mut self, name: &str, stamped: bool) -> SourceId {
        self.buffer.add_source(name, stamped)
    }

    /// The lines.
    pub fn buffer(&self) -> &LogBuffer {
        &self.buffer
    }

    /// Whether keys are text for a pattern now, and none of the keymap's business.
    pub fn is_typing(&self) -> bool {
        self.prompt.is_some()
    }

    /// Whether there is work left that a [`LogMessage::Tick`] would do.
    pub fn is_busy(&self) -> bool {
        self.buffer.progress().is_some()
    }

    /// Takes in what happened.
    pub fn update(&mut self, message: LogMessage<'_>) -> Vec<LogEffect> {
        let mut effects = Vec::new();
        match message {
            LogMessage::Bytes {
                source,
                stream,
                bytes,
            } => {
                self.buffer.append(source, stream, bytes);
                return effects; // nothing moves, and a frame settles what it shows
            }
            LogMessage::Ended { source, why } => {
                self.buffer.end(source);
                self.buffer.note(source, why);
            }
            LogMessage::Resize(columns, rows) => self.size = (columns, rows),
            LogMessage::Tick => self.work(),
            LogMessage::Action(action) => effects.extend(self.act(action)),
            LogMessage::Key(key) => self.typed(key),
            LogMessage::Paste(text) => {
                if let Some(prompt) = &mut self.prompt {
                    prompt.paste(text);
                }
            }
        }
        if !self.follow {
            self.settle();
        }
        effects
    }

    fn work(&mut self) {
        let start = Instant::now();
        while self.buffer.work() && start.elapsed() < SLICE {}
        if self.buffer.progress().is_none()
            && let Some(jump) = self.jump.take()
        {
            self.leap(jump);
        }
    }

    fn act(&mut self, action: LogAction) -> Option<LogEffect> {
        self.notice = None;
        if !self.follow {
            self.settle(); // lines may have gone since
        }
        match action {
            LogAction::Follow | LogAction::Bottom => self.follow = true,
            LogAction::Pause if self.follow => self.pause(),
            LogAction::Pause => self.follow = true,
            LogAction::Down => self.down(),
            LogAction::Up => self.up(),
            LogAction::Top => {
                self.pause();
                self.cursor = self.buffer.first();
                self.top = Spot {
                    line: self.cursor,
                    row: 0,
                };
            }
            LogAction::PageDown => self.page_down(),
            LogAction::PageUp => self.page_up(),
            LogAction::Right if !self.wrap => self.shift += STEP,
            LogAction::Left => self.shift = self.shift.saturating_sub(STEP),
            LogAction::Right => {}
            LogAction::Search => self.ask(Asked::Search),
            LogAction::FilterIn => self.ask(Asked::FilterIn),
            LogAction::FilterOut => self.ask(Asked::FilterOut),
            LogAction::Next => self.jump(Jump::Down),
            LogAction::Previous => self.jump(Jump::Up),
            LogAction::Wrap => {
                self.wrap = !self.wrap;
                self.top.row = 0;
                self.shift = 0;
            }
            LogAction::Times => self.times = !self.times,
            LogAction::Raw => self.raw = !self.raw,
            LogAction::Clear => {
                self.buffer.clear();
                self.follow = true;
            }
            LogAction::Reset => {
                self.buffer.set_search(None);
                self.buffer.set_filters(Vec::new());
                self.jump = None;
            }
            LogAction::Copy => {
                let line = self.here().and_then(|number| self.buffer.line(number))?;
                let text = plain(line.text());
                self.notice = Some("line copied".into());
                return Some(LogEffect::Copy(text));
            }
            LogAction::Back => return Some(LogEffect::Leave),
        }
        None
    }

    fn ask(&mut self, asked: Asked) {
        self.prompt = Some(Prompt::new(asked, self.reading));
    }

    fn typed(&mut self, key: KeyEvent) {
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        match prompt.key(key) {
            Typed::More => {}
            Typed::Dropped => self.prompt = None,
            Typed::Done => {
                let (asked, text, reading) = (prompt.asked, prompt.text(), prompt.reading);
                self.reading = reading;
                if text.is_empty() {
                    self.prompt = None;
                    self.take_back(asked);
                    return;
                }
                match Pattern::new(&text, reading) {
                    Ok(pattern) => {
                        self.prompt = None;
                        self.answer(asked, pattern);
                    }
                    Err(why) => prompt.error = Some(why),
                }
            }
        }
    }

    fn answer(&mut self, asked: Asked, pattern: Pattern) {
        match asked {
            Asked::Search => {
                self.buffer.set_search(Some(pattern));
                self.jump(Jump::Nearest);
            }
            Asked::FilterIn | Asked::FilterOut => {
                let mut filters = self.buffer.filters().to_vec();
                filters.push(Filter {
                    pattern,
                    out: asked == Asked::FilterOut,
                });
                self.buffer.set_filters(filters);
            }
        }
    }

    /// Enter on nothing takes the last pattern of that kind away.
    fn take_back(&mut self, asked: Asked) {
        let out = match asked {
            Asked::Search => {
                self.buffer.set_search(None);
                self.jump = None;
                return;
            }
            Asked::FilterIn => false,
            Asked::FilterOut => true,
        };
        let mut filters = self.buffer.filters().to_vec();
        if let Some(last) = filters.iter().rposition(|f| f.out == out) {
            filters.remove(last);
            self.buffer.set_filters(filters);
        }
    }

    fn jump(&mut self, jump: Jump) {
        if self.buffer.search().is_none() {
            self.notice = Some("nothing is searched for: / asks what".into());
        } else if self.buffer.progress().is_some() {
            self.pause();
            self.jump = Some(jump);
        } else {
            self.leap(jump);
        }
    }

    fn leap(&mut self, jump: Jump) {
        self.pause();
        let here = self.here().unwrap_or_default();
        let up = |from: Option<u64>| from.and_then(|from| self.buffer.hit_up(from));
        let (found, around) = match jump {
            Jump::Nearest => (up(Some(here)).or_else(|| self.buffer.hit_down(here)), None),
            Jump::Down => (
                self.buffer.hit_down(here + 1),
                self.buffer
                    .hit_down(0)
                    .map(|hit| (hit, "end reached: on from the oldest line")),
            ),
            Jump::Up => (
                up(here.checked_sub(1)),
                up(Some(u64::MAX)).map(|hit| (hit, "start reached: on from the newest line")),
            ),
        };
        match (found, around) {
            (Some(found), _) => self.cursor = found,
            (None, Some((found, words))) => {
                self.cursor = found;
                self.notice = Some(words.into());
            }
            (None, None) => self.notice = Some("not found".into()),
        }
    }

    /// The line under the cursor: the newest one while following.
    pub(super) fn here(&self) -> Option<u64> {
        if self.follow {
            return self.buffer.shown_up(u64::MAX);
        }
        // Its line may be gone, or be filtered out by now.
        self.buffer
            .shown_down(self.cursor)
            .or_else(|| self.buffer.shown_up(self.cursor))
    }

    /// How many lines came below the last row since the pause began.
    pub(super) fn new_below(&self, last: Option<u64>) -> u64 {
        if self.follow {
            return 0;
        }
        let seen = last.map_or(0, |last| last + 1);
        self.buffer.shown_from(self.paused_at.max(seen))
    }

    fn pause(&mut self) {
        if self.follow {
            let size = self.body();
            self.cursor = self.here().unwrap_or_else(|| self.buffer.first());
            self.top = self.top_for(size);
            self.paused_at = self.buffer.next();
            self.follow = false;
        }
    }

    fn down(&mut self) {
        if self.follow {
            return;
        }
        let (Some(here), size) = (self.here(), self.body()) else {
            return;
        };
        // A line that is higher than the screen is walked through first.
        let end = Spot {
            line: here,
            row: self.height(here, size.0, usize::MAX) - 1,
        };
        let bottom = self.advance(self.top, size.1 - 1, size.0);
        if bottom < end && bottom.line == here {
            self.top = self.advance(self.top, 1, size.0);
        } else if let Some(next) = self.buffer.shown_down(here + 1) {
            self.cursor = next;
        }
    }

    fn up(&mut self) {
        self.pause();
        let Some(here) = self.here() else {
            return;
        };
        if self.top.line == here && self.top.row > 0 {
            self.top.row -= 1;
        } else if let Some(before) = here.checked_sub(1).and_then(|n| self.buffer.shown_up(n)) {
            self.cursor = before;
        }
    }

    fn page_down(&mut self) {
        let (Some(here), size) = (self.here(), self.body()) else {
            return;
        };
        if self.follow {
            return;
        }
        let step = (size.1 / 2).max(1);
        let last = match self.buffer.shown_up(u64::MAX) {
            Some(last) => self.bottom_up(last, size),
            None => return,
        };
        let before = self.top;
        self.top = self.advance(self.top, step, size.0).min(last.max(before));
        let moved = self.advance(Spot { line: here, row: 0 }, step, size.0);
        self.cursor = moved.line.max(self.top.line);
        if (self.top, self.cursor) == (before, here) {
            // The end of a line that is higher than half a page is on screen already.
            self.cursor = self.buffer.shown_down(here + 1).unwrap_or(here);
        }
    }

    fn page_up(&mut self) {
        self.pause();
        let (Some(here), size) = (self.here(), self.body()) else {
            return;
        };
        let step = (size.1 / 2).max(1);
        self.top = self.retreat(self.top, step, size.0);
        self.cursor = self.retreat(Spot { line: here, row: 0 }, step, size.0).line;
    }

    fn settle(&mut self) {
        if let Some(here) = self.here() {
            self.cursor = here;
            self.top = self.top_for(self.body());
        }
    }

    fn body(&self) -> (usize, usize) {
        let (columns, rows) = self.size;
        self.body_of(usize::from(columns), usize::from(rows))
    }

    /// The first row to be drawn in a body of so many columns and rows.
    pub(super) fn top_for(&self, size: (usize, usize)) -> Spot {
        let Some(here) = self.here() else {
            return Spot::default();
        };
        if self.follow {
            return self.bottom_up(here, size);
        }
        let top = match self.buffer.shown_down(self.top.line) {
            Some(line) if line == self.top.line => {
                let rows = self.height(line, size.0, self.top.row + 1);
                Spot {
                    line,
                    row: self.top.row.min(rows - 1),
                }
            }
            Some(line) => Spot { line, row: 0 },
            None => return self.bottom_up(here, size),
        };
        if here < top.line {
            return Spot { line: here, row: 0 };
        }
        let mut left = size.1 + top.row;
        let mut line = top.line;
        while line < here {
            left = left.saturating_sub(self.height(line, size.0, left + 1));
            match self.buffer.shown_down(line + 1) {
                Some(next) if left > 0 => line = next,
                _ => return self.bottom_up(here, size),
            }
        }
        let height = self.height(here, size.0, left + 1);
        if height > left && here != top.line {
            // Its end is out of sight.
            return self.bottom_up(here, size).min(Spot { line: here, row: 0 });
        }
        top
    }

    /// The first row, when the last row of `line` is to be the last of the body.
    fn bottom_up(&self, line: u64, (width, rows): (usize, usize)) -> Spot {
        let last = self.height(line, width, usize::MAX) - 1;
        self.retreat(Spot { line, row: last }, rows.saturating_sub(1), width)
    }

    /// So many rows further down, or the last row there is.
    pub(super) fn advance(&self, mut spot: Spot, mut rows: usize, width: usize) -> Spot {
        while rows > 0 {
            let height = self.height(spot.line, width, spot.row + rows + 1);
            let left = height.saturating_sub(spot.row + 1);
            if rows <= left {
                spot.row += rows;
                return spot;
            }
            match self.buffer.shown_down(spot.line + 1) {
                Some(line) => spot = Spot { line, row: 0 },
                None => {
                    spot.row += left;
                    return spot;
                }
            }
            rows -= left + 1;
        }
        spot
    }

    /// So many rows further up, or the first row there is.
    fn retreat(&self, mut spot: Spot, mut rows: usize, width: usize) -> Spot {
        while rows > 0 {
            if rows <= spot.row {
                spot.row -= rows;
                return spot;
            }
            let Some(line) = spot
                .line
                .checked_sub(1)
                .and_then(|n| self.buffer.shown_up(n))
            else {
                spot.row = 0;
                return spot;
            };
            rows -= spot.row + 1;
            spot = Spot {
                line,
                row: self.height(line, width, usize::MAX) - 1,
            };
        }
        spot
    }

    /// Rows that a line takes; counting stops at about `most`.
    fn height(&self, number: u64, width: usize, most: usize) -> usize {
        match self.buffer.line(number) {
            Some(line) if self.wrap => {
                let columns = width.saturating_mul(most);
                let manner = Manner {
                    search: self.buffer.search(),
                    raw: self.raw,
                    columns,
                };
                rows(&ready(&line, manner).glyphs, width).len()
            }
            _ => 1,
        }
    }
}

#[cfg(test)]
mod tests;
