//! What a login asks: in one line while it waits, and in full while it is being answered.

use crossterm::event::{KeyCode, KeyEvent};
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
use crate::text::{clean, count, wrap};

/// Who asks what, in one line.
pub fn banner(model: &Model) -> Option<Spans> {
    let asked = model.questions.front()?;
    let what = match &asked.question {
        Question::HostKey { kind, .. } => format!("shows an unknown {} key", clean(kind)),
        Question::Leave { prompt, .. } => format!("asks for {}", clean(prompt)),
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
    if let Some(top) = scrolled(model, &dialog, event.code) {
        dialog.top = top;
        dialog.hint = None;
        return (Some(Overlay::Question(dialog)), Vec::new());
    }
    let Done::Answer(answer) = dialog.key(event) else {
        return (Some(Overlay::Question(dialog)), Vec::new());
    };
    if answer != Answer::No && !dialog.read {
        dialog.hint = Some("read it to its end first: ↓");
        return (Some(Overlay::Question(dialog)), Vec::new());
    }
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

/// Where the question begins after this key; none: it is no key that scrolls.
fn scrolled(model: &Model, dialog: &Dialog, code: KeyCode) -> Option<usize> {
    let page = page(model, dialog);
    let top = page.top;
    Some(match code {
        KeyCode::Up => top.saturating_sub(1),
        KeyCode::Down => (top + 1).min(page.last),
        KeyCode::PageUp => top.saturating_sub(page.height),
        KeyCode::PageDown => (top + page.height).min(page.last),
        _ => return None,
    })
}

/// Whether the last line of the question is on screen.
pub fn shows_the_end(model: &Model, dialog: &Dialog) -> bool {
    let page = page(model, dialog);
    page.top == page.last
}

/// What of a question fits on the screen, with the field and the keys below it.
struct Page {
    /// All of its lines.
    lines: Vec<Spans>,
    /// The first that is shown, from 0, and the furthest that may be.
    top: usize,
    last: usize,
    /// How many are shown.
    height: usize,
}

/// Cells for its text.
fn room(model: &Model) -> usize {
    usize::from(model.size.0.saturating_sub(6)).min(90)
}

fn page(model: &Model, dialog: &Dialog) -> Page {
    let mut lines = lines(model, dialog, room(model));
    // The frame, the field and the keys.
    let around = 4 + usize::from(dialog.hint.is_some());
    let most = model.body_lines().saturating_sub(around);
    if lines.len() > most {
        // The blank line above the field.
        lines.pop();
    }
    let height = match lines.len() > most {
        // A line says that there is more.
        true => most.saturating_sub(1).max(1),
        false => lines.len(),
    };
    let last = lines.len().saturating_sub(height);
    Page {
        top: dialog.top.min(last),
        last,
        height,
        lines,
    }
}

/// Draws the dialog over the screen.
pub(super) fn draw(model: &Model, dialog: &Dialog, buf: &mut Buffer, places: Lines) {
    let theme = &model.theme;
    clear(buf, theme, places.detail);
    clear(buf, theme, places.foot);
    let area = places.body;
    let page = page(model, dialog);
    let mut below = Vec::new();
    if page.last > 0 {
        below.push(match page.last - page.top {
            0 => vec![(Role::Key, "↑".to_owned()), dim(" above")],
            n => vec![
                (Role::Warn, format!("… {} more below   ", count(n, "line"))),
                (Role::Key, "↓ pgdn".to_owned()),
            ],
        });
    }
    let field = page.height + below.len();
    below.push(Vec::new());
    below.extend(dialog.hint.map(|hint| vec![(Role::Warn, hint.to_owned())]));
    below.push(keys(&dialog.asked.question));
    let shown = page.lines.iter().skip(page.top).take(page.height);
    let all: Vec<&Spans> = shown.chain(&below).collect();
    let height = (all.len() as u16 + 2).min(area.height);
    let width = (room(model) as u16 + 4).min(area.width);
    let place = Rect::new(
        area.x + (area.width - width) / 2,
        area.y + (area.height - height) / 2,
        width,
        height,
    );
    let inside = frame(buf, theme, place, &who(model, &dialog.asked.question));
    for (at, spans) in all.into_iter().enumerate() {
        let mut pen = Pen::on(buf, theme, inside, at as u16);
        if at != field {
            pen.spans(spans);
            continue;
        }
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

fn dim(text: &str) -> (Role, String) {
    (Role::Dim, text.to_owned())
}

/// What can be pressed.
fn keys(question: &Question) -> Spans {
    let key = |key: &str| (Role::Key, key.to_owned());
    let (yes, refuse) = match question {
        Question::HostKey { .. } => (" it is the right one   ", "n esc"),
        Question::Leave { .. } => (" gives leave   ", "n esc"),
        Question::Text { .. } => {
            return vec![key("⏎"), dim(" answer   "), key("esc"), dim(" refuse")];
        }
    };
    vec![key("yes⏎"), dim(yes), key(refuse), dim(" refuse")]
}

fn lines(model: &Model, dialog: &Dialog, room: usize) -> Vec<Spans> {
    let mut out = Vec::new();
    let mut say = |role: Role, text: &str| {
        for line in wrap(text, room) {
            out.push(vec![(role, line)]);
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
        Question::Leave { of, prompt } => {
            say(
                Role::Text,
                &format!("{} asks for {}", clean(of), clean(prompt)),
            );
            say(Role::Text, "");
        }
    }
    out
}
