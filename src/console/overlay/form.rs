//! A site is described, to be created.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;

use super::lines::{Led, Lines};
use crate::console::act::propose;
use crate::console::draw::pen::clear;
use crate::console::effect::{Request, Wish};
use crate::console::form::{self, Form, Next, site};
use crate::console::model::{Model, Overlay};
use crate::console::tone::Tone;

pub(super) fn key(model: &mut Model, mut form: Box<Form<site::Id>>, event: KeyEvent) -> Led {
    let Some(fleet) = model.fleet.clone() else {
        return (None, Vec::new());
    };
    let next = form.key(event);
    site::check(&mut form, &fleet);
    match next {
        Next::Leave => return (None, Vec::new()),
        Next::Stay => {}
        Next::Submit => match site::made(&form, &fleet).filter(|_| form.is_right()) {
            None => form.show_errors(),
            // What was typed stays until the file is right again.
            Some(_) if model.fleet_broken.is_some() => {
                let why = model.fleet_broken.as_ref().map(|why| why.brief.clone());
                model.say(Tone::Bad, why.unwrap_or_default());
            }
            Some(site) => {
                let request = Request {
                    title: format!("create {} on {}", site.name, site.host),
                    sites: Some(vec![site.name.clone()]),
                    wish: Wish::Create(Box::new(site)),
                };
                model.draft = Some(form);
                let effects = propose(model, request);
                if effects.is_empty() {
                    model.resume_draft();
                }
                return (None, effects);
            }
        },
    }
    (Some(Overlay::Form(form)), Vec::new())
}

pub(super) fn paste(model: &Model, form: &mut Form<site::Id>, text: &str) {
    form.paste(text);
    if let Some(fleet) = &model.fleet {
        site::check(form, fleet);
    }
}

pub(super) fn draw(model: &Model, form: &Form<site::Id>, buf: &mut Buffer, lines: Lines) {
    clear(buf, &model.theme, lines.foot);
    form::draw::form(buf, &model.theme, lines.body, form);
}
