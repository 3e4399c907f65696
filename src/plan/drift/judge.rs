//! One site, one host: every field in its three values.

use std::collections::{BTreeMap, BTreeSet};

use super::hand::{self, Changes};
use super::raw::{Found, Look, Raw};
use super::spec;
use crate::fleet::{Domain, Isolate, Limits, Network, Recipe, Site, SiteState, value};
use crate::observe::model::{ObservedContainer, RunState, sites_subnet};
use crate::observe::whose::is_usable;
use crate::plan::container::{is_active, set_restart};
use crate::plan::ground;
use crate::plan::recipe;
use crate::plan::recipe::base::Setting;
use crate::plan::{route, service};
use crate::record::layout::Layout;
use crate::record::route::{Proxies, RouteEntry, RouteTarget, Trust};
use crate::record::{Labelled, RecordedState, SiteRecord, names};

/// What is the host's own: network, toolbox, guard, router, the router's files.
pub(super) fn host(look: &Look) -> Vec<Raw> {
    let mut found = Found::default();
    let layout = Layout::new(&look.host.root);
    if look.is_blind() {
        found.by_hand("toolbox", Some("running"), None);
        return found.0;
    }
    if look.state.host.is_none() {
        return found.0;
    }
    let fleet = look.fleet_name();
    let toolbox = ground::toolbox_hash(fleet, look.host, &layout);
    let toolboxes = &look.index.toolboxes;
    helper(look, &mut found, "toolbox", toolboxes, Some(&toolbox));
    let applied = &look.state.router.config_hash;
    if !applied.is_empty() {
        // Without the network nothing says what the router should be told of it.
        let sites = sites_subnet(&look.seen.networks, fleet);
        let wanted = sites.map(|sites| ground::router_wanted(fleet, look.host, &layout, sites));
        let container = wanted.as_ref().map(|(_, container)| container.as_str());
        helper(look, &mut found, "router", &look.index.routers, container);
        if let Some((config, _)) = wanted {
            if config.hash() != *applied {
                found.by_file("router.ports", Some("as applied"), Some("changed"));
            }
            proxies(&mut found, &look.state.router.proxies, &config.proxies);
        }
    }
    let name = names::network(look.fleet_name());
    let used = look.state.sites.values().any(|r| r.address.is_some());
    match look.seen.networks.iter().find(|n| n.name == name) {
        None if used => found.by_hand("network", Some(&name), None),
        Some(network) if network.icc => {
            found.by_hand("network", Some("containers apart"), Some("open"));
        }
        Some(network) if network.ipv6 => {
            found.by_hand("network", Some("IPv4 only"), Some("with IPv6"));
        }
        _ => {}
    }
    guard(look, &mut found);
    if let Some(differs) = &look.seen.differs {
        found.differences("router", &differs.router);
    }
    found.0
}

/// Whom the router believes.
fn proxies(found: &mut Found, applied: &Proxies, wanted: &Proxies) {
    let word = |of: &Proxies, network: &Network| {
        let trust = of.get(network).filter(|trust| **trust != Trust::Site);
        trust.map(|trust| trust.word())
    };
    let others = wanted
        .keys()
        .filter(|network| !applied.contains_key(*network));
    for network in applied.keys().chain(others) {
        let (was, now) = (word(applied, network), word(wanted, network));
        found.by_file(format!("router.trusted_proxies.{network}"), was, now);
    }
}

/// The guard of a host that is to have one. That there is none says nothing of whether there was.
fn guard(look: &Look, found: &mut Found) {
    let guards = &look.index.guards;
    let strict = look.host.isolate == Isolate::Strict;
    match (strict, guards.is_empty()) {
        (false, true) => {}
        (false, false) => found.by_file("guard", Some("running"), None),
        (true, true) => found.by_file("guard", None, Some("running")),
        (true, false) => {
            let sites = sites_subnet(&look.seen.networks, look.fleet_name());
            let wanted = |sites| ground::guard::spec(look.fleet_name(), look.host, sites).hash();
            let hash = sites.map(wanted);
            helper(look, found, "guard", guards, hash.as_deref());
        }
    }
}

