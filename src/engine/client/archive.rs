//! Files of a container as tar archives: works on one that is stopped or was never started.

use bytes::Bytes;
use tokio::sync::mpsc::{Receiver, channel};

use super::Client;
use super::container::container;
use crate::engine::error::{Error, Result};
use crate::engine::wire::{Call, LARGEST, READ, START, UPLOAD_IDLE};

/// Pieces of an archive that wait to be taken.
const PIECES: usize = 4;

/// An archive as it comes, for a thread that may block. What was cut off ends early.
pub struct Pieces {
    come: Receiver<Bytes>,
    now: Bytes,
}

impl Pieces {
    fn new(come: Receiver<Bytes>) -> Pieces {
        let now = Bytes::new();
        Pieces { come, now }
    }
}

impl std::io::Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        while self.now.is_empty() {
            match self.come.blocking_recv() {
                Some(piece) => self.now = piece,
                None => return Ok(0),
            }
        }
        let n = to.len().min(self.now.len());
        to[..n].copy_from_slice(&self.now.split_to(n));
        Ok(n)
    }
}

/// As much as tells what an archive begins with.
const HEAD: usize = 4096;

impl Client {
    /// A file or folder of a container as a tar archive, whole, at most 64 MiB. Not found when
    /// either the container or the path is not there.
    pub async fn archive_get(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        self.archive_get_up_to(id, path, LARGEST).await
    }

    /// The same where less than that is expected: at most so many bytes.
    pub async fn archive_get_up_to(&self, id: &str, path: &str, most: usize) -> Result<Vec<u8>> {
        let call = archive(Call::get, id, path, "read")?;
        Ok(self
            .wire
            .ask_up_to(call, START, most.min(LARGEST))
            .await?
            .bytes
            .into())
    }

    /// The same, handed piece by piece to `take`, on a thread that may block: never whole in memory.
    pub async fn archive_read<T: Send + 'static>(
        &self,
        id: &str,
        path: &str,
        take: impl FnOnce(Pieces) -> T + Send + 'static,
    ) -> Result<T> {
        let call = archive(Call::get, id, path, "read")?;
        let what = format!("read {path} in container {id}");
        let reading = async {
            let mut opened = self.wire.open(call, START).await?;
            let (pieces, come) = channel(PIECES);
            let taking = tokio::task::spawn_blocking(move || take(Pieces::new(come)));
            let mut size = 0;
            while let Some(chunk) = opened.chunk().await? {
                size += chunk.len();
                if size > LARGEST {
                    return Err(Error::TooLarge {
                        what: what.clone(),
                        limit: LARGEST,
                    });
                }
                // Who has read enough: the rest is taken all the same, to keep the connection.
                let _ = pieces.send(chunk).await;
            }
            drop(pieces);
            taking.await.map_err(|e| Error::nonsense(&what, e))
        };
        self.wire.within(START, &what, Box::pin(reading)).await
    }

    /// The first 4 KiB of such an archive (its first header, and some of the first file).
    pub async fn archive_get_head(&self, id: &str, path: &str) -> Result<Vec<u8>> {
        let call = archive(Call::get, id, path, "read")?;
        let what = format!("read {path} in container {id}");
        let reading = async {
            let mut opened = self.wire.open(call, READ).await?;
            let mut head = Vec::new();
            while head.len() < HEAD {
                match opened.chunk().await? {
                    Some(chunk) => head.extend_from_slice(&chunk),
                    None => break,
                }
            }
            head.truncate(HEAD);
            Ok(head)
        };
        self.wire.within(READ, &what, Box::pin(reading)).await
    }

    /// Unpacks a tar archive below a folder of a container, with the numeric owners and the modes
    /// that it names. The folder must be there. A file is not replaced at once: readers may see it
    /// half-written.
    pub async fn archive_put(&self, id: &str, dir: &str, tar: Vec<u8>) -> Result<()> {
        let call = archive(
            |path, what| Call::new(http::Method::PUT, path, what),
            id,
            dir,
            "write below",
        )?
        .tar(tar);
        let mut opened = self.wire.upload(call, UPLOAD_IDLE).await?;
        while opened.chunk_within(UPLOAD_IDLE).await?.is_some() {}
        Ok(())
    }
}

fn archive(make: fn(String, String) -> Call, id: &str, path: &str, verb: &str) -> Result<Call> {
    if !path.starts_with('/') {
        return Err(Error::BadName {
            kind: "file (an absolute path)".to_owned(),
            name: path.to_owned(),
        });
    }
    let target = format!("/containers/{}/archive", container(id)?);
    Ok(make(target, format!("{verb} {path} in container {id}")).query("path", path))
}
