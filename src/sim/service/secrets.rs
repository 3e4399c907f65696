//! Secrets.

use crate::engine::ExecOutput;
use crate::sim::output::{done, failed};
use crate::sim::world::World;

/// All secrets of sites, as one archive.
pub(super) fn read(world: &mut World, id: &str, args: &[&str]) -> ExecOutput {
    let [dir, sites @ ..] = args else {
        return failed(1, "no folder");
    };
    let mut tar = tar::Builder::new(Vec::new());
    let mut found = Vec::new();
    for site in sites {
        let path = format!("{site}/private/secrets");
        if let Some(node) = world.node(id, &format!("{dir}/{path}"), true) {
            node.files(&format!("./{path}"), &mut found);
        }
    }
    if found.is_empty() {
        return done("");
    }
    for (path, content) in found {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o400);
        header.set_size(content.len() as u64);
        if let Err(e) = tar.append_data(&mut header, &path, content.as_slice()) {
            return failed(1, e.to_string());
        }
    }
    match tar.into_inner() {
        Ok(bytes) => done(bytes),
        Err(e) => failed(1, e.to_string()),
    }
}
