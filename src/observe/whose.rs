//! Whose a container is, and which one serves a site: by label and name, since a copy made by hand
//! (`docker commit`, then `docker run`) inherits labels. The one answer, for verdicts, logs, events,
//! numbers, checks, planning and drift.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::model::{ObservedContainer, RunState};
use crate::fleet::Name;
use crate::record::route::{RouteEntry, RouteTarget};
use crate::record::{HostState, Labelled, Role, names};

/// What a container is to a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose<'a> {
    /// It serves this site, or is to.
    Site(&'a str),
    /// It is the host's router, or its next one.
    Router,
    /// It is the host's toolbox, or its next one.
    Toolbox,
    /// It is the host's guard, or its next one.
    Guard,
    /// It is the host's lock.
    Lock,
    /// It does one thing for an apply, and goes.
    Helper,
}

/// What it is to this fleet; `None`: nothing, or a copy.
pub fn whose<'a>(container: &'a ObservedContainer, fleet: &Name) -> Option<Whose<'a>> {
    told(&container.labels, &container.name, fleet)
}

/// The same of whatever the engine tells a container's labels and name of.
pub fn told<'a>(labels: &'a impl Labelled, name: &str, fleet: &Name) -> Option<Whose<'a>> {
    if !labels.is_of(fleet) {
        return None;
    }
    let called = |own: String| {
        let next = || name.strip_prefix(own.as_str()) == Some("-next");
        name == own || next()
    };
    match labels.role()? {
        Role::Site => {
            let site = labels.site()?;
            names::is_site(fleet, site, name).then_some(Whose::Site(site))
        }
        Role::Router => called(names::router(fleet)).then_some(Whose::Router),
        Role::Toolbox => called(names::toolbox(fleet)).then_some(Whose::Toolbox),
        Role::Guard => called(names::guard(fleet)).then_some(Whose::Guard),
        Role::Lock => (name == names::lock(fleet)).then_some(Whose::Lock),
        Role::Helper => names::is_helper(fleet, name).then_some(Whose::Helper),
    }
}

/// The same by the fleet that its labels name, whichever that is.
pub fn of_any<'a>(labels: &'a impl Labelled, name: &str) -> Option<Whose<'a>> {
    let fleet: Name = labels.fleet()?.parse().ok()?;
    told(labels, name, &fleet)
}

/// Whether no fleet made it: it carries no label of ours, or another container's.
pub fn is_foreign(container: &ObservedContainer) -> bool {
    of_any(&container.labels, &container.name).is_none()
}

/// The site of this fleet whose container it is, or whose next one.
pub fn site_of<'a>(container: &'a ObservedContainer, fleet: &Name) -> Option<&'a str> {
    match whose(container, fleet)? {
        Whose::Site(site) => Some(site),
        _ => None,
    }
}

/// The site whose container it is under a name that somebody gave it (`docker rename`): with the
/// site's labels, made as the site's record says, it has the address in the sites' network that is
/// recorded for the site, or that requests for it are sent to. It need not run: an apply that was cut
/// off may have led the route elsewhere, and stopped it or not. A copy has another address.
pub fn renamed<'a>(
    container: &'a ObservedContainer,
    fleet: &Name,
    state: Option<&HostState>,
) -> Option<&'a str> {
    let ours = is_usable(container) && container.is_of(fleet);
    if !ours || container.role() != Some(Role::Site) {
        return None;
    }
    let (site, state) = (container.site()?, state?);
    let (made, record) = (container.spec_hash(), state.sites.get(site)?);
    let as_recorded = made.is_some() && made == record.hash.as_deref();
    let has = *container.addresses.get(&names::network(fleet))?;
    let routed = match state.router.routes.get(site).map(|entry| &entry.target) {
        Some(RouteTarget::Address { ip, .. }) => Some(*ip),
        _ => None,
    };
    let is_there = [record.address, routed].contains(&Some(has));
    let renamed = !names::is_site(fleet, site, &container.name);
    (as_recorded && renamed && is_there).then_some(site)
}

/// A host's containers, sorted by what they are to a fleet.
#[derive(Default)]
pub struct Sorted<'a> {
    /// By site: its containers, and the one that was renamed by hand.
    pub sites: BTreeMap<&'a str, Vec<&'a ObservedContainer>>,
    pub toolboxes: Vec<&'a ObservedContainer>,
    pub routers: Vec<&'a ObservedContainer>,
    pub guards: Vec<&'a ObservedContainer>,
    /// What is nothing to the fleet: foreign, a copy, another fleet's.
    pub others: Vec<&'a ObservedContainer>,
}

