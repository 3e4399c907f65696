//! Looking at the hosts that a wish is about: by connecting to them, or once more and closely by
//! connections that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};

use crate::engine::{self, Client};
use crate::fleet::{Fleet, Host, Invalid, Name, SecretSpec, Selection, Site};
use crate::host::service::secrets::{SecretFuture, SecretSource};
use crate::observe::model::{HostObservation, Observed};
use crate::observe::scan::{Inspect, scan_fleet, scan_in_time};

/// How a host is connected to; the real one, or a simulated one.
pub type Connect =
    Arc<dyn Fn(&Host) -> BoxFuture<'static, Result<Client, engine::Error>> + Send + Sync>;

/// How hosts are reached, and what is known of them already.
#[derive(Clone)]
pub enum Reach {
    /// Nothing is known: each is connected to.
    Anew(Connect),
    /// By the connections there are.
    Known(Known),
}

/// What was found on hosts earlier.
#[derive(Clone, Default)]
pub struct Known {
    /// What was last seen.
    pub observed: Observed,
    /// Connections to those that answer.
    pub clients: BTreeMap<Name, Client>,
    /// The hosts as those clients reach them.
    pub hosts: BTreeMap<Name, Host>,
}

impl Known {
    /// A host that the file reaches elsewhere by now is another machine than the one that was looked
    /// at, and that its client still leads to.
    pub(super) fn forget_moved(&mut self, fleet: &Fleet) {
        for (name, now) in &fleet.hosts {
            if self.hosts.get(name).is_none_or(|was| !now.is_where(was)) {
                self.clients.remove(name);
                let why = "it has not been looked at yet".to_owned();
                let unknown = HostObservation::Unreachable { why };
                self.observed.hosts.insert(name.clone(), unknown);
            }
        }
    }
}

/// Which sites a wish is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sites {
    /// Those that a selection takes: all of them, where it is empty. It has to match something.
    Selected(Selection),
    /// Exactly these, wherever they are; none: the hosts themselves.
    Named(BTreeSet<Name>),
}

impl Default for Sites {
    fn default() -> Sites {
        Sites::Selected(Selection::default())
    }
}

impl Sites {
    /// One site.
    pub fn one(name: &str) -> Sites {
        Sites::Selected(Selection::site(name))
    }

    fn takes(&self, fleet: &Fleet, site: &str, host: &str) -> bool {
        match self {
            Sites::Named(names) => names.contains(site),
            Sites::Selected(selection) => match fleet.sites.get(site) {
                Some(site) => selection.matches(site),
                None => selection.matches_names(site, host, None),
            },
        }
    }

    /// Whether the fleet file has any of them on this host.
    fn reaches(&self, fleet: &Fleet, host: &Name) -> bool {
        match self {
            Sites::Named(_) => fleet
                .sites_on(host)
                .any(|site| self.takes(fleet, site.name.as_str(), host.as_str())),
            Sites::Selected(selection) => selection.reaches_host(fleet, host.as_str()),
        }
    }

    /// Their names, those included that the file knows no more; `None`: all there are.
    fn settle(
        &self,
        fleet: &Fleet,
        observed: &Observed,
    ) -> Result<Option<BTreeSet<Name>>, Invalid> {
        let selection = match self {
            Sites::Named(names) => return Ok(Some(names.clone())),
            Sites::Selected(selection) if selection.is_all() => return Ok(None),
            Sites::Selected(selection) => selection,
        };
        let leftovers = || records(observed).filter(|(_, site)| !fleet.sites.contains_key(*site));
        let names: Vec<&str> = leftovers().map(|(_, site)| site.as_str()).collect();
        selection.check(fleet, &names)?;
        let known = fleet.sites.values().filter(|site| selection.matches(site));
        let known = known.map(|site| &site.name);
        let left = leftovers()
            .filter(|(host, site)| selection.matches_names(site.as_str(), host.as_str(), None))
            .map(|(_, site)| site);
        Ok(Some(known.chain(left).cloned().collect()))
    }
}

/// The sites of the file that are meant.
pub fn meant<'a>(fleet: &'a Fleet, sites: &'a Sites) -> impl Iterator<Item = &'a Site> {
    let all = fleet.sites.values();
    all.filter(|site| sites.takes(fleet, site.name.as_str(), site.host.as_str()))
}

/// Every site that a host has a record of.
fn records(observed: &Observed) -> impl Iterator<Item = (&Name, &Name)> {
    let hosts = observed.hosts.iter();
    let states = hosts.filter_map(|(name, host)| Some((name, host.reached()?.state.read()?)));
    states.flat_map(|(host, state)| state.sites.keys().map(move |site| (host, site)))
}

/// How closely hosts are looked at.
#[derive(Clone, Copy)]
pub struct Closely<'a> {
    /// Which containers are inspected.
    pub inspect: &'a Inspect,
    /// Where the bytes of secrets come from; `None`: they are taken to be unchanged.
    pub secrets: Option<&'a dyn SecretSource>,
}

impl<'a> Closely<'a> {
    /// Without asking for secrets.
    pub fn at(inspect: &'a Inspect) -> Self {
        Closely {
            inspect,
            secrets: None,
        }
    }

    /// As a plan wants it: what was changed by hand is to be seen, and put right.
    pub fn to_plan(secrets: &'a dyn SecretSource) -> Self {
        Closely {
            inspect: &Inspect::Ours,
            secrets: Some(secrets),
        }
    }
}

/// Secrets of the sites that are meant: a source may be a command, and runs for nobody else.
struct Meant<'a> {
    source: &'a dyn SecretSource,
    names: BTreeSet<Name>,
}

