//! The fleet file in git: whether it has changes that are not committed, and a commit of just that
//! file when the operator asks for one. Never by itself, never through a shell.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::git::{ASK, ask, git};
use crate::file;
use crate::plan::{Plan, show};
use crate::text::plain;

/// Longest time a commit may take, its hooks included.
const COMMIT: Duration = Duration::from_secs(120);
/// Longest message.
const MESSAGE: usize = 2000;

/// Why no commit was made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// There is no git, or the file is in no repository of it.
    #[error("{0} is not in a git repository")]
    NoRepository(String),
    /// Something else is going on there.
    #[error("a {0} is going on in the repository: end it first")]
    Busy(&'static str),
    /// Git or one of its hooks refused.
    #[error("git made no commit: {0}")]
    Refused(String),
    /// It took too long.
    #[error("git made no commit within {} s", COMMIT.as_secs())]
    Slow,
}

/// How the file stands in git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not in a repository, or there is no git; nothing is to be said.
    Outside,
    /// As it was committed, or git is told to ignore it.
    Committed,
    /// It was changed since.
    Changed,
    /// It never was committed.
    New,
}

impl Standing {
    /// One line to warn with, where there is something to say.
    pub fn warning(self, path: &Path) -> Option<String> {
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = plain(&name.to_string_lossy());
        match self {
            Standing::Outside | Standing::Committed => None,
            Standing::Changed => Some(format!("{name} has changes that are not committed")),
            Standing::New => Some(format!("{name} is not committed to git")),
        }
    }
}

/// Looks at how the file stands in git: its bytes are compared with what was committed, for git runs
/// filters of the repository where it compares them.
pub async fn standing(path: &Path) -> Standing {
    let Some((folder, name)) = place(path) else {
        return Standing::Outside;
    };
    let object = format!("HEAD:./{name}");
    let args = ["ls-files", "--stage", "-z", "--", &literal(&name)];
    let Some(staged) = ask(&folder, &args).await else {
        return Standing::Outside;
    };
    let committed = ask(&folder, &["rev-parse", "--verify", "--quiet", &object]).await;
    let Some(committed) = committed else {
        if !staged.is_empty() {
            return Standing::Changed;
        }
        let ignored = ask(
            &folder,
            &["check-ignore", "--quiet", "--", &format!("./{name}")],
        )
        .await;
        return match ignored {
            Some(_) => Standing::Committed,
            None => Standing::New,
        };
    };
    let committed = committed.trim_ascii_end();
    // Mode, name of the object, stage and path.
    let staged = staged.split(|byte| *byte == b' ').nth(1);
    if staged != Some(committed) {
        return Standing::Changed;
    }
    let Some(bytes) = ask(&folder, &["cat-file", "blob", &object]).await else {
        return Standing::Changed;
    };
    let here = path.to_owned();
    // Lines may end otherwise here than there.
    let same = move || {
        let most = bytes.len().saturating_mul(2);
        let read = here.is_file().then(|| file::read(&here, most));
        read.is_some_and(|read| read.is_ok_and(|read| unix_lines(&read) == unix_lines(&bytes)))
    };
    match tokio::task::spawn_blocking(same).await {
        Ok(true) => Standing::Committed,
        _ if filtered(&folder, &name).await && untouched(&folder, &name, path).await => {
            Standing::Committed
        }
        _ => Standing::Changed,
    }
}

fn unix_lines(bytes: &[u8]) -> Vec<u8> {
    let kept = |at: &usize| !bytes[*at..].starts_with(b"\r\n");
    (0..bytes.len()).filter(kept).map(|at| bytes[at]).collect()
}

/// Whether git keeps the file otherwise than it lies here: git-crypt does that.
async fn filtered(folder: &Path, name: &str) -> bool {
    let here = format!("./{name}");
    let asked = [
        "check-attr",
        "filter",
        "working-tree-encoding",
        "ident",
        "--",
        &here,
    ];
    let told = ask(folder, &asked).await.unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let set = |line: &str| !line.ends_with(": unspecified") && !line.ends_with(": unset");
    told.lines().any(set)
}

/// Whether nobody wrote the file since git last looked at it, by size and time. What a filter made of
/// it cannot be compared, and none is run to look.
async fn untouched(folder: &Path, name: &str, path: &Path) -> bool {
    let here = format!("./{name}");
    let told = ask(folder, &["ls-files", "--debug", "--", &here]).await;
    let told = told.unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let after = |word: &str| {
        let rest = &told[told.find(word)? + word.len()..];
        rest.split_whitespace().next().map(str::to_owned)
    };
    let Ok(meta) = std::fs::metadata(path) else {
        return false;
    };
    let time = format!("{}:{}", meta.mtime(), meta.mtime_nsec());
    after(" mtime: ") == Some(time) && after("size: ") == Some(meta.size().to_string())
}