/// Sorts the containers of a host. `state`: what ostler keeps there, where that could be read.
pub fn sort<'a>(
    containers: &'a [ObservedContainer],
    fleet: &Name,
    state: Option<&HostState>,
) -> Sorted<'a> {
    let mut sorted = Sorted::default();
    for container in containers {
        match whose(container, fleet) {
            Some(Whose::Site(site)) => sorted.sites.entry(site).or_default().push(container),
            Some(Whose::Toolbox) => sorted.toolboxes.push(container),
            Some(Whose::Router) => sorted.routers.push(container),
            Some(Whose::Guard) => sorted.guards.push(container),
            Some(Whose::Lock | Whose::Helper) => {}
            None => sorted.others.push(container),
        }
    }
    let Sorted { sites, others, .. } = &mut sorted;
    // An address is one container's: that of the site's name, else the oldest, which copies are not.
    let mut found: BTreeMap<&str, &ObservedContainer> = BTreeMap::new();
    let network = names::network(fleet);
    for container in others.iter().copied() {
        let Some(site) = renamed(container, fleet, state) else {
            continue;
        };
        let has = container.addresses.get(&network).copied();
        let named = sites.get(site).map_or(&[][..], Vec::as_slice);
        let older =
            |c: &&ObservedContainer| (c.created, &c.id) < (container.created, &container.id);
        if !named.iter().any(|named| address(named, &network) == has)
            && !found.get(site).is_some_and(older)
        {
            found.insert(site, container);
        }
    }
    for (site, container) in found {
        sites.entry(site).or_default().push(container);
        others.retain(|other| other.id != container.id);
    }
    sorted
}

/// What of the fleet runs, of a kind of which a host has one: while it is replaced there are two, and
/// the one with the final name is taken.
fn the_one<'a>(
    containers: &'a [ObservedContainer],
    fleet: &Name,
    what: Whose,
    name: &str,
    of: impl Fn(&ObservedContainer) -> bool,
) -> Option<&'a ObservedContainer> {
    let mine = |c: &&ObservedContainer| whose(c, fleet) == Some(what) && of(c);
    let all = containers.iter().filter(mine);
    all.max_by_key(|c| (c.name == name, c.is_running(), c.created))
}

/// The toolbox among a host's containers, running or not.
pub fn toolbox<'a>(
    containers: &'a [ObservedContainer],
    fleet: &Name,
) -> Option<&'a ObservedContainer> {
    let name = names::toolbox(fleet);
    the_one(containers, fleet, Whose::Toolbox, &name, |_| true)
}

/// The router among a host's containers: one that runs, where any does.
pub fn router<'a>(
    containers: &'a [ObservedContainer],
    fleet: &Name,
) -> Option<&'a ObservedContainer> {
    let name = names::router(fleet);
    let one =
        |of: fn(&ObservedContainer) -> bool| the_one(containers, fleet, Whose::Router, &name, of);
    one(ObservedContainer::is_running).or_else(|| one(|_| true))
}

/// The address a container of ours was given, running or not.
pub fn address(container: &ObservedContainer, network: &str) -> Option<Ipv4Addr> {
    let there = || container.addresses.get(network).copied();
    container.asked_address().or_else(there)
}

/// Whether the router sends requests to it.
pub fn is_routed(container: &ObservedContainer, network: &str, route: Option<&RouteEntry>) -> bool {
    match route.map(|entry| &entry.target) {
        Some(RouteTarget::Address { ip, .. }) => address(container, network) == Some(*ip),
        _ => false,
    }
}

/// Not one that the engine gave up on or is removing.
pub fn is_usable(container: &ObservedContainer) -> bool {
    !matches!(container.run, RunState::Dead | RunState::Removing)
}

/// Of the containers of one site, the lowest serves it: the one that the router sends requests to,
/// else the one that has the final name, else one that runs.
pub fn rank<'a>(
    container: &'a ObservedContainer,
    name: &str,
    network: &str,
    route: Option<&RouteEntry>,
) -> impl Ord + use<'a> {
    (
        !is_usable(container),
        !is_routed(container, network, route),
        container.name != name,
        !container.is_running(),
        container.id.as_str(),
    )
}

