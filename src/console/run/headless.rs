//! The whole console without a terminal, its workers and all: whoever holds it is its keyboard and
//! its eyes. For tests of the whole against real hosts.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::time::Instant;

use crate::console::effect::Effect;
use crate::console::message::Message;
use crate::console::run::options::ConsoleOptions;
use crate::console::run::{Assembled, assembled};
use crate::console::update::{after_frame, before_frame, update};
use crate::console::view;

/// Pieces of news taken at once.
const BATCH: usize = 4096;

/// A running console. To be held within a tokio runtime; dropped, it stops watching.
pub struct Headless {
    console: Assembled,
    quits: u64,
}

impl Headless {
    /// Opens one of this many columns and lines, with nobody's configuration.
    pub fn open(options: ConsoleOptions, size: (u16, u16)) -> Headless {
        Headless {
            console: assembled(options, size),
            quits: 0,
        }
    }

    /// Something happens: a key, a paste, a new size.
    pub fn send(&mut self, message: Message) {
        if let Message::Fleet(fleet) = &message {
            self.console.exec.fleet_changed(fleet);
        }
        let model = &mut self.console.model;
        update(model, Message::Clock(chrono::Utc::now().timestamp_millis()));
        let mut wishes = update(model, message);
        wishes.extend(before_frame(model));
        after_frame(model, chrono::Utc::now().timestamp_millis());
        for wish in wishes {
            self.quits += u64::from(wish == Effect::Quit);
            self.console.exec.carry_out(wish);
        }
    }

    /// How often it wished to be left. It goes on all the same.
    pub fn quits(&self) -> u64 {
        self.quits
    }

    /// Lets the workers work for a while, and takes what they found.
    pub async fn work(&mut self, time: Duration) {
        let end = Instant::now() + time;
        loop {
            let message = tokio::select! {
                Some(message) = self.console.inbox.recv() => message,
                Some(message) = self.console.log.recv() => message,
                () = tokio::time::sleep_until(end) => {
                    // What gets old by itself, or is due.
                    let now = chrono::Utc::now().timestamp_millis();
                    return self.send(Message::Clock(now));
                }
            };
            self.send(message);
            for _ in 0..BATCH {
                let Ok(message) = self.console.inbox.try_recv() else {
                    break;
                };
                self.send(message);
            }
        }
    }

    /// What is on screen now.
    pub fn frame(&self) -> Buffer {
        let model = &self.console.model;
        let area = Rect::new(0, 0, model.size.0, model.size.1);
        let mut buf = Buffer::empty(area);
        view::draw(model, &mut buf, area);
        buf
    }

    /// The same as text, a line each.
    pub fn screen(&self) -> String {
        let frame = self.frame();
        let mut out = String::new();
        for row in frame.content.chunks(usize::from(frame.area.width.max(1))) {
            let line: String = row.iter().map(|cell| cell.symbol()).collect();
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Works until the screen shows a text; false when it did not within this time.
    pub async fn shows(&mut self, wanted: &str, within: Duration) -> bool {
        let end = Instant::now() + within;
        while !self.screen().contains(wanted) {
            if Instant::now() > end {
                return false;
            }
            self.work(Duration::from_millis(50)).await;
        }
        true
    }
}
