//! Words to filter by, typed in the footer and taken at once.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;

use super::lines::{Led, Lines};
use crate::console::draw::pen::{Pen, clear};
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Overlay};
use crate::console::theme::Role;
use crate::console::widget::input::Input;

pub(super) fn key(model: &mut Model, mut input: Input, event: KeyEvent, leave: bool) -> Led {
    match event.code {
        _ if leave => {
            set(model, "");
            return (None, Vec::new());
        }
        KeyCode::Enter => return (None, Vec::new()),
        KeyCode::Down => model.go(Motion::By(1)),
        KeyCode::Up => model.go(Motion::By(-1)),
        _ => {
            if input.key(event) {
                set(model, input.text());
            }
        }
    }
    (Some(Overlay::Filter(input)), Vec::new())
}

pub(super) fn paste(model: &mut Model, input: &mut Input, text: &str) {
    input.paste(text);
    set(model, input.text());
}

fn set(model: &mut Model, words: &str) {
    model.on_screen(|screen, model| screen.set_filter(model, words));
}

pub(super) fn draw(model: &Model, input: &Input, buf: &mut Buffer, lines: Lines) {
    let theme = &model.theme;
    clear(buf, theme, lines.foot);
    let mut pen = Pen::on(buf, theme, lines.foot, 0);
    pen.put(Role::Key, " /");
    let room = pen.room().saturating_sub(34);
    input.draw(&mut pen, theme, room, true);
    pen.put(Role::Key, "  ⏎")
        .put(Role::Dim, " keep  ")
        .put(Role::Key, "esc")
        .put(Role::Dim, " show all");
}
