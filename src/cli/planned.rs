//! A plan for people and for programs.

use serde::Serialize;

use super::style::Style;
use crate::fleet::Name;
use crate::plan::show::{self, Folded, Group};
use crate::plan::{Class, Interruption, Notice, Operation, OperationId, Plan, Problem, Undo};
use crate::text::{self, count};

/// A plan of more lines begins with its summary as well.
const SCREEN: usize = 24;

/// Room for the names of sites that are told together.
const ROOM: usize = 92;

/// The plan by host and site: what, why, how dangerous, how long it interrupts, how it is undone.
/// What is alike is told once, unless `whole`.
pub fn render(plan: &Plan, colour: bool, whole: bool) -> String {
    let mut shown = String::new();
    for problem in &plan.problems {
        let at = place(&problem.host, problem.site.as_ref());
        let mark = Style::Bad.paint("✖", colour);
        let (what, remedy) = (text::line(&problem.what), text::line(&problem.remedy));
        shown.push_str(&format!("{mark} {at}: {what}\n    → {remedy}\n"));
    }
    for notice in &plan.notices {
        let at = place(&notice.host, notice.site.as_ref());
        let mark = Style::Warn.paint("▲", colour);
        shown.push_str(&format!("{mark} {at}: {}\n", text::line(&notice.text)));
    }
    let unfolded = |group| Folded {
        group,
        like: Vec::new(),
    };
    let groups = match whole {
        true => show::groups(plan).into_iter().map(unfolded).collect(),
        false => show::folded(plan),
    };
    for folded in &groups {
        if !shown.is_empty() {
            shown.push('\n');
        }
        push_group(&mut shown, folded, colour);
    }
    let summary = summary(plan);
    if shown.lines().count() > SCREEN {
        shown.insert_str(0, &format!("{summary}\n\n"));
    }
    if !shown.is_empty() {
        shown.push('\n');
    }
    shown.push_str(&summary);
    shown.push('\n');
    shown
}

/// One line about the whole plan.
pub fn summary(plan: &Plan) -> String {
    let operations = &plan.operations;
    let problems = match plan.problems.len() {
        0 => String::new(),
        n => format!("; {} in the way", count(n, "problem")),
    };
    if operations.is_empty() {
        return match plan.problems.is_empty() {
            true if !plan.uncompared.is_empty() => {
                "Nothing to do in what could be compared: not all of it could.".into()
            }
            true if !plan.unknown.is_empty() => {
                "Nothing to do on the hosts that answer: they are as the fleet file says.".into()
            }
            true => "Nothing to do: the hosts are as the fleet file says.".into(),
            false => format!("Nothing can be done{problems}."),
        };
    }
    let sites: std::collections::BTreeSet<_> =
        operations.iter().filter_map(|o| o.site.as_ref()).collect();
    let hosts: std::collections::BTreeSet<_> = operations.iter().map(|o| &o.host).collect();
    let destructive = operations
        .iter()
        .filter(|o| o.class == Class::Destructive)
        .count();
    let destructive = match destructive {
        0 => String::new(),
        n => format!(" ({n} destructive, marked !)"),
    };
    format!(
        "{}{destructive} for {} on {}{problems}.",
        count(operations.len(), "operation"),
        count(sites.len(), "site"),
        count(hosts.len(), "host"),
    )
}

fn push_group(shown: &mut String, folded: &Folded, colour: bool) {
    let group: &Group = &folded.group;
    let at = Style::Strong.paint(&place(group.host, group.site), colour);
    let style = style(group.class);
    let verb = style.paint(&format!("{} {}", group.class.mark(), group.verb), colour);
    let interrupts = match group.interrupts {
        Interruption::None => String::new(),
        some => format!("  · {}", some.describe()),
    };
    let more = match folded.hidden() {
        0 => String::new(),
        n => format!(", and {n} more alike"),
    };
    shown.push_str(&format!("{verb} {at}{more}{interrupts}\n"));
    for cause in &group.causes {
        shown.push_str(&format!("    {}\n", text::line(cause)));
    }
    for operation in &group.operations {
        let mark = self::style(operation.class).paint(&operation.class.mark().to_string(), colour);
        let what = text::line(&operation.kind.describe());
        let mut more = Vec::new();
        if operation.interrupts != Interruption::None && operation.interrupts != group.interrupts {
            more.push(operation.interrupts.describe());
        }
        match &operation.undo {
            Undo::Nothing => {}
            Undo::By(kind) => more.push(format!("undo: {}", kind.describe())),
            Undo::Impossible(why) => more.push(format!("cannot be undone: {why}")),
        }
        let more = match more.is_empty() {
            true => String::new(),
            false => Style::Dim.paint(&format!("  ({})", text::line(&more.join("; "))), colour),
        };
        shown.push_str(&format!("      {mark} {what}{more}\n"));
    }
    for line in folded.told(ROOM) {
        shown.push_str(&format!("    {}\n", Style::Dim.paint(&line, colour)));
    }
}

fn style(class: Class) -> Style {
    match class {
        Class::Read => Style::Dim,
        Class::Write => Style::Good,
        Class::Destructive => Style::Bad,
    }
}

