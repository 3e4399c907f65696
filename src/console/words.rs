//! Operations in an operator's words.

use super::text::clean;
use crate::plan::{Class, Interruption, OperationKind, Undo};

/// What an operation does, short.
pub fn what(kind: &OperationKind) -> String {
    clean(&kind.describe()).into_owned()
}

/// How dangerous, in a word.
pub fn class(class: Class) -> &'static str {
    match class {
        Class::Read => "read",
        Class::Write => "write",
        Class::Destructive => "destructive",
    }
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

/// Why a host does not answer, on a line that names the host: without its address.
pub fn brief(why: &str) -> &str {
    let rest = why.strip_prefix("cannot reach ").unwrap_or(why);
    match rest.split_once(": ") {
        Some((address, why)) if address.contains("://") && !address.contains(' ') => why,
        _ => why,
    }
}

#[cfg(test)]
mod tests {
    use super::brief;

    #[test]
    fn an_address_is_left_out_where_the_host_is_named() {
        let why = "cannot reach ssh://ops@web1.example.net:22: no route to host: 5";
        assert_eq!(brief(why), "no route to host: 5");
        let why = "ssh://ops@web1: its key is not known";
        assert_eq!(brief(why), "its key is not known");
        let why = "no answer within 8 s: ping at unix:///x: y";
        assert_eq!(brief(why), why);
        assert_eq!(
            brief("no Docker socket at /x: y"),
            "no Docker socket at /x: y"
        );
    }
}
