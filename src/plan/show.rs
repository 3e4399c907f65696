//! A plan as people read it: by host and site, each with its causes. The command line and the
//! console show the same groups.

use std::collections::{BTreeSet, HashMap};

use super::graph::Plan;
use super::operation::{Class, Deed, Interruption, Operation, OperationKind, Undo};
use crate::fleet::Name;
use crate::text::{count, wrap};

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
    let mut places = HashMap::new();
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

/// From how many groups that say the same on only one of them is shown in full.
const ALIKE: usize = 5;

/// How many of the others are named, of each host.
const NAMED: usize = 40;

/// A group that is shown, and those that say the same of other sites.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded<'a> {
    pub group: Group<'a>,
    /// The sites of the others, by host. What tells them apart are names, addresses and user ids.
    pub like: Vec<(&'a Name, Vec<&'a Name>)>,
}

impl Folded<'_> {
    /// Of how many groups only the sites are told.
    pub fn hidden(&self) -> usize {
        self.like.iter().map(|(_, sites)| sites.len()).sum()
    }

    /// Which they are, in lines of that width. Nothing is stopped or removed without its name.
    pub fn told(&self, room: usize) -> Vec<String> {
        let named = match self.group.class {
            Class::Destructive => usize::MAX,
            Class::Read | Class::Write => NAMED,
        };
        let mut lines = Vec::new();
        for (host, sites) in &self.like {
            let names: Vec<&str> = sites.iter().take(named).map(|s| s.as_str()).collect();
            let more = match sites.len() - names.len() {
                0 => String::new(),
                n => format!(" and {n} more"),
            };
            let (sites, names) = (count(sites.len(), "site"), names.join(", "));
            let line = format!("the same for {sites} on {host}: {names}{more}");
            lines.extend(wrap(&line, room));
        }
        lines
    }
}

/// The groups, with those that do the same to several sites for the same reasons as one: a plan for
/// thousands of sites can be read then.
pub fn folded(plan: &Plan) -> Vec<Folded<'_>> {
    let groups = groups(plan);
    let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, group) in groups.iter().enumerate() {
        if group.site.is_some() {
            alike.entry(gist(group)).or_default().push(at);
        }
    }
    let mut hidden = BTreeSet::new();
    let mut like: HashMap<usize, Vec<(&Name, Vec<&Name>)>> = HashMap::new();
    for same in alike.values().filter(|same| same.len() >= ALIKE) {
        let mut by_host: Vec<(&Name, Vec<&Name>)> = Vec::new();
        for at in &same[1..] {
            let Group { host, site, .. } = &groups[*at];
            hidden.insert(*at);
            let here = match by_host.iter().position(|(known, _)| known == host) {
                Some(here) => here,
                None => {
                    by_host.push((host, Vec::new()));
                    by_host.len() - 1
                }
            };
            by_host[here].1.extend(*site);
        }
        like.insert(same[0], by_host);
    }
    let shown = groups.into_iter().enumerate();
    shown
        .filter(|(at, _)| !hidden.contains(at))
        .map(|(at, group)| Folded {
            group,
            like: like.remove(&at).unwrap_or_default(),
        })
        .collect()
}

/// All that a group says but for what is each site's own.
fn gist(group: &Group) -> String {
    let mut gist = format!("{} {:?} {:?}", group.verb, group.class, group.interrupts);
    for cause in &group.causes {
        gist.push('\n');
        gist.push_str(cause);
    }
    // Where a route leads is a site's own only where a container of its own is there.
    let does = |deed: Deed| group.operations.iter().any(|o| o.kind.facts().deed == deed);
    let contained = does(Deed::Create) || does(Deed::Start) || does(Deed::Restart);
    for operation in &group.operations {
        gist.push('\n');
        let words = operation.kind.describe();
        match operation.kind.facts().deed {
            Deed::Route if !contained => gist.push_str(&words),
            _ => push_gist(&mut gist, &words),
        }
        match &operation.undo {
            Undo::Nothing => {}
            Undo::By(kind) => push_gist(&mut gist, &kind.describe()),
            Undo::Impossible(why) => push_gist(&mut gist, why),
        }
    }
    gist
}

/// Words without names of ours, addresses and ids.
fn push_gist(gist: &mut String, words: &str) {
    for word in words.split(' ') {
        let own = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ':');
        gist.push(' ');
        gist.push_str(match word {
            _ if word.starts_with("ostler-") => "",
            _ if word.len() - own.len() >= "0.0.0.0".len() => own,
            word => word,
        });
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{ContainerRef, OperationId};
    use crate::record::route::{RouteEntry, RouteTarget};

    fn stop(host: &str, site: &str, address: &str, cause: &str) -> Operation {
        let name = format!("ostler-t-{site}");
        let kind = OperationKind::StopContainer {
            container: ContainerRef { name, id: None },
            grace_s: 10,
        };
        Operation {
            id: OperationId(format!("{host}/{site}/stop")),
            host: host.parse().unwrap(),
            site: Some(site.parse().unwrap()),
            class: kind.facts().class,
            undo: Undo::Impossible(format!("{address} is given away")),
            kind,
            cause: vec![cause.to_owned()],
            interrupts: Interruption::Lasting,
            after: Vec::new(),
        }
    }

    #[test]
    fn what_is_alike_is_said_once_and_what_differs_is_not_folded() {
        let mut operations = Vec::new();
        for n in 0..100 {
            let (host, site) = (["web1", "web2"][n % 2], format!("site-{n}"));
            let cause = if n == 7 {
                "state: archived"
            } else {
                "state: stopped"
            };
            operations.push(stop(host, &site, &format!("10.0.0.{n}:80"), cause));
        }
        let plan = Plan {
            operations,
            ..Plan::default()
        };
        let folded = folded(&plan);
        assert_eq!(folded.len(), 2);
        assert_eq!(folded[0].hidden(), 98);
        assert_eq!(folded[1].group.causes, ["state: archived"]);
        // Nobody agrees to stop a site whose name was left out.
        let told = folded[0].told(76);
        assert!(told.iter().all(|line| line.len() <= 76));
        let told = told.join(" ");
        assert!(told.starts_with("the same for 49 sites on web2: site-1, site-3, "));
        for n in (1..100).filter(|n| *n != 7) {
            assert!(told.contains(&format!("site-{n}")), "{n}");
        }
    }

    #[test]
    fn where_a_proxy_leads_is_never_left_out() {
        let route = |n: u8| {
            let site = format!("p{n}");
            let entry = RouteEntry {
                site: site.parse().unwrap(),
                domains: Vec::new(),
                redirects: Default::default(),
                headers: Default::default(),
                target: RouteTarget::Address {
                    ip: [10, 0, 0, n].into(),
                    port: 25,
                    https: None,
                },
                connections: 200,
                timeout_s: 60,
            };
            Operation {
                kind: OperationKind::Route { entry },
                ..stop("web1", &site, "", "new site")
            }
        };
        let plan = Plan {
            operations: (0..9).map(route).collect(),
            ..Plan::default()
        };
        assert_eq!(folded(&plan).len(), 9);
    }

    #[test]
    fn a_few_are_shown_as_they_are() {
        let stopped = (0..4).map(|n| stop("web1", &format!("s{n}"), "10.0.0.1", "x"));
        let plan = Plan {
            operations: stopped.collect(),
            ..Plan::default()
        };
        assert_eq!(folded(&plan).len(), 4);
    }
}
