//! `update`: one message in, the model changed, wishes out. No I/O, no clock.

mod keys;
mod news;

use super::effect::Effect;
use super::message::Message;
use super::model::dialog::Asked;
use super::model::{Model, Overlay, Start};
use super::overlay::question;
use super::proposal::Open;
use super::screen::logs;
use super::screen::sites::Sites;
use super::settle;
use super::tone::Tone;

/// Takes one message.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    match message {
        Message::Clock(now_ms) => {
            // A clock that was set back must not freeze what waits for a time.
            if now_ms < model.now_ms {
                model.last_key_ms = model.last_key_ms.min(now_ms);
                if let Some(Overlay::Proposal(open)) = &mut model.overlay {
                    open.quiet_since = open.quiet_since.map(|at| at.min(now_ms));
                }
            }
            model.now_ms = now_ms;
            Vec::new()
        }
        Message::Key(key) => keys::key(model, key),
        Message::Paste(text) => {
            keys::paste(model, &text);
            Vec::new()
        }
        Message::Resize(columns, lines) => {
            model.size = (columns, lines);
            logs::resize(model);
            Vec::new()
        }
        Message::Fleet(fleet) => {
            news::fleet(model, fleet);
            Vec::new()
        }
        Message::FleetBroken(why) => news::fleet_broken(model, why),
        Message::Host(name, what) => news::host(model, name, what),
        Message::Planned(plan) => {
            news::planned(model, plan);
            Vec::new()
        }
        Message::Journal(told) => {
            model.journal = Some(told);
            model.journal_asked = false;
            Vec::new()
        }
        Message::Proposed(id, result) => proposed(model, id, result),
        Message::Step(id, step) => {
            news::step(model, id, step);
            Vec::new()
        }
        Message::Outside(site, outside) => {
            model.outside.insert(site, outside);
            Vec::new()
        }
        Message::Tail(key, container, lines) => {
            let now = model.now_ms;
            if let Some(tail) = model.tails.get_mut(&key) {
                tail.came(&container, lines, now);
            }
            Vec::new()
        }
        Message::Log(id, news) => {
            logs::news(model, id, &news);
            Vec::new()
        }
        Message::Asked(id, question) => {
            model.questions.push_back(Asked { id, question });
            Vec::new()
        }
        // A signal means it: an apply that runs is left to its own recovery.
        Message::Terminate => vec![Effect::Quit],
    }
}

/// A change was worked out: show it, if it is still waited for.
fn proposed(
    model: &mut Model,
    id: u64,
    result: Result<Box<super::proposal::Proposal>, String>,
) -> Vec<Effect> {
    if let Some(Overlay::Question(dialog)) = &mut model.overlay
        && let Some((_, request)) = dialog.over.take_if(|(waiting, _)| *waiting == id)
    {
        // What is typed is meant for the question.
        let text = format!("{}: worked out meanwhile; ask for it again", request.title);
        model.say(Tone::Plain, text);
    }
    let creation = match &model.overlay {
        Some(Overlay::Working(waiting, request)) if *waiting == id => request.is_creation(),
        _ => return vec![Effect::Forget(id)],
    };
    model.overlay = None;
    let shown = matches!(&result, Ok(proposal) if !proposal.is_empty());
    if creation && !shown {
        // What was typed is not lost with a proposal that came to nothing.
        model.resume_draft();
    }
    match result {
        Err(why) => {
            model.say(Tone::Bad, crate::text::clean(&why).into_owned());
            Vec::new()
        }
        Ok(proposal) if proposal.is_empty() => {
            match proposal.plan().problems.first() {
                Some(problem) => {
                    let text = format!("{}; {}", problem.what, problem.remedy);
                    model.say(Tone::Bad, crate::text::clean(&text).into_owned());
                }
                None if !proposal.left.is_empty() => {
                    let left = proposal.left.join("; ");
                    let text = format!("{}: {left}", proposal.request.title);
                    model.say(Tone::Bad, crate::text::clean(&text).into_owned());
                }
                None => {
                    let text = format!("{}: nothing to do", proposal.request.title);
                    model.say(Tone::Plain, text);
                }
            }
            vec![Effect::Forget(id)]
        }
        Ok(proposal) => {
            model.overlay = Some(Overlay::Proposal(Box::new(Open::new(id, proposal))));
            Vec::new()
        }
    }
}

/// A console that knows nothing yet.
pub fn open(start: Start) -> Model {
    let mut model = Model::new(start);
    model.stack.push(Box::new(Sites));
    // Nothing can be wished for before anything is known.
    settle::settle(&mut model);
    model
}

/// What has to happen before a frame is drawn.
pub fn before_frame(model: &mut Model) -> Vec<Effect> {
    settle::settle(model)
}

/// A frame is on screen, since this moment (milliseconds): what it shows can be read from now on.
pub fn after_frame(model: &mut Model, now_ms: i64) {
    if model.is_too_small() {
        return;
    }
    match model.overlay.take() {
        Some(Overlay::Proposal(mut open)) => {
            open.quiet_since.get_or_insert(now_ms);
            model.overlay = Some(Overlay::Proposal(open));
        }
        Some(Overlay::Question(mut dialog)) => {
            dialog.read |= question::shows_the_end(model, &dialog);
            model.overlay = Some(Overlay::Question(dialog));
        }
        other => model.overlay = other,
    }
}
