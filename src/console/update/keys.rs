//! Keys: to what is open above the screen, else to the action they are bound to.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::act::{open_row, perform, propose};
use crate::console::dialog::Done;
use crate::console::effect::{Effect, Request, Wish};
use crate::console::form::{Next, site};
use crate::console::keymap::Key;
use crate::console::log::LogMessage;
use crate::console::model::{Model, Overlay, RUNS_KEPT, Screen};
use crate::console::palette::Goal;
use crate::console::proposal::Confirm;
use crate::console::text::clean;
use crate::console::tone::Tone;
use crate::console::{screen, settle};
use crate::engine::Answer;

pub(super) fn key(model: &mut Model, event: KeyEvent) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return Vec::new();
    }
    model.last_key_ms = model.now_ms;
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
    match model.overlay.take() {
        None => {
            if let Some(Screen::Logs(logs)) = model.stack.last_mut()
                && logs.screen.is_typing()
            {
                logs.screen.update(LogMessage::Key(event));
                return Vec::new();
            }
            let key = Key::from(event);
            match model.keymap.action(key, model.place()) {
                Some(action) => perform(model, action),
                None => Vec::new(),
            }
        }
        Some(overlay) => {
            let (overlay, effects) = in_overlay(model, overlay, event);
            // What the key led to may have opened something else.
            if model.overlay.is_none() {
                model.overlay = overlay;
            }
            effects
        }
    }
}

pub(super) fn paste(model: &mut Model, text: &str) {
    match &mut model.overlay {
        Some(Overlay::Filter(input)) => {
            input.paste(text);
            let words = input.text().to_owned();
            set_filter(model, &words);
        }
        Some(Overlay::Palette(palette)) => {
            palette.input.paste(text);
            palette.find(&model.view.sites);
        }
        Some(Overlay::Form(form)) => {
            form.paste(text);
            if let Some(fleet) = &model.fleet {
                site::check(form, fleet);
            }
        }
        Some(Overlay::Question(dialog)) => dialog.paste(text),
        Some(Overlay::Proposal(open)) if matches!(open.confirm, Confirm::Type(_)) => {
            open.input.paste(text);
        }
        // Where nothing is typed into, pasted text is dropped: it is never taken for keys.
        Some(_) => {}
        None => {
            if let Some(Screen::Logs(logs)) = model.stack.last_mut() {
                logs.screen.update(LogMessage::Paste(text));
            }
        }
    }
}

type Led = (Option<Overlay>, Vec<Effect>);

fn in_overlay(model: &mut Model, overlay: Overlay, event: KeyEvent) -> Led {
    let leave = event.code == KeyCode::Esc
        || (event.code == KeyCode::Char('c') && event.modifiers.contains(KeyModifiers::CONTROL));
    match overlay {
        Overlay::Filter(mut input) => match event.code {
            _ if leave => {
                set_filter(model, "");
                (None, Vec::new())
            }
            KeyCode::Enter => (None, Vec::new()),
            KeyCode::Down | KeyCode::Up => {
                let by = if event.code == KeyCode::Down { 1 } else { -1 };
                super::move_cursor::go(model, super::move_cursor::Motion::By(by));
                (Some(Overlay::Filter(input)), Vec::new())
            }
            _ => {
                if input.key(event) {
                    let words = input.text().to_owned();
                    set_filter(model, &words);
                }
                (Some(Overlay::Filter(input)), Vec::new())
            }
        },
        Overlay::Palette(mut palette) => {
            let down = event.code == KeyCode::Down
                || event.code == KeyCode::Tab
                || (event.modifiers.contains(KeyModifiers::CONTROL)
                    && event.code == KeyCode::Char('n'));
            let up = event.code == KeyCode::Up
                || event.code == KeyCode::BackTab
                || (event.modifiers.contains(KeyModifiers::CONTROL)
                    && event.code == KeyCode::Char('p'));
            let count = palette.hits.len();
            if leave {
                return (None, Vec::new());
            }
            if event.code == KeyCode::Enter {
                let effects = match palette.chosen().cloned() {
                    Some(Goal::Do(action)) => perform(model, action),
                    Some(Goal::Go(key, _)) => open_row(model, &key),
                    None => Vec::new(),
                };
                return (None, effects);
            }
            if down && count > 0 {
                palette.cursor = (palette.cursor + 1) % count;
            } else if up && count > 0 {
                palette.cursor = (palette.cursor + count - 1) % count;
            } else if palette.input.key(event) {
                palette.find(&model.view.sites);
            }
            (Some(Overlay::Palette(palette)), Vec::new())
        }
        Overlay::Form(mut form) => {
            let Some(fleet) = model.fleet.clone() else {
                return (None, Vec::new());
            };
            let next = form.key(event);
            site::check(&mut form, &fleet);
            match next {
                Next::Leave => (None, Vec::new()),
                Next::Stay => (Some(Overlay::Form(form)), Vec::new()),
                Next::Submit => match site::made(&form, &fleet).filter(|_| form.is_right()) {
                    None => {
                        form.show_errors();
                        (Some(Overlay::Form(form)), Vec::new())
                    }
                    Some(site) => {
                        let request = Request {
                            title: format!("create {} on {}", site.name, site.host),
                            sites: Some(vec![site.name.clone()]),
                            wish: Wish::Create(Box::new(site)),
                        };
                        (None, propose(model, request))
                    }
                },
            }
        }
        Overlay::Working(id, request) => {
            if leave {
                model.say(Tone::Plain, format!("{}: left", request.title));
                return (None, vec![Effect::Forget(id)]);
            }
            (Some(Overlay::Working(id, request)), Vec::new())
        }
        // What cannot be seen is not agreed to.
        Overlay::Question(dialog) if model.is_too_small() && !leave => {
            (Some(Overlay::Question(dialog)), Vec::new())
        }
        Overlay::Question(mut dialog) => match dialog.key(event) {
            Done::Stay => (Some(Overlay::Question(dialog)), Vec::new()),
            Done::Answer(answer) => {
                let asked = &dialog.asked;
                let host = asked.question.host().to_owned();
                if answer == Answer::No {
                    // Whatever else it asks is refused with it.
                    model.questions.retain(|q| q.question.host() != host);
                    let text = format!("{}: refused; r asks again", clean(&host));
                    model.say(Tone::Plain, text);
                } else {
                    model.questions.retain(|q| q.id != asked.id);
                }
                (None, vec![Effect::Answer(asked.id, answer)])
            }
        },
        Overlay::Proposal(open) => in_proposal(model, open, event, leave),
        Overlay::Leave => match event.code {
            KeyCode::Char('Q') => (None, vec![Effect::Quit]),
            _ => (None, Vec::new()),
        },
    }
}