/// Commits this one file with this message; says the commit's name in short, and what git and its
/// hooks said, without anything for a terminal.
///
/// # Errors
/// No repository, a merge or rebase that goes on, a hook that refuses.
pub async fn commit(path: &Path, message: &str) -> Result<(String, String), CommitError> {
    let outside = || CommitError::NoRepository(plain(&path.display().to_string()));
    let (folder, file) = place(path).ok_or_else(outside)?;
    let literal = literal(&file);
    let dir = ask(&folder, &["rev-parse", "--absolute-git-dir"]).await;
    let dir = dir.and_then(|out| String::from_utf8(out).ok());
    let dir = PathBuf::from(dir.ok_or_else(outside)?.trim_end_matches('\n'));
    for (sign, what) in [
        ("MERGE_HEAD", "merge"),
        ("rebase-merge", "rebase"),
        ("rebase-apply", "rebase"),
        ("CHERRY_PICK_HEAD", "cherry-pick"),
        ("REVERT_HEAD", "revert"),
    ] {
        if dir.join(sign).exists() {
            return Err(CommitError::Busy(what));
        }
    }
    if standing(path).await == Standing::New {
        // `commit --only` takes files that git knows; this makes it known, without its content.
        let adding = git(&folder, &["add", "--intent-to-add", "--", &literal]).output();
        let _ = tokio::time::timeout(ASK, adding).await;
    }
    let message: String = plain(message).chars().take(MESSAGE).collect();
    let args = ["commit", "--only", "-m", &message, "--", &literal];
    let running = git(&folder, &args).stderr(Stdio::piped()).output();
    let out = match tokio::time::timeout(COMMIT, running).await {
        Ok(Ok(out)) => out,
        Ok(Err(e)) => return Err(CommitError::Refused(e.to_string())),
        Err(_) => return Err(CommitError::Slow),
    };
    let mut said = plain(&String::from_utf8_lossy(&out.stdout));
    said.push_str(&plain(&String::from_utf8_lossy(&out.stderr)));
    let said = said.trim().to_owned();
    if !out.status.success() {
        let said = if said.is_empty() {
            "it did not say why".into()
        } else {
            said
        };
        return Err(CommitError::Refused(said));
    }
    let name = ask(&folder, &["rev-parse", "--short", "HEAD"]).await;
    let name = name.and_then(|out| String::from_utf8(out).ok());
    Ok((name.unwrap_or_default().trim().to_owned(), said))
}

/// The message of a commit of what this plan applies: each site with why it changes.
pub fn message(plan: &Plan, otherwise: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for group in show::groups(plan) {
        let Some(site) = group.site else { continue };
        let line = format!("{site}: {}", group.causes.join(", "));
        if !group.causes.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    match &lines[..] {
        [] => otherwise.to_owned(),
        [one] => one.clone(),
        many => format!("{otherwise}\n\n{}", many.join("\n")),
    }
}

/// A name that looks like one of git's patterns is taken literally.
fn literal(file: &str) -> String {
    format!(":(literal){file}")
}

/// The folder git is asked in, and the file's name in it.
fn place(path: &Path) -> Option<(PathBuf, String)> {
    let path = std::fs::canonicalize(path).ok()?;
    let file = path.file_name()?.to_str()?.to_owned();
    Some((path.parent()?.to_owned(), file))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn run(dir: &Path, args: &[&str]) -> String {
        let out = std::process::Command::new("git")
            .arg("-C")
            .arg(dir)
            .args(args)
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn repository() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &["init", "-q", "-b", "main"]);
        run(dir.path(), &["config", "user.name", "t"]);
        run(dir.path(), &["config", "user.email", "t@example.net"]);
        let path = dir.path().join("fleet.yml");
        fs::write(&path, "a").unwrap();
        (dir, path)
    }

    #[tokio::test]
    async fn only_the_fleet_file_is_committed() {
        let (dir, path) = repository();
        assert_eq!(standing(&path).await, Standing::New);
        let (name, _) = commit(&path, "begin; $(touch x) `touch y`").await.unwrap();
        assert!(name.len() >= 7, "{name}");
        assert_eq!(standing(&path).await, Standing::Committed);
        fs::write(&path, "b").unwrap();
        fs::write(dir.path().join("other"), "staged").unwrap();
        run(dir.path(), &["add", "other"]);
        assert_eq!(standing(&path).await, Standing::Changed);
        assert!(
            standing(&path)
                .await
                .warning(&path)
                .is_some_and(|w| w.contains("not committed"))
        );
        commit(&path, "memory: 64M → 128M").await.unwrap();
        let shown = run(dir.path(), &["show", "--stat", "--format=%s", "HEAD"]);
        assert!(
            shown.contains("memory: 64M → 128M") && shown.contains("fleet.yml"),
            "{shown}"
        );
        assert!(!shown.contains("other"), "{shown}");
        assert_eq!(run(dir.path(), &["status", "--porcelain"]), "A  other\n");
        let log = run(dir.path(), &["log", "--format=%s"]);
        assert!(log.contains("begin; $(touch x) `touch y`"), "{log}");
    }

    #[tokio::test]
    async fn hooks_may_refuse_and_are_heard() {
        let (dir, path) = repository();
        let hook = dir.path().join(".git/hooks/pre-commit");
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        fs::write(
            &hook,
            "#!/bin/sh\nprintf '\\033[31mtoo late at night\\033[0m' >&2\nexit 1\n",
        )
        .unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let error = commit(&path, "x").await.unwrap_err().to_string();
        assert!(
            error.contains("too late at night") && !error.contains('\u{1b}'),
            "{error}"
        );
    }

    #[tokio::test]
    async fn during_a_merge_nothing_is_committed() {
        let (dir, path) = repository();
        commit(&path, "begin").await.unwrap();
        fs::write(&path, "b").unwrap();
        fs::write(dir.path().join(".git/MERGE_HEAD"), "").unwrap();
        let error = commit(&path, "x").await.unwrap_err();
        assert!(matches!(error, CommitError::Busy("merge")), "{error}");
    }

    #[tokio::test]
    async fn outside_of_git_there_is_nothing_to_say() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.yml");
        fs::write(&path, "a").unwrap();
        assert_eq!(standing(&path).await, Standing::Outside);
        assert_eq!(
            standing(Path::new("/nonexistent/x")).await,
            Standing::Outside
        );
        assert!(matches!(
            commit(&path, "x").await,
            Err(CommitError::NoRepository(_))
        ));
    }
}
