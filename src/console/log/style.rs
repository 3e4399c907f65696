//! What the parts of the Logs screen look like.

use ratatui::style::{Color, Modifier, Style};

use super::clean::{Hue, Sgr};

/// A style for each part. All of them are readable without colour too: what matters has a mark.
#[derive(Debug, Clone)]
pub struct LogStyles {
    /// Lines as they came.
    pub text: Style,
    /// Timestamps, remarks, what is less important.
    pub faint: Style,
    /// Names of origins, in turn.
    pub sources: Vec<Style>,
    /// Lines that report an error, by their mark.
    pub error: Style,
    /// Lines that report a warning, by their mark.
    pub warning: Style,
    /// Statuses of requests that went well.
    pub good: Style,
    /// What the search finds.
    pub found: Style,
    /// The line under the cursor.
    pub selected: Style,
    /// The bar in front of it.
    pub cursor: Style,
    /// The line that says what is shown.
    pub status: Style,
    /// Words in it that matter.
    pub strong: Style,
    /// The line in which a pattern is typed.
    pub input: Style,
    /// Colours for the hues that containers use, in their order; none where colours are off.
    pub hues: Option<[Color; 7]>,
    /// Marks are letters, for terminals without the symbols.
    pub ascii: bool,
}

impl LogStyles {
    /// The terminal's own sixteen colours.
    pub fn sixteen() -> Self {
        let fg = |color| Style::new().fg(color);
        Self {
            text: Style::new(),
            faint: fg(Color::DarkGray),
            sources: [
                Color::Cyan,
                Color::Green,
                Color::Magenta,
                Color::Yellow,
                Color::Blue,
            ]
            .map(fg)
            .to_vec(),
            error: fg(Color::Red).add_modifier(Modifier::BOLD),
            warning: fg(Color::Yellow),
            good: fg(Color::Green),
            found: Style::new().fg(Color::Black).bg(Color::Yellow),
            selected: Style::new().add_modifier(Modifier::BOLD),
            cursor: fg(Color::Cyan),
            status: Style::new().add_modifier(Modifier::REVERSED),
            strong: Style::new().add_modifier(Modifier::BOLD),
            input: Style::new().add_modifier(Modifier::BOLD),
            hues: Some([
                Color::Red,
                Color::Green,
                Color::Yellow,
                Color::Blue,
                Color::Magenta,
                Color::Cyan,
                Color::DarkGray,
            ]),
            ascii: false,
        }
    }

    /// No colours, for `NO_COLOR`: attributes only.
    pub fn plain() -> Self {
        let with = |modifier| Style::new().add_modifier(modifier);
        Self {
            text: Style::new(),
            faint: with(Modifier::DIM),
            sources: vec![with(Modifier::BOLD)],
            error: with(Modifier::BOLD),
            warning: Style::new(),
            good: Style::new(),
            found: with(Modifier::REVERSED),
            selected: with(Modifier::BOLD),
            cursor: with(Modifier::BOLD),
            status: with(Modifier::REVERSED),
            strong: with(Modifier::BOLD),
            input: with(Modifier::BOLD),
            hues: None,
            ascii: false,
        }
    }

    /// The symbol, or its letter where symbols cannot be shown.
    pub(super) fn mark(&self, symbol: &'static str, letter: &'static str) -> &'static str {
        if self.ascii { letter } else { symbol }
    }

    /// The look that a container asked for, as far as it is granted.
    pub(super) fn sgr(&self, sgr: Sgr) -> Style {
        let mut style = self.text;
        if let (Some(hue), Some(colors)) = (sgr.hue, &self.hues) {
            style = style.fg(colors[hue as usize]);
        }
        if sgr.dim || (sgr.hue == Some(Hue::Grey) && self.hues.is_none()) {
            style = style.add_modifier(Modifier::DIM);
        }
        for (on, modifier) in [
            (sgr.bold, Modifier::BOLD),
            (sgr.italic, Modifier::ITALIC),
            (sgr.underlined, Modifier::UNDERLINED),
        ] {
            if on {
                style = style.add_modifier(modifier);
            }
        }
        style
    }
}