/// A helper of the host's, and the hash that its container should have, where that is known.
fn helper(
    look: &Look,
    found: &mut Found,
    role: &str,
    containers: &[&ObservedContainer],
    hash: Option<&str>,
) {
    let best = containers
        .iter()
        .copied()
        .filter(|c| is_usable(c))
        .min_by_key(|c| (!c.is_running(), &c.id));
    let Some(container) = best else {
        found.by_hand(role, Some("running"), None);
        return;
    };
    if hash.is_some() && container.spec_hash() != hash {
        found.by_file(
            format!("{role}.made"),
            Some("as applied"),
            Some("otherwise"),
        );
        return;
    }
    if !is_active(container) {
        found.by_hand(role, Some("running"), Some(word(container.run)));
    } else if container.run == RunState::Paused {
        found.by_hand(role, Some("running"), Some("paused"));
    }
    let name = match role {
        "toolbox" => names::toolbox(look.fleet_name()),
        "guard" => names::guard(look.fleet_name()),
        _ => names::router(look.fleet_name()),
    };
    found.by_hand(format!("{role}.name"), Some(&name), Some(&container.name));
    if let Some(policy) = policy(container) {
        found.by_hand(format!("{role}.restart"), Some("always"), Some(policy));
    }
}

fn policy(container: &ObservedContainer) -> Option<&str> {
    container.inspected.as_ref()?.restart.as_deref()
}

/// A site of the file on its host.
pub(super) fn site(look: &Look, site: &Site) -> Vec<Raw> {
    let mut found = Found::default();
    let Some(record) = look.state.sites.get(&site.name) else {
        if site.state != SiteState::Archived {
            found.by_file("site", None, Some(site.state.word()));
        }
        return found.0;
    };
    let container = look.container(record);
    let mut live = record_word(record.state);
    if expects_container(record) || container.is_some() {
        live = the_container(look, &mut found, record, container);
    }
    let applied = record_word(record.state);
    found.add(
        "state",
        Some(applied.to_owned()),
        Some(live.to_owned()),
        Some(site.state.word().to_owned()),
    );
    if let Some(container) = container.filter(|c| hand::is_about(record, c)) {
        of_container(look, &mut found, site, record, container);
    } else {
        by_spec(look, &mut found, site, record, Changes::new());
    }
    routes(look, &mut found, site, record);
    if let Some(differs) = look.differs(&site.name) {
        found.differences("", &differs.route);
        found.differences("configuration", &differs.conf);
    }
    for service in service::ALL {
        service.differs(look, site, record, &mut found);
    }
    found.0
}

/// What is on this host of a site that the file has elsewhere or not at all.
pub(super) fn leftover(look: &Look, record: &SiteRecord) -> Vec<Raw> {
    let mut found = Found::default();
    let runs = look
        .index
        .sites
        .get(record.site.as_str())
        .is_some_and(|all| all.iter().any(|c| is_active(c)));
    let elsewhere = look.fleet.sites.get(&record.site);
    match record.state {
        RecordedState::Leftover if runs => {
            found.by_hand("state", Some("left over, stopped"), Some("running"));
        }
        RecordedState::Leftover => {
            let all = look.index.sites.get(record.site.as_str());
            let back = |c: &&ObservedContainer| set_restart(c, false).is_some();
            let back = all.and_then(|all| all.iter().copied().find(back));
            if let Some(policy) = back.and_then(policy) {
                found.by_hand("restart", Some("no"), Some(policy));
            }
        }
        RecordedState::Wanted(SiteState::Archived) => {}
        RecordedState::Wanted(state) => {
            let wanted = elsewhere.map(|site| format!("on {}", site.host));
            found.by_file("site", Some(state.word()), wanted.as_deref());
        }
    }
    found.0
}

fn record_word(state: RecordedState) -> &'static str {
    match state {
        RecordedState::Wanted(state) => state.word(),
        RecordedState::Leftover => "left over",
    }
}

fn word(run: RunState) -> &'static str {
    match run {
        RunState::Running | RunState::Restarting => "running",
        RunState::Paused => "paused",
        RunState::Created | RunState::Exited => "stopped",
        RunState::Removing | RunState::Dead => "given up by the engine",
    }
}

fn expects_container(record: &SiteRecord) -> bool {
    record.address.is_some() && record.state != RecordedState::Wanted(SiteState::Archived)
}

