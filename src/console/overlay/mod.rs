//! What opens above a screen and takes all keys: each takes them and is drawn in a file of its own.

mod filter;
mod form;
mod leave;
pub mod lines;
mod palette;
mod proposal;
pub mod question;
mod working;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;

use super::model::{Model, Overlay};
use lines::{Led, Lines};

/// Takes a key.
pub fn key(model: &mut Model, overlay: Overlay, event: KeyEvent) -> Led {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    let leave = event.code == KeyCode::Esc || (control && event.code == KeyCode::Char('c'));
    match overlay {
        Overlay::Filter(input) => filter::key(model, input, event, leave),
        Overlay::Palette(palette) => palette::key(model, palette, event, leave),
        Overlay::Form(form) => form::key(model, form, event),
        Overlay::Working(id, request) => working::key(model, id, request, event, leave),
        // What cannot be seen is not agreed to.
        Overlay::Question(_) if model.is_too_small() && !leave => (Some(overlay), Vec::new()),
        Overlay::Question(dialog) => question::key(model, dialog, event),
        Overlay::Proposal(open) => proposal::key(model, open, event, leave),
        Overlay::Leave => leave::key(event),
    }
}

/// Takes pasted text. Where nothing is typed into it is dropped: it is never taken for keys.
pub fn paste(model: &mut Model, mut overlay: Overlay, text: &str) -> Overlay {
    match &mut overlay {
        Overlay::Filter(input) => filter::paste(model, input, text),
        Overlay::Palette(palette) => {
            palette.input.paste(text);
            palette.find(model.named());
        }
        Overlay::Form(form) => form::paste(model, form, text),
        Overlay::Question(dialog) => dialog.paste(text),
        Overlay::Proposal(open) => proposal::paste(open, text),
        Overlay::Working(..) | Overlay::Leave => {}
    }
    overlay
}

/// Draws it over the screen.
pub fn draw(model: &Model, overlay: &Overlay, buf: &mut Buffer, lines: Lines) {
    match overlay {
        Overlay::Filter(input) => filter::draw(model, input, buf, lines),
        Overlay::Palette(palette) => palette::draw(model, palette, buf, lines),
        Overlay::Form(form) => form::draw(model, form, buf, lines),
        Overlay::Working(_, request) => working::draw(model, request, buf, lines),
        Overlay::Proposal(open) => proposal::draw(model, open, buf, lines),
        Overlay::Question(dialog) => question::draw(model, dialog, buf, lines),
        Overlay::Leave => leave::draw(model, buf, lines),
    }
}
