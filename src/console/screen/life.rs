//! A certificate in the words and pictures that its list and its page share.

use crate::console::model::Model;
use crate::console::theme::Role;
use crate::text::age;
use crate::verdict::certificates::Holder;
use crate::verdict::{CertificateRow, Stand, State};

/// Cells of the bar that shows a life.
pub(super) const BAR: usize = 10;

/// What a row is called.
pub(super) fn called(row: &CertificateRow) -> String {
    match row.holder {
        Holder::Site => row.name.clone(),
        Holder::Engine => format!("{} engine", row.name),
        Holder::Operator => format!("{} client", row.name),
        Holder::Account => format!("{} account", row.name),
    }
}

/// When it ends, or for how long it has.
pub(super) fn ends(row: &CertificateRow, now: i64) -> (Role, String) {
    let Some(until) = row.until else {
        return (Role::Dim, "–".to_owned());
    };
    let role = match row.stand {
        Stand::Unused => Role::Dim,
        Stand::Expired => Role::Bad,
        _ if until <= now => Role::Bad,
        Stand::Expiring => Role::Warn,
        _ => Role::Text,
    };
    match until - now {
        ..=0 => (role, format!("-{}", age(now - until))),
        left => (role, age(left)),
    }
}

/// The part of a life that is over, as a bar.
pub(super) fn bar(model: &Model, row: &CertificateRow) -> (Role, String) {
    let Some(used) = row.used else {
        return (Role::Dim, String::new());
    };
    // Full only when it is over.
    let full = match used >= 1.0 {
        true => BAR,
        false => ((used * BAR as f64).round() as usize).min(BAR - 1),
    };
    let (over, left) = match model.theme.ascii {
        true => ("#", "."),
        false => ("█", "░"),
    };
    let role = match row.state {
        State::Failing => Role::Bad,
        State::Warning => Role::Warn,
        _ => Role::Text,
    };
    (
        role,
        format!("{}{}", over.repeat(full), left.repeat(BAR - full)),
    )
}