impl SecretSource for Meant<'_> {
    fn read<'a>(&'a self, site: &'a Site, name: &'a str) -> SecretFuture<'a> {
        self.source.read(site, name)
    }

    fn named<'a>(&'a self, of: &'a str, name: &'a str, spec: &'a SecretSpec) -> SecretFuture<'a> {
        self.source.named(of, name, spec)
    }

    fn wants(&self, site: &Site) -> bool {
        self.names.contains(&site.name)
    }
}

/// What was found on the hosts, and the connections to them.
#[derive(Debug, Default)]
pub struct Seen {
    /// The sites it is about, leftovers included; `None`: all.
    pub sites: Option<BTreeSet<Name>>,
    /// The hosts that were asked about, reached or not.
    pub hosts: BTreeSet<Name>,
    /// What was found.
    pub observed: Observed,
    /// Connections to the hosts that answered.
    pub clients: BTreeMap<Name, Client>,
}

impl Seen {
    /// Whether a site is meant.
    pub fn takes(&self, site: &Name) -> bool {
        self.sites.as_ref().is_none_or(|sites| sites.contains(site))
    }

    /// What is known by it, for a closer look.
    pub fn known(self, fleet: &Fleet) -> Known {
        let hosts = fleet.hosts.iter();
        Known {
            hosts: hosts
                .map(|(name, host)| (name.clone(), host.clone()))
                .collect(),
            observed: self.observed,
            clients: self.clients,
        }
    }
}

/// Looks at the hosts that some sites are on, all at once. A host that does not answer is part of
/// what was found. `finishes`: an apply that was cut off; hosts with a note of it are looked at too.
///
/// # Errors
/// A selection names what is neither in the file nor left over on a host.
pub async fn look(
    fleet: &Fleet,
    sites: &Sites,
    finishes: Option<&str>,
    closely: Closely<'_>,
    reach: Reach,
) -> Result<Seen, Invalid> {
    let of_meant = closely.secrets.filter(|_| finishes.is_none());
    let of_meant = of_meant.map(|source| Meant {
        source,
        names: meant(fleet, sites).map(|site| site.name.clone()).collect(),
    });
    let closely = match &of_meant {
        Some(of_meant) => Closely {
            secrets: Some(of_meant),
            ..closely
        },
        None => closely,
    };
    let mut seen = match reach {
        Reach::Anew(connect) => anew(fleet, sites, closely, &connect).await,
        Reach::Known(known) => again(fleet, sites, finishes, closely, known).await,
    };
    seen.sites = sites.settle(fleet, &seen.observed)?;
    Ok(seen)
}

async fn anew(fleet: &Fleet, sites: &Sites, closely: Closely<'_>, connect: &Connect) -> Seen {
    let mut fleet = fleet.clone();
    // A name that the file does not know may be a leftover's, on any host.
    let all = sites.settle(&fleet, &Observed::default()).is_err();
    let mut hosts = std::mem::take(&mut fleet.hosts);
    hosts.retain(|name, _| all || sites.reaches(&fleet, name));
    fleet.hosts = hosts;
    let Closely { inspect, secrets } = closely;
    let (observed, clients) = scan_fleet(&fleet, |host| connect(host), secrets, inspect).await;
    Seen {
        sites: None,
        hosts: fleet.hosts.into_keys().collect(),
        observed,
        clients,
    }
}

async fn again(
    fleet: &Fleet,
    sites: &Sites,
    finishes: Option<&str>,
    closely: Closely<'_>,
    mut known: Known,
) -> Seen {
    known.forget_moved(fleet);
    let Known {
        mut observed,
        clients,
        ..
    } = known;
    // A site that moved, or that is in the file no more, is where its record is.
    let recorded: BTreeSet<&Name> = records(&observed)
        .filter(|(host, site)| sites.takes(fleet, site.as_str(), host.as_str()))
        .map(|(host, _)| host)
        .collect();
    let notes_it = |name: &Name| {
        let seen = observed.hosts.get(name).and_then(|host| host.reached());
        let mut notes = seen.into_iter().flat_map(|seen| seen.applying());
        notes.any(|note| Some(note.run.as_str()) == finishes)
    };
    let meant =
        |name: &Name| sites.reaches(fleet, name) || recorded.contains(name) || notes_it(name);
    let asked = fleet.hosts.values().filter(|host| meant(&host.name));
    let found = by_clients(fleet, asked, &clients, closely).await;
    observed.hosts.extend(found);
    for name in fleet.hosts.keys() {
        let why = || "it does not answer".to_owned();
        observed
            .hosts
            .entry(name.clone())
            .or_insert_with(|| HostObservation::Unreachable { why: why() });
    }
    Seen {
        sites: None,
        hosts: fleet.hosts.keys().cloned().collect(),
        observed,
        clients,
    }
}

/// Looks at these hosts of a fleet by the connections there are; those without one are left out.
pub(super) async fn by_clients<'a>(
    fleet: &Fleet,
    hosts: impl Iterator<Item = &'a Host>,
    clients: &BTreeMap<Name, Client>,
    closely: Closely<'_>,
) -> Vec<(Name, HostObservation)> {
    let Closely { inspect, secrets } = closely;
    let looking = hosts.filter_map(|host| {
        let client = clients.get(&host.name)?;
        Some(async move {
            let found = match scan_in_time(client, host, fleet, secrets, inspect).await {
                Ok(found) => HostObservation::Reached(Arc::new(found)),
                Err(error) => HostObservation::Unreachable {
                    why: error.to_string(),
                },
            };
            (host.name.clone(), found)
        })
    });
    join_all(looking).await
}
