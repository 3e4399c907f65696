//! A change is being worked out.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;

use super::lines::{Led, Lines};
use super::question::banner;
use crate::console::action::Action;
use crate::console::draw::pen::{Pen, clear};
use crate::console::effect::{Effect, Request};
use crate::console::keymap::Key;
use crate::console::model::dialog::Dialog;
use crate::console::model::{Model, Overlay};
use crate::console::theme::Role;
use crate::console::tone::Tone;

pub(super) fn key(
    model: &mut Model,
    id: u64,
    request: Request,
    event: KeyEvent,
    leave: bool,
) -> Led {
    // It may be this that waits for the answer.
    if model.keymap.action(Key::from(event), model.place()) == Some(Action::Answer)
        && let Some(asked) = model.questions.front().cloned()
    {
        let mut dialog = Box::new(Dialog::new(asked));
        dialog.over = Some((id, request));
        return (Some(Overlay::Question(dialog)), Vec::new());
    }
    if leave {
        model.say(Tone::Plain, format!("{}: left", request.title));
        if request.is_creation() {
            model.resume_draft();
        }
        return (None, vec![Effect::Forget(id)]);
    }
    (Some(Overlay::Working(id, request)), Vec::new())
}

pub(super) fn draw(model: &Model, request: &Request, buf: &mut Buffer, lines: Lines) {
    let theme = &model.theme;
    clear(buf, theme, lines.detail);
    clear(buf, theme, lines.foot);
    let mut pen = Pen::on(buf, theme, lines.detail, 0);
    match banner(model) {
        // It may wait for the answer.
        Some(asks) => pen.spans(&asks),
        None => {
            let text = format!(" {}: working out what it would do …", request.title);
            pen.put(Role::Busy, &text)
        }
    };
    Pen::on(buf, theme, lines.foot, 0)
        .put(Role::Key, " esc")
        .put(Role::Dim, " leave");
}
