//! The list of actions, and the same list as the palette.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::action::{Class, Entry, TABLE};
use crate::console::filter::{contains, words};
use crate::console::model::{Model, Screen};
use crate::console::palette::{Goal, Palette, SHOWN};
use crate::console::pen::{Pen, clear, fill};
use crate::console::text::width;
use crate::console::theme::Role;

/// The actions that a filter leaves.
pub fn entries(filter: &str) -> Vec<&'static Entry> {
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

/// Draws the screen.
pub fn draw(model: &Model, buf: &mut Buffer, area: Rect) {
    let Screen::Help {
        filter,
        cursor,
        from,
    } = model.screen()
    else {
        return;
    };
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

fn action_line(model: &Model, pen: &mut Pen, entry: &Entry, here: bool, usable: bool) {
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

/// Draws the palette above the footer.
pub fn draw_palette(model: &Model, palette: &Palette, buf: &mut Buffer, body: Rect, foot: Rect) {
    let theme = &model.theme;
    let shown = palette
        .hits
        .len()
        .min(SHOWN)
        .min(usize::from(body.height).saturating_sub(2));
    let height = shown as u16 + 1;
    let place = Rect::new(body.x, foot.y.saturating_sub(height), body.width, height);
    clear(buf, theme, place);
    let bar = if theme.ascii { "-" } else { "─" };
    Pen::on(buf, theme, place, 0).put(Role::Border, &bar.repeat(usize::from(place.width)));
    let top = (palette.cursor + 1).saturating_sub(shown.max(1));
    let subject = subject(model);
    for (line, (at, goal)) in palette
        .hits
        .iter()
        .enumerate()
        .skip(top)
        .take(shown)
        .enumerate()
    {
        let y = line as u16 + 1;
        let here = at == palette.cursor;
        if here {
            fill(
                buf,
                Rect::new(place.x, place.y + y, place.width, 1),
                theme.style(Role::Selected),
            );
        }
        let mut pen = Pen::on(buf, theme, place, y);
        match goal {
            Goal::Do(action) => {
                let entry = action.entry();
                action_line(model, &mut pen, entry, here, true);
                if entry.changes() && !subject.is_empty() {
                    pen.put(Role::Accent, &format!("  {subject}"));
                }
            }
            Goal::Go(_, name) => {
                pen.put(
                    Role::Cursor,
                    if !here {
                        " "
                    } else if theme.ascii {
                        ">"
                    } else {
                        "▌"
                    },
                );
                pen.put(Role::Dim, "go to      ").put(Role::Strong, name);
            }
        }
    }
    clear(buf, theme, foot);
    let mut pen = Pen::on(buf, theme, foot, 0);
    pen.put(Role::Key, " :");
    let room = pen.room().saturating_sub(28);
    palette.input.draw(&mut pen, theme, room, true);
    pen.put(Role::Key, "  ↑↓ ⏎")
        .put(Role::Dim, " do  ")
        .put(Role::Key, "esc")
        .put(Role::Dim, " leave");
}

/// What a change would be about.
fn subject(model: &Model) -> String {
    if matches!(model.screen(), Screen::Sites) && !model.sites.marks.is_empty() {
        return format!("{} marked", model.sites.marks.len());
    }
    model
        .subject()
        .map(|r| format!("{} on {}", r.name, r.host))
        .unwrap_or_default()
}
