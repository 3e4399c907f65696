//! Ways out: one screen back, to the shell, out of the program.

use crate::console::effect::Effect;
use crate::console::model::{Model, Overlay};
use crate::console::settle;

/// One screen back; from the first one, out.
pub(super) fn back(model: &mut Model) -> Vec<Effect> {
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
    quit(model)
}

/// Leaves the program, or asks while something is being applied.
pub(super) fn quit(model: &mut Model) -> Vec<Effect> {
    if model.is_applying() {
        model.overlay = Some(Overlay::Leave);
        return Vec::new();
    }
    vec![Effect::Quit]
}
