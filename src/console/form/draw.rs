//! How a form looks.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Form, Value};
use crate::console::draw::pen::{Pen, frame};
use crate::console::theme::{Role, Theme};

/// Draws a form in the middle of an area.
pub fn form<I: Copy + PartialEq>(buf: &mut Buffer, theme: &Theme, area: Rect, form: &Form<I>) {
    let shown: Vec<_> = form
        .fields
        .iter()
        .enumerate()
        .filter(|(_, f)| f.shown)
        .collect();
    let width = area.width.min(86);
    let height = (shown.len() as u16 + 6).min(area.height);
    let place = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    );
    let inside = frame(buf, theme, place, &form.title);
    for (line, (at, field)) in shown.iter().enumerate() {
        let focused = *at == form.focus;
        let mut pen = Pen::on(buf, theme, inside, line as u16 + 1);
        let bar = if theme.ascii { ">" } else { "▌" };
        pen.put(Role::Cursor, if focused { bar } else { " " });
        let label = if focused { Role::Strong } else { Role::Dim };
        pen.put(label, &format!(" {:<9} ", field.label));
        let room = pen.room().min(36);
        match &field.value {
            Value::Text(input) => input.draw(&mut pen, theme, room, focused),
            Value::Choice(options, chosen) => {
                let text = options.get(*chosen).map_or("", String::as_str);
                let (l, r) = if theme.ascii {
                    ("<", ">")
                } else {
                    ("◂", "▸")
                };
                if focused {
                    pen.put(Role::Input, &format!("{l} {text} {r}"));
                } else {
                    pen.put(Role::Text, text);
                }
                let used = text.chars().count() + if focused { 4 } else { 0 };
                pen.skip(room.saturating_sub(used));
            }
        }
        pen.skip(1);
        let mark = if theme.ascii {
            ("!", "ok")
        } else {
            ("✖", "✔")
        };
        match (&field.error, field.touched) {
            (Some(_), false) if focused => pen.put(Role::Dim, field.help),
            (Some(error), true) => pen.put(Role::Bad, &format!("{} {error}", mark.0)),
            (None, _) if field.from.is_some() => {
                let from = field.from.as_deref().unwrap_or_default();
                let choose = if focused { "; ← → choose" } else { "" };
                pen.put(Role::Dim, &format!("as {from}{choose}"))
            }
            (None, _) if focused => pen.put(Role::Dim, field.help),
            (None, true) => pen.put(Role::Ok, mark.1),
            _ => &mut pen,
        };
    }
    let line = inside.height.saturating_sub(1);
    let mut pen = Pen::on(buf, theme, inside, line);
    for (key, what) in [
        ("tab", "next"),
        ("⇧tab", "back"),
        ("^s", "show the plan"),
        ("esc", "leave"),
    ] {
        pen.put(Role::Key, key)
            .put(Role::Dim, &format!(" {what}   "));
    }
    // What is wrong with the focused field may be longer than its line.
    if let Some((_, field)) = shown.iter().find(|(at, _)| *at == form.focus)
        && let (Some(error), true) = (&field.error, field.touched)
    {
        Pen::on(buf, theme, inside, line.saturating_sub(2)).put(Role::Bad, error);
    }
}
