//! A plan as people read it: by host and site, each with its causes. The command line and the
//! console show the same groups.

use super::graph::Plan;
use super::operation::{Class, Deed, Interruption, Operation, OperationKind, Undo};
use crate::fleet::Name;

/// All that happens to one site, or to a host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    pub host: &'a Name,
    /// Which site; `None`: the host itself.
    pub site: Option<&'a Name>,
    /// Why, each cause once.
    pub causes: Vec<&'a str>,
    /// What, in order.
    pub operations: Vec<&'a Operation>,
    /// The most dangerous of them.
    pub class: Class,
    /// The longest of them.
    pub interrupts: Interruption,
    /// In one word: `create`, `replace`, `change`, `start`, `stop`, `remove`, `restart`, `prepare`, and `record`
    /// for what only notes on the host which fleet file was applied.
    pub verb: &'static str,
}

/// The plan by host and site, in the order of its operations.
pub fn groups(plan: &Plan) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for operation in &plan.operations {
        let key = (&operation.host, operation.site.as_ref());
        let at = *places.entry(key).or_insert_with(|| {
            groups.push(Group {
                host: &operation.host,
                site: operation.site.as_ref(),
                causes: Vec::new(),
                operations: Vec::new(),
                class: Class::Read,
                interrupts: Interruption::None,
                verb: "",
            });
            groups.len() - 1
        });
        let group = &mut groups[at];
        // What follows from the rest says nothing about why.
        for cause in &operation.cause {
            if !group.causes.contains(&cause.as_str()) && !operation.kind.facts().follows {
                group.causes.push(cause);
            }
        }
        group.class = group.class.max(operation.class);
        group.interrupts = longer(group.interrupts, operation.interrupts);
        group.operations.push(operation);
    }
    for group in &mut groups {
        group.verb = verb(group);
        if group.causes.is_empty() {
            group.causes = group
                .operations
                .iter()
                .flat_map(|operation| operation.cause.iter().map(String::as_str))
                .collect();
        }
    }
    groups
}

fn longer(a: Interruption, b: Interruption) -> Interruption {
    use Interruption as I;
    match (a, b) {
        (I::Lasting, _) | (_, I::Lasting) => I::Lasting,
        (I::Seconds(a), I::Seconds(b)) => I::Seconds(a.max(b)),
        (I::None, other) | (other, I::None) => other,
    }
}

fn verb(group: &Group) -> &'static str {
    let does = |deed: Deed| move |kind: &OperationKind| kind.facts().deed == deed;
    let has = |deed| group.operations.iter().any(|o| does(deed)(&o.kind));
    if group.site.is_none() {
        let notes = |o: &&Operation| does(Deed::Note)(&o.kind);
        return match group.operations.iter().all(notes) {
            true => "record",
            false => "prepare",
        };
    }
    // What had no route before is new, also where it has no container of its own.
    let first_route = group.operations.iter().any(|operation| {
        does(Deed::Route)(&operation.kind)
            && matches!(&operation.undo, Undo::By(kind) if does(Deed::Unroute)(kind))
    });
    match () {
        () if has(Deed::Create) && has(Deed::Remove) => "replace",
        () if has(Deed::Create) => "create",
        () if has(Deed::Unroute) && has(Deed::Remove) => "remove",
        () if group.interrupts == Interruption::Lasting => "stop",
        () if has(Deed::Restart) => "restart",
        () if has(Deed::Start) => "start",
        () if first_route => "create",
        () => "change",
    }
}
