//! Commands in a running container.

use std::time::Duration;

use http::StatusCode;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Client;
use super::container::container;
use crate::engine::decode::{Finished, Frames};
use crate::engine::error::{Error, Result};
use crate::engine::model::{LogChunk, Out};
use crate::engine::wire::{Call, LARGEST, READ};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Exit code; 126 and 127 when it could not be run at all.
    pub code: i64,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Command<'a> {
    attach_stdin: bool,
    attach_stdout: bool,
    attach_stderr: bool,
    tty: bool,
    cmd: &'a [&'a str],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Start {
    detach: bool,
    tty: bool,
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "Id")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Ended {
    running: bool,
    exit_code: Option<i64>,
}

impl Client {
    /// Runs a command in a running container and waits for its end, all within `deadline`.
    ///
    /// `argv` can be read by whoever can list processes: secrets go in by `stdin`. A command that
    /// does not end in time goes on running in the container; the engine has no way to stop it.
    pub async fn exec(
        &self,
        id: &str,
        argv: &[&str],
        stdin: Option<Vec<u8>>,
        deadline: Duration,
    ) -> Result<ExecOutput> {
        let what = format!(
            "run {} in container {id}",
            argv.first().copied().unwrap_or("nothing")
        );
        self.wire
            .within(
                deadline,
                &what,
                Box::pin(self.exec_unlimited(id, argv, stdin, &what)),
            )
            .await
    }

    async fn exec_unlimited(
        &self,
        id: &str,
        argv: &[&str],
        stdin: Option<Vec<u8>>,
        what: &str,
    ) -> Result<ExecOutput> {
        let command = Command {
            attach_stdin: stdin.is_some(),
            attach_stdout: true,
            attach_stderr: true,
            tty: false,
            cmd: argv,
        };
        let path = format!("/containers/{}/exec", container(id)?);
        let create = Call::post(path, what).json(&command)?;
        let exec = self.wire.ask(create, READ).await?.parse::<Created>()?.id;
        let exec = container(&exec)?;

        let start = Call::post(format!("/exec/{exec}/start"), what)
            .json(&Start {
                detach: false,
                tty: false,
            })?
            .upgrade();
        let opened = self.wire.open(start, READ).await?;
        let mut output = match converse(opened.into_response(), stdin, what).await {
            Ok(output) => output,
            Err(error) => return Err(error),
        };
        output.code = self.exit_code(exec, what).await?;
        Ok(output)
    }

    async fn exit_code(&self, exec: &str, what: &str) -> Result<i64> {
        // The stream may end a moment before the engine has noted the exit code.
        loop {
            let ask = Call::get(format!("/exec/{exec}/json"), what);
            let ended: Ended = self.wire.ask(ask, READ).await?.parse()?;
            match ended.exit_code {
                Some(code) if !ended.running => return Ok(code),
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
}

/// Writes the input, reads the output, both at once, until the engine closes.
async fn converse(
    response: http::Response<hyper::body::Incoming>,
    stdin: Option<Vec<u8>>,
    what: &str,
) -> Result<ExecOutput> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status();
        let why = format!("it did not hand over the connection (status {status})");
        return Err(Error::nonsense(what, why));
    }
    let cut = || Error::Cut {
        what: what.to_owned(),
    };
    let upgraded = hyper::upgrade::on(response).await.map_err(|_| cut())?;
    let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgraded));
    let writing = async {
        if let Some(input) = stdin {
            // A command that does not read all of its input is no failure.
            let _ = writer.write_all(&input).await;
            let _ = writer.shutdown().await;
        }
        // Kept open: some engines take a half-closed connection for a lost one.
        std::future::pending::<()>().await
    };
    let reading = async {
        let mut output = ExecOutput {
            code: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
        };
        let mut frames = Frames::new(Some(true));
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let length = reader.read(&mut buffer).await.map_err(|_| cut())?;
            if length == 0 {
                break;
            }
            frames.push(&buffer[..length]);
            while let Some(LogChunk { stream, bytes }) = frames
                .next_chunk()
                .map_err(|why| Error::nonsense(what, why))?
            {
                if output.stdout.len() + output.stderr.len() + bytes.len() > LARGEST {
                    return Err(Error::TooLarge {
                        what: what.to_owned(),
                        limit: LARGEST,
                    });
                }
                match stream {
                    Out::Out => output.stdout.extend_from_slice(&bytes),
                    Out::Err => output.stderr.extend_from_slice(&bytes),
                }
            }
        }
        match frames.finish() {
            Finished::Clean => Ok(output),
            Finished::Rest(_) | Finished::Cut(_) => Err(cut()),
        }
    };
    tokio::select! {
        output = reading => output,
        () = writing => Err(cut()),
    }
}
