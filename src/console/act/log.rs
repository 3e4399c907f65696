//! On a log: search, filters, how its lines are shown.

use crate::console::action::Place;
use crate::console::effect::Effect;
use crate::console::log::{LogAction, LogEffect, LogMessage};
use crate::console::model::Model;

/// Has the log on screen do something. Elsewhere these actions mean nothing.
pub(super) fn log(model: &mut Model, action: LogAction) -> Vec<Effect> {
    let on_screen = model.place() == Place::Logs;
    let Some(logs) = model.following.as_mut().filter(|_| on_screen) else {
        return Vec::new();
    };
    let wishes = logs.screen.update(LogMessage::Action(action)).into_iter();
    let wishes = wishes.filter_map(|wish| match wish {
        LogEffect::Copy(text) => Some(Effect::Copy(text)),
        LogEffect::Leave => None,
    });
    wishes.collect()
}
