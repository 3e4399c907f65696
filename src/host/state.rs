//! What ostler knows about a host, kept on that host in `state/`: read whole in one GET, written
//! record by record.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::archive::{Kind, each};
use super::router::table::maps;
use super::toolbox::{NewFile, Toolbox, ToolboxError};
use crate::fleet::Name;
use crate::record::{
    Applying, CertificateRecord, HostRecord, HostState, RouterRecord, SiteRecord, StateRead, Tended,
};
use crate::text::short;

/// Version of the records' form. A higher one on a host was written by a newer ostler.
pub const SCHEMA: u32 = 1;

/// Mode of everything in `state/`.
const MODE: u32 = 0o600;
/// Bytes of the records of one site, of the host, of the router, of the note of an apply, and of a
/// certificate's record, at most: many times what the largest fleet needs.
const LARGEST: [usize; 5] = [4 << 20, 64 << 10, 16 << 20, 4 << 20, 256 << 10];
/// Bytes of the note of the last pass, at most.
const TENDED: usize = 4 << 10;
/// Bytes of all of them, at most.
const ALL: usize = 24 << 20;
/// Notes of applies, at most.
const NOTES: usize = 100;

/// Reads all of `state/`. Works while the toolbox is stopped. Where there is no `state/` yet the
/// answer is an empty state.
pub async fn read(toolbox: &Toolbox) -> Result<StateRead, ToolboxError> {
    match toolbox.each(&toolbox.layout.state(), from_archive).await {
        Ok(state) => Ok(state),
        Err(ToolboxError::Engine(e)) if e.is_not_found() => Ok(StateRead::Read(Arc::default())),
        Err(ToolboxError::Garbled { what, why }) => Ok(StateRead::Damaged {
            why: format!("{what} cannot be read: {why}"),
        }),
        Err(e) => Err(e),
    }
}

