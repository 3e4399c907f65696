//! The helper container through which files on a host are read and written and HTTP is asked.

use std::time::Duration;

use super::archive::{Entry, Kind, header, pack, unpack};
use super::script::{PUBLISH, Script};
use crate::engine::{self, Client, Pieces};
use crate::fleet::Images;
use crate::record::layout::{Layout, temporary};
use crate::text::short;

/// How the image of a helper is built.
pub struct ImageRecipe {
    /// A Dockerfile; `{base}` stands for the image that it is built from.
    pub text: &'static str,
    /// The key below `images:` that names another image.
    pub key: &'static str,
    /// What such an image has to have.
    pub needs: &'static str,
}

/// The recipe of an image that is built on the host; `None`: it is not one of ours.
pub fn recipe(image: &str) -> Option<ImageRecipe> {
    let ours = Images::default();
    if image == ours.toolbox {
        return Some(ImageRecipe {
            text: include_str!("toolbox.Dockerfile"),
            key: "toolbox",
            needs: "sh, coreutils, socat and curl",
        });
    }
    (image == ours.guard).then_some(ImageRecipe {
        text: include_str!("guard.Dockerfile"),
        key: "guard",
        needs: "sh and nft",
    })
}

/// The toolbox of one host. Archives can be read and written also while it is stopped; scripts need
/// it running.
#[derive(Clone)]
pub struct Toolbox {
    /// The host's engine.
    pub client: Client,
    /// Id of the container, or its name.
    pub id: String,
    /// Where things are.
    pub layout: Layout,
}

/// What went wrong in the toolbox.
#[derive(Debug, thiserror::Error)]
pub enum ToolboxError {
    /// The engine refused or could not be asked.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// A script ended with another exit code than 0.
    #[error("{tag} in the toolbox failed ({code}): {words}")]
    Script {
        tag: &'static str,
        /// Exit code.
        code: i64,
        /// What it said, escape sequences removed.
        words: String,
    },
    /// What came back cannot be read.
    #[error("{what}: {why}")]
    Garbled {
        /// What was read.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A file to be put in its place in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Absolute path; its folder exists.
    pub path: String,
    /// Permissions.
    pub mode: u32,
    /// Owner and group.
    pub owner: u32,
    /// Content.
    pub bytes: Vec<u8>,
}

impl NewFile {
    /// A file of root's.
    pub fn new(path: String, mode: u32, bytes: impl Into<Vec<u8>>) -> NewFile {
        NewFile {
            path,
            mode,
            owner: 0,
            bytes: bytes.into(),
        }
    }
}

impl Toolbox {
    /// Runs a script and tells its exit code, whatever it is.
    pub async fn try_run(
        &self,
        script: &Script,
        args: &[&str],
        stdin: Option<Vec<u8>>,
        deadline: Duration,
    ) -> Result<engine::ExecOutput, ToolboxError> {
        let name = script.name();
        let argv = script.argv(&name, args);
        Ok(self.client.exec(&self.id, &argv, stdin, deadline).await?)
    }

    /// Runs a script that must end with 0; gives its standard output.
    pub async fn run(
        &self,
        script: &Script,
        args: &[&str],
        stdin: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, ToolboxError> {
        let out = self.try_run(script, args, stdin, script.deadline).await?;
        if out.code != 0 {
            return Err(ToolboxError::Script {
                tag: script.tag,
                code: out.code,
                words: words(&out.stderr),
            });
        }
        Ok(out.stdout)
    }

    /// Unpacks entries below `dir`, an existing absolute path. Not atomic: use temporary names, or
    /// [`Toolbox::replace`].
    pub async fn put(&self, dir: &str, entries: &[Entry]) -> Result<(), ToolboxError> {
        let tar = pack(entries).map_err(|e| garbled(dir, &e))?;
        Ok(self.client.archive_put(&self.id, dir, tar).await?)
    }

    /// Reads a file or a whole folder. Paths of the entries begin with the last part of `path`.
    pub async fn get(&self, path: &str) -> Result<Vec<Entry>, ToolboxError> {
        let tar = self.client.archive_get(&self.id, path).await?;
        unpack(&tar).map_err(|e| garbled(path, &e))
    }

    /// The same, entry by entry as they come.
    pub async fn each<T: Send + 'static>(
        &self,
        path: &str,
        take: impl FnOnce(Pieces) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, ToolboxError> {
        let taken = self.client.archive_read(&self.id, path, take).await?;
        taken.map_err(|e| garbled(path, &e))
    }

    /// Content of one file; `None` when it does not exist.
    pub async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, ToolboxError> {
        match self.get(path).await {
            Ok(entries) => Ok(entries
                .into_iter()
                .find(|e| e.kind == Kind::File)
                .map(|e| e.bytes)),
            Err(ToolboxError::Engine(e)) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// What `path` is, and whose, without reading it; `None` when it does not exist.
    pub async fn head(&self, path: &str) -> Result<Option<Entry>, ToolboxError> {
        match self.client.archive_get_head(&self.id, path).await {
            Ok(start) => header(&start).map(Some).map_err(|e| garbled(path, &e)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Writes files of ostler's own: each under a temporary name beside it, then all renamed into
    /// place in the order given. Every file is whole at any moment; the folder must exist.
    pub async fn replace(&self, files: &[NewFile]) -> Result<(), ToolboxError> {
        if files.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::new();
        let mut moves = Vec::new();
        for file in files {
            let from = temporary(&file.path);
            let Some(path) = self.layout.relative(&from) else {
                return Err(garbled(&file.path, &"it is not below the root folder"));
            };
            entries.push(Entry::file(path, file.mode, file.owner, file.bytes.clone()));
            moves.extend([from, file.path.clone()]);
        }
        self.put(self.layout.root(), &entries).await?;
        let moves: Vec<&str> = moves.iter().map(String::as_str).collect();
        self.run(&PUBLISH, &moves, None).await?;
        Ok(())
    }
}

fn garbled(what: &str, why: &dyn std::fmt::Display) -> ToolboxError {
    ToolboxError::Garbled {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

/// What a program said, as one short line that a terminal can be shown.
fn words(bytes: &[u8]) -> String {
    short(&String::from_utf8_lossy(bytes), 400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_harmless_line() {
        assert_eq!(words(b"a\x1b[31m\n\n b\r"), "a [31m b");
    }
}
