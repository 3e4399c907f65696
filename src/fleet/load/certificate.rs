//! What has to hold of certificates between the entries of the file.

use std::ops::Range;

use indexmap::IndexMap;

use super::Places;
use crate::fleet::draft::Claims;
use crate::fleet::fields::Fields;
use crate::fleet::finding::Report;
use crate::fleet::model::{Fleet, Site};
use crate::fleet::name::{Domain, Name};
use crate::fleet::service::{Acme, Certificate, Dns, Https};

/// What of a site's own keys does not go together; `at`: the place of its name.
pub(super) fn of_site(site: &Site, fields: &Fields<'_>, at: Range<usize>, report: &mut Report) {
    let place = |keys: [&str; 2]| {
        let said = keys.iter().find_map(|key| fields.entry(key));
        said.map_or(at.clone(), |entry| entry.key.span.clone())
    };
    if site.hsts.is_some() && site.https() == Https::Off {
        report
            .error(place(["hsts", "https"]), "`hsts` needs `https`, which is off")
            .help("browsers would ask by https:// only, where nobody answers: leave out one of them, or write `hsts: none`");
    }
    if site.https == Some(Https::Redirect) && site.certificate() == &Certificate::None {
        report
            .warning(
                place(["https", "certificate"]),
                "nobody is led to https://, for the site has no certificate",
            )
            .help("write `https: both` or `https: off`");
    }
}

/// A wildcard is proved by DNS only, and an order in one zone only.
pub(super) fn across(
    fleet: &Fleet,
    sites: &IndexMap<Name, Site>,
    places: &Places,
    report: &mut Report,
) {
    if fleet.acme == Some(Acme::Off) {
        return;
    }
    for claims in &places.sites {
        let site = claims.name.as_ref().and_then(|name| sites.get(name));
        if site.is_some_and(Site::obtains) {
            wildcards(&fleet.dns, claims, report);
        }
    }
}

/// How else a site has a certificate.
const ELSE: &str = "`certificate: { file, key }` is one of yours, `certificate: none` goes without";

fn wildcards(zones: &[Dns], claims: &Claims, report: &mut Report) {
    let mut first: Option<(&Domain, &Dns)> = None;
    let wild = |claim: &&(Domain, Range<usize>)| claim.0.is_wildcard();
    for (domain, at) in claims.domains.iter().filter(wild) {
        match Dns::of(zones, domain) {
            Some(dns) => {
                first.get_or_insert((domain, dns));
            }
            None => {
                let bare = domain.bare();
                report
                    .error(at.clone(), format!("no certificate can be had for `{domain}`"))
                    .label("no zone of `dns` has it")
                    .help(format!(
                        "add `dns: {{ zone: {bare}, server: …, key: {{ file: … }} }}`, or {bare} to the `delegated` of a zone; {ELSE}"
                    ));
            }
        }
    }
    let Some((wildcard, zone)) = first else {
        return;
    };
    for (domain, at) in claims.domains.iter().chain(&claims.redirects) {
        let of = Dns::of(zones, domain);
        let own = domain.as_str().ends_with(".localhost");
        if own
            || of.is_some_and(|of| of.zone == zone.zone)
            || (of.is_none() && domain.is_wildcard())
        {
            continue;
        }
        let label = match of {
            Some(of) => format!(
                "proved in the zone {}, the wildcard in {}",
                of.zone, zone.zone
            ),
            None => format!("in no zone of `dns`, the wildcard in {}", zone.zone),
        };
        report
            .error(
                at.clone(),
                format!("no certificate can be had for `{domain}` together with `{wildcard}`"),
            )
            .label(label)
            .help(format!("give it a site of its own; {ELSE}"));
    }
}
