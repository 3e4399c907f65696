//! Whether what a host keeps can be what ostler wrote there. Whoever rules the host, or a disk that
//! lost something, may have written anything: of what does not hold nothing is acted upon. The errors
//! say what is wrong and what would be right, and begin where the name of the file ends.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::route::{RouteEntry, RouteTarget};
use super::spec::{ContainerSpec, SpecNetwork};
use super::{Applying, HostRecord, HostState, RouterRecord, SiteRecord};
use crate::fleet::Name;
use crate::fleet::value::parse_secret_name;
use crate::text::short;

/// Files of one spec, at most.
const FILES: usize = 100;
/// Characters of a text from elsewhere that are told.
const LONG: usize = 60;

/// Whether a text is the name of an apply: it becomes part of the names of files.
pub fn is_run(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (1..=64).contains(&text.len()) && !text.starts_with('-') && text.chars().all(plain)
}

/// Whether a text is a hash of ours: it becomes part of the names of folders.
pub fn is_hash(text: &str) -> bool {
    let digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
    (1..=64).contains(&text.len()) && text.chars().all(digit)
}

/// Whether a path leads to something below the folder it starts from, whatever that is.
pub fn is_within(path: &str) -> bool {
    let part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    path.len() <= 1000 && path.split('/').all(part)
}

type Check = Result<(), String>;

fn hash(what: &str, text: &str) -> Check {
    match text.is_empty() || is_hash(text) {
        true => Ok(()),
        false => Err(format!(
            "{what} is {:?}; a hash has up to 64 of 0-9 and a-f",
            short(text, LONG)
        )),
    }
}

fn run(what: &str, text: &str) -> Check {
    match is_run(text) {
        true => Ok(()),
        false => Err(format!(
            "{what} is {:?}; the name of an apply has up to 64 letters, digits and hyphens",
            short(text, LONG)
        )),
    }
}

fn name(what: &str, text: &str) -> Check {
    let read = text.parse::<Name>();
    read.map(drop)
        .map_err(|error| format!("{what} is {:?}: {error}", short(text, LONG)))
}

impl SiteRecord {
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Check {
        if !SiteRecord::UIDS.contains(&self.uid) {
            let (first, last) = SiteRecord::UIDS.into_inner();
            return Err(format!(
                "the user id is {}; ostler gives sites those from {first} to {last}",
                self.uid
            ));
        }
        hash("the hash", self.hash.as_deref().unwrap_or_default())?;
        if let Some(spec) = &self.spec {
            spec.check(&self.site, self.uid)?;
        }
        if let Some(route) = &self.route {
            self.leads_home(route)?;
        }
        for (name, digest) in &self.secrets {
            parse_secret_name(name)
                .map_err(|error| format!("a secret is called {:?}: {error}", short(name, LONG)))?;
            hash("the digest of a secret", digest)?;
        }
        Ok(())
    }
}

impl SiteRecord {
    /// Whether a route is this site's, and that of its container where it has one.
    fn leads_home(&self, route: &RouteEntry) -> Check {
        if route.site != self.site {
            return Err(format!("the route is that of {}", route.site));
        }
        match (&route.target, self.address) {
            (RouteTarget::Address { ip, .. }, Some(own)) if self.spec.is_some() && *ip != own => {
                Err(format!(
                    "the route leads to {ip}; the address of its container is {own}"
                ))
            }
            _ => Ok(()),
        }
    }
}

