//! Anything by its name: what is typed, what fits, and where it leads.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::lines::{Led, Lines};
use crate::console::act::{perform, theme_named};
use crate::console::action::Place;
use crate::console::draw::pen::{Pen, clear, fill};
use crate::console::model::palette::{Goal, Palette, SHOWN};
use crate::console::model::{Model, Overlay};
use crate::console::screen::help::action_line;
use crate::console::screen::host::HostPage;
use crate::console::screen::site;
use crate::console::theme::Role;
use crate::text::clean;

pub(super) fn key(model: &mut Model, mut palette: Palette, event: KeyEvent, leave: bool) -> Led {
    if leave {
        return (None, Vec::new());
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let count = palette.hits.len();
    match event.code {
        KeyCode::Enter => {
            let effects = match palette.chosen().cloned() {
                Some(Goal::Do(action)) => perform(model, action),
                Some(Goal::Go(key, _)) => match site::of_row(model, &key) {
                    Some(page) => model.show(page),
                    None => Vec::new(),
                },
                Some(Goal::Host(name)) => match HostPage::of(&name) {
                    Some(page) => model.show(Box::new(page)),
                    None => Vec::new(),
                },
                Some(Goal::Theme(name)) => {
                    theme_named(model, &name);
                    Vec::new()
                }
                // What was typed stays, to be put right.
                None => return (Some(Overlay::Palette(palette)), Vec::new()),
            };
            return (None, effects);
        }
        KeyCode::Down | KeyCode::Tab if count > 0 => palette.step(1),
        KeyCode::Up | KeyCode::BackTab if count > 0 => palette.step(count - 1),
        KeyCode::Char('n') if control && count > 0 => palette.step(1),
        KeyCode::Char('p') if control && count > 0 => palette.step(count - 1),
        _ => {
            if palette.input.key(event) {
                palette.find(model.named());
            }
        }
    }
    (Some(Overlay::Palette(palette)), Vec::new())
}

/// Draws the palette above the footer.
pub(super) fn draw(model: &Model, palette: &Palette, buf: &mut Buffer, lines: Lines) {
    let Lines { body, foot, .. } = lines;
    let theme = &model.theme;
    let shown = palette
        .hits
        .len()
        .min(SHOWN)
        .min(usize::from(body.height).saturating_sub(2));
    let unknown = palette.hits.is_empty();
    let height = shown as u16 + 1 + u16::from(unknown);
    let place = Rect::new(body.x, foot.y.saturating_sub(height), body.width, height);
    clear(buf, theme, place);
    let bar = if theme.ascii { "-" } else { "─" };
    Pen::on(buf, theme, place, 0).put(Role::Border, &bar.repeat(usize::from(place.width)));
    if unknown {
        let text = format!(
            " nothing here is called “{}”",
            clean(palette.input.text().trim())
        );
        let text = match theme.ascii {
            true => text.replace(['“', '”'], "\""),
            false => text,
        };
        Pen::on(buf, theme, place, 1)
            .put(Role::Warn, &text)
            .put(Role::Dim, ": no action, site, host or theme");
    }
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
            Goal::Go(_, name) | Goal::Host(name) | Goal::Theme(name) => {
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
                let to = match goal {
                    Goal::Host(_) => "host       ",
                    Goal::Theme(_) => "theme      ",
                    _ => "go to      ",
                };
                pen.put(Role::Dim, to).put(Role::Strong, name);
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
    if model.place() == Place::Sites && !model.sites.marks.is_empty() {
        return format!("{} marked", model.sites.marks.len());
    }
    model
        .subject()
        .map(|r| format!("{} on {}", r.name, r.host))
        .unwrap_or_default()
}
