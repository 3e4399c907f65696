//! Screens that are lines of text: drawn from the first visible one on, and scrolled.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::draw::ages::Ages;
use crate::console::draw::pen::{Spans, lines};
use crate::console::model::Model;
use crate::console::model::motion::Motion;
use crate::console::theme::Role;
use crate::text::count;

/// Draws lines from line `top` on. Returns how many are below.
pub(super) fn draw(
    model: &Model,
    buf: &mut Buffer,
    area: Rect,
    all: &[Spans],
    top: usize,
) -> Spans {
    lines(buf, &model.theme, area, all, top);
    below(all.len(), top, usize::from(area.height))
}

/// How many lines are below those on screen.
pub(super) fn below(lines: usize, top: usize, height: usize) -> Spans {
    match lines.saturating_sub(top + height) {
        0 => Vec::new(),
        below => vec![(Role::Dim, format!(" {} below", count(below, "line")))],
    }
}

/// The first line on screen after a motion. `lines`: all, for so many columns.
pub(super) fn scroll(
    model: &Model,
    motion: Motion,
    top: usize,
    lines: impl FnOnce(usize, &Ages) -> usize,
) -> usize {
    let all = lines(usize::from(model.size.0), &Ages::new(model.now()));
    let last = all.saturating_sub(model.body_lines());
    motion.from(top, model.half_page() as isize, last)
}
