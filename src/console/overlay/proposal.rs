//! A change before it is made: how the file would change, what would be done, and what is asked.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::lines::{Led, Lines};
use crate::console::activity::Run;
use crate::console::draw::pen::{Pen, Spans, clear, fill};
use crate::console::effect::{Effect, Wish};
use crate::console::keymap::Key;
use crate::console::model::{Model, Overlay, RUNS_KEPT};
use crate::console::proposal::{Confirm, Open};
use crate::console::screen::activity::Activity;
use crate::console::theme::{Role, Theme};
use crate::console::tone::Tone;
use crate::fleet::DiffLine;
use crate::text::{clean, count};

/// How many lines stand above the plan's own.
fn above(open: &Open) -> usize {
    let proposal = &open.proposal;
    let part = |lines: usize| if lines > 0 { lines + 2 } else { 0 };
    let warning = if proposal.uncommitted.is_some() { 2 } else { 0 };
    warning + part(proposal.diff.len()) + part(proposal.left.len()) + 1
}

/// How many lines it has, for scrolling.
fn line_count(open: &Open) -> usize {
    above(open) + open.proposal.planned.lines.folded().len()
}

/// One of its lines: only those on screen are made.
fn line(open: &Open, mut at: usize, room: usize, theme: &Theme) -> Spans {
    let proposal = &open.proposal;
    if let Some(warning) = &proposal.uncommitted {
        if at < 2 {
            let mark = if theme.ascii { "!" } else { "▲" };
            let text = format!(" {mark} {}", clean(warning));
            return if at == 0 {
                vec![(Role::Warn, text)]
            } else {
                Vec::new()
            };
        }
        at -= 2;
    }
    // A title, the lines, and a blank one.
    let diff = proposal.diff.len();
    if diff > 0 {
        if at == 0 {
            return vec![(Role::Column, " In the fleet file".into())];
        }
        if at < diff + 2 {
            return proposal.diff.get(at - 1).map_or_else(Vec::new, changed);
        }
        at -= diff + 2;
    }
    let left = proposal.left.len();
    if left > 0 {
        if at == 0 {
            return vec![(Role::Column, " Left as it is".into())];
        }
        if at < left + 2 {
            let line = proposal.left.get(at - 1);
            return line.map_or_else(Vec::new, |line| {
                vec![(Role::Dim, format!("   {}", clean(line)))]
            });
        }
        at -= left + 2;
    }
    if at == 0 {
        return vec![
            (Role::Column, " On the hosts  ".into()),
            (Role::Dim, open.summary.clone()),
        ];
    }
    let lines = &proposal.planned.lines;
    let shown = lines.folded().get(at - 1);
    shown.map_or_else(Vec::new, |at| lines.spans(*at, room, theme))
}

fn changed(line: &DiffLine) -> Spans {
    let (role, sign, text) = match line {
        DiffLine::Added(text) => (Role::Added, '+', text.as_str()),
        DiffLine::Removed(text) => (Role::Removed, '-', text.as_str()),
        DiffLine::Context(text) => (Role::Text, ' ', text.as_str()),
        DiffLine::Skipped(_) => (Role::Dim, '@', "⋯"),
    };
    vec![(role, format!("   {sign} {}", clean(text)))]
}

/// Takes a key.
pub(super) fn key(model: &mut Model, mut open: Box<Open>, event: KeyEvent, leave: bool) -> Led {
    if leave {
        let request = &open.proposal.request;
        model.say(
            Tone::Plain,
            format!("{}: left, nothing changed", request.title),
        );
        if request.is_creation() {
            model.resume_draft();
        }
        return (None, vec![Effect::Forget(open.id)]);
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
    let page = model.half_page();
    let last = line_count(&open).saturating_sub(1);
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
            if open.proposal.request.is_creation() {
                model.resume_draft();
            }
            return (None, vec![Effect::Forget(open.id)]);
        }
        _ => {}
    }
    (Some(Overlay::Proposal(open)), Vec::new())
}

/// A proposal was confirmed.
fn begin(model: &mut Model, open: Open) -> Vec<Effect> {
    let run = Run::new(
        open.id,
        open.proposal.request.title.clone(),
        open.proposal.plan(),
        model.now_ms,
    );
    model.runs.push(run);
    let old = model.runs.len().saturating_sub(RUNS_KEPT);
    model.runs.drain(..old);
    model.sites.marks.clear();
    let mut effects = model.show(Box::new(Activity::of(None)));
    effects.push(Effect::Apply(open.id));
    effects
}

/// Takes pasted text, where something is to be typed.
pub(super) fn paste(open: &mut Open, text: &str) {
    if matches!(open.confirm, Confirm::Type(_)) {
        open.input.paste(text);
    }
}

/// Draws the proposal over all below the header.
pub(super) fn draw(model: &Model, open: &Open, buf: &mut Buffer, lines: Lines) {
    let height = lines.body.height + 2;
    let area = Rect {
        height,
        ..lines.body
    };
    let theme = &model.theme;
    clear(buf, theme, area);
    let title = Rect { height: 1, ..area };
    fill(buf, title, theme.style(Role::Selected));
    Pen::on(buf, theme, title, 0)
        .put(Role::Selected, " ")
        .put(Role::Strong, &open.proposal.request.title)
        .put(Role::Dim, "   nothing has been changed yet");
    let body = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(3),
    );
    let (all, height) = (line_count(open), usize::from(body.height));
    let top = open.top.min(all.saturating_sub(height));
    for (y, at) in (top..all).take(height).enumerate() {
        let spans = line(open, at, usize::from(area.width), theme);
        Pen::on(buf, theme, body, y as u16).spans(&spans);
    }
    let below = all.saturating_sub(top + height);
    let ask = Rect::new(area.x, area.bottom() - 2, area.width, 1);
    let foot = Rect::new(area.x, area.bottom() - 1, area.width, 1);
    let mut pen = Pen::on(buf, theme, ask, 0);
    match &open.confirm {
        Confirm::Key => {
            pen.put(Role::Accent, &format!(" {}? ", open.proposal.request.title));
            if open.listens(model.now_ms) {
                pen.put(Role::Key, "A").put(Role::Dim, " applies it");
            }
        }
        Confirm::Type(wanted) => {
            let what = if open.counts {
                "type the number of sites".to_owned()
            } else {
                format!("type {wanted}")
            };
            pen.put(Role::Warn, &format!(" {what} to confirm: "));
            open.input.draw(&mut pen, theme, 24, true);
            if open.confirmed() {
                pen.put(Role::Key, "  ⏎").put(Role::Dim, " applies it");
            }
        }
    }
    let mut pen = Pen::on(buf, theme, foot, 0);
    pen.put(Role::Key, " esc")
        .put(Role::Dim, " leave, nothing is changed   ");
    if below > 0 {
        pen.put(Role::Key, "↓")
            .put(Role::Dim, &format!(" {} below   ", count(below, "line")));
    }
    if matches!(
        open.proposal.request.wish,
        Wish::State(crate::fleet::SiteState::Archived)
    ) {
        pen.put(Role::Dim, "files and uid stay on the host");
    }
}
