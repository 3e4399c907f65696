//! Themes: semantic roles with a style each, read from YAML. Four are part of the program; others
//! are read from `themes/` in the configuration directory.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use termprofile::TermProfile;

use crate::fleet::bounds;

macro_rules! roles {
    ($($(#[doc = $doc:literal])* $role:ident = $word:literal),* $(,)?) => {
        /// What a piece of text means; a theme says how that looks.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Role { $($(#[doc = $doc])* $role),* }
        impl Role {
            /// Every role.
            pub const ALL: &'static [Role] = &[$(Role::$role),*];
            /// The word in a theme's file.
            pub fn word(self) -> &'static str {
                match self { $(Role::$role => $word),* }
            }
        }
    };
}
roles! {
    /// Ordinary text, and the ground everything stands on.
    Text = "text",
    /// What matters less.
    Dim = "dim",
    /// Names, verdicts.
    Strong = "strong",
    /// The line at the top.
    Header = "header",
    /// Heads of columns, titles of sections.
    Column = "column",
    /// The line under the cursor.
    Selected = "selected",
    /// The bar that marks that line.
    Cursor = "cursor",
    /// Well.
    Ok = "ok",
    /// Wants a look.
    Warn = "warn",
    /// Broken.
    Bad = "bad",
    /// Differs from the file.
    Drift = "drift",
    /// Being worked on.
    Busy = "busy",
    /// Off by intent, or not known.
    Off = "off",
    /// Cursor-independent emphasis: titles of forms, marks.
    Accent = "accent",
    /// Keys in footers and prompts.
    Key = "key",
    /// A field being typed into.
    Input = "input",
    /// Frames of dialogs.
    Border = "border",
    /// A line that is added.
    Added = "added",
    /// A line that is taken away.
    Removed = "removed",
    /// The part that matched a search.
    Match = "match",
    /// The badge of on-call mode.
    OnCall = "on-call",
    /// The badge of the demo.
    Demo = "demo",
}

/// A style for every role.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    /// Its name, which is its file's.
    pub name: String,
    /// States are drawn with letters instead of symbols.
    pub ascii: bool,
    styles: Vec<Style>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    palette: BTreeMap<String, String>,
    roles: BTreeMap<String, Shade>,
    #[serde(default)]
    marks: Marks,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Marks {
    #[default]
    Symbols,
    Ascii,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Shade {
    fg: Option<String>,
    bg: Option<String>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    italic: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    reverse: bool,
}

const BUILT_IN: [(&str, &str); 4] = [
    ("dark", include_str!("../../themes/dark.yml")),
    ("light", include_str!("../../themes/light.yml")),
    ("ansi16", include_str!("../../themes/ansi16.yml")),
    ("mono", include_str!("../../themes/mono.yml")),
];

impl Theme {
    /// Names of the themes inside the program.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A theme inside the program, by name.
    pub fn built_in(name: &str) -> Option<Theme> {
        let (name, text) = BUILT_IN.iter().find(|(n, _)| *n == name)?;
        // Tests read every built-in theme, so that this cannot be an error.
        Theme::parse(name, text).ok()
    }

    /// Reads a theme. Roles it does not name look like the theme `dark`'s when it is coloured.
    ///
    /// # Errors
    /// A line that says what is wrong and what would be right.
    pub fn parse(name: &str, text: &str) -> Result<Theme, String> {
        let file: File = bounds::read(text).map_err(|e| format!("theme {name}: {e}"))?;
        for word in file.roles.keys() {
            if !Role::ALL.iter().any(|r| r.word() == word) {
                let known: Vec<_> = Role::ALL.iter().map(|r| r.word()).collect();
                return Err(format!(
                    "theme {name}: there is no role {word:?}; roles are {}",
                    known.join(", ")
                ));
            }
        }
        let mut styles = Vec::with_capacity(Role::ALL.len());
        for role in Role::ALL {
            let style = match file.roles.get(role.word()) {
                Some(look) => look
                    .style(&file.palette)
                    .map_err(|e| format!("theme {name}, role {}: {e}", role.word()))?,
                None => Style::new(),
            };
            styles.push(style);
        }
        Ok(Theme {
            name: name.to_owned(),
            ascii: file.marks == Marks::Ascii,
            styles,
        })
    }

    /// The style of a role, on top of whatever is there.
    pub fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }

    /// The same theme in the colours a terminal has.
    pub fn adapted(mut self, profile: TermProfile) -> Theme {
        for style in &mut self.styles {
            style.fg = style.fg.and_then(|c| adapt(c, profile));
            style.bg = style.bg.and_then(|c| adapt(c, profile));
        }
        self
    }

    /// The theme to start with: the configured one, unless the terminal cannot show it.
    pub fn choose(wanted: Option<Theme>, profile: TermProfile) -> Theme {
        let fallback = |name| Theme::built_in(name).unwrap_or_else(Theme::plain);
        match profile {
            TermProfile::NoTty | TermProfile::NoColor => fallback("mono"),
            TermProfile::Ansi16 => match wanted {
                Some(theme) if !theme.needs_more_than_16() => theme,
                _ => fallback("ansi16"),
            },
            _ => wanted.unwrap_or_else(|| fallback("dark")).adapted(profile),
        }
    }

    fn needs_more_than_16(&self) -> bool {
        let rich = |c: Option<Color>| matches!(c, Some(Color::Rgb(..) | Color::Indexed(16..)));
        self.styles.iter().any(|s| rich(s.fg) || rich(s.bg))
    }

    /// No style at all.
    fn plain() -> Theme {
        Theme {
            name: "plain".into(),
            ascii: false,
            styles: vec![Style::new(); Role::ALL.len()],
        }
    }
}

impl Shade {
    fn style(&self, palette: &BTreeMap<String, String>) -> Result<Style, String> {
        let mut style = Style::new();
        style.fg = self.fg.as_deref().map(|c| color(c, palette)).transpose()?;
        style.bg = self.bg.as_deref().map(|c| color(c, palette)).transpose()?;
        for (on, modifier) in [
            (self.bold, Modifier::BOLD),
            (self.dim, Modifier::DIM),
            (self.italic, Modifier::ITALIC),
            (self.underline, Modifier::UNDERLINED),
            (self.reverse, Modifier::REVERSED),
        ] {
            if on {
                style = style.add_modifier(modifier);
            }
        }
        Ok(style)
    }
}

fn color(word: &str, palette: &BTreeMap<String, String>) -> Result<Color, String> {
    let word = palette.get(word).map_or(word, String::as_str);
    if let Some(hex) = word.strip_prefix('#') {
        let bad = || format!("{word:?} is not a colour such as \"#c9d1d9\"");
        if hex.len() != 6 || !hex.is_ascii() {
            return Err(bad());
        }
        let part = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| bad());
        return Ok(Color::Rgb(part(0)?, part(2)?, part(4)?));
    }
    if let Ok(index) = word.parse::<u8>() {
        return Ok(Color::Indexed(index));
    }
    Ok(match word {
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        "bright-black" => Color::DarkGray,
        "bright-red" => Color::LightRed,
        "bright-green" => Color::LightGreen,
        "bright-yellow" => Color::LightYellow,
        "bright-blue" => Color::LightBlue,
        "bright-magenta" => Color::LightMagenta,
        "bright-cyan" => Color::LightCyan,
        "bright-white" => Color::White,
        "default" => Color::Reset,
        _ => {
            return Err(format!(
                "{word:?} is neither in the palette, nor #rrggbb, nor one of the sixteen names"
            ));
        }
    })
}

