//! What recipes start from: what they may use of the host, and what all containers share.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::fleet::{Images, Site};
use crate::record::layout::Layout;
use crate::record::spec::{Bind, ContainerSpec, SpecNetwork};

/// Where a spec's files are seen inside.
pub const FILES_AT: &str = "/etc/ostler";

/// What names of files end with that are the source of a program in PHP, beside `.php` itself, which
/// one of our servers runs: a regular expression that both understand.
pub(super) const SOURCE: &str = r"\.(?:php\d|phtml|pht|phps|phar|inc)";
/// What editors and people put behind the name of a copy of such a file.
pub(super) const COPY: &str = r"(?:~|[._-](?:bak|old|orig|save|backup|copy|dist|swp|\d+))";

/// What a recipe may use of the host.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// Paths on the host.
    pub layout: &'a Layout,
    /// The sites' network.
    pub network: &'a str,
    /// Where the router's requests come from.
    pub gateway: Ipv4Addr,
    /// Images of the host.
    pub images: &'a Images,
}

/// A site's container, and how to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is created from.
    pub spec: ContainerSpec,
    /// Where it serves HTTP.
    pub port: u16,
    /// Where it serves those whom the router serves by TLS, when that is another port.
    pub https: Option<u16>,
    /// Whether it shows `www`: a new one then gets a placeholder page.
    pub serves_www: bool,
}

/// What all sites' containers share.
pub(super) fn base(site: &Site, uid: u32, setting: &Setting, image: String) -> ContainerSpec {
    ContainerSpec {
        image,
        user: Some(format!("{uid}:{uid}")),
        hostname: Some(site.name.to_string()),
        tmpfs: BTreeMap::from([memory_folder("/tmp")]),
        network: SpecNetwork::Own(setting.network.to_owned()),
        stop_grace_s: 10,
        ..ContainerSpec::default()
    }
}

/// A folder in memory that any user may write to; it counts against the site's memory.
pub(super) fn memory_folder(path: &str) -> (String, String) {
    (path.to_owned(), "rw,nosuid,nodev,mode=1777".to_owned())
}

pub(super) fn www(site: &Site, setting: &Setting, inside: &str, read_only: bool) -> Bind {
    Bind {
        host: setting.layout.www(&site.name),
        inside: inside.to_owned(),
        read_only,
    }
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