/// Which of the containers of one site serves it. `state`: what ostler keeps on the host, where
/// that could be read.
pub fn serving<'a>(
    containers: &[&'a ObservedContainer],
    fleet: &Name,
    site: &str,
    state: Option<&HostState>,
) -> Option<&'a ObservedContainer> {
    if let [] | [_] = containers {
        return containers.first().copied();
    }
    let (name, network) = (names::site(fleet, site), names::network(fleet));
    let route = state.and_then(|state| state.router.routes.get(site));
    let ranked = |c: &&'a ObservedContainer| rank(c, &name, &network, route);
    containers.iter().copied().min_by_key(ranked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RouterRecord, labels};

    fn fleet() -> Name {
        "x".parse().unwrap()
    }

    fn container(name: String, address: &str, run: RunState) -> ObservedContainer {
        let label = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        ObservedContainer {
            id: name.clone(),
            name,
            labels: [
                label(labels::FLEET, "x"),
                label(labels::ROLE, Role::Site.word()),
                label(labels::SITE, "blog"),
                label(labels::ADDRESS, address),
            ]
            .into(),
            run,
            ..ObservedContainer::default()
        }
    }

    fn routed_to(ip: &str) -> HostState {
        let entry = RouteEntry {
            site: "blog".parse().unwrap(),
            domains: Vec::new(),
            redirects: Default::default(),
            headers: Default::default(),
            target: RouteTarget::Address {
                ip: ip.parse().unwrap(),
                port: 80,
                https: None,
            },
            connections: 0,
            timeout_s: 0,
        };
        HostState {
            router: RouterRecord {
                routes: [(entry.site.clone(), entry)].into(),
                ..RouterRecord::default()
            },
            ..HostState::default()
        }
    }

    #[test]
    fn a_copy_with_our_labels_is_not_ours() {
        let name = names::site(&fleet(), "blog");
        let of = |name: &str| {
            let made = container(name.to_owned(), "10.0.0.1", RunState::Running);
            site_of(&made, &fleet()).map(str::to_owned)
        };
        assert_eq!(of(&name).as_deref(), Some("blog"));
        assert_eq!(of(&names::next(&name)).as_deref(), Some("blog"));
        assert_eq!(of("blog-copy"), None);
        assert_eq!(of(&names::site(&fleet(), "shop")), None);
        assert_eq!(of(&format!("{name}-old")), None);
        assert_eq!(of(&format!("{name}-next-next")), None);
    }

    #[test]
    fn one_that_was_renamed_by_hand_is_the_sites_wherever_requests_go() {
        let name = names::site(&fleet(), "blog");
        let made = |name: &str, address: &str, run: RunState| {
            // A copy inherits the label too.
            let asked = match name.starts_with("ostler-") {
                true => address,
                false => "10.0.0.1",
            };
            let mut made = container(name.to_owned(), asked, run);
            made.labels.insert(labels::HASH.to_owned(), "h".to_owned());
            let network = names::network(&fleet());
            made.addresses.insert(network, address.parse().unwrap());
            made
        };
        let mut state = routed_to("10.0.0.1");
        let record = serde_json::json!({
            "schema": 1, "site": "blog", "uid": 200000, "spec": null, "hash": "h",
            "limits": {"memory": null, "nano_cpus": null, "pids": null}, "route": null,
            "secrets": {}, "state": {"wanted": "running"}, "image_id": null, "address": null,
        });
        let record: crate::record::SiteRecord = serde_json::from_value(record).unwrap();
        state.sites.insert(record.site.clone(), record.into());
        let of = |all: &[ObservedContainer], state: Option<&HostState>| {
            let sorted = sort(all, &fleet(), state);
            let names = sorted.sites.get("blog").cloned().unwrap_or_default();
            let names: Vec<String> = names.iter().map(|c| c.name.clone()).collect();
            (names, sorted.others.len())
        };
        let runs = RunState::Running;
        let renamed = made("mine", "10.0.0.1", runs);
        let is = (vec!["mine".to_owned()], 0);
        assert_eq!(of(std::slice::from_ref(&renamed), Some(&state)), is);
        let none = (Vec::new(), 1);
        // Another address, given up by the engine, made otherwise, or nobody knows.
        let copy = made("copy", "10.0.0.2", runs);
        for other in [
            copy.clone(),
            made("mine", "10.0.0.1", RunState::Dead),
            container("mine".into(), "10.0.0.1", runs),
        ] {
            assert_eq!(of(&[other], Some(&state)), none);
        }
        assert_eq!(of(std::slice::from_ref(&renamed), None), none);
        // The one with the name comes first.
        let both = [renamed.clone(), made(&name, "10.0.0.1", RunState::Exited)];
        assert_eq!(of(&both, Some(&state)), (vec![name.clone()], 1));

        // Requests go to where its record says or not: to a page, to another, nowhere.
        for told in ["10.0.0.1", "10.0.0.3", ""] {
            let mut state = state.clone();
            let record = std::sync::Arc::make_mut(state.sites.get_mut("blog").unwrap());
            record.address = Some("10.0.0.1".parse().unwrap());
            state.router = match told {
                "" => RouterRecord::default(),
                told => routed_to(told).router,
            };
            for run in [
                runs,
                RunState::Paused,
                RunState::Restarting,
                RunState::Exited,
                RunState::Created,
            ] {
                let renamed = made("mine", "10.0.0.1", run);
                let with_copy = [copy.clone(), renamed.clone()];
                assert_eq!(of(&with_copy, Some(&state)), (is.0.clone(), 1), "{run:?}");
                // Of two one is taken: a copy is younger.
                let mut late = made("a-copy", "10.0.0.1", runs);
                late.created = 1;
                let two = [late, renamed.clone()];
                assert_eq!(of(&two, Some(&state)), (is.0.clone(), 1), "{run:?}");
                // Half-way to another that has another address, it is there still.
                for new in [name.clone(), names::next(&name)] {
                    let both = [renamed.clone(), made(&new, "10.0.0.3", runs)];
                    let are = vec![new, "mine".to_owned()];
                    assert_eq!(of(&both, Some(&state)), (are, 0), "{run:?}");
                }
            }
            assert_eq!(of(std::slice::from_ref(&copy), Some(&state)), none);
        }
    }

    #[test]
    fn a_copy_of_a_helper_is_none_and_belongs_to_nobody() {
        let role = |role: Role, name: &str| {
            let mut made = container(name.to_owned(), "10.0.0.1", RunState::Running);
            made.labels
                .insert(labels::ROLE.to_owned(), role.word().to_owned());
            made
        };
        let fleet = fleet();
        for (kind, name, is) in [
            (Role::Router, names::router(&fleet), Whose::Router),
            (Role::Toolbox, names::toolbox(&fleet), Whose::Toolbox),
            (Role::Guard, names::guard(&fleet), Whose::Guard),
            (Role::Lock, names::lock(&fleet), Whose::Lock),
            (Role::Helper, names::helper(&fleet, "blog"), Whose::Helper),
        ] {
            let real = role(kind, &name);
            assert_eq!(whose(&real, &fleet), Some(is));
            assert!(!is_foreign(&real));
            for other in ["quirky_hopper", "ostler-x-", &names::site(&fleet, "blog")] {
                let copy = role(kind, other);
                assert_eq!(whose(&copy, &fleet), None, "{kind:?} {other}");
                assert!(is_foreign(&copy), "{kind:?} {other}");
            }
            // Another fleet's is somebody's, and nothing to this one.
            let others = "y".parse().unwrap();
            assert_eq!(whose(&real, &others), None);
        }
        let mut plain = container("web".into(), "10.0.0.1", RunState::Running);
        plain.labels.clear();
        assert!(is_foreign(&plain));
    }

    #[test]
    fn the_router_is_one_that_runs_and_never_a_copy() {
        let fleet = fleet();
        let name = names::router(&fleet);
        let made = |name: &str, run: RunState| {
            let mut made = container(name.to_owned(), "10.0.0.1", run);
            made.labels
                .insert(labels::ROLE.to_owned(), Role::Router.word().to_owned());
            made
        };
        let next = names::next(&name);
        let (runs, ended) = (RunState::Running, RunState::Exited);
        let which = |all: &[ObservedContainer]| router(all, &fleet).map(|c| c.name.clone());
        let copy = made("copy", runs);
        assert_eq!(which(std::slice::from_ref(&copy)), None);
        let both = [copy.clone(), made(&next, runs), made(&name, runs)];
        assert_eq!(which(&both), Some(name.clone()));
        let both = [copy, made(&name, ended), made(&next, runs)];
        assert_eq!(which(&both), Some(next));
        assert_eq!(which(&[made(&name, ended)]), Some(name));
    }

    #[test]
    fn the_routed_container_serves_then_the_one_with_the_final_name() {
        let name = names::site(&fleet(), "blog");
        let next = names::next(&name);
        let now = container(name.clone(), "10.0.0.1", RunState::Running);
        let new = container(next.clone(), "10.0.0.2", RunState::Running);
        let which = |containers: &[&ObservedContainer], state: Option<&HostState>| {
            serving(containers, &fleet(), "blog", state).map(|c| c.name.clone())
        };
        let both = [&new, &now];
        assert_eq!(
            which(&both, Some(&routed_to("10.0.0.1"))),
            Some(name.clone())
        );
        assert_eq!(
            which(&both, Some(&routed_to("10.0.0.2"))),
            Some(next.clone())
        );
        assert_eq!(which(&both, None), Some(name.clone()));
        assert_eq!(which(&[], None), None);
        let ended = container(name.clone(), "10.0.0.1", RunState::Exited);
        assert_eq!(which(&[&ended], None), Some(name.clone()));
        // Visitors do not get to one that runs beside it.
        let state = routed_to("10.0.0.1");
        assert_eq!(which(&[&new, &ended], Some(&state)), Some(name.clone()));
        let dead = container(name, "10.0.0.1", RunState::Dead);
        assert_eq!(which(&[&dead, &new], Some(&state)), Some(next));
    }
}
