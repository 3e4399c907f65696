//! Whose a container is, and which one serves a site: by label and name, since a copy made by hand
//! inherits labels. The one answer, for verdicts, logs, planning and drift.

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
}

/// What it is to this fleet; `None`: nothing that lasts, or a copy.
pub fn whose<'a>(container: &'a ObservedContainer, fleet: &Name) -> Option<Whose<'a>> {
    if !container.is_of(fleet) {
        return None;
    }
    let called = |name: String| container.name == name || container.name == names::next(&name);
    match container.role()? {
        Role::Site => {
            let site = container.site()?;
            names::is_site(fleet, site, &container.name).then_some(Whose::Site(site))
        }
        Role::Router => called(names::router(fleet)).then_some(Whose::Router),
        Role::Toolbox => called(names::toolbox(fleet)).then_some(Whose::Toolbox),
        Role::Guard => called(names::guard(fleet)).then_some(Whose::Guard),
        Role::Lock | Role::Helper => None,
    }
}

/// The site of this fleet whose container it is, or whose next one.
pub fn site_of<'a>(container: &'a ObservedContainer, fleet: &Name) -> Option<&'a str> {
    match whose(container, fleet)? {
        Whose::Site(site) => Some(site),
        Whose::Router | Whose::Toolbox | Whose::Guard => None,
    }
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
            target: RouteTarget::Address {
                ip: ip.parse().unwrap(),
                port: 80,
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
