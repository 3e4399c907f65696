//! The screens: each draws one view of the model.

pub mod activity;
pub mod events;
pub mod help;
pub mod host;
pub mod hosts;
pub mod logs;
pub mod past;
pub mod plan;
pub mod proposal;
pub mod question;
pub mod site;
pub mod sites;

use super::ages::Ages;
use super::model::{Model, Screen};
use super::pen::Spans;

/// The lines of a screen made of text.
pub fn lines(model: &Model, width: usize, ages: &Ages) -> Vec<Spans> {
    match model.screen() {
        Screen::Host(name, _) => host::lines(model, name, width, ages),
        Screen::Site(key, _) => site::lines(model, key, width, ages),
        Screen::Past(run, _) => past::lines(model, run, width, ages),
        Screen::Events { only, filter, .. } => {
            events::lines(model, only.as_ref(), filter, width, ages)
        }
        _ => Vec::new(),
    }
}

/// How many lines the screen shown has, as far as it can be scrolled.
pub fn lines_of(model: &Model) -> usize {
    match model.screen() {
        Screen::Plan(plan) => plan::line_count(model, plan),
        Screen::Activity { only, at, .. } => {
            let (room, ages) = (usize::from(model.size.0), Ages::new(model.now()));
            let (window, _) = activity::lines(model, only.as_deref(), *at, room, &ages, 0..0);
            window.all()
        }
        _ => lines(model, usize::from(model.size.0), &Ages::new(model.now())).len(),
    }
}
