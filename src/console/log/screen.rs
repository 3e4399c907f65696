//! Which lines are looked at, and what keys do about it.

use std::time::{Duration, Instant};

use crossterm::event::KeyEvent;

use super::action::LogAction;
use super::buffer::{LogBuffer, SourceId, Stream};
use super::clean::plain;
use super::judge::Filter;
use super::pattern::{Pattern, Reading};
use super::prompt::{Asked, Prompt, Typed};
use super::row::Spot;

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
    /// A stream ended, or was lost.
    Ended { source: SourceId },
    /// A stream that ended is read again, from some time back on: what it sent before is left out.
    Resumed { source: SourceId },
    /// Something about a stream, shown between its lines.
    Note {
        source: SourceId,
        /// In a few words.
        text: &'a str,
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

#[derive(Debug)]
pub struct LogScreen {
    pub(super) title: String,
    pub(super) buffer: LogBuffer,
    pub(super) size: (u16, u16),
    /// First row on screen while paused.
    pub(super) top: Spot,
    pub(super) cursor: u64,
    pub(super) follow: bool,
    /// Lines from this one on came after the pause began.
    pub(super) paused_at: u64,
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
                let number = self.buffer.next();
                self.buffer.append(source, stream, bytes);
                if self.follow {
                    self.buffer.interleave(number);
                }
                return effects; // nothing moves, and a frame settles what it shows
            }
            LogMessage::Ended { source } => self.buffer.end(source),
            LogMessage::Resumed { source } => self.buffer.resume(source),
            LogMessage::Note { source, text } => self.buffer.note(source, text),
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
            LogAction::Errors => {
                let errors = !self.buffer.errors_only();
                self.buffer.set_errors_only(errors);
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
                self.buffer.set_errors_only(false);
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
}

#[cfg(test)]
mod tests;
