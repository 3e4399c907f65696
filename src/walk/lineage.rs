//! Which fleet files this operator's copy descends from: by git, and by what this operator applied
//! before. Everything asked of git is bounded in time and asked only when it matters.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::git;
use crate::file;
use crate::fleet::{Fleet, Name, bounds, file_hash};
use crate::observe::model::{Lineage, Observed};

/// How many earlier versions of the file are looked at.
const VERSIONS: &str = "-n200";
/// How many applied versions are remembered.
const REMEMBERED: usize = 500;
/// Bytes of what is remembered, at most: some 100,000 sites.
const MEMORY: usize = 8 << 20;

/// What this operator applied before, from this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Remembered {
    /// Hashes of fleet files, oldest first.
    pub hashes: Vec<String>,
    /// Sites that any of them named.
    pub sites: BTreeSet<Name>,
}

/// What is known of the descent of the fleet file at `path`, as far as it matters for the hosts
/// observed. `state`: the operator's state directory.
pub async fn find(
    path: &Path,
    bytes: &[u8],
    fleet: &Fleet,
    observed: &Observed,
    state: Option<&Path>,
) -> Lineage {
    let remembered = state.map(|dir| recall(dir, path)).unwrap_or_default();
    let mut lineage = Lineage {
        ancestors: remembered.hashes.iter().cloned().collect(),
        commits: BTreeSet::new(),
        known_sites: remembered.sites,
    };
    lineage.ancestors.insert(file_hash(bytes));
    lineage.known_sites.extend(fleet.sites.keys().cloned());
    let hosts = observed.hosts.values().filter_map(|h| h.reached());
    let mut strangers = BTreeSet::new();
    let mut commits = BTreeSet::new();
    let mut unknown = false;
    for state in hosts.filter_map(|h| h.state.read()) {
        let known = |name: &&Name| !lineage.known_sites.contains(*name);
        strangers.extend(state.sites.keys().filter(known).cloned());
        if let Some(host) = &state.host
            && !host.fleet_hash.is_empty()
            && !lineage.ancestors.contains(&host.fleet_hash)
        {
            unknown = true;
            commits.extend(host.commit.clone());
        }
    }
    if !unknown && strangers.is_empty() {
        return lineage;
    }
    let Some(place) = Place::of(path) else {
        return lineage;
    };
    for commit in commits {
        if place.descends_from(&commit).await {
            lineage.commits.insert(commit);
        }
    }
    for version in place.versions().await {
        lineage.ancestors.insert(file_hash(&version));
        let named = sites_of(&version, &strangers);
        strangers.retain(|site| !named.contains(site));
        lineage.known_sites.extend(named);
    }
    lineage
}

/// The commit whose version of the file is exactly `bytes`; `None` outside git, and for a file
/// with changes that are not committed.
pub async fn commit_of(path: &Path, bytes: &[u8]) -> Option<String> {
    let place = Place::of(path)?;
    let head = place.git(&["rev-parse", "--verify", "HEAD"]).await?;
    let head = String::from_utf8(head).ok()?.trim().to_owned();
    let object = format!("{head}:./{}", place.file);
    let committed = place.git(&["cat-file", "blob", &object]).await?;
    (committed == bytes).then_some(head)
}

/// The version of the file with this hash, from git's history of it.
pub async fn version(path: &Path, hash: &str) -> Option<Vec<u8>> {
    let versions = Place::of(path)?.versions().await;
    versions.into_iter().find(|bytes| file_hash(bytes) == hash)
}

/// A file and its folder, for git.
struct Place {
    folder: PathBuf,
    file: String,
}

impl Place {
    fn of(path: &Path) -> Option<Place> {
        let path = fs::canonicalize(path).ok()?;
        Some(Place {
            folder: path.parent()?.to_owned(),
            file: path.file_name()?.to_str()?.to_owned(),
        })
    }

    /// Standard output of a question to git that succeeded in time.
    async fn git(&self, args: &[&str]) -> Option<Vec<u8>> {
        git::ask(&self.folder, args).await
    }

    async fn descends_from(&self, commit: &str) -> bool {
        // From a record on a host: it must not be taken for an option.
        if commit.is_empty() || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
            return false;
        }
        self.git(&["merge-base", "--is-ancestor", commit, "HEAD"])
            .await
            .is_some()
    }

    /// Earlier versions of the file, newest first.
    async fn versions(&self) -> Vec<Vec<u8>> {
        let args = ["rev-list", VERSIONS, "HEAD", "--", &self.file];
        let Some(list) = self.git(&args).await else {
            return Vec::new();
        };
        let list = String::from_utf8_lossy(&list).into_owned();
        let deadline = tokio::time::Instant::now() + git::ASK;
        let mut versions = Vec::new();
        for commit in list.lines() {
            let object = format!("{commit}:./{}", self.file);
            let reading = ["cat-file", "blob", object.as_str()];
            match tokio::time::timeout_at(deadline, self.git(&reading)).await {
                Ok(Some(bytes)) => versions.push(bytes),
                // The commit that removed the file has none.
                Ok(None) => {}
                Err(_) => break,
            }
        }
        versions
    }
}

