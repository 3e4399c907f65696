//! Keys: to what is open above the screen, else to the screen where something is typed into it, else
//! to the action they are bound to.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::console::act::perform;
use crate::console::action::Action;
use crate::console::effect::Effect;
use crate::console::keymap::Key;
use crate::console::model::Model;
use crate::console::overlay;

pub(super) fn key(model: &mut Model, event: KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    model.last_key_ms = model.now_ms;
    let leaving = model.leaving.take();
    // A note was seen once a key is pressed.
    if model.note.as_ref().is_some_and(|n| n.2 == i64::MAX) {
        model.note = None;
    }
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    if control && event.code == KeyCode::Char('z') {
        return vec![Effect::Suspend];
    }
    if control && event.code == KeyCode::Char('l') {
        return vec![Effect::Redraw];
    }
    if let Some(overlay) = model.overlay.take() {
        let (overlay, effects) = overlay::key(model, overlay, event);
        // What the key led to may have opened something else.
        if model.overlay.is_none() {
            model.overlay = overlay;
        }
        return effects;
    }
    if model.on_screen(|screen, model| screen.key(model, event)) {
        return Vec::new();
    }
    let Some(action) = model.keymap.action(Key::from(event), model.place()) else {
        return Vec::new();
    };
    // Escape is pressed to be out of something, and never leaves; nor does what another key came
    // between.
    let escape = event.code == KeyCode::Esc;
    if action == Action::Back && !escape {
        model.leaving = leaving;
    }
    let effects = perform(model, action);
    if escape {
        model.leaving = None;
    }
    effects
}

pub(super) fn paste(model: &mut Model, text: &str) {
    match model.overlay.take() {
        Some(overlay) => model.overlay = Some(overlay::paste(model, overlay, text)),
        None => model.on_screen(|screen, model| screen.paste(model, text)),
    }
}
