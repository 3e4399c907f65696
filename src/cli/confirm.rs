//! Asking before hosts are changed.

use std::io::IsTerminal;

use super::out::Out;
use super::{Failure, ask};

/// What has to be typed.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// `y` or `yes`.
    Yes,
    /// This name: for what stops or deletes.
    Name(&'a str),
}

/// Whether there is anybody to ask.
pub fn can_ask() -> Result<(), Failure> {
    if std::io::stdin().is_terminal() {
        return Ok(());
    }
    let failure = Failure::new("nobody to ask: standard input is not a terminal");
    Err(failure.help("--yes applies without asking; nothing was changed"))
}

/// Asks on the terminal, once no login asks there; `Ok(false)` is a no. Without a terminal it
/// refuses: nobody could answer.
pub async fn confirm(
    out: &Out,
    question: &str,
    wanted: Ask<'_>,
    yes: bool,
) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    can_ask()?;
    let hint = match wanted {
        Ask::Yes => "[y/N]".to_owned(),
        Ask::Name(name) => format!("type {name} to confirm:"),
    };
    let prompt = format!("{question} {hint} ");
    let answer = answer(prompt).await?.unwrap_or_default();
    let agreed = match wanted {
        Ask::Yes => is_yes(&answer),
        Ask::Name(name) => answer == name,
    };
    if !agreed {
        out.say("nothing was changed");
    }
    Ok(agreed)
}

/// Whether an answer is a yes.
pub fn is_yes(answer: &str) -> bool {
    matches!(answer.to_lowercase().as_str(), "y" | "yes")
}

/// What is typed in answer to a prompt, without blanks around it; `None`: the input has ended.
pub async fn answer(prompt: String) -> Result<Option<String>, Failure> {
    let answer = tokio::task::spawn_blocking(move || ask::put(&prompt));
    match answer.await {
        Ok(Ok(answer)) => Ok(answer.map(|answer| answer.trim().to_owned())),
        Ok(Err(error)) => Err(Failure::caused("cannot read the answer", &error)),
        Err(error) => Err(Failure::caused("cannot read the answer", &error)),
    }
}