/// Those of `wanted` that a version of the file names as sites.
fn sites_of(version: &[u8], wanted: &BTreeSet<Name>) -> BTreeSet<Name> {
    #[derive(Deserialize)]
    struct Sites {
        #[serde(default)]
        sites: std::collections::BTreeMap<String, serde::de::IgnoredAny>,
    }
    let text = String::from_utf8_lossy(version);
    // Reading hundreds of large versions takes long; most do not even have the word.
    if !wanted.iter().any(|site| text.contains(site.as_str())) {
        return BTreeSet::new();
    }
    match bounds::read::<Sites>(&text) {
        Ok(found) => wanted
            .iter()
            .filter(|site| found.sites.contains_key(site.as_str()))
            .cloned()
            .collect(),
        Err(_) => BTreeSet::new(),
    }
}

fn memory(state: &Path, path: &Path) -> PathBuf {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = crate::record::spec::short_hash(path.as_os_str().as_encoded_bytes());
    state.join("applied").join(format!("{name}.json"))
}

/// What was remembered about the file at `path`.
pub fn recall(state: &Path, path: &Path) -> Remembered {
    file::read(&memory(state, path), MEMORY)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

/// Remembers that this version of the file at `path` was applied.
pub fn remember(state: &Path, path: &Path, bytes: &[u8], fleet: &Fleet) -> std::io::Result<()> {
    let mut known = recall(state, path);
    let hash = file_hash(bytes);
    known.hashes.retain(|h| *h != hash);
    known.hashes.push(hash);
    let surplus = known.hashes.len().saturating_sub(REMEMBERED);
    known.hashes.drain(..surplus);
    known.sites.extend(fleet.sites.keys().cloned());
    let file = memory(state, path);
    if let Some(dir) = file.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
    }
    let temporary = file.with_extension(format!("new-{}", std::process::id()));
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    serde_json::to_writer(&mut out, &known)?;
    out.sync_all()?;
    fs::rename(&temporary, &file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::model::{HostObservation, ObservedHost};
    use crate::record::{HostRecord, HostState, StateRead};
    use std::process::{Command as Sync, Stdio};

    fn git(dir: &Path, args: &[&str]) {
        let ok = Sync::new("git")
            .arg("-C")
            .arg(dir)
            .args(["-c", "user.name=t", "-c", "user.email=t@example.net"])
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(ok.success(), "git {args:?}");
    }

    fn observed(hash: &str, commit: Option<String>) -> Observed {
        let state = HostState {
            host: Some(HostRecord {
                fleet_hash: hash.into(),
                commit,
                ..HostRecord::default()
            }),
            ..HostState::default()
        };
        let host = ObservedHost {
            state: StateRead::Read(std::sync::Arc::new(state)),
            ..ObservedHost::default()
        };
        let mut observed = Observed::default();
        observed.hosts.insert(
            "web1".parse().unwrap(),
            HostObservation::Reached(std::sync::Arc::new(host)),
        );
        observed
    }

    #[tokio::test]
    async fn a_clone_knows_what_it_descends_from() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.yml");
        git(dir.path(), &["init", "-q", "-b", "main"]);
        let first: &[u8] = b"fleet: x\nsites: { old: {} }\n";
        let second: &[u8] = b"fleet: x\nsites: {}\n";
        for text in [first, second] {
            fs::write(&path, text).unwrap();
            git(dir.path(), &["add", "."]);
            git(dir.path(), &["commit", "-q", "-m", "c"]);
        }
        let commit = commit_of(&path, second).await.expect("committed");
        assert_eq!(commit_of(&path, b"other").await, None);
        let fleet = Fleet::default();
        let seen = observed(&file_hash(first), Some(commit.clone()));
        let lineage = find(&path, second, &fleet, &seen, None).await;
        assert!(lineage.ancestors.contains(&file_hash(first)));
        assert!(lineage.commits.contains(&commit));
        let foreign = observed("0000", Some("--upload-pack=x".into()));
        let lineage = find(&path, second, &fleet, &foreign, None).await;
        assert!(lineage.commits.is_empty() && !lineage.ancestors.contains("0000"));
        let wanted = BTreeSet::from(["old".parse().unwrap(), "never".parse().unwrap()]);
        assert_eq!(sites_of(first, &wanted).len(), 1);
    }

    #[tokio::test]
    async fn without_git_it_is_what_was_applied_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.yml");
        fs::write(&path, "a").unwrap();
        let fleet = Fleet::default();
        remember(dir.path(), &path, b"earlier", &fleet).unwrap();
        remember(dir.path(), &path, b"earlier", &fleet).unwrap();
        assert_eq!(recall(dir.path(), &path).hashes.len(), 1);
        let seen = observed(&file_hash(b"earlier"), None);
        let lineage = find(&path, b"a", &fleet, &seen, Some(dir.path())).await;
        assert!(lineage.ancestors.contains(&file_hash(b"earlier")));
        assert!(lineage.ancestors.contains(&file_hash(b"a")));
    }
}