/// Where: a site on a host, or the host itself.
pub fn place(host: &Name, site: Option<&Name>) -> String {
    match site {
        Some(site) => format!("{site} on {host}"),
        None => host.to_string(),
    }
}

/// A plan as `plan --json` tells it.
#[derive(Debug, Serialize)]
pub struct PlanJson<'a> {
    fleet: &'a str,
    fleet_hash: &'a str,
    operations: Vec<OperationJson<'a>>,
    problems: &'a [Problem],
    notices: &'a [Notice],
}

#[derive(Debug, Serialize)]
struct OperationJson<'a> {
    id: &'a OperationId,
    host: &'a Name,
    site: Option<&'a Name>,
    /// A word such as `create_container`.
    kind: &'static str,
    /// For people.
    what: String,
    class: &'static str,
    cause: &'a [String],
    interrupts: InterruptionJson,
    undo: UndoJson,
    after: &'a [OperationId],
}

#[derive(Debug, Serialize)]
struct InterruptionJson {
    /// `none`, `seconds`, `lasting`.
    kind: &'static str,
    /// About how many.
    seconds: Option<u32>,
}

#[derive(Debug, Serialize)]
struct UndoJson {
    /// `nothing`, `by`, `impossible`.
    kind: &'static str,
    /// The operation that takes it back, or why none does.
    what: Option<String>,
}

/// For programs.
pub fn json(plan: &Plan) -> PlanJson<'_> {
    PlanJson {
        fleet: &plan.fleet,
        fleet_hash: &plan.fleet_hash,
        operations: plan.operations.iter().map(operation).collect(),
        problems: &plan.problems,
        notices: &plan.notices,
    }
}

fn operation(operation: &Operation) -> OperationJson<'_> {
    let interrupts = |kind, seconds| InterruptionJson { kind, seconds };
    let undo = |kind, what| UndoJson { kind, what };
    OperationJson {
        id: &operation.id,
        host: &operation.host,
        site: operation.site.as_ref(),
        kind: operation.kind.facts().word,
        what: operation.kind.describe(),
        class: operation.class.word(),
        cause: &operation.cause,
        interrupts: match operation.interrupts {
            Interruption::None => interrupts("none", None),
            Interruption::Seconds(seconds) => interrupts("seconds", Some(seconds)),
            Interruption::Lasting => interrupts("lasting", None),
        },
        undo: match &operation.undo {
            Undo::Nothing => undo("nothing", None),
            Undo::By(kind) => undo("by", Some(kind.describe())),
            Undo::Impossible(why) => undo("impossible", Some(why.clone())),
        },
        after: &operation.after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ContainerRef, OperationKind};

    fn sample() -> Plan {
        let container = ContainerRef {
            name: "ostler-t-abc".into(),
            id: Some("1".into()),
        };
        let stop = Operation {
            id: OperationId("web1/shop/stop".into()),
            host: "web1".parse().unwrap(),
            site: Some("shop".parse().unwrap()),
            kind: OperationKind::StopContainer {
                container: container.clone(),
                grace_s: 10,
            },
            class: Class::Destructive,
            cause: vec!["state: running → stopped".into()],
            interrupts: Interruption::Lasting,
            undo: Undo::By(Box::new(OperationKind::StartContainer { container })),
            after: vec![],
        };
        Plan {
            fleet: "t".into(),
            operations: vec![stop],
            problems: vec![Problem {
                host: "web2".parse().unwrap(),
                site: None,
                what: "it cannot be reached\u{1b}[2J".into(),
                remedy: "wake it".into(),
            }],
            ..Plan::default()
        }
    }

    #[test]
    fn people_see_why_what_how_long_and_the_way_back() {
        let shown = render(&sample(), false, false);
        for part in [
            "✖ web2: it cannot be reached^[[2J\n    → wake it",
            "! stop shop on web1  · takes it off the net",
            "state: running → stopped",
            "! stop ostler-t-abc  (undo: start ostler-t-abc)",
            "1 operation (1 destructive, marked !) for 1 site on 1 host; 1 problem in the way.",
        ] {
            assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
        }
    }

    #[test]
    fn programs_see_the_same() {
        let json = serde_json::to_value(json(&sample())).unwrap();
        let operation = &json["operations"][0];
        assert_eq!(operation["id"], "web1/shop/stop");
        assert_eq!(operation["kind"], "stop_container");
        assert_eq!(operation["class"], "destructive");
        assert_eq!(operation["cause"][0], "state: running → stopped");
        assert_eq!(operation["interrupts"]["kind"], "lasting");
        assert_eq!(operation["undo"]["kind"], "by");
        assert_eq!(operation["site"], "shop");
        assert_eq!(json["problems"][0]["host"], "web2");
    }

    #[test]
    fn an_empty_plan_says_so() {
        assert_eq!(
            render(&Plan::default(), false, false),
            "Nothing to do: the hosts are as the fleet file says.\n"
        );
        let plan = Plan {
            unknown: ["web2".parse().unwrap()].into(),
            ..Plan::default()
        };
        assert_eq!(
            render(&plan, false, false),
            "Nothing to do on the hosts that answer: they are as the fleet file says.\n"
        );
    }
}
