//! A change is being worked out.

use ratatui::buffer::Buffer;

use super::lines::{Led, Lines};
use crate::console::draw::pen::{Pen, clear};
use crate::console::effect::{Effect, Request};
use crate::console::model::{Model, Overlay};
use crate::console::theme::Role;
use crate::console::tone::Tone;

pub(super) fn key(model: &mut Model, id: u64, request: Request, leave: bool) -> Led {
    if leave {
        model.say(Tone::Plain, format!("{}: left", request.title));
        return (None, vec![Effect::Forget(id)]);
    }
    (Some(Overlay::Working(id, request)), Vec::new())
}

pub(super) fn draw(model: &Model, request: &Request, buf: &mut Buffer, lines: Lines) {
    let theme = &model.theme;
    clear(buf, theme, lines.detail);
    clear(buf, theme, lines.foot);
    let text = format!(" {}: working out what it would do …", request.title);
    Pen::on(buf, theme, lines.detail, 0).put(Role::Busy, &text);
    Pen::on(buf, theme, lines.foot, 0)
        .put(Role::Key, " esc")
        .put(Role::Dim, " leave");
}
