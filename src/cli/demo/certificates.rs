//! The demo's certificates, from a small authority of its own: most of them well, one that ends soon
//! because nobody tended the fleet, one that cannot be renewed, one that the router was not told of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

use crate::cli::Failure;
use crate::engine::Client;
use crate::fleet::{Acme, Fleet, Host, Https, Name, Recipe, Site, SiteState};
use crate::host::router::tls::{self, Certificates};
use crate::host::{Toolbox, state};
use crate::observe::model::ObservedHost;
use crate::observe::scan::{Inspect, scan_fleet};
use crate::observe::whose;
use crate::plan::service::certificate::to_serve;
use crate::record::Layout;
use crate::record::certificate::{Attempt, CertificateRecord, Ending, Source, Stored, facts};

const DAY: i64 = 86_400;
/// How long they are good for.
const LIFE: i64 = 90 * DAY;
/// The site whose certificate ends soon.
const EXPIRING: &str = "ivan-chess";
/// The one whose authority says no.
const FAILING: &str = "erin-portfolio";
/// The one whose router was not told of what lies on the disk.
const UNTOLD: &str = "frank-bakery";

/// An authority that nobody else has.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

fn wrong(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("the demo's certificates cannot be made: {error}"))
}

impl Authority {
    fn new() -> Result<Authority, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "Chatons CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Authority {
            issuer,
            certificate,
        })
    }

    /// A file as the router reads it, good until `end`, unix seconds.
    fn issue(&self, names: &[String], end: i64) -> Result<String, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names.to_vec())?;
        let at = |seconds: i64| {
            let seconds = u64::try_from(seconds).unwrap_or_default();
            date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(seconds)
        };
        (params.not_before, params.not_after) = (at(end - LIFE), at(end));
        let leaf = params.signed_by(&key, &self.issuer)?;
        let (leaf, key) = (leaf.pem(), key.serialize_pem());
        Ok(format!("{leaf}{}{key}", self.certificate))
    }
}

/// Gives every site that is asked for by name a certificate, as if each had been had in its time.
/// `folder`: the fleet file's.
pub async fn give(
    fleet: &Fleet,
    clients: &BTreeMap<Name, Client>,
    now: i64,
    folder: &Path,
) -> Result<(), Failure> {
    let connect = |host: &Host| {
        let client = clients.get(&host.name).cloned();
        let address = host.engine.to_string();
        let gone = crate::engine::Error::NotListening { address };
        async move { client.ok_or(gone) }
    };
    let (observed, _) = scan_fleet(fleet, connect, None, &Inspect::Needed).await;
    let authority = Authority::new().map_err(wrong)?;
    // Where the fleet file says that visitors find whom to believe.
    std::fs::write(folder.join("secrets/ca.pem"), &authority.certificate).map_err(wrong)?;
    for (name, found) in &observed.hosts {
        let (Some(seen), Some(client)) = (found.reached(), clients.get(name)) else {
            continue;
        };
        let Some(host) = fleet.hosts.get(name) else {
            continue;
        };
        let hosts_own = of_host(fleet, host, seen, client, &authority, now);
        hosts_own.await.map_err(wrong)?;
    }
    Ok(())
}

type Wrong = Box<dyn std::error::Error + Send + Sync>;

async fn of_host(
    fleet: &Fleet,
    host: &Host,
    seen: &ObservedHost,
    client: &Client,
    authority: &Authority,
    now: i64,
) -> Result<(), Wrong> {
    let toolbox = whose::toolbox(&seen.containers, &fleet.name);
    let (Some(toolbox), Some(known)) = (toolbox, seen.state.read()) else {
        return Ok(());
    };
    let toolbox = Toolbox {
        client: client.clone(),
        id: toolbox.id.clone(),
        layout: Layout::new(&host.root),
    };
    let mut served = Certificates::new();
    let mut records = Vec::new();
    for (nr, site) in fleet.sites_on(&host.name).enumerate() {
        let Some(route) = known.router.routes.get(&site.name) else {
            continue;
        };
        if site.state != SiteState::Running || matches!(site.recipe, Recipe::Proxy { .. }) {
            continue;
        }
        let names = route.domains.iter().chain(route.redirects.keys());
        let names: BTreeSet<String> = names.map(|name| name.as_str().to_owned()).collect();
        let names: Vec<String> = names.into_iter().collect();
        let pem = authority.issue(&names, now + left(site, nr))?;
        tls::store(&toolbox, &site.name, pem.as_bytes()).await?;
        let record = record(fleet, site, &names, &pem, now)?;
        if let Some(told) = &record.served {
            served.insert(site.name.clone(), told.clone());
        }
        records.push(record);
    }
    tls::serve(&toolbox, &served, &served.keys().cloned().collect()).await?;
    let untold = records.iter_mut().find(|it| it.site.as_str() == UNTOLD);
    if let Some(record) = untold
        && let Some(site) = fleet.sites.get(UNTOLD)
    {
        // Somebody put the next one there by hand, and told nobody.
        let names = record.stored.as_ref().map(|it| it.facts.names.clone());
        let names = names.unwrap_or_default();
        let pem = authority.issue(&names, now + LIFE - 2 * DAY)?;
        tls::store(&toolbox, &site.name, pem.as_bytes()).await?;
        *record = self::record(fleet, site, &names, &pem, now)?;
    }
    let files: Result<Vec<_>, _> = records
        .iter()
        .map(|record| state::certificate_file(&toolbox, record))
        .collect();
    toolbox.replace(&files?).await?;
    Ok(())
}

/// How long that of a site is good for yet.
fn left(site: &Site, nr: usize) -> i64 {
    match site.name.as_str() {
        EXPIRING => 13 * DAY,
        FAILING => 5 * DAY,
        UNTOLD => 24 * DAY,
        // Had on different days, and none of them due.
        _ => 38 * DAY + (nr as i64 * 7 % 50) * DAY,
    }
}

fn record(
    fleet: &Fleet,
    site: &Site,
    names: &[String],
    pem: &str,
    now: i64,
) -> Result<CertificateRecord, Wrong> {
    let facts = facts(pem.as_bytes())?;
    let directory = match &fleet.acme {
        Some(Acme::On(authority)) => authority.directory.clone(),
        _ => String::new(),
    };
    let stored = Stored {
        at: facts.not_before,
        facts,
        from: Source::Acme { directory },
        ari: None,
    };
    let redirected = match site.https() {
        Https::Redirect => names.iter().cloned().collect(),
        _ => BTreeSet::new(),
    };
    let mut record = CertificateRecord::new(&site.name);
    record.served = Some(to_serve(&stored, &redirected));
    record.stored = Some(stored);
    if site.name.as_str() == FAILING {
        let words = names.first();
        let words = words.map(|it| (it.clone(), format!("CAA record for {it} prevents issuance")));
        record.attempt = Some(Attempt {
            at: now - 5 * 3600,
            ended: Ending::Failed,
            names: names.to_vec(),
            failures: 9,
            not_before: now + 10 * 3600,
            words: words.into_iter().collect(),
        });
    }
    Ok(record)
}
