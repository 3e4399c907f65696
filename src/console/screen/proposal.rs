//! A change before it is made: how the file would change, what would be done, and what is asked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::effect::Wish;
use crate::console::model::Model;
use crate::console::pen::{Pen, Spans, clear, fill};
use crate::console::proposal::{Confirm, DiffLine, Open};
use crate::console::text::{clean, count};
use crate::console::theme::{Role, Theme};

/// How many lines stand above the plan's own.
fn above(open: &Open) -> usize {
    let proposal = &open.proposal;
    let part = |lines: usize| if lines > 0 { lines + 2 } else { 0 };
    let warning = if proposal.uncommitted.is_some() { 2 } else { 0 };
    warning + part(proposal.diff.len()) + part(proposal.left.len()) + 1
}

/// How many lines it has, for scrolling.
pub fn line_count(open: &Open) -> usize {
    above(open) + open.proposal.planned.lines.len()
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
    proposal.planned.lines.spans(at - 1, room, theme)
}

fn changed(line: &DiffLine) -> Spans {
    let role = match line.sign {
        '+' => Role::Added,
        '-' => Role::Removed,
        '@' => Role::Dim,
        _ => Role::Text,
    };
    vec![(role, format!("   {} {}", line.sign, clean(&line.text)))]
}

/// Draws the proposal over the whole body.
pub fn draw(model: &Model, open: &Open, buf: &mut Buffer, area: Rect) {
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
        pen.put(Role::Key, "↓").put(
            Role::Dim,
            &format!(" {} below   ", count(below, "line", "lines")),
        );
    }
    if matches!(
        open.proposal.request.wish,
        Wish::State(crate::fleet::SiteState::Archived)
    ) {
        pen.put(Role::Dim, "files and uid stay on the host");
    }
}
