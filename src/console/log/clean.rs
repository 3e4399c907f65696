//! Makes container output harmless. What a container writes is data: no escape sequence, control
//! character, direction override or broken byte of it may reach the terminal.
//!
//! Two steps, both only for lines that are drawn. [`strip`] takes escape sequences out and keeps
//! of them what colours text; a broken or unfinished sequence stays, as visible text, so that
//! nothing can hide behind it. [`glyphs`] turns the rest into cells of known width: tabs become
//! spaces, controls their pictures (␀ ␛ ␍), invisible and direction-changing characters
//! `<U+202E>`, broken bytes �.
//!
//! Colours are kept as one of a few hues, never as exact values or backgrounds: the theme gives
//! them a colour that can be read, so no site can write text that one cannot see.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use crate::text::{Kind, kind};

/// A colour that a container asked for, as the theme may show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // each is what its name says
pub enum Hue {
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
    Grey,
}

/// How a container asked for a piece of text to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // each is what its name says
pub struct Sgr {
    pub hue: Option<Hue>,
    pub bold: bool,
    pub dim: bool,
    pub italic: bool,
    pub underlined: bool,
}

/// A line without its escape sequences.
#[derive(Debug)]
pub struct Stripped<'a> {
    /// What is left: still raw, but no complete escape sequence is in it.
    pub text: Cow<'a, [u8]>,
    /// From which byte on which look holds, in order.
    pub looks: Vec<(usize, Sgr)>,
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// Takes the escape sequences out of a line.
pub fn strip(line: &[u8]) -> Stripped<'_> {
    if !line.contains(&ESC) {
        return Stripped {
            text: Cow::Borrowed(line),
            looks: Vec::new(),
        };
    }
    let mut text = Vec::with_capacity(line.len());
    let mut looks = Vec::new();
    let mut now = Sgr::default();
    let mut rest = line;
    while let Some(at) = rest.iter().position(|&b| b == ESC) {
        text.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        match sequence(rest) {
            Some(Sequence { len, sgr }) => {
                if let Some(params) = sgr {
                    now = apply(now, params);
                    looks.push((text.len(), now));
                }
                rest = &rest[len..];
            }
            None => {
                text.push(ESC);
                rest = &rest[1..];
            }
        }
    }
    text.extend_from_slice(rest);
    Stripped {
        text: Cow::Owned(text),
        looks,
    }
}

struct Sequence<'a> {
    len: usize,
    /// The parameters, if it is one that sets colours.
    sgr: Option<&'a [u8]>,
}

/// The complete escape sequence at the start of `bytes`, which begin with ESC.
fn sequence(bytes: &[u8]) -> Option<Sequence<'_>> {
    let plain = |len| Some(Sequence { len, sgr: None });
    match *bytes.get(1)? {
        b'[' => {
            let body = &bytes[2..];
            let params = span(body, 0x30..=0x3f);
            let between = span(&body[params..], 0x20..=0x2f);
            let last = *body.get(params + between)?;
            if !(0x40..=0x7e).contains(&last) {
                return None;
            }
            let colours = last == b'm'
                && between == 0
                && body[..params]
                    .iter()
                    .all(|b| matches!(b, b'0'..=b'9' | b';' | b':'));
            Some(Sequence {
                len: 2 + params + between + 1,
                sgr: colours.then(|| &body[..params]),
            })
        }
        // Strings (titles, links, clipboard, device control): to their end, which is in this line
        // or they are no sequence at all.
        kind @ (b']' | b'P' | b'X' | b'^' | b'_') => {
            let mut at = 2;
            loop {
                match *bytes.get(at)? {
                    BEL if kind == b']' => return plain(at + 1),
                    ESC if bytes.get(at + 1) == Some(&b'\\') => return plain(at + 2),
                    ESC => return None,
                    _ => at += 1,
                }
            }
        }
        0x20..=0x2f => {
            let between = span(&bytes[1..], 0x20..=0x2f);
            let last = *bytes.get(1 + between)?;
            (0x30..=0x7e).contains(&last).then(|| Sequence {
                len: 2 + between,
                sgr: None,
            })
        }
        0x30..=0x7e => plain(2),
        _ => None,
    }
}

fn span(bytes: &[u8], range: std::ops::RangeInclusive<u8>) -> usize {
    bytes.iter().take_while(|b| range.contains(b)).count()
}

fn apply(mut now: Sgr, params: &[u8]) -> Sgr {
    let mut codes = params.split(|&b| b == b';' || b == b':').map(|p| {
        p.iter().fold(0u32, |n, d| {
            n.saturating_mul(10).saturating_add((d & 15).into())
        })
    });
    while let Some(code) = codes.next() {
        match code {
            0 => now = Sgr::default(),
            1 => now.bold = true,
            2 => now.dim = true,
            3 => now.italic = true,
            4 => now.underlined = true,
            22 => (now.bold, now.dim) = (false, false),
            23 => now.italic = false,
            24 => now.underlined = false,
            30..=37 => now.hue = basic(code - 30),
            39 => now.hue = None,
            90..=97 => now.hue = basic(code - 90),
            38 | 48 | 58 => {
                let hue = match codes.next() {
                    Some(5) => codes.next().and_then(indexed),
                    Some(2) => {
                        let mut part = || codes.next().unwrap_or(0).min(255);
                        of_rgb(part(), part(), part())
                    }
                    _ => None,
                };
                if code == 38 {
                    now.hue = hue;
                }
            }
            _ => {} // backgrounds, blinking, concealed text: not kept
        }
    }
    now
}

