//! One atomic step on one host, as data: what, why, how dangerous, how it is undone.

pub(crate) mod facts;
mod kind;
mod table;
mod words;

use serde::{Deserialize, Serialize};

pub use facts::{Class, Deed, Facts};
pub use kind::{ContainerRef, OperationKind};

use crate::fleet::Name;

/// Names an operation within its plan, such as `web1/alice-blog/create`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub String);

impl std::fmt::Display for OperationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// One atomic step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name in the plan.
    pub id: OperationId,
    pub host: Name,
    /// For which site; `None`: the host itself.
    pub site: Option<Name>,
    pub kind: OperationKind,
    /// How dangerous.
    pub class: Class,
    /// Why, one line each, such as `domains: added www.alice.example`.
    pub cause: Vec<String>,
    /// How long visitors of the site notice it.
    pub interrupts: Interruption,
    /// How it is taken back.
    pub undo: Undo,
    /// Operations that must have succeeded before.
    pub after: Vec<OperationId>,
}

/// How long visitors notice an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interruption {
    /// Not at all.
    None,
    /// About this many seconds.
    Seconds(u32),
    /// From now until someone changes it back.
    Lasting,
}

impl Interruption {
    /// In words; empty when nobody notices.
    pub fn describe(self) -> String {
        match self {
            Interruption::None => String::new(),
            Interruption::Seconds(seconds) => format!("interrupts about {seconds} s"),
            Interruption::Lasting => "takes it off the net".to_owned(),
        }
    }
}

/// How an operation is taken back when a later one of its site fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// Nothing to take back.
    Nothing,
    /// By this operation.
    By(Box<OperationKind>),
    /// It cannot be taken back; says why.
    Impossible(String),
}
