//! Asking before hosts are changed.

use std::io::{IsTerminal, Write};

use super::Failure;
use super::out::Out;

/// What has to be typed.
#[derive(Debug, Clone, Copy)]
pub enum Ask<'a> {
    /// `y` or `yes`.
    Yes,
    /// This name: for what stops or deletes.
    Name(&'a str),
}

/// Asks on the terminal; `Ok(false)` is a no. Without a terminal it refuses: nobody could answer.
pub async fn confirm(out: &Out, question: &str, ask: Ask<'_>, yes: bool) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(
            Failure::new("nobody to ask: standard input is not a terminal")
                .help("--yes applies without asking; nothing was changed"),
        );
    }
    let hint = match ask {
        Ask::Yes => "[y/N]".to_owned(),
        Ask::Name(name) => format!("type {name} to confirm:"),
    };
    let prompt = format!("{question} {hint} ");
    {
        let mut err = std::io::stderr().lock();
        let _ = write!(err, "{prompt}").and_then(|()| err.flush());
    }
    let answer = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map(|_| answer)
    });
    let answer = match answer.await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(Failure::caused("cannot read the answer", &error)),
        Err(error) => return Err(Failure::caused("cannot read the answer", &error)),
    };
    let answer = answer.trim();
    let agreed = match ask {
        Ask::Yes => matches!(answer.to_lowercase().as_str(), "y" | "yes"),
        Ask::Name(name) => answer == name,
    };
    if !agreed {
        out.say("nothing was changed");
    }
    Ok(agreed)
}