fn adapt(color: Color, profile: TermProfile) -> Option<Color> {
    match (profile, color) {
        (TermProfile::NoTty | TermProfile::NoColor, _) => None,
        (TermProfile::Ansi256, Color::Rgb(r, g, b)) => Some(Color::Indexed(nearest_256(r, g, b))),
        _ => Some(color),
    }
}

/// The nearest of xterm's 6×6×6 cube and its 24 greys.
fn nearest_256(r: u8, g: u8, b: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let far = |x: u8, y: u8| (i32::from(x) - i32::from(y)).pow(2);
    let step = |v: u8| (0..6).min_by_key(|i| far(STEPS[*i], v)).unwrap_or(0);
    let (ri, gi, bi) = (step(r), step(g), step(b));
    let cube = far(STEPS[ri], r) + far(STEPS[gi], g) + far(STEPS[bi], b);
    let mean = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let grey_index = (mean.saturating_sub(3) / 10).min(23) as u8;
    let grey = 8 + 10 * grey_index;
    if far(grey, r) + far(grey, g) + far(grey, b) < cube {
        232 + grey_index
    } else {
        (16 + 36 * ri + 6 * gi + bi) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_theme_names_every_role() {
        for (name, text) in BUILT_IN {
            let theme = Theme::parse(name, text).unwrap();
            assert_eq!(theme.styles.len(), Role::ALL.len());
            let file: File = serde_yaml::from_str(text).unwrap();
            for role in Role::ALL {
                assert!(
                    file.roles.contains_key(role.word()),
                    "{name} lacks {}",
                    role.word()
                );
            }
        }
    }

    #[test]
    fn poor_terminals_get_what_they_can_show() {
        let dark = Theme::built_in("dark");
        assert_eq!(
            Theme::choose(dark.clone(), TermProfile::NoColor).name,
            "mono"
        );
        assert_eq!(
            Theme::choose(dark.clone(), TermProfile::Ansi16).name,
            "ansi16"
        );
        let t256 = Theme::choose(dark, TermProfile::Ansi256);
        assert!(matches!(t256.style(Role::Ok).fg, Some(Color::Indexed(_))));
        for style in Theme::choose(None, TermProfile::NoColor).styles {
            assert_eq!((style.fg, style.bg), (None, None));
        }
    }

    #[test]
    fn a_wrong_theme_says_what_would_be_right() {
        let err = Theme::parse("mine", "roles: { txet: { fg: red } }").unwrap_err();
        assert!(err.contains("no role \"txet\""), "{err}");
        let err = Theme::parse("mine", "roles: { text: { fg: rde } }").unwrap_err();
        assert!(err.contains("neither in the palette"), "{err}");
        let err = Theme::parse("mine", &"{palette: ".repeat(100)).unwrap_err();
        assert!(err.contains("nested more than 64 deep at line 1"), "{err}");
    }
}
