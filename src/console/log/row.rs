//! One line of a log, made ready to be drawn: cleaned, shortened if it is an access line, with the
//! places that the search finds, and cut into rows of the screen.

use std::borrow::Cow;
use std::ops::Range;

use super::buffer::Line;
use super::clean::{Glyphs, Sgr, glyphs, strip};
use super::level::{Level, level};
use super::pattern::Pattern;
use super::pretty::{Piece, Tone, pretty};

/// How a piece of a line looks.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// As the container asked.
    Asked(Sgr),
    /// As we see it.
    Ours(Tone),
}

/// A line, ready to be drawn.
#[derive(Debug)]
pub(super) struct Ready {
    pub glyphs: Glyphs,
    /// From which byte of the stripped text on which look holds.
    pub looks: Vec<(usize, Look)>,
    /// Bytes of the stripped text that the search finds.
    pub found: Vec<Range<usize>>,
    pub level: Option<Level>,
}

/// How lines are to be made ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner<'a> {
    pub search: Option<&'a Pattern>,
    /// Access lines as they came.
    pub raw: bool,
    /// No more cells than this are needed.
    pub columns: usize,
    /// Its end has not come yet.
    pub open: bool,
}

pub(super) fn ready(line: &Line<'_>, manner: Manner<'_>) -> Ready {
    if line.note() {
        let text = [b"\xe2\x80\x94 ".as_slice(), line.text()].concat();
        let looks = vec![(0, Look::Ours(Tone::Faint))];
        return Ready {
            glyphs: glyphs(&text, manner.columns),
            looks,
            found: vec![],
            level: None,
        };
    }
    let stripped = strip(line.text());
    let access = pretty(&stripped.text);
    let level = level(&stripped.text, access.as_ref().map(|(_, status)| *status));
    let places = |text: &[u8]| match manner.search {
        Some(pattern) if line.hit() => pattern.places(text),
        _ => Vec::new(),
    };
    let short = access.filter(|_| !manner.raw).and_then(|(pieces, _)| {
        let (text, looks) = joined(pieces);
        let found = places(&text);
        // What was found must be seen, and the short form may leave it out.
        (!line.hit() || !found.is_empty()).then_some((Cow::Owned(text), looks, found))
    });
    let (text, looks, found) = short.unwrap_or_else(|| {
        let looks = stripped
            .looks
            .iter()
            .map(|(at, sgr)| (*at, Look::Asked(*sgr)))
            .collect();
        let found = places(&stripped.text);
        (stripped.text, looks, found)
    });
    let mut glyphs = glyphs(&text, manner.columns);
    if line.cut() && glyphs.columns() < manner.columns {
        glyphs.remark(" … cut at 16 KiB");
    }
    if manner.open {
        glyphs.remark(" …");
    }
    Ready {
        glyphs,
        looks,
        found,
        level,
    }
}

fn joined(pieces: Vec<Piece>) -> (Vec<u8>, Vec<(usize, Look)>) {
    let mut text = Vec::new();
    let mut looks = Vec::new();
    for piece in pieces {
        looks.push((text.len(), Look::Ours(piece.tone)));
        text.extend_from_slice(piece.text.as_bytes());
    }
    (text, looks)
}

/// Cuts glyphs into rows of `width` cells: the first glyph of each. There is always one row.
pub(super) fn rows(glyphs: &Glyphs, width: usize) -> Vec<usize> {
    let mut starts = vec![0];
    if glyphs.columns() <= width {
        return starts;
    }
    let mut used = 0;
    for (at, glyph) in glyphs.list().iter().enumerate() {
        let cells = usize::from(glyph.width);
        if used + cells > width && used > 0 {
            starts.push(at);
            used = 0;
        }
        used += cells;
    }
    starts
}
