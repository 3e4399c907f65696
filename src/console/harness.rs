//! The whole console without a terminal and without I/O: keys and messages in, frames and wishes
//! out. For tests.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::effect::Effect;
use super::keymap::{Key, Keymap};
use super::message::Message;
use super::model::{Model, Start};
use super::theme::Theme;
use super::update::{after_frame, before_frame, open, update};
use super::view;
use crate::fleet::{Fleet, Host};

/// When tests happen: 2026-11-21 03:00:00 UTC.
pub const NOW: i64 = 1_795_230_000;

/// A console under test.
pub struct App {
    pub model: Model,
    /// Everything it wished for.
    pub effects: Vec<Effect>,
}

/// How it is started.
pub struct Setup {
    /// Fleet file.
    pub fleet: Option<Fleet>,
    /// Host looked at without one.
    pub host: Option<Host>,
    /// Read-only.
    pub on_call: bool,
    /// Columns, lines.
    pub size: (u16, u16),
    pub theme: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            fleet: None,
            host: None,
            on_call: false,
            size: (80, 24),
            theme: "dark",
        }
    }
}

impl App {
    /// Starts one.
    pub fn new(setup: Setup) -> App {
        let (keymap, complaints) = Keymap::new(&BTreeMap::new());
        let themes: Vec<Theme> = Theme::built_in_names()
            .filter_map(Theme::built_in)
            .collect();
        let theme = Theme::built_in(setup.theme).unwrap();
        let model = open(Start {
            now_ms: NOW * 1000,
            size: setup.size,
            keymap,
            complaints,
            theme,
            themes,
            fleet: setup.fleet.map(Arc::new),
            looked_at: setup.host,
            on_call: setup.on_call,
            demo: false,
        });
        App {
            model,
            effects: Vec::new(),
        }
    }

    /// Sends a message, then does what precedes a frame, and what follows it.
    pub fn send(&mut self, message: Message) -> &mut Self {
        self.effects.extend(update(&mut self.model, message));
        self.effects.extend(before_frame(&mut self.model));
        // What is made in the frames that follow at once.
        while !self.model.stale_hosts.is_empty() {
            self.effects.extend(before_frame(&mut self.model));
        }
        let now = self.model.now_ms;
        after_frame(&mut self.model, now);
        self
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: i64) -> &mut Self {
        let then = self.model.now_ms + seconds * 1000;
        self.send(Message::Clock(then))
    }

    /// Presses keys, as the configuration writes them, blanks between.
    pub fn press(&mut self, keys: &str) -> &mut Self {
        for word in keys.split(' ').filter(|w| !w.is_empty()) {
            let key: Key = word.parse().unwrap();
            self.send(Message::Key(KeyEvent::new(key.code, key.modifiers)));
        }
        self
    }

    /// Types a text.
    pub fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            let event = KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE);
            self.send(Message::Key(event));
        }
        self
    }

    /// Wishes since the last call.
    pub fn take(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Draws a frame.
    pub fn frame(&self) -> Buffer {
        let area = Rect::new(0, 0, self.model.size.0, self.model.size.1);
        let mut buf = Buffer::empty(area);
        view::draw(&self.model, &mut buf, area);
        buf
    }

    /// A frame's text.
    pub fn text(&self) -> String {
        text(&self.frame())
    }
}

/// A buffer's text, line by line, without blanks at the ends.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buf.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buf.area.width {
            let symbol = buf[(x, y)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = crate::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// A buffer's text, and below it the style of every run of cells, in the theme's colours.
pub fn styled(buf: &Buffer) -> String {
    let mut out = text(buf);
    out.push('\n');
    for y in 0..buf.area.height {
        let mut runs: Vec<(u16, u16, Style)> = Vec::new();
        for x in 0..buf.area.width {
            let style = buf[(x, y)].style();
            match runs.last_mut() {
                Some((_, end, last)) if *last == style => *end = x,
                _ => runs.push((x, x, style)),
            }
        }
        let _ = write!(out, "{y:>2}");
        for (from, to, style) in runs {
            let _ = write!(out, " {from}-{to}:{}", words(style));
        }
        out.push('\n');
    }
    out
}

fn words(style: Style) -> String {
    let color = |c: Option<Color>| match c {
        None | Some(Color::Reset) => "-".to_owned(),
        Some(Color::Rgb(r, g, b)) => format!("{r:02x}{g:02x}{b:02x}"),
        Some(other) => format!("{other}"),
    };
    let mut out = format!("{}/{}", color(style.fg), color(style.bg));
    for (modifier, letter) in [
        (Modifier::BOLD, "b"),
        (Modifier::DIM, "d"),
        (Modifier::UNDERLINED, "u"),
        (Modifier::REVERSED, "r"),
    ] {
        if style.add_modifier.contains(modifier) {
            out.push_str(letter);
        }
    }
    out
}