/// Whether the recorded container is there; what it does.
fn the_container(
    look: &Look,
    found: &mut Found,
    record: &SiteRecord,
    container: Option<&ObservedContainer>,
) -> &'static str {
    let applied = record_word(record.state);
    let name = names::site(look.fleet_name(), record.site.as_str());
    let Some(container) = container else {
        let other = look.index.by_name.get(name.as_str());
        let live = other.map(|c| format!("{} is not ours: {}", c.name, c.image));
        found.by_hand("container", Some("as applied"), live.as_deref());
        return applied;
    };
    if !expects_container(record) {
        if record.spec.is_some() || record.state == RecordedState::Wanted(SiteState::Archived) {
            found.by_hand("container", None, Some("there"));
        }
        return applied;
    }
    if !is_usable(container) {
        let live = Some(word(container.run));
        found.by_hand("container", Some("as applied"), live);
        return applied;
    }
    if !hand::is_about(record, container) {
        found.by_hand("container", Some("as applied"), Some("another one"));
    }
    if !names::is_site(look.fleet_name(), record.site.as_str(), &container.name) {
        found.by_hand("name", Some(&name), Some(&container.name));
    }
    match (record.state, word(container.run)) {
        (RecordedState::Leftover, "stopped") => applied,
        (_, live) => live,
    }
}

/// What was set on the recorded container, and what it was made from.
fn of_container(
    look: &Look,
    found: &mut Found,
    site: &Site,
    record: &SiteRecord,
    container: &ObservedContainer,
) {
    let runs = site.state == SiteState::Running && !matches!(site.recipe, Recipe::Proxy { .. });
    let live = container.inspected.as_ref().map(|i| i.limits);
    limits(
        found,
        &record.limits,
        &live.unwrap_or(record.limits),
        match runs {
            true => &site.limits,
            false => &record.limits,
        },
    );
    let kept = match record.state {
        RecordedState::Wanted(SiteState::Running) => "always",
        _ => "no",
    };
    // One that was stopped for good is not to come back, whatever else is said of it.
    if let Some(policy) = policy(container) {
        found.by_hand("restart", Some(kept), Some(policy));
    }
    let changes = hand::changes(container, Some(record));
    let network = names::network(look.fleet_name());
    if changes.is_empty() && hand::is_unplugged(container, &network) {
        let address = record.address.map(|a| a.to_string());
        let live = container.addresses.get(&network).map(|a| a.to_string());
        let path = format!("network.{network}");
        found.by_hand(path, address.as_deref(), live.as_deref());
    }
    by_spec(look, found, site, record, changes);
}

fn limits(found: &mut Found, applied: &Limits, live: &Limits, wanted: &Limits) {
    let all = applied
        .each()
        .into_iter()
        .zip(live.each())
        .zip(wanted.each());
    for (((key, applied), (_, live)), (_, wanted)) in all {
        found.add(key, applied, live, wanted);
    }
}

/// Changes by hand and changes of the file meet here, path by path.
fn by_spec(look: &Look, found: &mut Found, site: &Site, record: &SiteRecord, live: Changes) {
    let mut file = Changes::new();
    let both_run = site.state == SiteState::Running
        && record.state == RecordedState::Wanted(SiteState::Running);
    if both_run {
        match (&record.spec, wanted(look, site, record)) {
            (Some(was), Some(now)) => {
                file = hand::between(&spec::fields(was), &spec::fields(&now));
            }
            (None, Some(_)) => found.by_file("recipe", Some("proxy"), Some(site.recipe.word())),
            (Some(_), None) if matches!(site.recipe, Recipe::Proxy { .. }) => {
                found.by_file("recipe", Some("a container"), Some("proxy"));
            }
            _ => {}
        }
    }
    let paths: BTreeSet<&String> = live.keys().chain(file.keys()).collect();
    for path in paths {
        let (live, file) = (live.get(path), file.get(path));
        let applied = live.or(file).and_then(|change| change.0.clone());
        let value = |change: Option<&(Option<String>, Option<String>)>| match change {
            Some((_, now)) => now.clone(),
            None => applied.clone(),
        };
        let (live, wanted) = (value(live), value(file));
        found.add(path.clone(), applied, live, wanted);
    }
}

