//! Certificates: whether one is to be had, from whom, and what the router is told of it. What is done
//! about them stands for itself: a certificate that cannot be had takes no site down with it.

pub(crate) mod due;
pub mod operation;

use std::collections::BTreeSet;

use super::operation::ServiceOperation;
use super::seam::Service;
use crate::fleet::{Acme, Certificate, Https, Name, Site, SiteState};
use crate::plan::draft::{Chain, Draft, Step};
use crate::plan::drift::raw::{Found, Look};
use crate::plan::ground::Ground;
use crate::plan::operation::{Operation, OperationKind};
use crate::plan::route as routes;
use crate::record::SiteRecord;
use crate::record::certificate::{
    CertificateRecord, Ending, NAMES, Served, Source, Stored, covers, in_one_line,
};
use crate::record::route::RouteTarget;
use due::{Due, due, moment};
use operation::CertificateOperation;

/// Why nothing is taken back.
const STAYS: &str = "a certificate that was had stays";

pub(super) struct Certificates;

impl Service for Certificates {
    fn name(&self) -> &'static str {
        "certificate"
    }

    fn apart(&self, name: &Name, site: Option<&Site>, ground: &Ground, draft: &mut Draft) {
        let record = ground.state.certificates.get(name).map(|it| &**it);
        let of_site = |it: &&Operation| it.site.as_ref() == Some(name);
        let last = draft.operations.iter().rev().find(of_site);
        let last = last.map(|last| last.id.clone());
        let routed = ground.state.router.routes.contains_key(name);
        let refused = draft
            .problems
            .iter()
            .any(|it| it.site.as_ref() == Some(name));
        // Of a site that serves, what becomes of the rest of it keeps no renewal up.
        let renewed = routed && record.is_some_and(|record| record.stored.is_some());
        if refused && !renewed {
            return;
        }
        let site = site.filter(|site| site.state != SiteState::Archived);
        let mut steps = Vec::new();
        let has =
            |site: &&Site| *site.certificate() != Certificate::None && site.https() != Https::Off;
        match site.filter(has) {
            Some(site) => wanted(site, record, ground, draft, &mut steps),
            // One that stays up although the file has it elsewhere is served on.
            None if site.is_some() || !routed || last.is_some() => {
                withdrawn(name, record, ground, &mut steps);
            }
            None => {}
        }
        if steps.is_empty() {
            return;
        }
        let needs = match site.is_some() && renewed {
            true => [None, ground.router_ready.as_ref(), ground.prepared.as_ref()],
            false => [
                last.as_ref(),
                ground.router_ready.as_ref(),
                ground.prepared.as_ref(),
            ],
        };
        // What is only kept up comes to what is there, and waits for nothing that is left to an apply.
        let needs = match renewed && ground.wish.options.upkeep {
            true => [None; 3],
            false => needs,
        };
        let mut chain = Chain::new(draft.host.clone(), name.clone());
        for (at, step) in steps.into_iter().enumerate() {
            chain.push(step, if at == 0 { &needs } else { &[] });
        }
        draft.operations.extend(chain.operations);
    }

    fn differs(&self, look: &Look, site: &Site, _record: &SiteRecord, found: &mut Found) {
        if let Some(differs) = look.differs(&site.name) {
            found.differences("", differs.service(self.name()));
        }
    }
}

/// What a site that has a certificate, or should, takes.
fn wanted(
    site: &Site,
    record: Option<&CertificateRecord>,
    ground: &Ground,
    draft: &mut Draft,
    steps: &mut Vec<Step>,
) {
    let names = names(site, ground, draft);
    let own = matches!(site.certificate(), Certificate::Own { .. });
    let kept = *site.certificate() == Certificate::Kept;
    match &ground.wish.fleet.acme {
        _ if kept => {}
        _ if own => stored_anew(site, record, ground, draft, steps),
        Some(Acme::On(authority)) if !names.is_empty() => {
            let edited = ground.differs(&site.name);
            let on_disk = edited.is_none_or(|differs| differs.service("certificate").is_empty());
            let now = ground.wish.now;
            let directory = authority.directory.as_str();
            let mut due = due(record, &names, directory, on_disk, now);
            if is_unapplied(ground) && !(only_renewal(record, &names, directory)) {
                due = Due::Not;
            }
            let asked = ground.wish.renews(&site.name);
            if asked {
                due = Due::Now(vec!["asked for: renew".to_owned()]);
            }
            match due {
                Due::Now(why) => {
                    let stored = record.and_then(|record| record.stored.as_ref());
                    let operation = CertificateOperation::ObtainCertificate {
                        site: site.name.clone(),
                        names,
                        directory: directory.to_owned(),
                        partial: *site.certificate() == Certificate::Partial,
                        asked,
                        replaces: stored.map(|it| it.facts.fingerprint.clone()),
                    };
                    steps.push(step("certificate", operation, &why).no_way_back(STAYS));
                }
                Due::Later(at) => tell_of_waiting(site, record, at, draft),
                Due::Not => {}
            }
        }
        _ => {}
    }
    let stored = record.and_then(|record| record.stored.as_ref());
    let served = record.and_then(|record| record.served.as_ref());
    let unapplied = is_unapplied(ground);
    let redirected = match served.filter(|_| unapplied) {
        Some(served) => served.redirected.clone(),
        None => redirected(site, ground),
    };
    let why = match (stored, served) {
        // What it will be is not known yet.
        _ if !steps.is_empty() => Some("what was got is to be served"),
        (None, _) => None,
        (Some(_), None) => Some("it is not served yet"),
        (Some(stored), Some(served)) if served.fingerprint != stored.facts.fingerprint => {
            Some("an older one is served")
        }
        (Some(stored), Some(served)) if *served != to_serve(stored, &redirected) => {
            Some("which of its domains are led to https changed")
        }
        _ => None,
    };
    if let Some(why) = why {
        let operation = CertificateOperation::ServeCertificate {
            site: site.name.clone(),
            redirected,
        };
        steps.push(step("serve-certificate", operation, &[why.to_owned()]));
    }
}