impl ContainerSpec {
    /// Whether it can be that of a site.
    fn check(&self, site: &Name, uid: u32) -> Check {
        if self.files.len() > FILES {
            return Err(format!(
                "the container has {} files of its own; at most {FILES} are written",
                self.files.len()
            ));
        }
        if let Some(path) = self.files.keys().find(|path| !is_within(path)) {
            return Err(format!(
                "the container has the file {:?}, which is not a path within a folder",
                short(path, LONG)
            ));
        }
        for bind in &self.binds {
            if !is_of(site, &bind.host) {
                return Err(format!(
                    "the container sees {:?} of the host; a site sees its own folder only",
                    short(&bind.host, LONG)
                ));
            }
        }
        let own = format!("{uid}:{uid}");
        if self.user.as_ref().is_some_and(|user| *user != own)
            || (self.user.is_none() && !self.root)
        {
            let user = self.user.as_deref().unwrap_or("the image's");
            return Err(format!(
                "the container runs as {}; the site's user is {own}",
                short(user, LONG)
            ));
        }
        if self.network == SpecNetwork::Host {
            return Err("the container is on the host's own network; no site is".into());
        }
        Ok(())
    }
}

/// Whether a path on the host is within the folder of a site, wherever the root folder is.
fn is_of(site: &Name, path: &str) -> bool {
    if path == "{conf}" {
        return true;
    }
    let Some(rest) = path.strip_prefix('/').filter(|rest| is_within(rest)) else {
        return false;
    };
    let mut parts = rest.split('/').skip_while(|part| *part != "sites");
    std::iter::from_fn(|| {
        let found = parts.next()?;
        Some((found == "sites", parts.clone().next()))
    })
    .any(|(sites, next)| sites && next == Some(site.as_str()))
}

impl HostRecord {
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Check {
        name("the fleet", &self.fleet)?;
        name("the host", &self.host)?;
        if !is_hash(&self.digest_key) || self.digest_key.len() != 64 {
            return Err("the key of digests is not 64 of 0-9 and a-f".into());
        }
        hash("the hash of the fleet file", &self.fleet_hash)?;
        hash("the commit", self.commit.as_deref().unwrap_or_default())
    }
}

impl Applying {
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Check {
        run("its name", &self.run)?;
        if let Some(other) = &self.takes_back {
            run("the apply that it takes back", other)?;
        }
        hash("the hash of the fleet file", &self.fleet_hash)?;
        hash("the hash of the fleet file before", &self.before)?;
        for commit in self.commit.iter().chain(&self.before_commit) {
            hash("the commit", commit)?;
        }
        match self.ended > self.operations {
            true => Err(format!(
                "{} of {} operations are done",
                self.ended, self.operations
            )),
            false => Ok(()),
        }
    }
}

impl RouterRecord {
    /// Only that each route is its site's: whether the router can be told them, `host::router` knows.
    ///
    /// # Errors
    /// What does not hold.
    pub fn check(&self) -> Check {
        hash("the hash of its configuration", &self.config_hash)?;
        let mut routes = self.routes.iter();
        match routes.find(|(site, entry)| entry.site != **site) {
            Some((site, entry)) => {
                Err(format!("the route of {} is filed under {site}", entry.site))
            }
            None => Ok(()),
        }
    }
}

