//! From a site to the container that runs it. One file per recipe.

mod image;
mod php;
mod static_;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::fleet::{Recipe, Site};
use crate::record::layout::Layout;
use crate::record::spec::{Bind, ContainerSpec, SpecNetwork};

/// Where a spec's files are seen inside.
pub const FILES_AT: &str = "/etc/ostler";

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
    pub images: &'a crate::fleet::Images,
}

/// A site's container, and how to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What it is created from.
    pub spec: ContainerSpec,
    /// Where it serves HTTP.
    pub port: u16,
    /// Whether it shows `www`: a new one then gets a placeholder page.
    pub serves_www: bool,
}

/// The container of `site`; `None` for a recipe that has none.
pub fn container(site: &Site, uid: u32, setting: &Setting) -> Option<Wanted> {
    let mut wanted = match &site.recipe {
        Recipe::Proxy { .. } => return None,
        Recipe::Static => static_::container(site, uid, setting),
        Recipe::Php { php, ini } => php::container(site, uid, setting, php, ini),
        Recipe::Image {
            image,
            port,
            root,
            mount,
        } => image::container(site, uid, setting, image, *port, *root, mount.as_deref()),
    };
    wanted.spec.env.extend(site.env.clone());
    if !site.secrets.is_empty() {
        wanted.spec.binds.push(Bind {
            host: setting.layout.secrets(&site.name),
            inside: "/run/secrets".into(),
            read_only: true,
        });
    }
    wanted.spec.health.clone_from(&site.health.command);
    Some(wanted)
}

/// The image that `site` runs; `None` for a recipe that has none.
pub fn image_of(site: &Site, images: &crate::fleet::Images) -> Option<String> {
    match &site.recipe {
        Recipe::Proxy { .. } => None,
        Recipe::Static => Some(images.static_.clone()),
        Recipe::Php { php, .. } => Some(images.php.replace("{php}", php)),
        Recipe::Image { image, .. } => Some(image.clone()),
    }
}

/// What all sites' containers share.
fn base(site: &Site, uid: u32, setting: &Setting, image: String) -> ContainerSpec {
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
fn memory_folder(path: &str) -> (String, String) {
    (path.to_owned(), "rw,nosuid,nodev,mode=1777".to_owned())
}

fn www(site: &Site, setting: &Setting, inside: &str, read_only: bool) -> Bind {
    Bind {
        host: setting.layout.www(&site.name),
        inside: inside.to_owned(),
        read_only,
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
