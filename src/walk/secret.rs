//! Where secrets come from: files and commands on the operator's machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::fleet::{SecretSpec, Site};
use crate::host::service::secrets::{self, SecretBytes, SecretError, SecretFuture, SecretSource};

/// Longest time that a command may take: it may well ask for a passphrase.
const COMMAND: Duration = Duration::from_secs(60);
/// Largest secret.
const LARGEST: usize = 1 << 20;

/// Files and commands. Relative paths start at the fleet file's folder, and commands run there.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The fleet file's folder.
    pub folder: PathBuf,
}

impl SecretSource for Sources {
    fn read<'a>(&'a self, site: &'a Site, name: &'a str) -> SecretFuture<'a> {
        Box::pin(async move {
            let fail = |why: String| SecretError {
                name: format!("{name} of {}", site.name),
                why,
            };
            let bytes = match site.secrets.get(name) {
                None => return Err(fail("the fleet file does not name it".into())),
                Some(SecretSpec::File(path)) => {
                    let path = self.folder.join(path);
                    tokio::fs::read(&path)
                        .await
                        .map_err(|e| fail(format!("cannot read {}: {e}", path.display())))?
                }
                Some(SecretSpec::Command(argv)) => self.command(argv).await.map_err(fail)?,
                Some(SecretSpec::Kept) => return Err(fail(secrets::LEFT_ALONE.into())),
            };
            if bytes.len() > LARGEST {
                return Err(fail("it is larger than 1 MiB".into()));
            }
            Ok(SecretBytes(bytes))
        })
    }
}

impl Sources {
    /// Standard output of a command. Its error output is the operator's to see, not ours to keep:
    /// it may hold what it should not.
    async fn command(&self, argv: &[String]) -> Result<Vec<u8>, String> {
        let Some((program, args)) = argv.split_first() else {
            return Err("its command is empty".into());
        };
        let child = tokio::process::Command::new(program)
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| format!("cannot run {program}: {e}"))?;
        let out = tokio::time::timeout(COMMAND, child.wait_with_output())
            .await
            .map_err(|_| format!("{program} did not end within {} s", COMMAND.as_secs()))?
            .map_err(|e| format!("{program}: {e}"))?;
        if !out.status.success() {
            return Err(format!("{program} ended with {}", out.status));
        }
        let mut bytes = out.stdout;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Health, Limits, Recipe, SiteState};
    use std::collections::BTreeMap;

    fn site(spec: SecretSpec) -> Site {
        Site {
            name: "blog".parse().unwrap(),
            account: None,
            host: "web1".parse().unwrap(),
            recipe: Recipe::Static,
            domains: vec![],
            limits: Limits::default(),
            connections: 200,
            env: BTreeMap::new(),
            secrets: BTreeMap::from([("DB".to_owned(), spec)]),
            health: Health::default(),
            redirect_www: None,
            redirects: BTreeMap::new(),
            state: SiteState::Running,
        }
    }

    #[tokio::test]
    async fn files_as_they_are_and_commands_without_the_last_newline() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("pw"), "a\n").unwrap();
        let sources = Sources {
            folder: dir.path().to_owned(),
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
    }
}
