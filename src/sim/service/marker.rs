//! Markers: a service that only tests know.

use crate::engine::ExecOutput;
use crate::sim::output::{done, failed};
use crate::sim::world::World;

/// The markers of all sites, a line each.
pub(super) fn read(world: &mut World, id: &str, args: &[&str]) -> ExecOutput {
    let [dir] = args else {
        return failed(1, "no folder");
    };
    let mut found = Vec::new();
    if let Some(sites) = world.node(id, dir, true) {
        sites.files(".", &mut found);
    }
    let mut text = String::new();
    for (path, content) in found {
        if path.ends_with("/private/marker/text") {
            text += &format!("{path} {}\n", String::from_utf8_lossy(&content));
        }
    }
    done(text)
}