/// The state that an archive of `state/` holds. Unknown files and temporary ones are passed over,
/// and the fleet file's copy, the largest of all, is not read. Where anything of it does not hold all
/// of it is damaged: a record that cannot be read is not one that is not there.
///
/// # Errors
/// It is no archive, or not all of one.
pub fn from_archive(tar: impl Read) -> std::io::Result<StateRead> {
    let mut state = HostState::default();
    let mut damage = None;
    let mut bytes = Vec::new();
    let mut left = ALL;
    each(tar, |entry, content| {
        let path = entry.path.trim_start_matches("./");
        let path = path.strip_prefix("state/").unwrap_or(path);
        let Some(known) = What::of(path).filter(|_| damage.is_none()) else {
            return Ok(());
        };
        if entry.kind != Kind::File {
            damage = Some(format!("state/{} is no file", short(path, 80)));
            return Ok(());
        }
        let most = known.largest().min(left);
        bytes.clear();
        // One more than is allowed tells that it is too many.
        content.take(most as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > most {
            damage = Some(too_large(path, &known));
            return Ok(());
        }
        left -= bytes.len();
        damage = known.take(&mut state, path, &bytes).err();
        Ok(())
    })?;
    if let Some(why) = damage.or(state.check().err()) {
        return Ok(StateRead::Damaged { why });
    }
    // Names of applies begin with their time.
    state.applying.sort_by(|a, b| a.run.cmp(&b.run));
    Ok(StateRead::Read(Arc::new(state)))
}

/// The state that one file holds, by its path below `state/`; an empty one where it is none that is
/// read.
///
/// # Errors
/// What does not hold, with the path.
pub fn from_file(path: &str, bytes: &[u8]) -> Result<HostState, String> {
    let mut state = HostState::default();
    if let Some(known) = What::of(path) {
        if bytes.len() > known.largest() {
            return Err(too_large(path, &known));
        }
        known.take(&mut state, path, bytes)?;
    }
    Ok(state)
}

fn too_large(path: &str, what: &What) -> String {
    format!(
        "state/{} is too large: at most {} KiB of it, and {} MiB of all, are read",
        short(path, 80),
        what.largest() >> 10,
        ALL >> 20
    )
}

/// A file of `state/` that is read.
enum What<'a> {
    Host,
    Router,
    Tended,
    Applying(&'a str),
    Site(&'a str),
    Certificate(&'a str),
}

impl<'a> What<'a> {
    fn of(path: &'a str) -> Option<What<'a>> {
        let stem = |start: &str| path.strip_prefix(start)?.strip_suffix(".json");
        let finished = |name: &&str| !name.starts_with('.');
        match path {
            "host.json" => Some(What::Host),
            "router.json" => Some(What::Router),
            "tended.json" => Some(What::Tended),
            _ => stem("applying-")
                .map(What::Applying)
                .or_else(|| stem("sites/").filter(finished).map(What::Site))
                .or_else(|| {
                    stem("certificates/")
                        .filter(finished)
                        .map(What::Certificate)
                }),
        }
    }

    fn largest(&self) -> usize {
        let [site, host, router, note, certificate] = LARGEST;
        match self {
            What::Host => host,
            What::Router => router,
            What::Tended => TENDED,
            What::Applying(_) => note,
            What::Site(_) => site,
            What::Certificate(_) => certificate,
        }
    }

    fn take(self, state: &mut HostState, path: &str, bytes: &[u8]) -> Result<(), String> {
        match self {
            What::Host => {
                let record: HostRecord = json(path, bytes)?;
                known(path, record.schema)?;
                holds(path, record.check())?;
                state.host = Some(record);
            }
            What::Router => {
                let record: RouterRecord = json(path, bytes)?;
                known(path, record.schema)?;
                holds(path, record.check())?;
                maps(&record.routes, &record.proxies)
                    .map_err(|why| format!("state/{path}: {why}"))?;
                state.router = record;
            }
            What::Tended => {
                let note: Tended = json(path, bytes)?;
                known(path, note.schema)?;
                state.tended = Some(note.at);
            }
            What::Applying(run) => {
                let note: Applying = json(path, bytes)?;
                known(path, note.schema)?;
                if note.run != run {
                    let run = short(&note.run, 80);
                    return Err(format!("state/{path} is about the apply {run}"));
                }
                holds(path, note.check())?;
                if state.applying.len() >= NOTES {
                    return Err(format!("state/ has more than {NOTES} notes of applies"));
                }
                state.applying.push(note);
            }
            What::Site(name) => {
                let record = record(path, bytes)?;
                known(path, record.schema)?;
                if record.site.as_str() != name {
                    return Err(format!(
                        "state/{path} is about the site {} and not about {name}",
                        record.site
                    ));
                }
                holds(path, record.check())?;
                state.sites.insert(record.site.clone(), record);
            }
            What::Certificate(name) => {
                let record: CertificateRecord = json(path, bytes)?;
                known(path, record.schema)?;
                if record.site.as_str() != name {
                    let site = &record.site;
                    return Err(format!("state/{path} is about {site} and not about {name}"));
                }
                holds(path, record.check())?;
                let site = record.site.clone();
                state.certificates.insert(site, Arc::new(record));
            }
        }
        Ok(())
    }
}

/// Records by the digest of their bytes, as long as somebody has them.
type Records = HashMap<[u8; 32], Weak<SiteRecord>>;

/// A site's record. A host with many sites is looked at again and again, and nearly all of them
/// say what they said before: the same bytes are the same record, and neither read nor kept twice.
fn record(path: &str, bytes: &[u8]) -> Result<Arc<SiteRecord>, String> {
    static READ: LazyLock<Mutex<Records>> = LazyLock::new(Mutex::default);
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let lock = || READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(record) = lock().get(&digest).and_then(Weak::upgrade) {
        return Ok(record);
    }
    let record: Arc<SiteRecord> = Arc::new(json(path, bytes)?);
    let mut read = lock();
    if read.len() == read.capacity() {
        read.retain(|_, record| record.strong_count() > 0);
    }
    read.insert(digest, Arc::downgrade(&record));
    Ok(record)
}

fn json<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, String> {
    let failed = |e: serde_json::Error| {
        let why = short(&e.to_string(), 200);
        format!("state/{} cannot be read: {why}", short(path, 80))
    };
    serde_json::from_slice(bytes).map_err(failed)
}

fn holds(path: &str, check: Result<(), String>) -> Result<(), String> {
    check.map_err(|why| format!("state/{}: {why}", short(path, 80)))
}

fn known(path: &str, schema: u32) -> Result<(), String> {
    if schema > SCHEMA {
        return Err(format!(
            "state/{path} was written by a newer ostler (form {schema}, this one reads up to {SCHEMA})"
        ));
    }
    Ok(())
}

/// The fleet file last applied to the host; `None` before the first apply.
pub async fn read_fleet_copy(toolbox: &Toolbox) -> Result<Option<Vec<u8>>, ToolboxError> {
    toolbox.read(&toolbox.layout.fleet_copy()).await
}

/// The host's own record, read alone.
pub async fn read_host(toolbox: &Toolbox) -> Result<Option<HostRecord>, ToolboxError> {
    let path = toolbox.layout.host_record();
    let Some(bytes) = toolbox.read(&path).await? else {
        return Ok(None);
    };
    from_file("host.json", &bytes)
        .map(|state| state.host)
        .map_err(|why| ToolboxError::Garbled { what: path, why })
}

/// Writes one site's record.
pub async fn write_site(toolbox: &Toolbox, record: &SiteRecord) -> Result<(), ToolboxError> {
    let path = toolbox.layout.site_record(&record.site);
    let file = file(path, record, What::Site(""))?;
    toolbox.replace(&[file]).await
}

/// What is known of one site's certificate, read alone.
pub async fn read_certificate(
    toolbox: &Toolbox,
    site: &Name,
) -> Result<Option<CertificateRecord>, ToolboxError> {
    let path = toolbox.layout.certificate_record(site);
    let Some(bytes) = toolbox.read(&path).await? else {
        return Ok(None);
    };
    let garbled = |why| ToolboxError::Garbled { what: path, why };
    let state = from_file(&format!("certificates/{site}.json"), &bytes).map_err(garbled)?;
    let mut records = state.certificates.into_values();
    Ok(records.next().map(Arc::unwrap_or_clone))
}

/// What is known of a site's certificate, as a file to be written.
pub fn certificate_file(
    toolbox: &Toolbox,
    record: &CertificateRecord,
) -> Result<NewFile, ToolboxError> {
    let path = toolbox.layout.certificate_record(&record.site);
    file(path, record, What::Certificate(""))
}

/// Writes the router's record.
pub async fn write_router(toolbox: &Toolbox, record: &RouterRecord) -> Result<(), ToolboxError> {
    let file = file(toolbox.layout.router_record(), record, What::Router)?;
    toolbox.replace(&[file]).await
}

/// Writes the host's record, and the fleet file where there is one to keep.
pub async fn write_host(
    toolbox: &Toolbox,
    record: &HostRecord,
    fleet: Option<&[u8]>,
) -> Result<(), ToolboxError> {
    let mut files = Vec::new();
    if let Some(bytes) = fleet {
        files.push(NewFile::new(toolbox.layout.fleet_copy(), MODE, bytes));
    }
    files.push(file(toolbox.layout.host_record(), record, What::Host)?);
    toolbox.replace(&files).await
}

/// Notes that a pass came by, `at` unix seconds.
pub async fn write_tended(toolbox: &Toolbox, at: i64) -> Result<(), ToolboxError> {
    let note = Tended { schema: SCHEMA, at };
    let file = file(toolbox.layout.tended(), &note, What::Tended)?;
    toolbox.replace(&[file]).await
}

fn file<T: Serialize>(path: String, record: &T, what: What) -> Result<NewFile, ToolboxError> {
    let garbled = |why: String| ToolboxError::Garbled {
        what: path.clone(),
        why,
    };
    let written = serde_json::to_vec_pretty(record);
    let mut bytes = written.map_err(|e| garbled(e.to_string()))?;
    bytes.push(b'\n');
    // What would not be read again is not written.
    if bytes.len() > what.largest() {
        let most = what.largest() >> 10;
        return Err(garbled(format!("it would be larger than {most} KiB")));
    }
    Ok(NewFile::new(path, MODE, bytes))
}

/// A fresh record for a host that has none, with a key of its own.
pub fn new_host(fleet: &Name, host: &Name) -> Result<HostRecord, ToolboxError> {
    Ok(HostRecord {
        schema: SCHEMA,
        fleet: fleet.to_string(),
        host: host.to_string(),
        digest_key: super::service::secrets::new_key()?,
        ..HostRecord::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::archive::{Entry, pack};

    fn read(entries: &[Entry]) -> StateRead {
        from_archive(pack(entries).unwrap().as_slice()).unwrap()
    }

    fn entry(path: &str, text: &str) -> Entry {
        Entry::file(path, 0o600, 0, text)
    }
    const SITE: &str = r#"{"schema":1,"site":"blog","uid":200000,"spec":null,"hash":null,
        "limits":{},"route":null,"secrets":{},"state":{"wanted":"running"},"image_id":null}"#;

    #[test]
    fn unknown_and_unfinished_files_are_passed_over() {
        let read = read(&[
            Entry::folder("state/", 0o700, 0),
            entry("state/sites/blog.json", SITE),
            entry("state/sites/.new-other.json", "{half"),
            entry("state/.new-host.json", "{half"),
            entry("state/notes.txt", "hello"),
            entry("state/fleet.yml", "fleet: x"),
        ]);
        let state = read.read().expect("readable");
        assert_eq!(state.sites.len(), 1);
        assert_eq!(state.host, None);
    }

    #[test]
    fn damage_names_the_file() {
        let large = format!("{{\"x\": \"{}\"}}", "x".repeat(LARGEST[1]));
        for (path, text, part) in [
            (
                "state/host.json",
                large.as_str(),
                "is too large: at most 64 KiB",
            ),
            ("state/host.json", "{", "state/host.json cannot be read"),
            (
                "state/sites/x.json",
                SITE,
                "about the site blog and not about x",
            ),
            (
                "state/router.json",
                r#"{"schema":9,"config_hash":"","routes":{}}"#,
                "newer ostler",
            ),
        ] {
            let StateRead::Damaged { why } = read(&[entry(path, text)]) else {
                panic!("{path} was read");
            };
            assert!(why.contains(part), "{why}");
            let alone = from_file(path.trim_start_matches("state/"), text.as_bytes());
            assert_eq!(alone.unwrap_err(), why);
        }
    }

    #[test]
    fn what_has_the_name_of_a_record_and_is_no_file_is_not_passed_over() {
        for path in ["state/host.json", "state/sites/blog.json"] {
            let StateRead::Damaged { why } = read(&[Entry::folder(path, 0o700, 0)]) else {
                panic!("{path} was passed over");
            };
            assert!(why.contains("is no file"), "{why}");
        }
    }

    #[test]
    fn there_is_no_end_of_notes_and_records() {
        let note = |n: usize| {
            let run = format!("20261129T200000Z-{n:08x}");
            let text = serde_json::to_string(&Applying {
                run: run.clone(),
                ..Applying::default()
            });
            entry(&format!("state/applying-{run}.json"), &text.unwrap())
        };
        let notes: Vec<Entry> = (0..NOTES).map(note).collect();
        assert_eq!(read(&notes).read().unwrap().applying.len(), NOTES);
        let more: Vec<Entry> = (0..=NOTES).map(note).collect();
        let StateRead::Damaged { why } = read(&more) else {
            panic!("all were read");
        };
        assert!(why.contains("more than 100 notes"), "{why}");
        let blank = " ".repeat(LARGEST[0] - SITE.len());
        let site = |n: usize| {
            let name = format!("s{n}");
            let text = SITE
                .replace("\"blog\"", &format!("{name:?}"))
                .replace("200000", &(200_000 + n).to_string());
            entry(
                &format!("state/sites/{name}.json"),
                &format!("{text}{blank}"),
            )
        };
        let many: Vec<Entry> = (0..8).map(site).collect();
        let StateRead::Damaged { why } = read(&many) else {
            panic!("all were read");
        };
        assert!(why.contains("24 MiB of all"), "{why}");
    }
}
