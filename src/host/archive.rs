//! Files and folders as tar archives: how the engine takes and gives them.

use std::io::Read;

/// Mode bits a path in an archive can carry.
const MODE_BITS: u32 = 0o7777;

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

/// The entries of a tar archive.
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
pub fn each(
    tar: impl Read,
    mut take: impl FnMut(Entry, &mut dyn Read) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut found = describe(entry.header())?;
        found.path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        take(found, &mut entry)?;
    }
    Ok(())
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
}
