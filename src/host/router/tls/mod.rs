//! Certificates of sites: what is served is a function of what was told, [`Certificates`]. Files come
//! first, then the running process, then what it has is read back.
//!
//! A certificate's file holds its key: it is put there once, and read again on the host alone. Nothing
//! here shows a key, and HAProxy's words do not either.

mod challenge;
mod file;
mod loaded;
mod tell;

use std::collections::{BTreeMap, BTreeSet};

pub use challenge::{challenge, challenges, no_challenge};
pub use file::{on_disk, store};
pub use loaded::{LeftOut, LoadedCertificate, left_out, loaded, read_left_out, read_shown};
pub use tell::{Refused, Told, serve};

use super::table::Unfit;
use crate::fleet::Name;
use crate::record::HostState;
use crate::record::certificate::Served;
use crate::record::layout::Layout;

/// What is served, by site.
pub type Certificates = BTreeMap<Name, Served>;

/// What is served as the records say.
pub fn recorded(state: &HostState) -> Certificates {
    let records = state.certificates.values();
    let served = records.filter_map(|it| Some((it.site.clone(), it.served.clone()?)));
    served.collect()
}

/// The router's list of certificates and the map of domains that are led to https.
///
/// # Errors
/// A domain that must not reach a map.
pub fn files(layout: &Layout, wanted: &Certificates) -> Result<BTreeMap<String, Vec<u8>>, Unfit> {
    let mut list = format!("{}/default.pem\n", layout.certs());
    for site in wanted.keys() {
        list.push_str(&layout.certificate(site));
        list.push('\n');
    }
    // The router's start leaves out the domains of a site whose certificate it leaves out.
    let mut map = String::new();
    for (site, served) in wanted.iter().filter(|(_, it)| !it.redirected.is_empty()) {
        map.push_str(&format!("# site-{site}\n"));
        for domain in &served.redirected {
            map.push_str(super::table::routable(domain)?);
            map.push_str(" redirect\n");
        }
    }
    Ok(BTreeMap::from([
        ("router/certs.list".to_owned(), list.into_bytes()),
        ("router/maps/https.map".to_owned(), map.into_bytes()),
    ]))
}

/// Domains that are led to https, checked once more.
fn redirected(wanted: &Certificates) -> Result<BTreeSet<&str>, Unfit> {
    let all = wanted.values().flat_map(|served| &served.redirected);
    all.map(|domain| super::table::routable(domain)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_becomes_a_list_and_a_map() {
        let served = |names: &[&str]| Served {
            redirected: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Served::default()
        };
        let layout = Layout::new("/srv/ostler");
        let mut wanted = Certificates::from([
            (
                "shop".parse().unwrap(),
                served(&["*.shop.example", "shop.example"]),
            ),
            ("blog".parse().unwrap(), served(&[])),
        ]);
        let text = |wanted: &Certificates, path: &str| {
            String::from_utf8(files(&layout, wanted).unwrap().remove(path).unwrap()).unwrap()
        };
        assert_eq!(
            text(&wanted, "router/certs.list"),
            "/srv/ostler/certs/default.pem\n/srv/ostler/certs/site-blog.pem\n/srv/ostler/certs/site-shop.pem\n"
        );
        assert_eq!(
            text(&wanted, "router/maps/https.map"),
            "# site-shop\n*.shop.example redirect\nshop.example redirect\n"
        );
        let none = Certificates::new();
        assert_eq!(text(&none, "router/maps/https.map"), "");
        wanted.insert("x".parse().unwrap(), served(&["a.example\nb.example"]));
        assert!(files(&layout, &wanted).is_err());
    }
}