fn in_proposal(
    model: &mut Model,
    mut open: Box<crate::console::proposal::Open>,
    event: KeyEvent,
    leave: bool,
) -> Led {
    if leave {
        let id = open.id;
        model.say(
            Tone::Plain,
            format!("{}: left, nothing changed", open.proposal.request.title),
        );
        return (None, vec![Effect::Forget(id)]);
    }
    let typing = matches!(open.confirm, Confirm::Type(_));
    let now = model.now_ms;
    let yes = match open.confirm {
        Confirm::Key => Key::from(event).code == KeyCode::Char('A') && open.listens(now),
        Confirm::Type(_) => event.code == KeyCode::Enter && open.confirmed(),
    };
    // A key that is held says nothing that it did not say before; nor does one pressed blindly.
    let meant = event.kind == KeyEventKind::Press && !model.is_too_small();
    open.stirred(now);
    if yes && meant && !model.view.on_call {
        return (None, begin(model, *open));
    }
    let page = (model.body_lines() / 2).max(1);
    let last = screen::proposal::line_count(&open).saturating_sub(1);
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    match event.code {
        KeyCode::Down => open.top = (open.top + 1).min(last),
        KeyCode::Up => open.top = open.top.saturating_sub(1),
        KeyCode::PageDown => open.top = (open.top + page).min(last),
        KeyCode::PageUp => open.top = open.top.saturating_sub(page),
        _ if typing => {
            open.input.key(event);
        }
        KeyCode::Char('d') if control => open.top = (open.top + page).min(last),
        KeyCode::Char('u') if control => open.top = open.top.saturating_sub(page),
        KeyCode::Char('j') => open.top = (open.top + 1).min(last),
        KeyCode::Char('k') => open.top = open.top.saturating_sub(1),
        KeyCode::Char('q') => {
            let id = open.id;
            return (None, vec![Effect::Forget(id)]);
        }
        _ => {}
    }
    (Some(Overlay::Proposal(open)), Vec::new())
}

/// A proposal was confirmed.
fn begin(model: &mut Model, open: crate::console::proposal::Open) -> Vec<Effect> {
    let run = crate::console::activity::Run::new(
        open.id,
        open.proposal.request.title.clone(),
        open.proposal.plan(),
        model.now_ms,
    );
    model.runs.push(run);
    let old = model.runs.len().saturating_sub(RUNS_KEPT);
    model.runs.drain(..old);
    model.sites.marks.clear();
    model.stack.push(Screen::Activity {
        only: None,
        top: 0,
        at: None,
    });
    vec![Effect::Apply(open.id)]
}

/// Takes new words to filter by, at once.
pub(super) fn set_filter(model: &mut Model, words: &str) {
    match model.stack.last_mut() {
        Some(Screen::Sites) => {
            words.clone_into(&mut model.sites.filter);
            settle::reorder(model);
        }
        Some(Screen::Plan(plan)) => {
            words.clone_into(&mut plan.filter);
            plan.top = 0;
        }
        Some(Screen::Events { filter, top, .. }) => {
            words.clone_into(filter);
            *top = 0;
        }
        Some(Screen::Help { filter, cursor, .. }) => {
            words.clone_into(filter);
            *cursor = 0;
        }
        _ => {}
    }
}
