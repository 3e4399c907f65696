//! Text: what others wrote made harmless, and amounts and times in words. The lowest floor: all
//! others may use it, and it knows none of them.
//!
//! What comes from containers, labels, hosts and files is data, and must not steer the terminal or
//! pretend to be something else.

mod amount;
mod fit;
mod harmless;
mod kind;
mod strip;

pub use amount::{
    age, age_changes_in, age_in_words, answer_time, count, percent, rate, round_trip, size, took,
    took_in_words,
};
pub use fit::{elide, width, wrap};
pub use harmless::{clean, escaped, line, lines, printable, seen, short};
pub use kind::{Kind, REPLACED, kind};
pub use strip::{LogCleaner, plain, plain_line};
