use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command as Sync;

use crate::fleet::{Fleet, file_hash};
use crate::observe::model::Observed;
use crate::walk::commit::{self, Standing, standing};
use crate::walk::lineage;

/// A repository whose configuration names a program wherever git takes one.
struct Trap {
    folder: tempfile::TempDir,
    path: PathBuf,
}

const TEXT: &str = "fleet: x\nsites: {}\n";

impl Trap {
    fn new() -> Trap {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fleet.yml");
        fs::write(&path, TEXT).unwrap();
        let trap = Trap { folder, path };
        trap.git(&["init", "-q", "-b", "main"]);
        trap.git(&["config", "user.name", "t"]);
        trap.git(&["config", "user.email", "t@example.net"]);
        trap.git(&["add", "."]);
        trap.git(&["commit", "-q", "-m", "c"]);
        let program = trap.folder.path().join(".git/program");
        let mark = trap.mark();
        let script = format!("#!/bin/sh\necho \"$0 $*\" >> {}\n", mark.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let program = program.to_str().unwrap();
        for hook in [
            "post-index-change",
            "pre-commit",
            "fsmonitor-watchman",
            "reference-transaction",
        ] {
            let hooks = trap.folder.path().join(".git/hooks");
            fs::create_dir_all(&hooks).unwrap();
            fs::copy(program, hooks.join(hook)).unwrap();
        }
        for key in [
            "core.fsmonitor",
            "core.pager",
            "core.sshCommand",
            "core.editor",
            "core.askPass",
            "core.gitProxy",
            "credential.helper",
            "diff.external",
            "diff.trap.textconv",
            "diff.trap.command",
            "filter.trap.clean",
            "filter.trap.smudge",
            "filter.trap.process",
            "gpg.program",
            "remote.origin.uploadpack",
        ] {
            trap.git(&["config", key, program]);
        }
        trap.git(&["config", "filter.trap.required", "true"]);
        fs::write(
            trap.folder.path().join(".git/info/attributes"),
            "* filter=trap diff=trap\n",
        )
        .unwrap();
        fs::write(
            trap.folder.path().join(".gitattributes"),
            "* filter=trap diff=trap\n",
        )
        .unwrap();
        // What is written at another time than the index says is looked into.
        fs::write(&trap.path, TEXT).unwrap();
        let _ = fs::remove_file(trap.mark());
        trap
    }

    fn git(&self, args: &[&str]) -> bool {
        let mut git = Sync::new("git");
        let out = git.arg("-C").arg(self.folder.path()).args(args).output();
        out.unwrap().status.success()
    }

    fn mark(&self) -> PathBuf {
        self.folder.path().join(".git/ran")
    }

    fn ran(&self) -> String {
        fs::read_to_string(self.mark()).unwrap_or_default()
    }
}

#[tokio::test]
async fn looking_runs_nothing_that_a_repository_names() {
    let trap = Trap::new();
    // It is a trap: git itself walks into it.
    trap.git(&["status"]);
    assert!(trap.ran().contains("program"));
    fs::remove_file(trap.mark()).unwrap();

    assert_eq!(standing(&trap.path).await, Standing::Committed);
    let commit = lineage::commit_of(&trap.path, TEXT.as_bytes()).await;
    assert!(commit.is_some());
    let hash = file_hash(TEXT.as_bytes());
    assert!(lineage::version(&trap.path, &hash).await.is_some());
    let state = Some(trap.folder.path());
    lineage::find(
        &trap.path,
        b"other",
        &Fleet::default(),
        &Observed::default(),
        state,
    )
    .await;
    fs::write(&trap.path, "fleet: y\n").unwrap();
    assert_eq!(standing(&trap.path).await, Standing::Changed);
    fs::write(trap.folder.path().join("new.yml"), "x").unwrap();
    assert_eq!(
        standing(&trap.folder.path().join("new.yml")).await,
        Standing::New
    );
    assert_eq!(trap.ran(), "");
}

#[tokio::test]
async fn what_a_clone_lacks_is_not_fetched_for_looking() {
    let trap = Trap::new();
    for (key, value) in [
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.promisor", "true"),
        ("remote.origin.url", "/nowhere/repository"),
        ("protocol.file.allow", "always"),
    ] {
        trap.git(&["config", key, value]);
    }
    let object = Sync::new("git")
        .arg("-C")
        .arg(trap.folder.path())
        .args(["rev-parse", "HEAD:fleet.yml"])
        .output()
        .unwrap();
    let object = String::from_utf8(object.stdout).unwrap();
    let (folder, file) = object.trim().split_at(2);
    let objects = trap.folder.path().join(".git/objects");
    fs::remove_file(objects.join(folder).join(file)).unwrap();
    assert!(!trap.git(&["cat-file", "blob", "HEAD:fleet.yml"]));
    assert!(trap.ran().contains("program"), "git fetches it");
    fs::remove_file(trap.mark()).unwrap();
    assert_eq!(standing(&trap.path).await, Standing::Changed);
    assert_eq!(lineage::commit_of(&trap.path, TEXT.as_bytes()).await, None);
    assert_eq!(trap.ran(), "");
}

#[tokio::test]
async fn a_commit_that_was_asked_for_runs_the_operator_s_hooks() {
    let trap = Trap::new();
    fs::write(trap.folder.path().join(".gitattributes"), "").unwrap();
    fs::write(trap.folder.path().join(".git/info/attributes"), "").unwrap();
    fs::write(&trap.path, "fleet: y\n").unwrap();
    trap.git(&["config", "core.fsmonitor", "false"]);
    commit::commit(&trap.path, "y").await.unwrap();
    assert!(trap.ran().contains("hooks/pre-commit"), "{}", trap.ran());
    assert_eq!(standing(&trap.path).await, Standing::Committed);
}

#[tokio::test]
async fn it_is_told_as_git_status_tells_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let git = |args: &[&str]| {
        let mut git = Sync::new("git");
        git.arg("-C").arg(folder.path());
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.net"]);
        assert!(
            git.args(args).output().unwrap().status.success(),
            "{args:?}"
        );
    };
    let path = at("fl[e]et.yml");
    fs::write(&path, "a").unwrap();
    git(&["init", "-q"]);
    assert_eq!(standing(&path).await, Standing::New);
    git(&["add", "."]);
    assert_eq!(standing(&path).await, Standing::Changed, "staged");
    git(&["commit", "-q", "-m", "c"]);
    assert_eq!(standing(&path).await, Standing::Committed);
    fs::write(&path, "b").unwrap();
    assert_eq!(standing(&path).await, Standing::Changed);
    git(&["add", "."]);
    fs::write(&path, "a").unwrap();
    assert_eq!(
        standing(&path).await,
        Standing::Changed,
        "staged and put back"
    );
    git(&["rm", "-q", "--cached", "-f", "--", "fl[e]et.yml"]);
    assert_eq!(standing(&path).await, Standing::Changed, "to be removed");
    fs::write(at("other.yml"), "x").unwrap();
    fs::write(at(".gitignore"), "other.yml\n").unwrap();
    assert_eq!(
        standing(&at("other.yml")).await,
        Standing::Committed,
        "ignored"
    );
}

