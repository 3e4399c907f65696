//! What our containers and networks are called.

use super::spec::short_hash;
use crate::fleet::Name;

/// The sites' network.
pub fn network(fleet: &Name) -> String {
    format!("ostler-{fleet}")
}
/// The toolbox.
pub fn toolbox(fleet: &Name) -> String {
    format!("ostler-{fleet}-toolbox")
}
/// The router.
pub fn router(fleet: &Name) -> String {
    format!("ostler-{fleet}-router")
}
/// The lock.
pub fn lock(fleet: &Name) -> String {
    format!("ostler-{fleet}-lock")
}
/// A site's container. Opaque: a neighbour that can resolve names learns none.
pub fn site(fleet: &Name, site: &str) -> String {
    let opaque = short_hash(format!("{fleet}/{site}").as_bytes());
    format!("ostler-{fleet}-{}", &opaque[..10])
}
/// The name a replacement has until the old container is gone.
pub fn next(name: &str) -> String {
    format!("{name}-next")
}
