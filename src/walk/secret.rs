//! Where secrets come from: files and commands on the operator's machine.

use std::path::PathBuf;
use std::time::Duration;

use super::trust::Trust;
use crate::file;
use crate::file::program::{self, ProgramError};
use crate::fleet::{SecretSpec, Site};
use crate::host::service::secrets::{self, SecretBytes, SecretError, SecretFuture, SecretSource};

/// Longest time that a command may take: it may well ask for a passphrase.
const COMMAND: Duration = Duration::from_secs(60);
/// Largest secret.
const LARGEST: usize = 1 << 20;

/// Files and commands. Relative paths start at the fleet file's folder, and commands run there.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The fleet file's folder.
    pub folder: PathBuf,
    /// The fleet file; none: it is in memory, where nobody else writes.
    pub file: Option<PathBuf>,
    /// What of it may be read.
    pub trust: Trust,
}

impl SecretSource for Sources {
    fn read<'a>(&'a self, site: &'a Site, name: &'a str) -> SecretFuture<'a> {
        match site.secrets.get(name) {
            Some(spec) => self.named(site.name.as_str(), name, spec),
            None => {
                let error = failed(site.name.as_str(), name, "the fleet file does not name it");
                Box::pin(async { Err(error) })
            }
        }
    }

    fn named<'a>(&'a self, of: &'a str, name: &'a str, spec: &'a SecretSpec) -> SecretFuture<'a> {
        Box::pin(async move {
            let fail = |why: String| failed(of, name, why);
            let may = self
                .trust
                .may_read(self.file.as_deref(), &self.folder, of, spec);
            may.map_err(|it| SecretError {
                withheld: it.on_call,
                ..fail(it.why)
            })?;
            let bytes = match spec {
                SecretSpec::File(path) => {
                    let path = self.folder.join(path);
                    let shown = path.display().to_string();
                    tokio::task::spawn_blocking(move || file::read(&path, LARGEST))
                        .await
                        .map_err(std::io::Error::other)
                        .and_then(|read| read)
                        .map_err(|e| fail(format!("cannot read {shown}: {e}")))?
                }
                SecretSpec::Command(argv) => self.command(argv).await.map_err(fail)?,
                SecretSpec::Kept => return Err(fail(secrets::LEFT_ALONE.into())),
            };
            Ok(SecretBytes(bytes))
        })
    }
}

fn failed(of: &str, name: &str, why: impl Into<String>) -> SecretError {
    SecretError {
        name: format!("{name} of {of}"),
        why: why.into(),
        withheld: false,
    }
}

impl Sources {
    /// Standard output of a command. Its error output is the operator's to see, not ours to keep:
    /// it may hold what it should not.
    async fn command(&self, argv: &[String]) -> Result<Vec<u8>, String> {
        let Some((name, args)) = argv.split_first() else {
            return Err("its command is empty".into());
        };
        let mut command = tokio::process::Command::new(name);
        command.args(args).current_dir(&self.folder);
        let out = match program::output(command, LARGEST, COMMAND).await {
            Err(ProgramError::Start(e)) => return Err(format!("cannot run {name}: {e}")),
            said => said.map_err(|e| format!("{name}: {e}"))?,
        };
        if !out.status.success() {
            return Err(format!("{name} ended with {}", out.status));
        }
        let mut bytes = out.bytes;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn site(spec: SecretSpec) -> Site {
        Site {
            name: "blog".parse().unwrap(),
            secrets: BTreeMap::from([("DB".to_owned(), spec)]),
            ..Site::unsaid()
        }
    }

    #[tokio::test]
    async fn files_as_they_are_and_commands_without_the_last_newline() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pw"), "a\n").unwrap();
        // Others cannot write there, whatever new files are given.
        let ours = |path: &std::path::Path, mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        ours(dir.path(), 0o700);
        ours(&dir.path().join("pw"), 0o600);
        let sources = Sources {
            folder: dir.path().to_owned(),
            file: None,
            trust: Trust::always(),
        };
        let command =
            |argv: &[&str]| SecretSpec::Command(argv.iter().map(|s| (*s).to_owned()).collect());
        let read = |spec| {
            let sources = sources.clone();
            async move { sources.read(&site(spec), "DB").await }
        };
        assert_eq!(read(SecretSpec::File("pw".into())).await.unwrap().0, b"a\n");
        assert_eq!(read(command(&["cat", "pw"])).await.unwrap().0, b"a");
        let why = read(command(&[
            "sh",
            "-c",
            "echo s3cret; echo s3cret >&2; exit 3",
        ]))
        .await
        .unwrap_err()
        .to_string();
        assert!(
            why.contains("DB of blog") && why.contains("exit status: 3"),
            "{why}"
        );
        assert!(!why.contains("s3cret"));
        let why = read(SecretSpec::File("none".into())).await.unwrap_err();
        assert!(why.to_string().contains("/none"), "{why}");
        // Nor is what has no end read to it.
        let why = read(SecretSpec::File("/dev/zero".into()))
            .await
            .unwrap_err();
        assert!(
            why.to_string().contains("others can write /dev/zero"),
            "{why}"
        );
        let why = read(command(&["yes", "s3cret"])).await.unwrap_err();
        assert!(why.to_string().contains("more than 1048576 bytes"), "{why}");
        std::fs::write(dir.path().join("large"), vec![b'x'; LARGEST + 1]).unwrap();
        ours(&dir.path().join("large"), 0o600);
        let why = read(SecretSpec::File("large".into())).await.unwrap_err();
        assert!(why.to_string().contains("larger than 1 MiB"), "{why}");
    }
}