impl HostState {
    /// Whether its files agree with each other: what belongs to one site only is in one record only.
    ///
    /// # Errors
    /// What does not hold, with the files that say so.
    pub fn check(&self) -> Check {
        let mut uids: BTreeMap<u32, &Name> = BTreeMap::new();
        let mut addresses: BTreeMap<Ipv4Addr, &Name> = BTreeMap::new();
        for (site, record) in &self.sites {
            if let Some(other) = uids.insert(record.uid, site) {
                return Err(format!(
                    "state/sites/{other}.json and state/sites/{site}.json have the same user id {}; \
                     no two sites share one",
                    record.uid
                ));
            }
            if let Some(address) = record.address
                && let Some(other) = addresses.insert(address, site)
            {
                return Err(format!(
                    "state/sites/{other}.json and state/sites/{site}.json have the same address \
                     {address}; no two containers share one"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(change: &str) -> SiteRecord {
        let mut record = serde_json::json!({
            "schema": 1, "site": "blog", "uid": 200_000, "hash": "ab", "limits": {},
            "address": "10.90.0.10", "secrets": { "DB": "00" }, "state": { "wanted": "running" },
            "image_id": null,
            "route": { "site": "blog", "domains": ["blog.example"], "connections": 1,
                "redirects": {}, "target": { "address": { "ip": "10.90.0.10", "port": 80 } } },
            "spec": { "image": "x", "user": "200000:200000", "env": {}, "tmpfs": {},
                "files": { "php/20-site.ini": "" }, "network": { "own": "ostler-x" },
                "read_only": true, "cap_add": [], "stop_grace_s": 10, "root": false,
                "binds": [
                    { "host": "/srv/ostler/sites/blog/www", "inside": "/www", "read_only": false },
                    { "host": "{conf}", "inside": "/etc/ostler", "read_only": true } ] },
        });
        if let Some((at, value)) = change.split_once('=') {
            let value: serde_json::Value = serde_json::from_str(value).unwrap();
            match at {
                "files" => record["spec"]["files"] = value,
                at => *record.pointer_mut(at).unwrap() = value,
            }
        }
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn a_record_that_cannot_be_ours_says_what_would_be_right() {
        assert_eq!(record("").check(), Ok(()));
        for (change, part) in [
            (
                "/uid=0",
                "the user id is 0; ostler gives sites those from 200000",
            ),
            ("/uid=4294967295", "to 2147483647"),
            ("/hash=\"../../etc\"", "a hash has up to 64"),
            (
                "/spec/binds/0/host=\"/\"",
                "a site sees its own folder only",
            ),
            (
                "/spec/binds/0/host=\"/srv/ostler/sites/shop/www\"",
                "its own folder",
            ),
            (
                "/spec/binds/0/host=\"/srv/ostler/sites/blog/../shop\"",
                "its own folder",
            ),
            (
                "/spec/user=\"0:0\"",
                "runs as 0:0; the site's user is 200000:200000",
            ),
            ("/spec/user=null", "runs as the image's"),
            ("/spec/network=\"host\"", "host's own network"),
            (
                "files={\"../../cron.d/x\":\"\"}",
                "not a path within a folder",
            ),
            ("files={\"/etc/x\":\"\"}", "not a path within a folder"),
            ("/route/site=\"shop\"", "the route is that of shop"),
            (
                "/route/target/address/ip=\"10.90.0.11\"",
                "leads to 10.90.0.11; the address of its container is 10.90.0.10",
            ),
            ("/secrets={\"../x\":\"00\"}", "a secret is called"),
            ("/secrets={\"DB\":\"zz\"}", "the digest of a secret"),
        ] {
            let why = record(change).check().unwrap_err();
            assert!(why.contains(part), "{change}: {why}");
        }
    }

    #[test]
    fn two_sites_share_neither_user_nor_address() {
        let state = |uid: u32, address: &str| {
            let other = SiteRecord {
                site: "shop".parse().unwrap(),
                uid,
                address: address.parse().ok(),
                ..record("")
            };
            let all = [record(""), other];
            HostState {
                sites: all.map(|r| (r.site.clone(), r.into())).into(),
                ..HostState::default()
            }
        };
        assert_eq!(state(200_001, "10.90.0.11").check(), Ok(()));
        assert_eq!(state(200_001, "").check(), Ok(()));
        let why = state(200_000, "10.90.0.11").check().unwrap_err();
        assert!(why.contains("the same user id 200000"), "{why}");
        let why = state(200_001, "10.90.0.10").check().unwrap_err();
        assert!(why.contains("the same address 10.90.0.10"), "{why}");
    }

    #[test]
    fn names_of_applies_and_paths_lead_nowhere_else() {
        assert!(is_run("20261121T220000Z-00000000"));
        for text in ["", "../x", "a/b", "-rf", "a b", "a\n", &"a".repeat(65)] {
            assert!(!is_run(text), "{text:?}");
        }
        assert!(is_within("php/20-site.ini"));
        for text in ["", "/a", "a//b", "../a", "a/../b", "a/.", "a\0"] {
            assert!(!is_within(text), "{text:?}");
        }
    }
}
