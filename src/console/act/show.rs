//! What opens a screen, or shows things otherwise.

use super::log::log;
use crate::console::action::Place;
use crate::console::certificates::{collect, reorder};
use crate::console::effect::Effect;
use crate::console::log::LogAction;
use crate::console::model::dialog::Dialog;
use crate::console::model::palette::Palette;
use crate::console::model::{Model, Overlay, Screen};
use crate::console::screen::activity::Activity;
use crate::console::screen::certificates::Certificates;
use crate::console::screen::events::Events;
use crate::console::screen::help::Help;
use crate::console::screen::host::HostPage;
use crate::console::screen::hosts::Hosts;
use crate::console::screen::logs as log_screen;
use crate::console::screen::plan::PlanScreen;
use crate::console::tone::Tone;
use crate::console::widget::input::Input;

fn show(model: &mut Model, screen: impl Screen) -> Vec<Effect> {
    model.show(Box::new(screen))
}

/// The site that the screen is about, where it is one of the fleet's.
fn site_name(model: &Model) -> Option<String> {
    let row = model.subject().filter(|r| !r.foreign && !r.is_host);
    row.map(|r| r.name.clone())
}

/// The log of the marked sites, or of the one on screen.
pub(super) fn logs(model: &mut Model) -> Vec<Effect> {
    let keys: Vec<_> = model.chosen().iter().map(|r| r.key.clone()).collect();
    let mut rows = keys.iter().filter_map(|k| model.row(k));
    if !rows.any(|row| row.container.is_some()) {
        model.say(Tone::Plain, "it has no container to read a log from");
        return Vec::new();
    }
    log_screen::open(model, &keys)
}

/// What differs for one site.
pub(super) fn diff(model: &mut Model) -> Vec<Effect> {
    match site_name(model) {
        Some(site) => show(model, PlanScreen::of(Some(site))),
        None => Vec::new(),
    }
}

/// What apply would do.
pub(super) fn plan(model: &mut Model) -> Vec<Effect> {
    if model.fleet.is_none() {
        let text = "a plan needs a fleet file: ostler init writes one";
        model.say(Tone::Plain, text);
        return Vec::new();
    }
    show(model, PlanScreen::of(None))
}

/// Asks for words to filter by.
pub(super) fn filter(model: &mut Model) -> Vec<Effect> {
    let words = model.screen().map_or("", |screen| screen.filter(model));
    model.overlay = Some(Overlay::Filter(Input::new(words)));
    Vec::new()
}

/// Asks for an action, a site, a host or a theme by its name.
pub(super) fn palette(model: &mut Model) -> Vec<Effect> {
    let palette = Palette::new(model.place(), model.named());
    model.overlay = Some(Overlay::Palette(palette));
    Vec::new()
}

/// The list of actions.
pub(super) fn help(model: &mut Model) -> Vec<Effect> {
    match model.place() {
        Place::Help => Vec::new(),
        from => show(model, Help::on(from)),
    }
}

/// What the containers did, or one of them.
pub(super) fn events(model: &mut Model) -> Vec<Effect> {
    let site = model.subject().filter(|r| !r.is_host);
    let only = site.map(|r| (r.key.clone(), r.name.clone()));
    show(model, Events::of(only))
}

/// What was applied to the site on screen.
pub(super) fn changes(model: &mut Model) -> Vec<Effect> {
    let only = site_name(model);
    show(model, Activity::of(only))
}

/// What is being applied, and was.
pub(super) fn activity(model: &mut Model) -> Vec<Effect> {
    match model.shows::<Activity>() {
        true => Vec::new(),
        false => show(model, Activity::of(None)),
    }
}

/// The host that the site on screen runs on.
pub(super) fn host(model: &mut Model) -> Vec<Effect> {
    let host = model.subject().and_then(|r| HostPage::of(&r.host));
    host.map_or_else(Vec::new, |page| show(model, page))
}

pub(super) fn sites(model: &mut Model) -> Vec<Effect> {
    model.stack.truncate(1);
    Vec::new()
}

pub(super) fn hosts(model: &mut Model) -> Vec<Effect> {
    model.stack.truncate(1);
    show(model, Hosts)
}

pub(super) fn certificates(model: &mut Model) -> Vec<Effect> {
    model.stack.truncate(1);
    model.certificates.filter.clear();
    collect(model);
    reorder(model);
    show(model, Certificates)
}

/// Answers the login that has waited longest.
pub(super) fn answer(model: &mut Model) -> Vec<Effect> {
    match model.questions.front().cloned() {
        Some(asked) => {
            let dialog = Box::new(Dialog::new(asked));
            model.overlay = Some(Overlay::Question(dialog));
        }
        None => model.say(Tone::Plain, "no host asks anything"),
    }
    Vec::new()
}

/// Puts the site's first domain, or a log's line, into the clipboard.
pub(super) fn copy(model: &mut Model) -> Vec<Effect> {
    if model.place() == Place::Logs {
        return log(model, LogAction::Copy);
    }
    let Some(row) = model.subject() else {
        return Vec::new();
    };
    let text = row.domains.first().unwrap_or(&row.name).clone();
    model.say(Tone::Plain, format!("copied {text}"));
    vec![Effect::Copy(text)]
}

/// Reads the hosts again, and what the screen shows beside.
pub(super) fn refresh(model: &mut Model) -> Vec<Effect> {
    model.say(Tone::Plain, "reading the hosts again");
    let mut effects = vec![Effect::Refresh];
    effects.extend(model.screen().map_or(Vec::new(), |s| s.opened(model)));
    effects
}

/// The next theme.
pub(super) fn theme(model: &mut Model) -> Vec<Effect> {
    let at = model.themes.iter().position(|t| t.name == model.theme.name);
    let next = at.map_or(0, |at| (at + 1) % model.themes.len().max(1));
    if let Some(theme) = model.themes.get(next) {
        let name = theme.name.clone();
        theme_named(model, &name);
    }
    Vec::new()
}

/// The theme of that name.
pub fn theme_named(model: &mut Model, name: &str) {
    if let Some(theme) = model.themes.iter().find(|t| t.name == name).cloned() {
        model.say(Tone::Plain, format!("theme {}", theme.name));
        model.theme = theme;
    }
}
