//! The one set of characters that are not shown as they are.

/// Stands for a character that is not shown.
pub const REPLACED: char = '\u{fffd}';

/// What a character is to a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Shown as it is.
    Plain,
    /// A control of ASCII, line breaks and tabs among them.
    Control,
    /// A control of more than one byte (C1): some terminals obey these too.
    Upper,
    /// There and not seen, or changes the direction of others.
    Hidden,
    /// Only asks for another shape of its neighbour (joiners, variation selectors, skin tones):
    /// where terminals disagree about widths, and names look alike.
    Shape,
}

/// What `c` is.
pub fn kind(c: char) -> Kind {
    match c {
        ' '..='~' => Kind::Plain,
        '\0'..='\u{7f}' => Kind::Control,
        '\u{80}'..='\u{9f}' => Kind::Upper,
        '\u{200c}'
        | '\u{200d}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{e0100}'..='\u{e01ef}'
        | '\u{1f3fb}'..='\u{1f3ff}' => Kind::Shape,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Kind::Hidden,
        _ => Kind::Plain,
    }
}
