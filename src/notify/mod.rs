//! Telling somebody, from the operator's machine: by a program, a webhook, a mail. What is told has no
//! secrets in it, and no error says a URL or a password.

mod mail;
mod stream;
mod web;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, timeout};
use zeroize::Zeroizing;

pub use stream::Roots;

use crate::file::program;
use crate::fleet::Smtp;
use crate::text::line;

/// How long a program, a webhook, and a mail may take.
const PROGRAM: Duration = Duration::from_secs(30);
const WEB: Duration = Duration::from_secs(15);
const MAIL: Duration = Duration::from_secs(30);
/// How long one way may take for all that there is to tell; the rest is told another time.
const ALL: Duration = Duration::from_secs(120);
/// Bytes that a program may print.
const PRINTED: usize = 1 << 20;

/// A way that can be gone: what the fleet file says of it, with its secrets.
pub enum Way {
    /// A program and its arguments, and the folder that it runs in.
    Program(Vec<String>, PathBuf),
    /// A URL.
    Web(Zeroizing<String>),
    /// A mail, and the password that goes with its login.
    Mail(Box<Smtp>, Option<Zeroizing<String>>),
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way(…)")
    }
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// On one line: what it is.
    pub title: String,
    /// What else there is to say to a person.
    pub lines: Vec<String>,
    /// All of it for programs.
    pub json: Value,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// How many of the messages went out, the first ones.
    pub told: usize,
    /// What went wrong, on one line, harmless.
    pub failed: Option<String>,
}

/// Tells all of it by one way, in order, until something goes wrong. Mail takes all at once.
pub async fn send(way: &Way, messages: &[Message], roots: &Roots) -> Sent {
    let end = Instant::now() + ALL;
    let mut sent = Sent::default();
    if messages.is_empty() {
        return sent;
    }
    if let Way::Mail(smtp, password) = way {
        let password = password.as_deref().map(String::as_str);
        let mailing = mail::mail(smtp, password, messages, roots);
        match timed(MAIL, mailing).await {
            Ok(refused) => {
                sent.told = messages.len();
                sent.failed = refused;
            }
            Err(why) => sent.failed = Some(why),
        }
    }
    let one_by_one = messages.iter().filter(|_| !matches!(way, Way::Mail(..)));
    for message in one_by_one {
        let body = message.json.to_string();
        let went = match way {
            _ if Instant::now() >= end => Err("the rest is told another time".to_owned()),
            Way::Program(words, folder) => program(words, folder, &body).await,
            Way::Web(url) => timed(WEB, web::post(url, body, roots)).await,
            Way::Mail(..) => break,
        };
        match went {
            Ok(()) => sent.told += 1,
            Err(why) => {
                sent.failed = Some(why);
                break;
            }
        }
    }
    sent.failed = sent.failed.map(|why| line(&why));
    sent
}

async fn timed<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, String> {
    match timeout(limit, work).await {
        Ok(came) => came,
        Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
    }
}

async fn program(words: &[String], folder: &PathBuf, body: &str) -> Result<(), String> {
    let Some((name, args)) = words.split_first() else {
        return Err("its command is empty".into());
    };
    let mut command = Command::new(name);
    command.args(args).current_dir(folder);
    let said = program::answer(command, body.as_bytes(), PRINTED, PROGRAM).await;
    let said = said.map_err(|error| error.to_string())?;
    match said.status.success() {
        true => Ok(()),
        false => Err(format!("it ended with {}", said.status)),
    }
}

#[cfg(test)]
mod tests;
