//! Whether others than this user and root can write a file, or put another one in its place.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::text::line;

/// Most symbolic links on the way to a file, as the kernel follows them.
const LINKS: usize = 40;
const GROUP: u32 = 0o020;
const OTHERS: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Others can write a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Exposed {
    why: String,
    /// What to do about it.
    pub remedy: String,
}

impl Exposed {
    pub(super) fn new(why: String, remedy: String) -> Exposed {
        Exposed { why, remedy }
    }
}

/// A word as a shell takes it, without anything for a terminal.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", line(text).replace('\'', "'\\''")),
    }
}

/// Whether others can write this file or folder itself, wherever it is.
///
/// # Errors
/// It is not there, or not known.
pub(super) fn itself(path: &Path) -> std::io::Result<Option<Exposed>> {
    Ok(writable(path, &fs::metadata(path)?))
}

/// Why others can write what is at `path`, or replace it; none: nobody can but this user and root.
/// As OpenSSH checks a file and the folders above it, in Debian's way: a group that is this user's
/// alone is nobody else; and every link on the way, and the folder each of them
/// is in. Of a folder in which anybody may write but only owners rename (`/tmp`), what this
/// user or root owns in it counts as theirs.
pub fn exposed(path: &Path) -> Option<Exposed> {
    walk(path).unwrap_or_else(|error| {
        let path = line(&path.display().to_string());
        Some(Exposed {
            why: format!("it is not known who can write {path}: {error}"),
            remedy: "it has to be a file in a folder that you can look into".into(),
        })
    })
}

fn walk(path: &Path) -> std::io::Result<Option<Exposed>> {
    let mut to_go = steps(&std::path::absolute(path)?);
    let mut here = PathBuf::from("/");
    let mut links = 0;
    while let Some(step) = to_go.pop_front() {
        let name = match step {
            Step::Root => {
                here = PathBuf::from("/");
                continue;
            }
            Step::Up => {
                here.pop();
                continue;
            }
            Step::Into(name) => name,
        };
        let entry = here.join(name);
        let meta = fs::symlink_metadata(&entry)?;
        if let Some(exposed) = replaceable(&here, &fs::metadata(&here)?, &meta) {
            return Ok(Some(exposed));
        }
        if !meta.is_symlink() {
            here = entry;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(std::io::Error::other("too many symbolic links"));
        }
        let target = fs::read_link(&entry)?;
        // A pipe that the shell opened (`/dev/fd/63`) is where no path leads.
        if fs::symlink_metadata(here.join(&target)).is_err() && fs::metadata(&entry).is_ok() {
            return Ok(writable(&entry, &fs::metadata(&entry)?));
        }
        for step in steps(&target).into_iter().rev() {
            to_go.push_front(step);
        }
    }
    Ok(writable(&here, &fs::metadata(&here)?))
}

enum Step {
    Root,
    Up,
    Into(OsString),
}

fn steps(path: &Path) -> VecDeque<Step> {
    let steps = path.components().filter_map(|component| match component {
        Component::RootDir => Some(Step::Root),
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Into(name.to_owned())),
        Component::CurDir | Component::Prefix(_) => None,
    });
    steps.collect()
}

/// This user's or root's.
fn is_ours(meta: &Metadata) -> bool {
    [0, rustix::process::geteuid().as_raw()].contains(&meta.uid())
}

fn writable(path: &Path, meta: &Metadata) -> Option<Exposed> {
    let shown = line(&path.display().to_string());
    if !is_ours(meta) {
        return Some(Exposed {
            why: format!("{shown} belongs to another user (uid {})", meta.uid()),
            remedy: format!(
                "run ostler as that user (uid {}), or put the fleet file, and what it names, where only you can write",
                meta.uid()
            ),
        });
    }
    let named = word(&path.display().to_string());
    let (group, others) = (meta.mode() & GROUP != 0, meta.mode() & OTHERS != 0);
    (others || group && !is_alone(meta.gid())).then(|| Exposed {
        why: format!(
            "others can write {shown} (mode {:04o})",
            meta.mode() & 0o7777
        ),
        remedy: format!("`chmod go-w {named}`, once you have looked at what is in it"),
    })
}

/// Whether others can put something else in the place of what is in a folder.
fn replaceable(folder: &Path, meta: &Metadata, entry: &Metadata) -> Option<Exposed> {
    let shared = meta.mode() & STICKY != 0 && is_ours(meta) && is_ours(entry);
    match shared {
        true => None,
        false => writable(folder, meta),
    }
}

/// Whether nobody but this user is in a group, as this machine's own lists tell. Where umask is 002,
/// each user has such a group, and what `git` checks out can be written by it.
fn is_alone(group: u32) -> bool {
    let list = |path: &str| {
        let bytes = crate::file::read(Path::new(path), crate::file::LIST).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let user = rustix::process::geteuid().as_raw();
    is_alone_in(group, user, &list("/etc/passwd"), &list("/etc/group"))
}

/// The same by `passwd`(5) and `group`(5). A group that they do not name may have anybody in it.
fn is_alone_in(group: u32, user: u32, passwd: &str, groups: &str) -> bool {
    let fields = |line: &'_ str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let number = |field: Option<&String>| field.and_then(|text| text.parse::<u32>().ok());
    let users: Vec<(String, u32, u32)> = passwd
        .lines()
        .map(fields)
        .filter_map(|f| Some((f.first()?.clone(), number(f.get(2))?, number(f.get(3))?)))
        .collect();
    let is_me = |name: &str| users.iter().any(|(n, id, _)| n == name && *id == user);
    let mine = users
        .iter()
        .any(|(_, id, gid)| *id == user && *gid == group);
    let others = users
        .iter()
        .any(|(_, id, gid)| *id != user && *gid == group);
    let mut named = groups
        .lines()
        .map(fields)
        .filter(|f| number(f.get(2)) == Some(group))
        .peekable();
    mine && !others
        && named.peek().is_some()
        && named.all(|f| {
            let members = f.get(3).map(String::as_str).unwrap_or_default();
            members.split(',').all(|m| m.is_empty() || is_me(m.trim()))
        })
}

#[cfg(test)]
mod tests {
    use super::is_alone_in;

    #[test]
    fn a_group_of_ones_own_is_nobody_else() {
        let passwd = "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\nyou:x:1001:100::/:/bin/sh\nit:x:1002:100::/:/bin/sh\n";
        let group = "root:x:0:\nme:x:1000:\nusers:x:100:\nstaff:x:50:me\nshared:x:1003:me,you\n";
        let alone = |gid, uid, group: &str| is_alone_in(gid, uid, passwd, group);
        assert!(alone(1000, 1000, group));
        // Somebody else was added; it is somebody else's; more than one have it; nobody knows it.
        assert!(!alone(
            1000,
            1000,
            &group.replace("me:x:1000:", "me:x:1000:you")
        ));
        assert!(alone(
            1000,
            1000,
            &group.replace("me:x:1000:", "me:x:1000:me")
        ));
        assert!(!alone(1000, 1001, group));
        assert!(!alone(100, 1001, group));
        assert!(!alone(1003, 1000, group) && !alone(50, 1000, group));
        assert!(!alone(4242, 1000, group));
        assert!(!alone(1000, 1000, &format!("{group}also:x:1000:you\n")));
    }
}
