//! What may be done where we are.

use crate::console::action::Action;
use crate::console::effect::Effect;
use crate::console::model::{Model, Overlay, Screen};

/// The words filtered by on the screen shown.
pub(super) fn filter(model: &Model) -> &str {
    match model.screen() {
        Screen::Sites => &model.sites.filter,
        Screen::Plan(plan) => &plan.filter,
        Screen::Events { filter, .. } | Screen::Help { filter, .. } => filter,
        _ => "",
    }
}

/// Leaves the program, or asks while something is being applied.
pub(super) fn leave(model: &mut Model) -> Vec<Effect> {
    if model.is_applying() {
        model.overlay = Some(Overlay::Leave);
        return Vec::new();
    }
    vec![Effect::Quit]
}

/// Whether an action may be done at all where we are; else why not.
pub(super) fn forbidden(model: &Model, action: Action) -> Option<String> {
    let entry = action.entry();
    if entry.changes() && model.view.on_call {
        return Some(format!("{}: not in on-call mode", entry.name));
    }
    if entry.changes() && model.is_too_small() {
        return Some(format!("{}: the terminal is too small", entry.name));
    }
    if entry.changes() && model.fleet.is_none() {
        return Some(format!("{}: there is no fleet file to change", entry.name));
    }
    None
}
