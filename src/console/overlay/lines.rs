//! What all overlays share: where they are drawn, and what a key leads to.

use ratatui::layout::Rect;

use crate::console::effect::Effect;
use crate::console::model::Overlay;

/// What stays open after a key, and what is wished.
pub type Led = (Option<Overlay>, Vec<Effect>);

/// The lines of the terminal: the screen's own, the one below it, the footer.
#[derive(Clone, Copy)]
pub struct Lines {
    /// The screen.
    pub body: Rect,
    /// What there is to say.
    pub detail: Rect,
    /// Keys.
    pub foot: Rect,
}
