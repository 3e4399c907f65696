//! What each action does.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::allowed::{filter, forbidden, leave};
use super::move_cursor::{Motion, go};
use crate::console::action::Action;
use crate::console::activity::Commit;
use crate::console::dialog::Dialog;
use crate::console::effect::{Effect, Request, Wish};
use crate::console::form::site;
use crate::console::log::{LogEffect, LogMessage};
use crate::console::model::{Model, Overlay, Screen};
use crate::console::palette::Palette;
use crate::console::plan_lines::PlanScreen;
use crate::console::text::count;
use crate::console::tone::Tone;
use crate::console::widget::input::Input;
use crate::console::{screen, settle};
use crate::fleet::{Name, SiteState};
use crate::plan::unfinished::by;
use crate::verdict::SiteRow;

/// Carries out an action on the screen shown.
pub fn perform(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(why) = forbidden(model, action) {
        model.say(Tone::Bad, why);
        return Vec::new();
    }
    if let Some(asked) = screen::logs::action(action)
        && let Some(Screen::Logs(logs)) = model.stack.last_mut()
    {
        let wishes = logs.screen.update(LogMessage::Action(asked));
        return wishes
            .into_iter()
            .filter_map(|wish| match wish {
                LogEffect::Copy(text) => Some(Effect::Copy(text)),
                LogEffect::Leave => None,
            })
            .collect();
    }
    match action {
        // The log's own; it is not on screen.
        Action::Search
        | Action::Pause
        | Action::Follow
        | Action::FilterIn
        | Action::FilterOut
        | Action::ShowAll
        | Action::Wrap
        | Action::Times
        | Action::Raw
        | Action::Right
        | Action::Left
        | Action::Forget => {}
        Action::Down => go(model, Motion::By(1)),
        Action::Up => go(model, Motion::By(-1)),
        Action::Top => go(model, Motion::Top),
        Action::Bottom => go(model, Motion::Bottom),
        Action::PageDown => go(model, Motion::Page(1)),
        Action::PageUp => go(model, Motion::Page(-1)),
        Action::Next => go(model, Motion::Unwell(1)),
        Action::Previous => go(model, Motion::Unwell(-1)),
        Action::Open => return open(model),
        Action::Logs => return logs(model),
        Action::Filter => {
            let words = Input::new(filter(model));
            model.overlay = Some(Overlay::Filter(words));
        }
        Action::Broken => {
            model.sites.broken = !model.sites.broken;
            settle::reorder(model);
        }
        Action::Palette => {
            let palette = Palette::new(model.place(), &model.view.sites);
            model.overlay = Some(Overlay::Palette(palette));
        }
        Action::Help => {
            let from = model.place();
            if !matches!(model.screen(), Screen::Help { .. }) {
                model.stack.push(Screen::Help {
                    filter: String::new(),
                    cursor: 0,
                    from,
                });
            }
        }
        Action::Back => return back(model),
        Action::Mark => mark(model),
        Action::Unmark => model.sites.marks.clear(),
        Action::Sort => {
            model.sites.sort = model.sites.sort.next();
            settle::reorder(model);
            let word = model.sites.sort.word();
            model.say(Tone::Plain, format!("ordered by {word}"));
        }
        Action::Foreign => {
            model.sites.foreign = !model.sites.foreign;
            settle::reorder(model);
        }
        Action::Diff => {
            if let Some(name) = site_name(model) {
                open_plan(model, Some(name));
            }
        }
        Action::Plan => {
            if model.fleet.is_none() {
                model.say(
                    Tone::Plain,
                    "a plan needs a fleet file: ostler init writes one",
                );
            } else {
                open_plan(model, None);
            }
        }
        Action::Events => {
            let site = model.subject().filter(|r| !r.is_host);
            let only = site.map(|r| (r.key.clone(), r.name.clone()));
            model.stack.push(Screen::Events {
                only,
                filter: String::new(),
                top: 0,
            });
        }
        Action::Changes => {
            let only = site_name(model);
            model.stack.push(Screen::Activity {
                only,
                top: 0,
                at: None,
            });
        }
        Action::Activity => {
            if !matches!(model.screen(), Screen::Activity { .. }) {
                model.stack.push(Screen::Activity {
                    only: None,
                    top: 0,
                    at: None,
                });
            }
        }
        Action::Answer => match model.questions.front().cloned() {
            Some(asked) => {
                let dialog = Box::new(Dialog::new(asked));
                model.overlay = Some(Overlay::Question(dialog));
            }
            None => model.say(Tone::Plain, "no host asks anything"),
        },
        Action::Host => {
            if let Some(host) = model.subject().map(|r| r.host.clone()) {
                open_host(model, &host);
            }
        }
        Action::Sites => model.stack.truncate(1),
        Action::Hosts => {
            model.stack.truncate(1);
            model.stack.push(Screen::Hosts);
        }
        Action::Copy => {
            if let Some(row) = model.subject() {
                let text = row.domains.first().unwrap_or(&row.name).clone();
                model.say(Tone::Plain, format!("copied {text}"));
                return vec![Effect::Copy(text)];
            }
        }
        Action::Refresh => {
            model.say(Tone::Plain, "reading the hosts again");
            let mut effects = vec![Effect::Refresh];
            if matches!(model.screen(), Screen::Site(..)) {
                effects.extend(screen::site::opened(model));
            }
            return effects;
        }
        Action::Theme => {
            let at = model.themes.iter().position(|t| t.name == model.theme.name);
            let next = at.map_or(0, |at| (at + 1) % model.themes.len().max(1));
            if let Some(theme) = model.themes.get(next).cloned() {
                model.say(Tone::Plain, format!("theme {}", theme.name));
                model.theme = theme;
            }
        }
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return leave(model),
        Action::Restart => return change(model, "restart", Wish::Restart),
        Action::Apply => return change(model, "apply", Wish::Apply),
        Action::ApplyAll => {
            let request = Request {
                title: format!("apply {}", model.view.name),
                wish: Wish::Apply,
                sites: None,
            };
            return propose(model, request);
        }
        Action::Create => {
            let host = model
                .subject()
                .map(|r| r.host.clone())
                .or_else(|| model.host_here().map(|h| h.name.clone()));
            let account = model.subject().filter(|r| !r.is_host);
            let account = account.map(|r| r.account.clone());
            if let Some(fleet) = &model.fleet {
                let form = site::new(fleet, host.as_deref(), account.as_deref());
                model.overlay = Some(Overlay::Form(Box::new(form)));
            }
        }
        Action::Finish => return finish(model),
        Action::Undo => return undo(model),
        Action::Commit => return commit(model),
        Action::Adopt => return change(model, "adopt", Wish::Adopt),
        Action::Start => return change(model, "start", Wish::State(SiteState::Running)),
        Action::Stop => return change(model, "stop", Wish::State(SiteState::Stopped)),
        Action::Archive => return change(model, "archive", Wish::State(SiteState::Archived)),
    }
    Vec::new()
}

