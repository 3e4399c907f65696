//! What our containers and networks are called.

use sha2::{Digest, Sha256};

use super::spec::short_hash;
use crate::fleet::Name;

/// The sites' network.
pub fn network(fleet: &Name) -> String {
    format!("ostler-{fleet}")
}
pub fn toolbox(fleet: &Name) -> String {
    format!("ostler-{fleet}-toolbox")
}
pub fn router(fleet: &Name) -> String {
    format!("ostler-{fleet}-router")
}
/// What keeps sites from the host's own services.
pub fn guard(fleet: &Name) -> String {
    format!("ostler-{fleet}-guard")
}
pub fn lock(fleet: &Name) -> String {
    format!("ostler-{fleet}-lock")
}
/// What does one thing with the files of one site, and goes.
pub fn helper(fleet: &Name, site: &str) -> String {
    let opaque = short_hash(site.as_bytes());
    format!("ostler-{fleet}-helper-{}", &opaque[..10])
}
/// Whether a container of this name is such a helper.
pub fn is_helper(fleet: &Name, name: &str) -> bool {
    let rest = name.strip_prefix("ostler-");
    let rest = rest.and_then(|rest| rest.strip_prefix(fleet.as_str()));
    rest.is_some_and(|rest| rest.starts_with("-helper-"))
}
/// A site's container. Opaque: a neighbour that can resolve names learns none.
pub fn site(fleet: &Name, site: &str) -> String {
    let opaque = short_hash(format!("{fleet}/{site}").as_bytes());
    format!("ostler-{fleet}-{}", &opaque[..10])
}
/// Whether a container of this name is that of a site, or its next one. Makes no text: it is asked
/// for every container at every look.
pub fn is_site(fleet: &Name, site: &str, name: &str) -> bool {
    let opaque = name
        .strip_prefix("ostler-")
        .and_then(|rest| rest.strip_prefix(fleet.as_str()))
        .and_then(|rest| rest.strip_prefix('-'))
        .map(|rest| rest.strip_suffix("-next").unwrap_or(rest));
    let mut hash = Sha256::new();
    for part in [fleet.as_str(), "/", site] {
        hash.update(part);
    }
    let hash = hash.finalize();
    let digit = |at: usize| (hash[at / 2] >> (4 * (1 - at % 2))) & 15;
    opaque.is_some_and(|opaque| {
        let mut digits = opaque.bytes().enumerate();
        opaque.len() == 10 && digits.all(|(at, c)| b"0123456789abcdef"[usize::from(digit(at))] == c)
    })
}
/// The name a replacement has until the old container is gone.
pub fn next(name: &str) -> String {
    format!("{name}-next")
}