/// What a filter changed on its way into git cannot be compared: as long as nobody touched it, it is
/// as git left it. Nor can the ends of lines.
#[tokio::test]
async fn a_file_that_git_keeps_otherwise_is_committed_until_it_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.yml");
    let git = |args: &[&str]| {
        let mut git = Sync::new("git");
        git.arg("-C").arg(folder.path());
        git.args(["-c", "user.name=me", "-c", "user.email=me@example.net"]);
        let out = git.args(args).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{args:?}: {said}");
    };
    git(&["init", "-q"]);
    git(&["config", "filter.other.clean", "sed s/y/other/"]);
    fs::write(folder.path().join(".gitattributes"), "* filter=other\n").unwrap();
    fs::write(&path, "fleet: y\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "first"]);
    assert_eq!(standing(&path).await, Standing::Committed);
    fs::write(&path, "fleet: yes\n").unwrap();
    assert_eq!(standing(&path).await, Standing::Changed);

    fs::write(folder.path().join(".gitattributes"), "* text eol=crlf\n").unwrap();
    fs::write(&path, "fleet: y\r\nsites: {}\r\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "-qm", "second"]);
    assert_eq!(standing(&path).await, Standing::Committed);
    fs::write(&path, "fleet: y\r\n").unwrap();
    assert_eq!(standing(&path).await, Standing::Changed);
}
