//! Containers that run an older image than the one that its tag stands for by now. The plan leaves
//! them alone: only `ostler update` replaces them, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::container::settle;
use super::draft::Draft;
use super::graph::Plan;
use super::ground::router_wanted;
use super::image::{self, Newer};
use super::index::Index;
use super::operation::{Operation, OperationKind};
use super::place::Place;
use super::recipe;
use super::wish::Intent;
use crate::fleet::{Fleet, Host, Images, Name, Site, SiteState};
use crate::observe::model::{Observed, ObservedContainer, ObservedHost, sites_subnet};
use crate::observe::whose;
use crate::record::{Layout, SiteRecord, StateRead, names};
use crate::text::count;

/// Most names that a notice carries.
const NAMED: usize = 5;

/// The newer image of a site, where it runs an older one. Not where the file has come to name
/// another image, or the site was never applied: an apply deals with that.
pub fn of_site(
    seen: &ObservedHost,
    images: &Images,
    site: &Site,
    record: Option<&SiteRecord>,
    serving: Option<&ObservedContainer>,
) -> Option<Newer> {
    let reference = recipe::image(site, images)?;
    let recorded = record?.spec.as_ref()?;
    let runs = site.state == SiteState::Running && recorded.image == reference;
    image::newer(seen, serving.filter(|_| runs)?, &reference)
}

/// The newer image of a host's router, where that is as the file says: else an apply replaces it.
fn of_router(fleet: &Fleet, host: &Host, seen: &ObservedHost, index: &Index) -> Option<Newer> {
    let subnet = sites_subnet(&seen.networks, &fleet.name)?;
    let (_, hash) = router_wanted(&fleet.name, host, &Layout::new(&host.root), subnet);
    let (keep, _) = settle(&index.routers, &hash, &names::router(&fleet.name));
    image::newer(seen, keep?, &host.images.router)
}

/// The sites of a host that run older images, by the reference of those.
fn sites<'a>(
    fleet: &'a Fleet,
    host: &'a Host,
    seen: &'a ObservedHost,
    index: &'a Index,
) -> impl Iterator<Item = (&'a Name, Newer)> {
    let state = seen.state.read();
    fleet.sites_on(&host.name).filter_map(move |site| {
        let name = site.name.as_str();
        let there = index.sites.get(name).map_or(&[][..], Vec::as_slice);
        let serving = whose::serving(there, &fleet.name, name, state);
        let record = state.and_then(|state| state.record(&site.name));
        let newer = of_site(seen, &host.images, site, record, serving)?;
        Some((&site.name, newer))
    })
}

/// What runs older images than their tags stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub sites: BTreeSet<Name>,
    /// Hosts whose router does.
    pub routers: BTreeSet<Name>,
    /// Sites of which it is not known: their hosts did not answer, or not all of it.
    pub unknown: BTreeSet<Name>,
}

impl Found {
    /// What is asked for, and the sites that are planned for it: of what is `meant` (`None`: all of
    /// it, with the routers) that which runs an older image. What does not is left alone, whatever the
    /// file has come to say of it. `named`: sites that are to be said of where they cannot be updated.
    pub fn ask(
        mut self,
        meant: Option<&BTreeSet<Name>>,
        named: &[Name],
    ) -> (Vec<Intent>, BTreeSet<Name>) {
        if let Some(meant) = meant {
            self.sites.retain(|site| meant.contains(site));
            self.unknown.retain(|site| meant.contains(site));
            self.routers.clear();
        }
        let site = |site: &Name| Intent::Update { site: site.clone() };
        let router = |host: &Name| Intent::UpdateRouter { host: host.clone() };
        let sites: BTreeSet<&Name> = self.sites.iter().chain(named).collect();
        let sites = sites.into_iter().map(site);
        let intents = sites.chain(self.routers.iter().map(router)).collect();
        (intents, &self.sites | &self.unknown)
    }
}

/// Looks through the hosts that were looked at.
pub fn find(fleet: &Fleet, observed: &Observed) -> Found {
    let mut found = Found::default();
    for host in fleet.hosts.values() {
        let Some(seen) = observed.hosts.get(&host.name) else {
            continue;
        };
        match seen.reached() {
            Some(seen) if !matches!(seen.state, StateRead::Damaged { .. }) => {
                let index = Index::of(seen, &fleet.name);
                let older = sites(fleet, host, seen, &index);
                found.sites.extend(older.map(|(site, _)| site.clone()));
                if of_router(fleet, host, seen, &index).is_some() {
                    found.routers.insert(host.name.clone());
                }
            }
            _ => {
                let there = fleet.sites_on(&host.name);
                let runs = there.filter(|site| site.state == SiteState::Running);
                found.unknown.extend(runs.map(|site| site.name.clone()));
            }
        }
    }
    found
}