/// Whether nobody asked, and the file has something that was never applied here: that is not for a timer
/// to begin with.
fn is_unapplied(ground: &Ground) -> bool {
    let applied = ground.state.host.as_ref();
    let applied = applied.map(|record| record.fleet_hash.as_str());
    ground.wish.options.upkeep && applied != Some(ground.wish.fleet_hash)
}

/// Whether what there is is from this authority, for all of these names.
fn only_renewal(record: Option<&CertificateRecord>, names: &[String], directory: &str) -> bool {
    let stored = record.and_then(|record| record.stored.as_ref());
    stored.is_some_and(|stored| {
        let same = matches!(&stored.from, Source::Acme { directory: it } if it == directory);
        same && names.iter().all(|name| stored.facts.covers(name))
    })
}

/// What the router is told of a certificate.
pub fn to_serve(stored: &Stored, redirected: &BTreeSet<String>) -> Served {
    let covered = redirected.iter().filter(|name| stored.facts.covers(name));
    Served {
        fingerprint: stored.facts.fingerprint.clone(),
        redirected: covered.cloned().collect(),
    }
}

/// A site that has none any more: its file stays, and nobody is led to https for it.
fn withdrawn(
    name: &Name,
    record: Option<&CertificateRecord>,
    ground: &Ground,
    steps: &mut Vec<Step>,
) {
    if record.is_some_and(|record| record.served.is_some()) && !is_unapplied(ground) {
        let site = name.clone();
        let operation = CertificateOperation::WithdrawCertificate { site };
        let why = "the site has no certificate any more, or is not served".to_owned();
        steps.push(step("withdraw-certificate", operation, &[why]));
    }
}

/// One of the operator's own, where it is another than the one on the host.
fn stored_anew(
    site: &Site,
    record: Option<&CertificateRecord>,
    ground: &Ground,
    draft: &mut Draft,
    steps: &mut Vec<Step>,
) {
    let stored = record.and_then(|record| record.stored.as_ref());
    let edited = ground.differs(&site.name);
    let edited = edited.is_some_and(|differs| !differs.service("certificate").is_empty());
    match ground.seen.own_certificates.get(&site.name) {
        Some(Ok(facts)) => {
            let same = stored.is_some_and(|it| it.facts.fingerprint == facts.fingerprint);
            if same && !edited {
                return;
            }
            let why = match (stored, edited) {
                (None, _) => "it has no certificate yet",
                (Some(_), true) => "its certificate on the host was changed by hand",
                (Some(_), false) => "another certificate is in the operator's file",
            };
            let operation = CertificateOperation::StoreCertificate {
                site: site.name.clone(),
                fingerprint: facts.fingerprint.clone(),
            };
            steps.push(step("certificate", operation, &[why.to_owned()]).no_way_back(STAYS));
        }
        Some(Err(why)) => {
            draft.uncompared.insert(site.name.clone());
            draft.notice(
                Some(&site.name),
                format!("its own certificate stays as it is on the host: {why}"),
            );
        }
        None => {}
    }
}

fn tell_of_waiting(site: &Site, record: Option<&CertificateRecord>, again: i64, draft: &mut Draft) {
    let Some(attempt) = record.and_then(|record| record.attempt.as_ref()) else {
        return;
    };
    let how = match attempt.ended {
        Ending::Waiting => "waits",
        _ => "could not be had",
    };
    let words = in_one_line(&attempt.words);
    let again = moment(again);
    draft.notice(
        Some(&site.name),
        format!("its certificate {how}: {words}; not tried again before {again}"),
    );
}

/// The names that its certificate should be for, sorted.
fn names(site: &Site, ground: &Ground, draft: &mut Draft) -> Vec<String> {
    let entry = routes::entry(&ground.wish.claims, site, RouteTarget::Stopped);
    let all = entry.domains.iter().chain(entry.redirects.keys());
    let all = all.map(|domain| domain.as_str().to_owned());
    // Nobody issues one for a name that is each machine's own.
    let all = all.filter(|name| name.contains('.') && !name.ends_with(".localhost"));
    let all: BTreeSet<String> = all.collect();
    // Authorities refuse a name beside a wildcard that is for it.
    let wild: Vec<String> = all
        .iter()
        .filter(|it| it.starts_with("*."))
        .cloned()
        .collect();
    let mut names: Vec<String> = all.into_iter().collect();
    names.retain(|name| name.starts_with("*.") || !covers(&wild, name));
    if names.len() > NAMES {
        let left = names.split_off(NAMES).len();
        draft.notice(
            Some(&site.name),
            format!("a certificate is for {NAMES} names at most: {left} of its domains have none"),
        );
    }
    names
}

/// The domains to be led to https where a certificate is for them.
fn redirected(site: &Site, ground: &Ground) -> BTreeSet<String> {
    if site.https() != Https::Redirect {
        return BTreeSet::new();
    }
    let entry = routes::entry(&ground.wish.claims, site, RouteTarget::Stopped);
    let all = entry.domains.iter().chain(entry.redirects.keys());
    all.map(|domain| domain.as_str().to_owned()).collect()
}

fn step(id: &str, operation: CertificateOperation, why: &[String]) -> Step {
    let kind = OperationKind::Service(ServiceOperation::Certificate(operation));
    Step::new(id, kind, why)
}
