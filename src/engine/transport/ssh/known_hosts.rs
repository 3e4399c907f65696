//! Which keys are known for a host: the files that OpenSSH keeps, read as it reads them.
//!
//! libssh2 reads these files too, but knows neither `@revoked` nor patterns, and takes a key of
//! the same host's port 22 for a changed one. Format: sshd(8), SSH_KNOWN_HOSTS FILE FORMAT.

use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::file;

/// `SHA256:…` of a public key in its wire format, as `ssh-keygen -l` prints it.
pub fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(key)))
}

/// The kind that a public key in its wire format says it is: `ssh-ed25519`.
pub fn kind(key: &[u8]) -> String {
    let named = || {
        let length = u32::from_be_bytes(key.get(..4)?.try_into().ok()?) as usize;
        let name = std::str::from_utf8(key.get(4..4usize.checked_add(length)?)?).ok()?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-@.".contains(c);
        (!name.is_empty() && name.len() <= 64 && name.chars().all(plain)).then(|| name.to_owned())
    };
    named().unwrap_or_else(|| "unknown".to_owned())
}

/// What a line says of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is the host's.
    Host,
    /// `@revoked`: it is nobody's any more.
    Revoked,
    /// `@cert-authority`: it signs certificates of hosts.
    Authority,
}

/// A line about the host in question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it says of the key.
    pub mark: Mark,
    /// Kind of key, as written in front of it.
    pub kind: String,
    /// The key in its wire format.
    pub key: Vec<u8>,
    /// The file it stands in.
    pub file: PathBuf,
    /// Its line there, from 1.
    pub line: usize,
    /// It names the host without its port.
    portless: bool,
}

impl Entry {
    /// `FILE:LINE`
    pub fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }
}

/// What the files say about a key that a host shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is the host's.
    Known,
    /// The host has another key.
    Changed(&'a Entry),
    /// It must not be trusted.
    Revoked(&'a Entry),
    /// The host's keys are vouched for by certificates, which libssh2 does not check.
    Authority(&'a Entry),
    /// Nothing is known about this host.
    Unknown,
}

/// All that is known about one host.
#[derive(Debug, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

impl KnownHosts {
    /// Reads what the files say about a host. `name` is as the files write it: `web1`,
    /// `[web1]:2222`. A file that is not there says nothing.
    ///
    /// # Errors
    /// The file that cannot be read, and why: what it would say cannot be left out.
    pub fn read(files: &[PathBuf], name: &str) -> Result<Self, (PathBuf, std::io::Error)> {
        let mut known = KnownHosts::default();
        for path in files {
            match file::read(path, file::LIST) {
                Ok(bytes) => known.take(&bytes, path, name),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err((path.clone(), error)),
            }
        }
        Ok(known)
    }

    /// Takes in the lines of a file that are about the host. Lines that make no sense are left
    /// out, as OpenSSH leaves them.
    fn take(&mut self, bytes: &[u8], file: &Path, name: &str) {
        let bare = bare(name);
        for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
            let Ok(line) = std::str::from_utf8(line) else {
                continue;
            };
            let Some((mark, hosts, kind, key)) = parse(line) else {
                continue;
            };
            let portless = match (matches(hosts, name), bare) {
                (true, _) => false,
                (false, Some(bare)) if matches(hosts, bare) => true,
                _ => continue,
            };
            self.entries.push(Entry {
                mark,
                kind: kind.to_owned(),
                key,
                file: file.to_owned(),
                line: number + 1,
                portless,
            });
        }
    }

    /// Kinds of the keys known for the host, in the order of the files.
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = Vec::new();
        for portless in [false, true] {
            let hosts = self.entries.iter();
            for entry in hosts.filter(|e| e.mark == Mark::Host && e.portless == portless) {
                if !kinds.contains(&entry.kind.as_str()) {
                    kinds.push(&entry.kind);
                }
            }
        }
        kinds
    }

    /// What the files say about a key. As with OpenSSH, one that is known for the host's port 22 is
    /// good for every other port of which no key is known; another one there is not a changed one.
    pub fn judge(&self, key: &[u8]) -> Verdict<'_> {
        let revoked = |e: &&Entry| e.mark == Mark::Revoked && e.key == key;
        if let Some(entry) = self.entries.iter().find(revoked) {
            return Verdict::Revoked(entry);
        }
        let of = |mark: Mark| self.entries.iter().filter(move |e| e.mark == mark);
        let exact = || of(Mark::Host).filter(|e| !e.portless);
        if exact().any(|e| e.key == key) {
            return Verdict::Known;
        }
        let kind = kind(key);
        if let Some(entry) = exact().find(|e| e.kind == kind) {
            return Verdict::Changed(entry);
        }
        if exact().next().is_none() && of(Mark::Host).any(|e| e.key == key) {
            return Verdict::Known;
        }
        // Its certificate may be the one that counts, and not a key of another kind.
        if let Some(entry) = of(Mark::Authority).next() {
            return Verdict::Authority(entry);
        }
        match exact().next() {
            Some(entry) => Verdict::Changed(entry),
            None => Verdict::Unknown,
        }
    }
}

