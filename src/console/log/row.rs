//! One line of a log, made ready to be drawn: cleaned, in short if its form is known, with the
//! places that the search finds, and cut into rows of the screen.

use std::borrow::Cow;
use std::ops::Range;

use super::buffer::Line;
use super::clean::{Glyphs, Sgr, glyphs, strip};
use super::level::{Level, by_words};
use super::pattern::Pattern;
use super::piece::{Piece, Tone, clock};
use super::ring::LINE_MOST;
use super::short::short;

/// A place: a line, and a row of it where it is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Spot {
    pub line: u64,
    pub row: usize,
}

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
    /// All of each line, as it came.
    pub raw: bool,
    /// Times stand in front of the lines already.
    pub timed: bool,
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
    let short = short(&stripped.text);
    let level = match &short {
        Some(short) => short.level,
        None => by_words(&stripped.text),
    };
    let places = |text: &[u8]| match manner.search {
        Some(pattern) if line.hit() => pattern.places(text),
        _ => Vec::new(),
    };
    let short = short.filter(|_| !manner.raw).and_then(|short| {
        // Its own time, else the engine's.
        let stamp = std::str::from_utf8(line.stamp()).unwrap_or_default();
        let time = match (manner.timed, &short.time[..]) {
            (true, _) => "",
            (false, "") => clock(stamp.get(11..).unwrap_or_default()).unwrap_or_default(),
            (false, own) => own,
        };
        let (text, looks) = joined(time.to_owned(), short.pieces);
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
        glyphs.remark(&format!(" … cut at {} KiB", LINE_MOST / 1024));
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

fn joined(time: String, pieces: Vec<Piece>) -> (Vec<u8>, Vec<(usize, Look)>) {
    let mut text = Vec::new();
    let mut looks = Vec::new();
    let time = (!time.is_empty()).then(|| Piece {
        text: format!("{time} "),
        tone: Tone::Faint,
    });
    for piece in time.into_iter().chain(pieces) {
        looks.push((text.len(), Look::Ours(piece.tone)));
        text.extend_from_slice(piece.text.as_bytes());
    }
    (text, looks)
}

/// Cuts glyphs into rows of `width` cells, behind a space where one is near the edge: the first
/// glyph of each row. There is always one row.
pub(super) fn rows(glyphs: &Glyphs, width: usize) -> Vec<usize> {
    let mut starts = vec![0];
    if glyphs.columns() <= width {
        return starts;
    }
    let count = glyphs.list().len();
    let mut used = 0;
    // The glyph behind the last space of the row, and the cells before it.
    let mut gap = None;
    for (at, glyph) in glyphs.list().iter().enumerate() {
        let cells = usize::from(glyph.width);
        let blank = glyphs.symbol(at) == " ";
        if used + cells > width && used > 0 {
            match gap.take() {
                // A space at the very edge needs no room.
                _ if blank && at + 1 < count => {
                    starts.push(at + 1);
                    used = 0;
                    continue;
                }
                Some((next, before)) if before * 3 >= width * 2 => {
                    starts.push(next);
                    used -= before;
                }
                _ => {
                    starts.push(at);
                    used = 0;
                }
            }
        }
        used += cells;
        if blank {
            gap = Some((at + 1, used));
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, width: usize) -> Vec<String> {
        let glyphs = glyphs(text.as_bytes(), usize::MAX);
        let starts = rows(&glyphs, width);
        let ends = starts.iter().skip(1).copied().chain([glyphs.list().len()]);
        let symbols = |(start, end): (&usize, usize)| -> String {
            (*start..end).map(|at| glyphs.symbol(at)).collect()
        };
        starts.iter().zip(ends).map(symbols).collect()
    }

    #[test]
    fn rows_end_behind_a_space_where_one_is_near() {
        assert_eq!(cut("one two three", 9), ["one two ", "three"]);
        assert_eq!(cut("one two three", 7), ["one two ", "three"]);
        assert_eq!(
            cut("a averyverylongword", 9),
            ["a averyve", "rylongwor", "d"]
        );
        assert_eq!(cut("日本語日本", 5), ["日本", "語日", "本"]);
        assert_eq!(cut("", 5), [""]);
        assert_eq!(cut("12345 ", 5), ["12345", " "]);
        assert_eq!(cut("日", 1), ["日"]);
    }

    #[test]
    fn nothing_is_lost_and_no_row_is_too_wide() {
        let text = "one two  three 日本語 four\tfive-six-seven eight ".repeat(5);
        for width in 2..60 {
            let rows = cut(&text, width);
            assert_eq!(rows.concat(), glyphs(text.as_bytes(), usize::MAX).text());
            for row in rows {
                let row = row.strip_suffix(' ').unwrap_or(&row);
                assert!(
                    glyphs(row.as_bytes(), usize::MAX).columns() <= width,
                    "{row:?}"
                );
            }
        }
    }
}
