//! What each action of the table does: a function for each, named by its line there.

mod change;
mod leave;
mod list;
mod log;
mod show;

use super::action::{Action, actions};
use super::effect::{Effect, Wish};
use super::log::LogAction;
use super::model::motion::Motion::{self, Bottom, By, Next, Page, Top};
use super::model::{Model, Opens};
use super::settle;
use super::tone::Tone;
use crate::fleet::SiteState;

use self::log::log;
pub use change::propose;
pub use show::theme_named;

/// What an action does with the model, and what it wishes.
type Does = fn(&mut Model) -> Vec<Effect>;

macro_rules! functions {
    ($($action:ident, $name:literal, $keys:tt, $class:ident, $places:ident, $footer:literal, $does:expr, $what:literal;)*) => {
        /// In the order of the table.
        const DOES: &[Does] = &[$($does),*];
    };
}
actions!(functions);

/// Carries out an action on the screen shown.
pub fn perform(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(why) = forbidden(model, action) {
        model.say(Tone::Bad, why);
        return Vec::new();
    }
    DOES[action as usize](model)
}

/// Whether an action may be done at all where we are; else why not.
fn forbidden(model: &Model, action: Action) -> Option<String> {
    let entry = action.entry();
    if entry.changes() && model.view.on_call {
        return Some(format!("{}: not in on-call mode", entry.name));
    }
    if entry.changes() && model.is_too_small() {
        return Some(format!("{}: the terminal is too small", entry.name));
    }
    if entry.changes()
        && let Some(why) = &model.fleet_broken
    {
        return Some(format!("{}: {}", entry.name, why.brief));
    }
    if entry.changes() && model.fleet.is_none() {
        return Some(format!("{}: there is no fleet file to change", entry.name));
    }
    None
}

fn go(model: &mut Model, motion: Motion) -> Vec<Effect> {
    model.go(motion);
    Vec::new()
}

/// Opens what is under the cursor.
fn open(model: &mut Model) -> Vec<Effect> {
    let opens = model.screen().map(|screen| screen.open(model));
    match opens.unwrap_or_default() {
        Opens::Nothing => {}
        Opens::Screen(screen) => return model.show(screen),
        Opens::Sites(words) => {
            model.stack.truncate(1);
            model.sites.filter = words;
            settle::reorder(model);
        }
        Opens::Action(action, place) => {
            model.stack.pop();
            if action.entry().at(place) {
                return perform(model, action);
            }
            let name = action.entry().name;
            model.say(Tone::Plain, format!("{name}: not on this screen"));
        }
        Opens::Words(words) => model.say(Tone::Plain, words),
    }
    Vec::new()
}