/// The mark, host names, kind and key of a line, if it has them.
fn parse(line: &str) -> Option<(Mark, &str, &str, Vec<u8>)> {
    let mut words = line.split_ascii_whitespace();
    let mut hosts = words.next()?;
    if hosts.starts_with('#') {
        return None;
    }
    let mark = match hosts {
        "@revoked" => Mark::Revoked,
        "@cert-authority" => Mark::Authority,
        _ if hosts.starts_with('@') => return None,
        _ => Mark::Host,
    };
    if mark != Mark::Host {
        hosts = words.next()?;
    }
    let named = words.next()?;
    let key = STANDARD.decode(words.next()?).ok()?;
    // A key of another kind than the line says is no key.
    (kind(&key) == named).then_some((mark, hosts, named, key))
}

/// The host of `[host]:port`.
fn bare(name: &str) -> Option<&str> {
    name.strip_prefix('[')?
        .rsplit_once("]:")
        .map(|(host, _)| host)
}

/// Whether a line's host names mean this host.
fn matches(hosts: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        let Some((salt, hash)) = hashed.split_once('|') else {
            return false;
        };
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
            return false;
        };
        return hashed_name(&salt, &name) == hash;
    }
    let mut found = false;
    for pattern in hosts.split(',') {
        let pattern = pattern.to_ascii_lowercase();
        match pattern.strip_prefix('!') {
            Some(not) if fits(not.as_bytes(), name.as_bytes()) => return false,
            Some(_) => {}
            None => found |= fits(pattern.as_bytes(), name.as_bytes()),
        }
    }
    found
}

/// `*` stands for any text, `?` for any one character.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

fn hashed_name(salt: &[u8], name: &str) -> Vec<u8> {
    // HMAC takes keys of any length.
    Hmac::<Sha1>::new_from_slice(salt).map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(name.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

/// Adds a line for a host's key at the end of a file. Nothing that stands there is touched; a
/// missing file, or the folder it is in, is made for the operator's eyes only.
///
/// # Errors
/// The file cannot be opened or written.
pub fn append(file: &Path, name: &str, hash: bool, key: &[u8]) -> std::io::Result<()> {
    let name = name.to_ascii_lowercase();
    let host = match hash {
        false => name,
        true => {
            let mut salt = [0u8; 20];
            getrandom::fill(&mut salt).map_err(|e| std::io::Error::other(e.to_string()))?;
            let hashed = STANDARD.encode(hashed_name(&salt, &name));
            format!("|1|{}|{hashed}", STANDARD.encode(salt))
        }
    };
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut opened = std::fs::OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    let mut line = String::new();
    let regular = opened.metadata()?.is_file();
    if regular && opened.seek(SeekFrom::End(0))? > 0 {
        opened.seek(SeekFrom::End(-1))?;
        let mut last = [0u8];
        opened.read_exact(&mut last)?;
        if last != *b"\n" {
            line.push('\n');
        }
    }
    line.push_str(&format!("{host} {} {}\n", kind(key), STANDARD.encode(key)));
    // In one piece: another program may be adding a line too.
    opened.write_all(line.as_bytes())?;
    opened.flush()
}

/// Whether a `RevokedHostKeys` file names this key.
///
/// # Errors
/// It cannot be read, or is a list in OpenSSH's binary form, which is not understood here.
pub fn revoked_by(list: &Path, key: &[u8]) -> Result<Option<usize>, RevokedError> {
    let bytes = file::read(list, file::LIST).map_err(RevokedError::Unreadable)?;
    if bytes.starts_with(b"SSHKRL\n\0") {
        return Err(RevokedError::Binary);
    }
    let text = String::from_utf8_lossy(&bytes);
    let names = |line: &str| {
        let mut words = line
            .split_ascii_whitespace()
            .skip_while(|w| kind_of(w).is_none());
        words
            .next()
            .and_then(kind_of)
            .is_some_and(|found| found == key)
    };
    Ok(text.lines().position(names).map(|at| at + 1))
}

/// The key that a word of base64 is.
fn kind_of(word: &str) -> Option<Vec<u8>> {
    let key = STANDARD.decode(word).ok()?;
    (kind(&key) != "unknown").then_some(key)
}

/// Why a list of revoked keys cannot be looked at.
#[derive(Debug)]
pub enum RevokedError {
    /// It cannot be read.
    Unreadable(std::io::Error),
    /// It is a KRL.
    Binary,
}

#[cfg(test)]
#[path = "known_hosts/tests.rs"]
mod tests;
