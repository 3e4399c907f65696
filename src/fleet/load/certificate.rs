//! What has to hold of certificates between the entries of the file.

use std::ops::Range;

use indexmap::IndexMap;

use super::Places;
use crate::fleet::fields::Fields;
use crate::fleet::finding::Report;
use crate::fleet::model::{Fleet, Site};
use crate::fleet::name::Name;
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

/// A wildcard is proved by DNS only.
pub(super) fn across(
    fleet: &Fleet,
    sites: &IndexMap<Name, Site>,
    places: &Places,
    report: &mut Report,
) {
    if fleet.acme == Some(Acme::Off) {
        return;
    }
    for (claims, site) in places
        .sites
        .iter()
        .filter_map(|claims| Some((claims, sites.get(claims.name.as_ref()?)?)))
    {
        let obtained = matches!(site.certificate(), Certificate::Auto | Certificate::Partial);
        if !obtained || !claims.routed || site.https() == Https::Off {
            continue;
        }
        for (domain, at) in claims
            .domains
            .iter()
            .filter(|(domain, _)| domain.is_wildcard())
        {
            if Dns::of(&fleet.dns, domain).is_some() {
                continue;
            }
            let bare = domain.bare();
            report
                .error(at.clone(), format!("no certificate can be had for `{domain}`"))
                .label("no zone of `dns` has it")
                .help(format!(
                    "add `dns: {{ zone: {bare}, server: …, key: {{ file: … }} }}`, or {bare} to the `delegated` of a zone; else `certificate: {{ file, key }}`, or `none`"
                ));
        }
    }
}
