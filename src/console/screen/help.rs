//! The list of actions.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::action::{Class, Entry, Place, TABLE};
use crate::console::draw::ages::Ages;
use crate::console::draw::pen::{Pen, Spans, fill};
use crate::console::model::filter::{contains, words};
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Opens, Screen};
use crate::console::theme::Role;
use crate::text::width;

/// The list of actions.
#[derive(Debug)]
pub struct Help {
    /// Words.
    filter: String,
    /// Line under the cursor.
    cursor: usize,
    /// The screen it was opened on.
    from: Place,
}

impl Help {
    /// Opened on a screen.
    pub fn on(from: Place) -> Help {
        Help {
            filter: String::new(),
            cursor: 0,
            from,
        }
    }
}

impl Screen for Help {
    fn place(&self) -> Place {
        Place::Help
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, _ages: &Ages) -> Spans {
        draw(model, self, buf, area);
        let least = if model.theme.ascii { ">" } else { "≥" };
        let text = format!(
            " SINCE: for how long it is so; {least}: at least. HTTP: what ostler asked got"
        );
        vec![(Role::Dim, text)]
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        let last = entries(&self.filter).len().saturating_sub(1);
        self.cursor = motion.from(self.cursor, model.half_page() as isize, last);
    }

    fn open(&self, _model: &Model) -> Opens {
        let entries = entries(&self.filter);
        let entry = entries.get(self.cursor);
        entry.map_or(Opens::Nothing, |e| Opens::Action(e.action, self.from))
    }

    fn filter<'a>(&'a self, _model: &'a Model) -> &'a str {
        &self.filter
    }

    fn set_filter(&mut self, _model: &mut Model, words: &str) {
        words.clone_into(&mut self.filter);
        self.cursor = 0;
    }
}

/// The actions that a filter leaves.
fn entries(filter: &str) -> Vec<&'static Entry> {
    let words = words(filter);
    TABLE
        .iter()
        .filter(|e| {
            words
                .iter()
                .all(|w| contains(e.name, w) || contains(e.what, w))
        })
        .collect()
}

fn draw(model: &Model, help: &Help, buf: &mut Buffer, area: Rect) {
    let Help {
        filter,
        cursor,
        from,
    } = help;
    let theme = &model.theme;
    let entries = entries(filter);
    let mut head = Pen::on(buf, theme, area, 0);
    head.put(Role::Column, " KEY        NAME        WHAT IT DOES");
    head.skip(2);
    if !filter.is_empty() {
        head.put(Role::Match, &format!("/{filter}"));
    }
    let rows = usize::from(area.height).saturating_sub(1);
    let top = (cursor + 1).saturating_sub(rows);
    for (line, (at, entry)) in entries.iter().enumerate().skip(top).take(rows).enumerate() {
        let y = line as u16 + 1;
        let here = at == *cursor;
        if here {
            fill(
                buf,
                Rect::new(area.x, area.y + y, area.width, 1),
                theme.style(Role::Selected),
            );
        }
        let mut pen = Pen::on(buf, theme, area, y);
        action_line(model, &mut pen, entry, here, entry.at(*from));
    }
    if entries.is_empty() {
        Pen::on(buf, theme, area, 2).put(Role::Dim, &format!(" no action contains {filter:?}"));
    }
}

/// One line of it: keys, name and what it does.
pub fn action_line(model: &Model, pen: &mut Pen, entry: &Entry, here: bool, usable: bool) {
    let ascii = model.theme.ascii;
    pen.put(
        Role::Cursor,
        if !here {
            " "
        } else if ascii {
            ">"
        } else {
            "▌"
        },
    );
    let off = entry.changes() && (model.view.on_call || model.fleet.is_none());
    let dim = off || !usable;
    let keys = if off {
        String::new()
    } else {
        model.keymap.keys(entry.action)
    };
    let role = |r: Role| if dim { Role::Dim } else { r };
    pen.put(role(Role::Key), &keys);
    pen.skip(11usize.saturating_sub(width(&keys)));
    pen.put(role(Role::Strong), entry.name);
    pen.skip(12usize.saturating_sub(width(entry.name)));
    let (word, tone) = match entry.class {
        _ if off && model.view.on_call => ("not in on-call mode · ", Role::Dim),
        _ if off => ("needs a fleet file · ", Role::Dim),
        Class::Look => ("", Role::Text),
        Class::Change => ("changes · ", Role::Warn),
        Class::Danger => ("stops or removes · ", Role::Bad),
    };
    pen.put(role(tone), word);
    pen.put(if dim { Role::Dim } else { Role::Text }, entry.what);
}
