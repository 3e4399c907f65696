//! Whether others than this user and root can write a file, or put another one in its place.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::text::line;

/// Most symbolic links on the way to a file, as the kernel follows them.
const LINKS: usize = 40;
const GROUP_OR_OTHERS: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Others can write a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Exposed {
    why: String,
    /// What to do about it.
    pub remedy: String,
}

/// Why others can write what is at `path`, or replace it; none: nobody can but this user and root.
/// As OpenSSH checks a file and the folders above it; and every link on the way, and the folder each
/// of them is in. Of a folder in which anybody may write but only owners rename (`/tmp`), what this
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
            remedy: format!("look at it, and make it yours: `chown $(id -u) {shown}`"),
        });
    }
    (meta.mode() & GROUP_OR_OTHERS != 0).then(|| Exposed {
        why: format!(
            "others can write {shown} (mode {:04o})",
            meta.mode() & 0o7777
        ),
        remedy: format!("`chmod go-w {shown}`, once you have looked at what is in it"),
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
