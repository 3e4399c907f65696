//! How what is said to the operator is meant.

/// How a note is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It worked.
    Good,
    /// For information.
    Plain,
    /// It did not work.
    Bad,
}
