//! What a login asks: in one line while it waits, and in full while it is being answered.

use crossterm::event::KeyEvent;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::lines::{Led, Lines};
use crate::console::action::Action;
use crate::console::draw::pen::{Pen, Spans, clear, frame};
use crate::console::effect::Effect;
use crate::console::model::dialog::{Dialog, Done, Typed};
use crate::console::model::{Model, Overlay};
use crate::console::question::is_about;
use crate::console::theme::Role;
use crate::console::tone::Tone;
use crate::engine::{Answer, Question};
use crate::text::{clean, wrap};

/// Who asks what, in one line.
pub fn banner(model: &Model) -> Option<Spans> {
    let asked = model.questions.front()?;
    let what = match &asked.question {
        Question::HostKey { kind, .. } => format!("shows an unknown {} key", clean(kind)),
        Question::Text { by_host, again, .. } => {
            let again = if *again { "again, " } else { "" };
            let itself = if *by_host { "itself asks" } else { "asks" };
            let link = if *by_host { "" } else { "for " };
            let words = asked.question.words();
            format!("{itself} {again}{link}{}", clean(&words))
        }
    };
    let more = match model.questions.len() {
        1 => String::new(),
        n => format!(" ({} more wait)", n - 1),
    };
    let how = match (&model.overlay, model.keymap.key(Action::Answer)) {
        (None | Some(Overlay::Working(..)), Some(key)) => format!("; {key} answers"),
        _ => "; :answer answers".to_owned(),
    };
    let text = format!(" {} {what}{more}", who(model, &asked.question));
    Some(vec![(Role::Warn, text), (Role::Key, how)])
}

/// The host that asks, by its name in the fleet file where that is known.
fn who(model: &Model, question: &Question) -> String {
    let asked = clean(question.host());
    match model.hosts.iter().find(|h| is_about(question.host(), h)) {
        Some(host) if host.name.as_str() != asked => format!("{} ({asked})", host.name),
        _ => asked.into_owned(),
    }
}

/// Takes a key.
pub(super) fn key(model: &mut Model, mut dialog: Box<Dialog>, event: KeyEvent) -> Led {
    let Done::Answer(answer) = dialog.key(event) else {
        return (Some(Overlay::Question(dialog)), Vec::new());
    };
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
    let answered = vec![Effect::Answer(asked.id, answer)];
    let below = dialog.over.take();
    (below.map(|(id, it)| Overlay::Working(id, it)), answered)
}

/// Draws the dialog over the screen.
pub(super) fn draw(model: &Model, dialog: &Dialog, buf: &mut Buffer, places: Lines) {
    let theme = &model.theme;
    clear(buf, theme, places.detail);
    clear(buf, theme, places.foot);
    let area = places.body;
    let room = usize::from(area.width.saturating_sub(6)).min(90);
    let lines = lines(model, dialog, room);
    let height = (lines.len() as u16 + 2).min(area.height);
    let width = (room as u16 + 4).min(area.width);
    let place = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    );
    let inside = frame(buf, theme, place, &who(model, &dialog.asked.question));
    for (at, line) in lines.iter().enumerate() {
        let mut pen = Pen::on(buf, theme, inside, at as u16);
        match line {
            Part::Text(spans) => {
                pen.spans(spans);
            }
            Part::Field => {
                pen.put(Role::Key, "> ");
                let room = pen.room();
                match &dialog.typed {
                    Typed::Plain(input) => input.draw(&mut pen, theme, room, true),
                    Typed::Hidden(text) => {
                        let word = match text.is_empty() {
                            true => "nothing typed yet",
                            false => "typed, and not shown",
                        };
                        pen.put(Role::Input, word);
                    }
                }
            }
        }
    }
}

enum Part {
    Text(Spans),
    Field,
}

fn lines(model: &Model, dialog: &Dialog, room: usize) -> Vec<Part> {
    let mut out = Vec::new();
    let mut say = |role: Role, text: &str| {
        for line in wrap(text, room) {
            out.push(Part::Text(vec![(role, line)]));
        }
    };
    let question = &dialog.asked.question;
    match question {
        Question::HostKey {
            address,
            kind,
            fingerprint,
            file,
            ..
        } => {
            say(
                Role::Text,
                &format!("{} is not known yet. It shows this key:", clean(address)),
            );
            say(Role::Text, "");
            say(Role::Dim, &clean(kind));
            say(Role::Strong, &clean(fingerprint));
            say(Role::Text, "");
            say(
                Role::Text,
                "Compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub` prints on that \
                 machine. Yes writes it to this file on your side:",
            );
            say(Role::Dim, &clean(&file.display().to_string()));
            if model.view.on_call {
                say(Role::Dim, "On-call mode allows it: no host is changed.");
            }
            say(Role::Text, "");
        }
        Question::Text {
            by_host,
            again,
            visible,
            ..
        } => {
            if *again {
                say(Role::Bad, "That was not it.");
            }
            if *by_host {
                say(Role::Dim, "The host itself asks, in its own words:");
            }
            say(Role::Text, &clean(&question.words()));
            if !visible {
                say(
                    Role::Dim,
                    "It is kept in memory until ostler ends, and nowhere else.",
                );
            }
            say(Role::Text, "");
        }
    }
    out.push(Part::Field);
    let key = |key: &str| (Role::Key, key.to_owned());
    let dim = |text: &str| (Role::Dim, text.to_owned());
    let last = match question {
        Question::HostKey { .. } => vec![
            key("yes⏎"),
            dim(" it is the right one   "),
            key("n esc"),
            dim(" refuse"),
        ],
        Question::Text { .. } => vec![key("⏎"), dim(" answer   "), key("esc"), dim(" refuse")],
    };
    if dialog.hint {
        out.push(Part::Text(vec![(
            Role::Warn,
            "type yes in full, or no".to_owned(),
        )]));
    }
    out.push(Part::Text(last));
    out
}
