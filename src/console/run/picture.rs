//! A buffer as an SVG picture, for the README. Pure: the same buffer yields the same bytes.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

/// Width and height of a cell, and the size of its letters, in pixels.
const CELL: (f32, f32) = (8.4, 18.0);
const FONT: f32 = 14.0;
/// Space around the cells.
const MARGIN: f32 = 14.0;
/// What the terminal's own ink and ground look like where a style names none.
const INK: &str = "#c9d1d9";
const GROUND: &str = "#14171c";

/// The picture of a buffer.
pub fn svg(buf: &Buffer) -> String {
    let (columns, lines) = (f32::from(buf.area.width), f32::from(buf.area.height));
    let (width, height) = (
        columns * CELL.0 + 2.0 * MARGIN,
        lines * CELL.1 + 2.0 * MARGIN,
    );
    let ground = buf
        .content
        .last()
        .and_then(|cell| hex(cell.style().bg))
        .unwrap_or_else(|| GROUND.to_owned());
    let mut out = String::new();
    let _ = writeln!(
        out,
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="{FONT}">"#
    );
    let _ = writeln!(
        out,
        r#"<rect width="100%" height="100%" rx="8" fill="{ground}"/>"#
    );
    for y in 0..buf.area.height {
        for run in runs(buf, y) {
            let (ink, behind) = colours(run.style);
            let x = MARGIN + f32::from(run.from) * CELL.0;
            let top = MARGIN + f32::from(y) * CELL.1;
            let w = f32::from(run.cells) * CELL.0;
            if let Some(behind) = behind.filter(|b| *b != ground) {
                let h = CELL.1;
                let _ = writeln!(
                    out,
                    r#"<rect x="{x:.1}" y="{top:.1}" width="{w:.1}" height="{h:.1}" fill="{behind}"/>"#
                );
            }
            if run.text.trim().is_empty() {
                continue;
            }
            let base = top + CELL.1 * 0.72;
            let mut more = String::new();
            for (modifier, attribute) in [
                (Modifier::BOLD, r#" font-weight="bold""#),
                (Modifier::DIM, r#" opacity="0.6""#),
                (Modifier::ITALIC, r#" font-style="italic""#),
                (Modifier::UNDERLINED, r#" text-decoration="underline""#),
            ] {
                if run.style.add_modifier.contains(modifier) {
                    more.push_str(attribute);
                }
            }
            // The length is given, so that a viewer's own font cannot shift the columns.
            let _ = writeln!(
                out,
                r#"<text x="{x:.1}" y="{base:.1}" textLength="{w:.1}" lengthAdjust="spacingAndGlyphs" xml:space="preserve" fill="{ink}"{more}>{}</text>"#,
                escaped(&run.text)
            );
        }
    }
    out.push_str("</svg>\n");
    out
}

struct Run {
    from: u16,
    cells: u16,
    style: Style,
    text: String,
}

/// Neighbouring cells of one style. Symbols stand alone: fonts disagree about their width.
fn runs(buf: &Buffer, y: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut x = 0;
    while x < buf.area.width {
        let cell = &buf[(buf.area.x + x, buf.area.y + y)];
        let symbol = cell.symbol();
        let cells = u16::try_from(symbol.width()).unwrap_or(1).max(1);
        let plain = symbol.is_ascii();
        match runs.last_mut() {
            Some(run) if plain && run.style == cell.style() && run.text.is_ascii() => {
                run.text.push_str(symbol);
                run.cells += cells;
            }
            _ => runs.push(Run {
                from: x,
                cells,
                style: cell.style(),
                text: symbol.to_owned(),
            }),
        }
        x += cells;
    }
    for run in &mut runs {
        let end = run.text.trim_end().len();
        // Blanks at the end would be stretched with the letters.
        if end > 0 && colours(run.style).1.is_none() {
            run.cells -= (run.text.len() - end) as u16;
            run.text.truncate(end);
        }
    }
    runs
}

fn colours(style: Style) -> (String, Option<String>) {
    let ink = hex(style.fg);
    let behind = hex(style.bg);
    if style.add_modifier.contains(Modifier::REVERSED) {
        let behind = behind.unwrap_or_else(|| GROUND.to_owned());
        return (behind, Some(ink.unwrap_or_else(|| INK.to_owned())));
    }
    (ink.unwrap_or_else(|| INK.to_owned()), behind)
}

fn hex(color: Option<Color>) -> Option<String> {
    let named = |text: &str| Some(text.to_owned());
    match color? {
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Reset => None,
        Color::Black => named("#14171c"),
        Color::Red => named("#e06c75"),
        Color::Green => named("#7fbf7a"),
        Color::Yellow => named("#e3b341"),
        Color::Blue => named("#6ca6e8"),
        Color::Magenta => named("#c49ae0"),
        Color::Cyan => named("#79c0c8"),
        Color::Gray => named("#c9d1d9"),
        Color::DarkGray => named("#7d8794"),
        Color::LightRed => named("#ff7b72"),
        Color::LightGreen => named("#a5d6a0"),
        Color::LightYellow => named("#f2cc60"),
        Color::LightBlue => named("#9cc7ff"),
        Color::LightMagenta => named("#dcbdf0"),
        Color::LightCyan => named("#a8dfe6"),
        Color::White => named("#f2f5f8"),
        Color::Indexed(n) => {
            // xterm's cube and greys.
            const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
            match n {
                232.. => {
                    let v = 8 + 10 * (n - 232);
                    Some(format!("#{v:02x}{v:02x}{v:02x}"))
                }
                16.. => {
                    let n = usize::from(n - 16);
                    let (r, g, b) = (STEPS[n / 36], STEPS[n / 6 % 6], STEPS[n % 6]);
                    Some(format!("#{r:02x}{g:02x}{b:02x}"))
                }
                _ => None,
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;

    #[test]
    fn a_buffer_becomes_a_picture() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 2));
        buf.set_string(0, 0, "a <b> & c", Style::new().fg(Color::Rgb(1, 2, 3)));
        buf.set_string(
            0,
            1,
            "✖ 漢 x",
            Style::new().bg(Color::Red).add_modifier(Modifier::BOLD),
        );
        insta::assert_snapshot!(svg(&buf));
    }
}
