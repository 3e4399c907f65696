//! Files and folders as tar archives: how the engine takes and gives them.

use std::io::Read;

/// Mode bits a path in an archive can carry.
const MODE_BITS: u32 = 0o7777;
/// Entries of an archive that is read, at most.
const ENTRIES: usize = 100_000;
/// Bytes of a path in it, at most: what a kernel bears.
const PATH: usize = 4096;
/// Folders within folders in it, at most.
const DEPTH: usize = 64;
/// What an archive is made of, bytes; its end is two that hold nothing.
const BLOCK: usize = 512;

/// One entry of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path; relative to the archive's folder.
    pub path: String,
    /// File, folder, or something else.
    pub kind: Kind,
    /// Permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Content of a file.
    pub bytes: Vec<u8>,
}

/// What an archive's entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    Folder,
    /// A link, a device, …: never written by ostler.
    Other,
}

impl Entry {
    pub fn folder(path: &str, mode: u32, owner: u32) -> Entry {
        Entry {
            path: path.to_owned(),
            kind: Kind::Folder,
            mode,
            uid: owner,
            gid: owner,
            bytes: Vec::new(),
        }
    }
    pub fn file(path: &str, mode: u32, owner: u32, bytes: impl Into<Vec<u8>>) -> Entry {
        Entry {
            kind: Kind::File,
            bytes: bytes.into(),
            ..Entry::folder(path, mode, owner)
        }
    }
}

/// A tar archive of `entries`, in their order, all of them changed just now: what browsers and
/// backups go by.
pub fn pack(entries: &[Entry]) -> std::io::Result<Vec<u8>> {
    let now = std::time::UNIX_EPOCH
        .elapsed()
        .map_or(0, |since| since.as_secs());
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(match entry.kind {
            Kind::Folder => tar::EntryType::Directory,
            Kind::File => tar::EntryType::Regular,
            Kind::Other => return Err(std::io::Error::other("only files and folders are written")),
        });
        header.set_mode(entry.mode & MODE_BITS);
        header.set_uid(u64::from(entry.uid));
        header.set_gid(u64::from(entry.gid));
        header.set_mtime(now);
        header.set_size(entry.bytes.len() as u64);
        builder.append_data(&mut header, &entry.path, entry.bytes.as_slice())?;
    }
    builder.into_inner()
}

/// The entries of a tar archive, with what its files hold: no more than it has itself.
///
/// # Errors
/// Those of [`each`].
pub fn unpack(tar: &[u8]) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    each(tar, |mut entry, content| {
        if entry.kind == Kind::File {
            content.read_to_end(&mut entry.bytes)?;
        }
        entries.push(entry);
        Ok(())
    })?;
    Ok(entries)
}

/// Goes through a tar archive as it comes: each entry without its content, which is read only
/// where it is asked for.
///
/// # Errors
/// It is no archive, has more entries or longer paths than anything of ours, or ends before its end:
/// what is missing of it is not known, and not gone.
pub fn each(
    tar: impl Read,
    mut take: impl FnMut(Entry, &mut dyn Read) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let refuse = |why: String| Err(std::io::Error::other(why));
    let mut archive = tar::Archive::new(Ended { tar, zeros: 0 });
    for (number, entry) in archive.entries()?.enumerate() {
        let mut entry = entry?;
        if number >= ENTRIES {
            return refuse(format!("the archive has more than {ENTRIES} entries"));
        }
        let mut found = describe(entry.header())?;
        let path = entry.path_bytes();
        if path.len() > PATH || path.iter().filter(|b| **b == b'/').count() > DEPTH {
            return refuse(format!(
                "the archive has a path of {} bytes; at most {PATH} and {DEPTH} folders are read",
                path.len()
            ));
        }
        found.path = String::from_utf8_lossy(&path).into_owned();
        drop(path);
        take(found, &mut entry)?;
    }
    match archive.into_inner().zeros >= BLOCK {
        true => Ok(()),
        false => refuse("the archive ends before its end".into()),
    }
}

/// Knows with how many zeros what was read ends.
struct Ended<R> {
    tar: R,
    zeros: usize,
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n = self.tar.read(to)?;
        match to[..n].iter().rposition(|b| *b != 0) {
            Some(at) => self.zeros = n - at - 1,
            None => self.zeros = self.zeros.saturating_add(n),
        }
        Ok(n)
    }
}

/// The first entry of an archive of which only the beginning is there; without its content.
pub fn header(start: &[u8]) -> std::io::Result<Entry> {
    let mut archive = tar::Archive::new(start);
    match archive.entries()?.next() {
        Some(entry) => describe(entry?.header()),
        None => Err(std::io::Error::other("the archive is empty")),
    }
}

fn describe(header: &tar::Header) -> std::io::Result<Entry> {
    let number = |n: u64| u32::try_from(n).map_err(std::io::Error::other);
    let kind = header.entry_type();
    Ok(Entry {
        path: String::from_utf8_lossy(&header.path_bytes()).into_owned(),
        kind: if kind.is_file() {
            Kind::File
        } else if kind.is_dir() {
            Kind::Folder
        } else {
            Kind::Other
        },
        mode: header.mode()? & MODE_BITS,
        uid: number(header.uid()?)?,
        gid: number(header.gid()?)?,
        bytes: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_comes_back_as_it_went() {
        let long = "x".repeat(150);
        let entries = vec![
            Entry::folder("state", 0o700, 0),
            Entry::file("state/host.json", 0o600, 200_000, "{}"),
            Entry::file(&format!("state/{long}"), 0o644, 7, vec![0u8; 9000]),
        ];
        let tar = pack(&entries).unwrap();
        let mut back = unpack(&tar).unwrap();
        back[0].path = back[0].path.trim_end_matches('/').to_owned();
        assert_eq!(back, entries);
        assert_eq!(header(&tar[..700]).unwrap().uid, 0);
        assert!(header(&[0u8; 1024]).is_err());
    }

    #[test]
    fn one_that_was_cut_off_is_no_archive() {
        let all = [
            Entry::file("state/sites/a.json", 0o600, 0, "{}"),
            Entry::file("state/sites/b.json", 0o600, 0, "{}"),
        ];
        let tar = pack(&all).unwrap();
        assert_eq!(unpack(&tar).unwrap().len(), 2);
        // Between two entries, within one, and before its end.
        for at in [0, 1024, 1300, 2048] {
            let error = unpack(&tar[..at]).unwrap_err().to_string();
            assert!(!error.is_empty(), "{at}");
        }
    }

    #[test]
    fn what_grows_without_end_is_refused() {
        let many = vec![Entry::folder("a", 0o700, 0); ENTRIES + 1];
        let error = unpack(&pack(&many).unwrap()).unwrap_err().to_string();
        assert!(error.contains("more than 100000 entries"), "{error}");
        for path in ["x".repeat(PATH + 1), "a/".repeat(DEPTH + 1)] {
            let tar = pack(&[Entry::folder(&path, 0o700, 0)]).unwrap();
            let error = unpack(&tar).unwrap_err().to_string();
            assert!(error.contains("a path of"), "{error}");
        }
        // A file with a hole: what it is said to hold is nowhere.
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::GNUSparse);
        header.set_path("state/host.json").unwrap();
        header.set_size(0);
        header.as_gnu_mut().unwrap().set_real_size(1 << 40);
        header.set_mode(0o600);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        let mut tar = header.as_bytes().to_vec();
        tar.extend([0; 2 * BLOCK]);
        if let Ok(found) = unpack(&tar) {
            assert!(
                found
                    .iter()
                    .all(|e| e.kind == Kind::Other && e.bytes.is_empty())
            );
        }
    }
}