/// The spec that the file asks for; `None` also where it cannot be told because the sites' network
/// is not there.
fn wanted(
    look: &Look,
    site: &Site,
    record: &SiteRecord,
) -> Option<crate::record::spec::ContainerSpec> {
    let network = names::network(look.fleet_name());
    let there = look.seen.networks.iter().find(|n| n.name == network)?;
    let layout = Layout::new(&look.host.root);
    let setting = Setting {
        layout: &layout,
        network: &network,
        gateway: there.subnets.first()?.gateway(),
        images: &look.host.images,
    };
    Some(recipe::container(site, record.uid, &setting)?.spec)
}

/// Domains, redirects, connections and where they lead. The address itself is ours to choose.
fn routes(look: &Look, found: &mut Found, site: &Site, record: &SiteRecord) {
    let live = look.state.router.routes.get(&site.name);
    let applied = record.route.as_ref();
    let same_state = RecordedState::Wanted(site.state) == record.state;
    let target = match (&site.recipe, applied.map(|entry| entry.target.clone())) {
        (_, _) if !same_state => applied.map(|entry| entry.target.clone()),
        (Recipe::Proxy { to }, was) if site.state == SiteState::Running => {
            route::proxy_target(to, look.host.ports, &look.index)
                .ok()
                .or(was)
        }
        (_, was) => was,
    };
    let wanted = target.map(|target| route::entry(&look.claims, site, target));
    let wanted = match site.state {
        SiteState::Archived => applied.cloned(),
        _ => wanted.or_else(|| applied.cloned()),
    };
    let kept = applied.map(|was| kept(look, was.clone()));
    let (applied, kept) = (lines(applied), lines(kept.as_ref()));
    let (live, wanted) = (lines(live), lines(wanted.as_ref()));
    let paths: BTreeSet<&String> = applied
        .keys()
        .chain(live.keys())
        .chain(wanted.keys())
        .collect();
    for path in paths {
        let of = |lines: &BTreeMap<String, String>| lines.get(path).cloned();
        let (was, kept, live, wanted) = (of(&applied), of(&kept), of(&live), of(&wanted));
        match kept == live && live == wanted {
            // What is left to do is to note it.
            true if was != live => found.0.push(Raw {
                path: path.clone(),
                applied: was,
                live,
                wanted,
                ours: true,
            }),
            _ => found.add(path.clone(), kept, live, wanted),
        }
    }
}

/// What was applied, without domains that an apply of another site alone has given to that one since.
fn kept(look: &Look, mut applied: RouteEntry) -> RouteEntry {
    let routes = &look.state.router.routes;
    if routes.get(&applied.site) == Some(&applied) {
        return applied;
    }
    let has = |entry: &RouteEntry, domain: &Domain| {
        entry.domains.contains(domain) || entry.redirects.contains_key(domain)
    };
    let own = routes.get(&applied.site);
    let given = |domain: &Domain| {
        !own.is_some_and(|own| has(own, domain)) && routes.values().any(|entry| has(entry, domain))
    };
    applied.domains.retain(|domain| !given(domain));
    applied.redirects.retain(|domain, _| !given(domain));
    applied
}

fn lines(entry: Option<&RouteEntry>) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    let Some(entry) = entry else { return lines };
    let domains: Vec<&str> = entry.domains.iter().map(|d| d.as_str()).collect();
    lines.insert("domains".to_owned(), domains.join(" "));
    lines.insert("connections".to_owned(), entry.connections.to_string());
    let timeout = value::format_seconds(entry.timeout_s);
    lines.insert("timeout".to_owned(), timeout);
    for (domain, to) in &entry.redirects {
        lines.insert(format!("redirects.{domain}"), to.clone());
    }
    for (name, value) in &entry.headers {
        lines.insert(format!("headers.{name}"), value.clone());
    }
    let target = match &entry.target {
        RouteTarget::Address { ip, port, .. } => format!("{ip}:{port}"),
        RouteTarget::Resolve { host, port } => format!("{host}:{port}"),
        RouteTarget::Stopped => "the page that says it is stopped".to_owned(),
    };
    lines.insert("route".to_owned(), target);
    lines
}
