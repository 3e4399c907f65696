//! What a piece of text means, and how that is shown.

/// What a piece of text means. State is never shown by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Nothing in particular.
    Plain,
    /// Of lesser weight.
    Dim,
    /// To be seen first.
    Strong,
    /// Well.
    Good,
    /// Doubtful.
    Warn,
    /// Broken, dangerous.
    Bad,
}

impl Style {
    /// `text` in this style, where colour may be used.
    pub fn paint(self, text: &str, colour: bool) -> String {
        let code = match self {
            Style::Plain => "",
            Style::Dim => "2",
            Style::Strong => "1",
            Style::Good => "32",
            Style::Warn => "33",
            Style::Bad => "31",
        };
        if !colour || code.is_empty() || text.is_empty() {
            return text.to_owned();
        }
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