fn basic(n: u32) -> Option<Hue> {
    Some(match n {
        0 => Hue::Grey,
        1 => Hue::Red,
        2 => Hue::Green,
        3 => Hue::Yellow,
        4 => Hue::Blue,
        5 => Hue::Magenta,
        6 => Hue::Cyan,
        _ => return None,
    })
}

fn indexed(n: u32) -> Option<Hue> {
    match n {
        0..=7 => basic(n),
        8..=15 => basic(n - 8),
        // The 6×6×6 cube.
        16..=231 => {
            let n = n - 16;
            of_rgb(n / 36 * 51, n / 6 % 6 * 51, n % 6 * 51)
        }
        232..=243 => Some(Hue::Grey),
        _ => None,
    }
}

/// The hue nearest to a colour; bright greys are as plain text.
fn of_rgb(r: u32, g: u32, b: u32) -> Option<Hue> {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    if most - least < 40 {
        return (most < 128).then_some(Hue::Grey);
    }
    let high = |part: u32| part > u32::midpoint(most, least);
    Some(match (high(r), high(g), high(b)) {
        (true, false, false) => Hue::Red,
        (false, true, false) => Hue::Green,
        (true, true, false) => Hue::Yellow,
        (false, false, true) => Hue::Blue,
        (true, false, true) => Hue::Magenta,
        (false, true, true) => Hue::Cyan,
        _ => return None,
    })
}

/// One thing to be drawn in one or two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyph {
    /// Which byte of the stripped text it stands for.
    pub at: u32,
    /// Where its symbol begins in [`Glyphs::text`]; it ends where the next one's begins.
    start: u32,
    /// Cells it takes: 1 or 2.
    pub width: u8,
    /// Whether it stands for something that cannot be shown as such.
    pub stand_in: bool,
}

/// A line as it can be drawn.
#[derive(Debug, Default)]
pub struct Glyphs {
    text: String,
    list: Vec<Glyph>,
    columns: usize,
    /// Marks put on the last glyph already.
    marks: u8,
}

/// Marks (accents) that one character may carry; more are left out, they would flood a cell.
const MARKS_MOST: u8 = 4;
const TAB: usize = 8;

impl Glyphs {
    /// The glyphs in order.
    pub fn list(&self) -> &[Glyph] {
        &self.list
    }

    /// Cells that all of it takes.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All of it as text, safe to be drawn or copied.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to put into the cell of glyph `index`.
    pub fn symbol(&self, index: usize) -> &str {
        let start = self.list[index].start as usize;
        let end = self
            .list
            .get(index + 1)
            .map_or(self.text.len(), |g| g.start as usize);
        &self.text[start..end]
    }

    /// Adds a remark of ours behind the text; it stands for no byte of it.
    pub(super) fn remark(&mut self, text: &str) {
        for symbol in text.chars() {
            self.put(u32::MAX as usize, symbol, 1, true);
        }
    }

    fn put(&mut self, at: usize, symbol: char, width: usize, stand_in: bool) {
        // Lines are at most LINE_MOST bytes, and each grows to at most 10 times that.
        self.list.push(Glyph {
            at: at as u32,
            start: self.text.len() as u32,
            width: width as u8,
            stand_in,
        });
        self.text.push(symbol);
        self.columns += width;
        self.marks = 0;
    }

    fn name(&mut self, at: usize, c: char) {
        for symbol in format!("<U+{:04X}>", c as u32).chars() {
            self.put(at, symbol, 1, true);
        }
    }

    fn char(&mut self, at: usize, c: char) {
        match c {
            ' '..='~' => self.put(at, c, 1, false),
            '\t' => {
                for _ in 0..TAB - self.columns % TAB {
                    self.put(at, ' ', 1, false);
                }
            }
            // The pictures of the controls stand in the same order as the controls.
            '\0'..='\x1f' => {
                let picture = char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}');
                self.put(at, picture, 1, true);
            }
            '\x7f' => self.put(at, '\u{2421}', 1, true),
            // Terminals disagree about the widths it makes.
            _ if kind(c) == Kind::Shape => {}
            _ if kind(c) != Kind::Plain => self.name(at, c),
            _ => match c.width() {
                Some(0) if self.list.is_empty() => {
                    self.put(at, '\u{25cc}', 1, true);
                    self.mark(c);
                }
                Some(0) => self.mark(c),
                Some(width) => self.put(at, c, width, false),
                None => self.name(at, c),
            },
        }
    }

    fn mark(&mut self, c: char) {
        if self.marks < MARKS_MOST {
            self.text.push(c);
            self.marks += 1;
        }
    }
}

/// Turns stripped text into glyphs, up to `columns` cells (or a little more).
pub fn glyphs(text: &[u8], columns: usize) -> Glyphs {
    let mut out = Glyphs::default();
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        for (offset, c) in chunk.valid().char_indices() {
            if out.columns >= columns {
                return out;
            }
            out.char(at + offset, c);
        }
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            out.put(at, '\u{fffd}', 1, true);
            at += chunk.invalid().len();
        }
    }
    out
}

/// The whole line as harmless text, for the clipboard.
pub fn plain(line: &[u8]) -> String {
    glyphs(&strip(line).text, usize::MAX).text
}

#[cfg(test)]
mod tests;
