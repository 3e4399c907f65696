//! A plan as people read it: by host and site, each with its causes. The command line and the
//! console show the same groups.

use std::fmt::Write;

use super::graph::Plan;
use super::operation::{Class, Interruption, Operation, OperationKind, Undo};
use crate::fleet::Name;

/// All that happens to one site, or to a host itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// Where.
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
            if !group.causes.contains(&cause.as_str()) && !is_bookkeeping(&operation.kind) {
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

fn is_bookkeeping(kind: &OperationKind) -> bool {
    matches!(
        kind,
        OperationKind::WriteRecord { .. }
            | OperationKind::SettleRun { .. }
            | OperationKind::RecordFleet { .. }
            | OperationKind::RenameContainer { .. }
            | OperationKind::CleanConf { .. }
            | OperationKind::RemoveContainer { .. }
            | OperationKind::AwaitReady { .. }
            | OperationKind::AwaitRouter { .. }
            | OperationKind::Drain { .. }
    )
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
    use OperationKind as K;
    let has = |test: fn(&OperationKind) -> bool| group.operations.iter().any(|o| test(&o.kind));
    let creates = has(|kind| matches!(kind, K::CreateContainer { .. }));
    let removes = has(|kind| matches!(kind, K::RemoveContainer { .. }));
    if group.site.is_none() {
        return match has(|kind| !matches!(kind, K::RecordFleet { .. } | K::SettleRun { .. })) {
            true => "prepare",
            false => "record",
        };
    }
    // What had no route before is new, also where it has no container of its own.
    let first_route = group.operations.iter().any(|operation| {
        matches!(operation.kind, K::Route { .. })
            && matches!(&operation.undo, Undo::By(kind) if matches!(**kind, K::Unroute { .. }))
    });
    match () {
        () if creates && removes => "replace",
        () if creates => "create",
        () if has(|kind| matches!(kind, K::Unroute { .. })) && removes => "remove",
        () if group.interrupts == Interruption::Lasting => "stop",
        () if has(|kind| matches!(kind, K::RestartContainer { .. })) => "restart",
        () if has(|kind| matches!(kind, K::StartContainer { .. })) => "start",
        () if first_route => "create",
        () => "change",
    }
}

/// The whole plan as text: problems, notices, then each group with its causes and operations.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let place = |host: &Name, site: Option<&Name>| match site {
        Some(site) => format!("{site} on {host}"),
        None => host.to_string(),
    };
    // Writing to a String cannot fail.
    for problem in &plan.problems {
        let at = place(&problem.host, problem.site.as_ref());
        let _ = writeln!(out, "✖ {at}: {}", problem.what);
        let _ = writeln!(out, "    {}", problem.remedy);
    }
    for notice in &plan.notices {
        let at = place(&notice.host, notice.site.as_ref());
        let _ = writeln!(out, "▲ {at}: {}", notice.text);
    }
    for group in groups(plan).iter().filter(|group| group.verb != "record") {
        let at = place(group.host, group.site);
        let interrupts = group.interrupts.describe();
        let sep = if interrupts.is_empty() { "" } else { "  · " };
        let _ = writeln!(
            out,
            "{} {} {at}{sep}{interrupts}",
            group.class.mark(),
            group.verb
        );
        for cause in &group.causes {
            let _ = writeln!(out, "    {cause}");
        }
        for operation in &group.operations {
            let _ = writeln!(
                out,
                "      {} {}",
                operation.class.mark(),
                operation.kind.describe()
            );
        }
    }
    out
}
