//! Operations in an operator's words.

use crate::plan::{Interruption, OperationKind, Undo};
use crate::text::clean;

/// What an operation does, short.
pub fn what(kind: &OperationKind) -> String {
    clean(&kind.describe()).into_owned()
}

/// How long visitors notice it.
pub fn interruption(interrupts: Interruption) -> String {
    match interrupts {
        Interruption::None => "none".into(),
        Interruption::Seconds(s) => format!("~{s}s"),
        Interruption::Lasting => "lasting".into(),
    }
}

/// How it is taken back.
pub fn undo(undo: &Undo) -> String {
    match undo {
        Undo::Nothing => "nothing to undo".into(),
        Undo::By(kind) => format!("undo: {}", what(kind)),
        Undo::Impossible(why) => format!("no undo: {}", clean(why)),
    }
}