fn open(model: &mut Model) -> Vec<Effect> {
    match model.screen() {
        Screen::Sites => {
            if let Some(key) = model.subject().map(|r| r.key.clone()) {
                return open_row(model, &key);
            }
        }
        Screen::Hosts => {
            if let Some(host) = model.host_here().map(|h| h.name.clone()) {
                open_host(model, &host);
            }
        }
        Screen::Host(..) => {
            // The host's sites: the list of sites, filtered by it.
            if let Some(host) = model.host_here().map(|h| h.name.clone()) {
                model.stack.truncate(1);
                model.sites.filter = host;
                settle::reorder(model);
            }
        }
        Screen::Activity { only, at, .. } => {
            let past = at.and_then(|at| screen::activity::pasts(model, only.as_deref()).nth(at));
            match past.map(|past| past.run.clone()) {
                Some(run) => model.stack.push(Screen::Past(run, 0)),
                None => model.say(Tone::Plain, "j goes to what was applied before"),
            }
        }
        Screen::Help {
            filter,
            cursor,
            from,
        } => {
            let action = screen::help::entries(filter).get(*cursor).map(|e| e.action);
            let from = *from;
            if let Some(action) = action {
                model.stack.pop();
                if action.entry().at(from) {
                    return perform(model, action);
                }
                let name = action.entry().name;
                model.say(Tone::Plain, format!("{name}: not on this screen"));
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Opens the page of a row.
pub(super) fn open_row(model: &mut Model, key: &Arc<str>) -> Vec<Effect> {
    if let Some(host) = model.row(key).filter(|r| r.is_host).map(|r| r.host.clone()) {
        open_host(model, &host);
        return Vec::new();
    }
    model.stack.push(Screen::Site(key.clone(), 0));
    screen::site::opened(model)
}

fn open_host(model: &mut Model, name: &str) {
    if let Ok(name) = name.parse() {
        model.stack.push(Screen::Host(name, 0));
    }
}

fn logs(model: &mut Model) -> Vec<Effect> {
    let on_list = matches!(model.screen(), Screen::Sites);
    let keys: Vec<_> = if on_list && !model.sites.marks.is_empty() {
        let rows = model.view.sites.iter();
        rows.filter(|r| model.sites.marks.contains(&r.key))
            .map(|r| r.key.clone())
            .collect()
    } else {
        model.subject().map(|r| r.key.clone()).into_iter().collect()
    };
    let mut rows = keys.iter().filter_map(|k| model.row(k));
    if !rows.any(|row| row.container.is_some()) {
        model.say(Tone::Plain, "it has no container to read a log from");
        return Vec::new();
    }
    screen::logs::open(model, &keys)
}

fn back(model: &mut Model) -> Vec<Effect> {
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
    leave(model)
}

fn mark(model: &mut Model) {
    let Some(row) = model.subject() else {
        return;
    };
    if row.is_host {
        go(model, Motion::By(1));
        return;
    }
    let key = row.key.clone();
    if !model.sites.marks.remove(&key) {
        model.sites.marks.insert(key);
    }
    go(model, Motion::By(1));
}

fn site_name(model: &Model) -> Option<String> {
    model
        .subject()
        .filter(|r| !r.foreign && !r.is_host)
        .map(|r| r.name.clone())
}

fn open_plan(model: &mut Model, only: Option<String>) {
    model.stack.push(Screen::Plan(PlanScreen {
        only,
        ..PlanScreen::default()
    }));
}

/// Asks for a change of the marked sites, or of the one on screen.
fn change(model: &mut Model, verb: &str, wish: Wish) -> Vec<Effect> {
    let on_list = matches!(model.screen(), Screen::Sites);
    let rows: Vec<&SiteRow> = if on_list && !model.sites.marks.is_empty() {
        model
            .view
            .sites
            .iter()
            .filter(|r| model.sites.marks.contains(&r.key))
            .collect()
    } else {
        model.subject().into_iter().collect()
    };
    if rows.is_empty() {
        // A plan without a subject is the whole fleet's.
        if wish == Wish::Apply && matches!(model.screen(), Screen::Plan(_)) {
            return perform(model, Action::ApplyAll);
        }
        model.say(Tone::Plain, format!("{verb}: no site is chosen"));
        return Vec::new();
    }
    if let Some(why) = rows.iter().find_map(|row| refused(row, verb)) {
        model.say(Tone::Bad, why);
        return Vec::new();
    }
    let sites = rows.iter().filter_map(|r| r.name.parse().ok()).collect();
    let title = match &rows[..] {
        [one] => format!("{verb} {} on {}", one.name, one.host),
        many => format!("{verb} {}", count(many.len(), "site", "sites")),
    };
    let sites = Some(sites);
    propose(model, Request { title, wish, sites })
}

/// The newest apply that was cut off: its name, its sites, and who began it.
fn newest_cut_off(model: &mut Model) -> Option<(String, Vec<Name>, String)> {
    let found = model.cut_off();
    let Some((run, notes)) = found.first() else {
        model.say(Tone::Plain, "no apply was cut off, as far as hosts answer");
        return None;
    };
    let sites: BTreeSet<&Name> = notes.iter().flat_map(|(_, note)| &note.sites).collect();
    let by = notes.first().map(|(_, note)| by(note)).unwrap_or_default();
    Some((run.clone(), sites.into_iter().cloned().collect(), by))
}

/// Asks for the plan that finishes an apply that was cut off: the usual one, for what it touched.
fn finish(model: &mut Model) -> Vec<Effect> {
    let Some((run, sites, by)) = newest_cut_off(model) else {
        return Vec::new();
    };
    let request = Request {
        title: format!("finish the apply of {by}"),
        wish: Wish::Finish(run),
        sites: Some(sites),
    };
    propose(model, request)
}

/// Asks for the plan that takes it back.
fn undo(model: &mut Model) -> Vec<Effect> {
    let Some((run, sites, by)) = newest_cut_off(model) else {
        return Vec::new();
    };
    let request = Request {
        title: format!("take back the apply of {by}"),
        wish: Wish::Undo(run),
        sites: Some(sites),
    };
    propose(model, request)
}

/// Commits the fleet file that the newest apply wrote.
fn commit(model: &mut Model) -> Vec<Effect> {
    let offered = model
        .runs
        .iter_mut()
        .rev()
        .find_map(|run| match run.commit.clone() {
            Some(Commit::Offered(message)) => Some((run, message)),
            _ => None,
        });
    let Some((run, message)) = offered else {
        model.say(
            Tone::Plain,
            "no change of the fleet file waits to be committed",
        );
        return Vec::new();
    };
    run.commit = Some(Commit::Running);
    vec![Effect::Commit(run.id, message)]
}

/// Why a row cannot be changed.
fn refused(row: &SiteRow, verb: &str) -> Option<String> {
    if row.is_host {
        let name = &row.name;
        return Some(format!("{verb}: {name} is a host; choose one of its sites"));
    }
    if row.foreign {
        return Some(format!("{} is not ostler's: it is never changed", row.name));
    }
    if row.stale {
        return Some(format!("{verb} {}: {}", row.name, row.why));
    }
    if row.name.parse::<Name>().is_err() {
        let name = &row.name;
        return Some(format!("{verb}: {name} is not what a site can be called"));
    }
    if !row.in_file && verb != "apply" {
        return Some(format!("{} is not in the fleet file any more", row.name));
    }
    None
}

/// Has a change worked out.
pub(super) fn propose(model: &mut Model, request: Request) -> Vec<Effect> {
    if model.is_applying() {
        model.say(Tone::Bad, "something is being applied: wait for its end");
        return Vec::new();
    }
    let id = model.next_id;
    model.next_id += 1;
    model.overlay = Some(Overlay::Working(id, request.clone()));
    vec![Effect::Propose(id, request)]
}
