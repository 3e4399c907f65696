//! The Logs screen: follow, pause, scroll back, search, filter in and out, over a bounded store.
//!
//! [`LogBuffer`] takes the bytes of any number of containers as they come; [`LogScreen`] says which
//! of its lines are looked at; `view` draws them, and cleans only what it draws.

mod access;
mod action;
mod bars;
mod buffer;
pub mod clean;
mod intake;
mod judge;
mod level;
mod pattern;
mod piece;
mod place;
mod prompt;
mod report;
mod ring;
mod row;
mod screen;
mod short;
mod style;
mod view;

pub use action::LogAction;
pub use buffer::{DEFAULT_MEMORY, Line, LogBuffer, SourceId, Stream};
pub use clean::{Glyph, Glyphs, Hue, Sgr, Stripped, glyphs, plain, strip};
pub use judge::Filter;
pub use level::Level;
pub use pattern::{Pattern, Reading};
pub use piece::{Piece, Tone};
pub use ring::LINE_MOST;
pub use screen::{LogEffect, LogMessage, LogScreen};
pub use short::{Short, level, short};
pub use style::LogStyles;
