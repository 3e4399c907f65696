//! Something is being applied: leave all the same?

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;

use super::lines::{Led, Lines};
use crate::console::draw::pen::{Pen, clear};
use crate::console::effect::Effect;
use crate::console::model::Model;
use crate::console::theme::Role;

pub(super) fn key(event: KeyEvent) -> Led {
    match event.code {
        KeyCode::Char('Q') => (None, vec![Effect::Quit]),
        _ => (None, Vec::new()),
    }
}

pub(super) fn draw(model: &Model, buf: &mut Buffer, lines: Lines) {
    let theme = &model.theme;
    clear(buf, theme, lines.detail);
    clear(buf, theme, lines.foot);
    Pen::on(buf, theme, lines.detail, 0).put(
        Role::Warn,
        " something is being applied; leaving stops it between two operations",
    );
    Pen::on(buf, theme, lines.foot, 0)
        .put(Role::Key, " Q")
        .put(Role::Dim, " leave all the same   ")
        .put(Role::Key, "any other key")
        .put(Role::Dim, " stay");
}