/// What registries can be asked for again: images that hosts have and sites run that are to run,
/// those of routers too where all sites are meant. An image that is named by its digest stays what it
/// is.
pub fn pulls(
    fleet: &Fleet,
    observed: &Observed,
    only: Option<&BTreeSet<Name>>,
) -> Vec<(Name, String)> {
    let mut pulls = BTreeSet::new();
    for host in fleet.hosts.values() {
        let found = observed.hosts.get(&host.name);
        let Some(seen) = found.and_then(|found| found.reached()) else {
            continue;
        };
        let meant = |site: &&Site| {
            site.state == SiteState::Running && only.is_none_or(|only| only.contains(&site.name))
        };
        let sites = fleet.sites_on(&host.name).filter(meant);
        let images = sites.filter_map(|site| recipe::image(site, &host.images));
        let router = Some(host.images.router.clone()).filter(|_| only.is_none());
        for image in images.chain(router) {
            if !image.contains('@') && image::find(&seen.images, &image).is_some() {
                pulls.insert((host.name.clone(), image));
            }
        }
    }
    pulls.into_iter().collect()
}

/// Tells of older images on a host, as far as this plan does not replace them.
pub(super) fn tell(place: &Place, draft: &mut Draft) {
    let (wish, host) = (place.wish, place.host);
    let mut older: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (site, newer) in sites(wish.fleet, host, place.seen, &place.index) {
        if wish.options.selects(site.as_str()) && !wish.updates(site) {
            older.entry(newer.image).or_default().push(site.as_str());
        }
    }
    for (image, sites) in older {
        let named = sites[..sites.len().min(NAMED)].join(", ");
        let more = match sites.len() > NAMED {
            true => ", …",
            false => "",
        };
        let (who, runs) = match sites.len() {
            1 => (named, "runs"),
            n => (format!("{} ({named}{more})", count(n, "site")), "run"),
        };
        draft.notice(
            None,
            format!("{who} {runs} an older image than {image} is by now: `ostler update`"),
        );
    }
    let all = wish.options.only.is_none() && !wish.updates_router(&host.name);
    if all && let Some(newer) = of_router(wish.fleet, host, place.seen, &place.index) {
        let image = newer.image;
        draft.notice(
            None,
            format!("the router runs an older image than {image} is by now: `ostler update`"),
        );
    }
}

/// (later, earlier): one site first; once that answers, one after the other on each host; routers
/// when all sites are done, one host's after the other's.
pub(super) fn one_first(plan: &Plan) -> Vec<(usize, usize)> {
    let (mut sites, mut routers) = (Vec::new(), Vec::new());
    for (at, operation) in plan.operations.iter().enumerate() {
        if let Some(site) = &operation.site {
            span(&mut sites, (&operation.host, site), at);
        } else if replaces_router(operation) {
            span(&mut routers, &operation.host, at);
        }
    }
    let mut ties = Vec::new();
    let mut ends: BTreeMap<&Name, usize> = BTreeMap::new();
    for ((host, _), first, last) in &sites {
        let before = ends.get(host).copied();
        if let Some(before) = before.or(sites.first().map(|(_, _, lead)| *lead))
            && before < *first
        {
            ties.push((*first, before));
        }
        ends.insert(host, *last);
    }
    for (_, first, _) in &routers {
        ties.extend(ends.values().map(|end| (*first, *end)));
    }
    for two in routers.windows(2) {
        let ((_, _, before), (_, first, _)) = (&two[0], &two[1]);
        ties.push((*first, *before));
    }
    ties
}

/// Where what belongs together begins and ends, in the order of the beginnings.
fn span<K: PartialEq>(spans: &mut Vec<(K, usize, usize)>, key: K, at: usize) {
    match spans.iter_mut().find(|(known, ..)| *known == key) {
        Some((_, _, last)) => *last = at,
        None => spans.push((key, at, at)),
    }
}

/// Whether it is part of what puts another router in the place of a host's: of its files it is not.
pub(crate) fn replaces_router(operation: &Operation) -> bool {
    use OperationKind as K;
    let Operation { id, host, kind, .. } = operation;
    let id = id.0.strip_prefix(host.as_str());
    let of_router = operation.site.is_none() && id.is_some_and(|id| id.starts_with("/router/"));
    of_router && !matches!(kind, K::WriteRouter { .. } | K::SetRestart { .. })
}
