//! A plan that was reviewed against the one that is made now: everything that a reviewer saw, in its
//! order.
//!
//! Two things may be told in other words by now, and only they are passed over: how long ago a
//! container ended, in the cause of its start; and why a host that neither plan knows could not be
//! looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::fleet::Name;
use crate::plan::{Operation, Plan, cause};
use crate::text::short;

/// Characters of a value that are told.
const LONG: usize = 80;

/// What differs, a line each, the first thing first.
pub(super) fn plans(then: &Plan, now: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    if then.fleet != now.fleet {
        let (was, is) = (short(&then.fleet, LONG), &now.fleet);
        lines.push(format!("it is of the fleet {was}, and this is {is}"));
    }
    operations(&then.operations, &now.operations, &mut lines);
    let unseen = |host: &Name| !then.basis.contains_key(host) && !now.basis.contains_key(host);
    let of = |plan: &Plan| -> Vec<Value> {
        let problems = plan.problems.iter();
        let problems = problems.map(|p| (&p.host, &p.site, &p.what, Some(&p.remedy)));
        let notices = plan.notices.iter();
        let notices = notices.map(|n| (&n.host, &n.site, &n.text, None));
        let said = problems.chain(notices);
        said.map(|(host, site, what, remedy)| match unseen(host) {
            true => serde_json::json!([host, site, remedy.is_some()]),
            false => serde_json::json!([host, site, what, remedy]),
        })
        .collect()
    };
    said(&of(then), &of(now), &mut lines);
    for host in then.unknown.symmetric_difference(&now.unknown) {
        lines.push(format!(
            "{host}: whether it can be looked at is told otherwise now"
        ));
    }
    lines
}

fn operations(then: &[Operation], now: &[Operation], lines: &mut Vec<String>) {
    let by_id = |all: &[Operation]| -> BTreeMap<String, usize> {
        let all = all.iter().enumerate();
        all.map(|(at, o)| (o.id.0.clone(), at)).collect()
    };
    let (was, is) = (by_id(then), by_id(now));
    let before = lines.len();
    for operation in then {
        let id = &operation.id.0;
        match is.get(id).and_then(|at| now.get(*at)) {
            None => lines.push(format!("{id}: is not to be done any more")),
            Some(other) => {
                let differs = difference(operation, other);
                lines.extend(differs.map(|how| format!("{id}: {how}")));
            }
        }
    }
    for operation in now.iter().filter(|o| !was.contains_key(&o.id.0)) {
        lines.push(format!("{}: is to be done too now", operation.id));
    }
    if lines.len() > before {
        return;
    }
    let mut both = then.iter().zip(now);
    if let Some((a, b)) = both.find(|(a, b)| a.id != b.id) {
        lines.push(format!("the order: {} comes where {} does now", a.id, b.id));
    } else if then.len() != now.len() {
        // Ids are there once in a file that was read: a plan of ours has one twice.
        lines.push(format!(
            "it has {} operations, not {}",
            then.len(),
            now.len()
        ));
    }
}

/// Where two operations of one id first differ.
fn difference(then: &Operation, now: &Operation) -> Option<String> {
    if then == now {
        return None;
    }
    let ageless = |operation: &Operation| {
        let causes = operation.cause.iter();
        Operation {
            cause: causes.map(|c| cause::ageless(c).to_owned()).collect(),
            ..operation.clone()
        }
    };
    let (then, now) = (ageless(then), ageless(now));
    if then == now {
        return None;
    }
    let value = |operation| serde_json::to_value(operation).unwrap_or_default();
    let how = first("", &value(then), &value(now));
    Some(how.unwrap_or_else(|| "is done otherwise now".to_owned()))
}

/// The first difference, with where it is: `kind.container.image: "a" in it, "b" now`.
fn first(at: &str, then: &Value, now: &Value) -> Option<String> {
    let below = |part: &str| match at {
        "" => part.to_owned(),
        at => format!("{at}.{part}"),
    };
    match (then, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let mut keys = keys.into_iter();
            keys.find_map(|key| {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                let (a, b) = (of(a), of(b));
                first(&below(key), &a.unwrap_or_default(), &b.unwrap_or_default())
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut both = a.iter().zip(b).enumerate();
            both.find_map(|(n, (a, b))| first(&below(&n.to_string()), a, b))
        }
        (a, b) if a == b => None,
        (a, b) => {
            let shown = |value: &Value| short(&value.to_string(), LONG);
            Some(format!("{at}: {} in it, {} now", shown(a), shown(b)))
        }
    }
}

/// Problems and notices.
fn said(then: &[Value], now: &[Value], lines: &mut Vec<String>) {
    if then == now {
        return;
    }
    let before = lines.len();
    let told = |one: &Value| {
        let text = |at: usize| one.get(at).and_then(Value::as_str).unwrap_or_default();
        let place = match text(1) {
            "" => text(0).to_owned(),
            site => format!("{site} on {}", text(0)),
        };
        format!("{place}: {}", short(text(2), LONG))
    };
    let gone = then.iter().filter(|one| !now.contains(one));
    lines.extend(gone.map(|one| format!("{}: not so any more", told(one))));
    let new = now.iter().filter(|one| !then.contains(one));
    lines.extend(new.map(|one| format!("{}: so only now", told(one))));
    if lines.len() == before {
        lines.push("what it tells beside its operations is told in another order".to_owned());
    }
}
