//! What can be asked of the Logs screen.

/// One thing to do; which key asks for it is the keymap's matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogAction {
    /// To the newest line, and stay there.
    Follow,
    /// Stay at this place while lines come in; or follow again.
    Pause,
    /// One line down.
    Down,
    /// One line up.
    Up,
    /// To the oldest line.
    Top,
    /// To the newest line.
    Bottom,
    /// Half a page down.
    PageDown,
    /// Half a page up.
    PageUp,
    /// Further right in lines that are longer than the screen is wide.
    Right,
    /// Further left.
    Left,
    /// Ask what to search for.
    Search,
    /// Next line that the search finds.
    Next,
    /// Previous line that the search finds.
    Previous,
    /// Ask what lines must hold to be shown.
    FilterIn,
    /// Ask what lines must not hold to be shown.
    FilterOut,
    /// Show only lines that report an error, or the others too.
    Errors,
    /// Long lines on several rows, or cut at the edge.
    Wrap,
    /// Show or hide timestamps.
    Times,
    /// Show lines as they came, or in short.
    Raw,
    /// Forget all lines.
    Clear,
    /// Copy the line under the cursor.
    Copy,
    /// Show all lines again: no search, no filters.
    Reset,
    /// Leave the screen.
    Back,
}
