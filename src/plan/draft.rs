//! A host's part of a plan while it is being made.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{Notice, Plan, Problem};
use super::operation::{Interruption, Operation, OperationId, OperationKind, Undo};
use crate::fleet::Name;

/// Operations, problems and notices of one host.
pub(crate) struct Draft {
    pub host: Name,
    /// Pulls and builds: they come first, whoever asks for them.
    pub images: Vec<Operation>,
    pub operations: Vec<Operation>,
    pub problems: Vec<Problem>,
    pub notices: Vec<Notice>,
    /// Sites whose secrets were not all compared.
    pub uncompared: BTreeSet<Name>,
    /// Image → operation that brings it.
    pub image_ids: BTreeMap<String, OperationId>,
}

/// One operation to be, before it knows its place in the order.
pub(crate) struct Step {
    pub id: String,
    pub kind: OperationKind,
    pub cause: Vec<String>,
    pub interrupts: Interruption,
    pub undo: Undo,
}

impl Step {
    /// Interrupts nobody and needs no undo until told otherwise.
    pub fn new(id: impl Into<String>, kind: OperationKind, cause: &[String]) -> Step {
        Step {
            id: id.into(),
            kind,
            cause: cause.to_vec(),
            interrupts: Interruption::None,
            undo: Undo::Nothing,
        }
    }
    pub fn because(mut self, cause: impl Into<String>) -> Step {
        self.cause = vec![cause.into()];
        self
    }
    pub fn interrupts(mut self, interrupts: Interruption) -> Step {
        self.interrupts = interrupts;
        self
    }
    pub fn undone_by(mut self, kind: OperationKind) -> Step {
        self.undo = Undo::By(Box::new(kind));
        self
    }
    pub fn no_way_back(mut self, why: &str) -> Step {
        self.undo = Undo::Impossible(why.to_owned());
        self
    }
    fn place(self, host: &Name, site: Option<&Name>, after: Vec<OperationId>) -> Operation {
        let id = match site {
            Some(site) => format!("{host}/{site}/{}", self.id),
            None => format!("{host}/{}", self.id),
        };
        Operation {
            id: OperationId(id),
            host: host.clone(),
            site: site.cloned(),
            class: self.kind.facts().class,
            kind: self.kind,
            cause: self.cause,
            interrupts: self.interrupts,
            undo: self.undo,
            after,
        }
    }
}

impl Draft {
    pub fn new(host: Name) -> Draft {
        Draft {
            host,
            images: Vec::new(),
            operations: Vec::new(),
            problems: Vec::new(),
            notices: Vec::new(),
            uncompared: BTreeSet::new(),
            image_ids: BTreeMap::new(),
        }
    }

    pub fn problem(&mut self, site: Option<&Name>, what: impl Into<String>, remedy: &str) {
        self.problems.push(Problem {
            host: self.host.clone(),
            site: site.cloned(),
            what: what.into(),
            remedy: remedy.to_owned(),
        });
    }

    pub fn notice(&mut self, site: Option<&Name>, text: impl Into<String>) {
        self.notices.push(Notice {
            host: self.host.clone(),
            site: site.cloned(),
            text: text.into(),
        });
    }

    /// An operation of the host itself; returns its id.
    pub fn push(&mut self, step: Step, after: &[Option<&OperationId>]) -> OperationId {
        let after = after.iter().flatten().map(|id| (*id).clone()).collect();
        let operation = step.place(&self.host, None, after);
        let id = operation.id.clone();
        self.operations.push(operation);
        id
    }

    /// An operation that brings an image.
    pub fn push_image(&mut self, step: Step, after: &[Option<&OperationId>]) -> OperationId {
        let after = after.iter().flatten().map(|id| (*id).clone()).collect();
        let operation = step.place(&self.host, None, after);
        let id = operation.id.clone();
        self.images.push(operation);
        id
    }

    pub fn is_idle(&self) -> bool {
        self.images.is_empty() && self.operations.is_empty()
    }

    /// Puts this host's part into the plan.
    pub fn finish(self, plan: &mut Plan) {
        plan.operations.extend(self.images);
        plan.operations.extend(self.operations);
        plan.problems.extend(self.problems);
        plan.notices.extend(self.notices);
        plan.uncompared.extend(self.uncompared);
    }
}

/// The operations of one site: each waits for the one before it, and for what else it needs.
pub(crate) struct Chain {
    host: Name,
    site: Name,
    pub operations: Vec<Operation>,
    needed: BTreeSet<OperationId>,
}

impl Chain {
    pub fn new(host: Name, site: Name) -> Chain {
        Chain {
            host,
            site,
            operations: Vec::new(),
            needed: BTreeSet::new(),
        }
    }

    /// Adds a step. What an earlier step already waits for is not waited for twice.
    pub fn push(&mut self, step: Step, needs: &[Option<&OperationId>]) {
        let mut after: Vec<OperationId> = self
            .operations
            .last()
            .map(|last| last.id.clone())
            .into_iter()
            .collect();
        for id in needs.iter().flatten() {
            if self.needed.insert((*id).clone()) {
                after.push((*id).clone());
            }
        }
        self.operations
            .push(step.place(&self.host, Some(&self.site), after));
    }
}
