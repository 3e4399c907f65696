//! Files as a container sees them: its own, and those of the host that are bound into it; and tar
//! archives of them.

use std::io::Read;

use super::clock::SECOND;
use super::container::Container;
use super::tree::{self, Kind, Node, Tree};
use super::world::{Refusal, World, refuse};

/// Where a path of a container really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// On the host, or else in the container itself.
    pub on_host: bool,
    /// Path there, links followed.
    pub path: String,
    /// Can be written.
    pub writable: bool,
}

impl World {
    fn place(container: &Container, path: &str) -> Place {
        let inside = |destination: &str| {
            let destination = destination.trim_end_matches('/');
            path.strip_prefix(destination)
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mount = container
            .mounts
            .iter()
            .filter_map(|mount| Some((mount, inside(&mount.destination)?)))
            .max_by_key(|(mount, _)| mount.destination.len());
        match mount {
            Some((mount, rest)) => Place {
                on_host: true,
                path: format!("{}{rest}", mount.source),
                writable: mount.writable,
            },
            None => Place {
                on_host: false,
                path: path.to_owned(),
                writable: true,
            },
        }
    }

    fn tree_of(&self, container: &Container, place: &Place) -> Option<Node> {
        let tree = if place.on_host {
            &self.files
        } else {
            &container.files
        };
        tree.get(&place.path).cloned()
    }

    fn link_at(&self, container: &Container, path: &str) -> Option<String> {
        let place = Self::place(container, path);
        let tree = if place.on_host {
            &self.files
        } else {
            &container.files
        };
        match &tree.get(&place.path)?.kind {
            Kind::Link(target) => Some(target.clone()),
            _ => None,
        }
    }

    /// Where a path of a container leads.
    pub fn locate(&self, id: &str, path: &str, follow_last: bool) -> Option<Place> {
        let container = self.containers.get(id)?;
        let path = tree::resolve(path, follow_last, |path| self.link_at(container, path))?;
        Some(Self::place(container, &path))
    }

    /// The node that a path of a container leads to.
    pub fn node(&self, id: &str, path: &str, follow_last: bool) -> Option<Node> {
        let place = self.locate(id, path, follow_last)?;
        self.tree_of(self.containers.get(id)?, &place)
    }

    /// The tree in which a place is.
    pub fn tree_mut(&mut self, id: &str, place: &Place) -> Option<&mut Tree> {
        if place.on_host {
            Some(&mut self.files)
        } else {
            Some(&mut self.containers.get_mut(id)?.files)
        }
    }

    /// The content of a file as a container sees it.
    pub fn read_file(&self, id: &str, path: &str) -> Option<Vec<u8>> {
        match self.node(id, path, true)?.kind {
            Kind::File(content) => Some(content),
            _ => None,
        }
    }

    /// Gives a container the folders that every image has.
    pub fn furnish(&mut self, id: &str) {
        let Some(container) = self.containers.get_mut(id) else {
            return;
        };
        if container.files.get("/etc").is_some() {
            return;
        }
        let at = container.created / SECOND;
        for path in [
            "/bin",
            "/etc",
            "/home",
            "/root",
            "/run",
            "/srv",
            "/tmp",
            "/usr/local/etc",
            "/var/www/html",
        ] {
            container.files.make_dir(path, at);
        }
        if let Some(tmp) = container.files.get_mut("/tmp") {
            tmp.mode = 0o1777;
        }
        let name = format!("{}\n", container.id.get(..12).unwrap_or("host"));
        container.files.put("/etc/hostname", Node::file(name, at));
        let mut above = Vec::new();
        for mount in &container.mounts {
            above.push(mount.destination.clone());
        }
        for path in above {
            container.files.make_dir(&path, at);
        }
    }

    /// A file or folder as a tar archive.
    pub fn archive_get(
        &mut self,
        now: i64,
        name: &str,
        path: &str,
    ) -> Result<(Vec<u8>, Node), Refusal> {
        let id = self.find(name)?;
        self.furnish(&id);
        let follow = path.ends_with('/') || path.ends_with("/.");
        let Some(node) = self.node(&id, path, follow) else {
            return refuse(
                404,
                format!("Could not find the file {path} in container {name}"),
            );
        };
        let base = tree::parts(path).next_back().unwrap_or(".");
        let mut builder = tar::Builder::new(Vec::new());
        let written = append(&mut builder, base, &node).and_then(|()| builder.into_inner());
        self.emit_container(now, "archive-path", &id, &[]);
        match written {
            Ok(bytes) => Ok((bytes, node)),
            Err(error) => refuse(500, error.to_string()),
        }
    }

    /// Unpacks a tar archive below a folder.
    pub fn archive_put(
        &mut self,
        now: i64,
        name: &str,
        path: &str,
        tar: &[u8],
    ) -> Result<(), Refusal> {
        let id = self.find(name)?;
        self.furnish(&id);
        match self.node(&id, path, true) {
            None => {
                return refuse(
                    404,
                    format!("Could not find the file {path} in container {name}"),
                );
            }
            Some(node) if !node.is_dir() => {
                return refuse(400, "extraction point is not a directory");
            }
            Some(_) => {}
        }
        let place = self.locate(&id, path, true);
        if place.as_ref().is_some_and(|place| !place.writable) {
            return refuse(500, "mounted volume is marked read-only");
        }
        let locked = self.containers[&id]
            .host_config
            .get("ReadonlyRootfs")
            .and_then(|on| on.as_bool());
        if locked == Some(true) && place.is_some_and(|place| !place.on_host) {
            return refuse(500, "container rootfs is marked read-only");
        }
        if let Err(error) = self.extract(now / SECOND, &id, path, tar) {
            return refuse(
                500,
                format!("Error processing tar file(exit status 1): {error}"),
            );
        }
        self.emit_container(now, "extract-to-dir", &id, &[]);
        Ok(())
    }

    fn extract(&mut self, now: i64, id: &str, dir: &str, tar: &[u8]) -> std::io::Result<()> {
        let mut archive = tar::Archive::new(tar);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if tree::parts(&name).any(|part| part == "..") {
                return Err(std::io::Error::other("unlinkat ..: invalid argument"));
            }
            let header = entry.header();
            let owner = |id: u64| u32::try_from(id).map_err(std::io::Error::other);
            let mut node = Node {
                uid: owner(header.uid().unwrap_or(0))?,
                gid: owner(header.gid().unwrap_or(0))?,
                mode: header.mode()? & 0o7777,
                mtime: header
                    .mtime()
                    .ok()
                    .filter(|time| *time > 0)
                    .map_or(now, |time| time as i64),
                kind: Kind::Dir(Default::default()),
            };
            let kind = header.entry_type();
            let mut content = Vec::new();
            if kind.is_file() {
                entry.read_to_end(&mut content)?;
                node.kind = Kind::File(content);
            } else if kind.is_symlink() {
                let target = entry.link_name_bytes().unwrap_or_default();
                node.kind = Kind::Link(String::from_utf8_lossy(&target).into_owned());
            } else if !kind.is_dir() {
                continue;
            }
            let path = format!("{dir}/{name}");
            let Some(place) = self.locate(id, &path, false) else {
                return Err(std::io::Error::other("too many levels of symbolic links"));
            };
            let Some(tree) = self.tree_mut(id, &place) else {
                continue;
            };
            match (tree.get_mut(&place.path), node.is_dir()) {
                (Some(old), true) if old.is_dir() => {
                    (old.uid, old.gid, old.mode, old.mtime) =
                        (node.uid, node.gid, node.mode, node.mtime);
                }
                _ => tree.put(&place.path, node),
            }
        }
        Ok(())
    }
}

fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, node: &Node) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_uid(node.uid.into());
    header.set_gid(node.gid.into());
    header.set_mode(node.mode);
    header.set_mtime(node.mtime.max(0) as u64);
    header.set_size(0);
    match &node.kind {
        Kind::File(content) => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, content.as_slice())
        }
        Kind::Link(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            builder.append_link(&mut header, name, target)
        }
        Kind::Dir(children) => {
            header.set_entry_type(tar::EntryType::Directory);
            builder.append_data(&mut header, format!("{name}/"), std::io::empty())?;
            for (child, node) in children {
                append(builder, &format!("{name}/{child}"), node)?;
            }
            Ok(())
        }
    }
}
