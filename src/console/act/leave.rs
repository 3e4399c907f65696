//! Ways out: one screen back, out of the program.

use crate::console::action::{Action, Place};
use crate::console::certificates;
use crate::console::effect::Effect;
use crate::console::model::{Model, NOTE_MS, Overlay};
use crate::console::settle;
use crate::console::tone::Tone;

/// One screen back; from the first one out, when it is asked for twice: who goes back fast goes one
/// too far.
pub(super) fn back(model: &mut Model) -> Vec<Effect> {
    if model.place() == Place::Certificates && !model.certificates.filter.is_empty() {
        model.certificates.filter.clear();
        certificates::reorder(model);
        return Vec::new();
    }
    if model.stack.len() > 1 {
        model.stack.pop();
        return Vec::new();
    }
    // Back out of what narrows the list before leaving it.
    if !model.sites.filter.is_empty() || model.sites.broken {
        model.sites.filter.clear();
        model.sites.broken = false;
        settle::reorder(model);
        return Vec::new();
    }
    if !model.sites.marks.is_empty() {
        model.sites.marks.clear();
        return Vec::new();
    }
    if model.leaving.is_some_and(|until| model.now_ms < until) {
        return quit(model);
    }
    let keys = model.keymap.keys(Action::Back);
    let again = keys.split_whitespace().find(|key| *key != "esc");
    let again = again.map_or(String::new(), |key| format!("{key} again or "));
    model.say(
        Tone::Plain,
        format!("this is the first screen: {again}:quit leaves"),
    );
    model.leaving = Some(model.now_ms + NOTE_MS);
    Vec::new()
}

/// Leaves the program, or asks while something is being applied.
pub(super) fn quit(model: &mut Model) -> Vec<Effect> {
    if model.is_applying() {
        model.overlay = Some(Overlay::Leave);
        return Vec::new();
    }
    vec![Effect::Quit]
}
