//! A change before it is made: how the file would change, what would be done, and what is asked.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::plan;
use crate::console::effect::Wish;
use crate::console::model::Model;
use crate::console::pen::{self, Pen, Spans, clear, fill};
use crate::console::proposal::{Confirm, Open};
use crate::console::text::{clean, count};
use crate::console::theme::{Role, Theme};

/// How many lines it has, for scrolling.
pub fn line_count(open: &Open) -> usize {
    let plan = &open.proposal.plan;
    open.proposal.left.len()
        + open.proposal.diff.len()
        + plan.operations.len()
        + plan.problems.len()
        + plan.notices.len()
        + 6
}

fn lines(open: &Open, room: usize, theme: &Theme) -> Vec<Spans> {
    let mut out: Vec<Spans> = Vec::new();
    let proposal = &open.proposal;
    if let Some(warning) = &proposal.uncommitted {
        let mark = if theme.ascii { "!" } else { "▲" };
        out.push(vec![(Role::Warn, format!(" {mark} {}", clean(warning)))]);
        out.push(Vec::new());
    }
    if !proposal.diff.is_empty() {
        out.push(vec![(Role::Column, " In the fleet file".into())]);
        for line in &proposal.diff {
            let role = match line.sign {
                '+' => Role::Added,
                '-' => Role::Removed,
                '@' => Role::Dim,
                _ => Role::Text,
            };
            out.push(vec![(
                role,
                format!("   {} {}", line.sign, clean(&line.text)),
            )]);
        }
        out.push(Vec::new());
    }
    if !proposal.left.is_empty() {
        out.push(vec![(Role::Column, " Left as it is".into())]);
        for line in &proposal.left {
            out.push(vec![(Role::Dim, format!("   {}", clean(line)))]);
        }
        out.push(Vec::new());
    }
    out.push(vec![
        (Role::Column, " On the hosts  ".into()),
        (Role::Dim, plan::summary(&proposal.plan)),
    ]);
    out.extend(plan::lines(&proposal.plan, room, theme));
    out
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
    let lines = lines(open, usize::from(area.width), theme);
    let last = lines.len().saturating_sub(usize::from(body.height));
    let top = open.top.min(last);
    pen::lines(buf, theme, body, &lines, top);
    let below = lines.len().saturating_sub(top + usize::from(body.height));
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
            let number = wanted.parse::<usize>().is_ok() && open.proposal.touched().len() > 1;
            let what = if number {
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
