//! Answers to the challenges of certificate authorities. They live for seconds: only the running
//! process is told.

use std::collections::BTreeMap;

use super::super::runtime::{Answer, NO_MAP, parse_map, show_map, word};
use super::super::table::Unfit;
use super::super::{RouterError, ask, one};
use crate::host::toolbox::Toolbox;

/// Challenges at one time, at most.
const AT_MOST: usize = 500;
/// Bytes of a token, at most; authorities use some 43.
const LONGEST: usize = 256;

/// Has the router answer challenges: token → key authorization, RFC 8555, for whichever domain.
///
/// # Errors
/// A token or an answer that is none; what the router refused.
pub async fn challenge(
    toolbox: &Toolbox,
    answers: &BTreeMap<String, String>,
) -> Result<(), RouterError> {
    let map = word(&toolbox.layout.map("acme"));
    if answers.len() > AT_MOST {
        return Err(unfit("challenges", "", "there are more than 500 at once"));
    }
    let mut commands = Vec::new();
    for (token, answer) in answers {
        check(token)?;
        let digest = answer
            .strip_prefix(token.as_str())
            .and_then(|rest| rest.strip_prefix('.'));
        if !digest.is_some_and(is_token) {
            let why = "it is not its token, a dot and the digest of a key";
            return Err(unfit("the answer to a challenge", answer, why));
        }
        // A key may be there twice: what an earlier try left goes first.
        commands.push(format!("del map {map} {token}"));
        commands.push(format!("add map {map} {token} {answer}"));
    }
    carry_out(toolbox, &commands).await
}

/// Takes answers away. Those that are not there are fine.
///
/// # Errors
/// A token that is none; what the router refused.
pub async fn no_challenge<'a>(
    toolbox: &Toolbox,
    tokens: impl IntoIterator<Item = &'a str>,
) -> Result<(), RouterError> {
    let map = word(&toolbox.layout.map("acme"));
    let tokens = tokens.into_iter();
    let commands = tokens.map(|token| {
        check(token)?;
        Ok(format!("del map {map} {token}"))
    });
    carry_out(toolbox, &commands.collect::<Result<Vec<_>, RouterError>>()?).await
}

/// Tokens that the router answers now.
pub async fn challenges(toolbox: &Toolbox) -> Result<Vec<String>, RouterError> {
    let file = toolbox.layout.map("acme");
    let entries = parse_map(&file, &one(toolbox, &show_map(&file)).await?)?;
    Ok(entries.into_iter().map(|(token, _)| token).collect())
}

async fn carry_out(toolbox: &Toolbox, commands: &[String]) -> Result<(), RouterError> {
    if commands.is_empty() {
        return Ok(());
    }
    let answers = ask(toolbox, commands).await?;
    for (command, words) in commands.iter().zip(answers) {
        let gone = command.starts_with("del ") && !words.starts_with(NO_MAP);
        if !words.is_empty() && !gone {
            let command = command.clone();
            return Err(Answer::Refused { command, words }.into());
        }
    }
    Ok(())
}

fn is_token(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)
}

fn check(token: &str) -> Result<(), RouterError> {
    match is_token(token) {
        true => Ok(()),
        false => Err(unfit(
            "the token of a challenge",
            token,
            "it has up to 256 letters, digits, - and _",
        )),
    }
}

fn unfit(what: &str, text: &str, why: &'static str) -> RouterError {
    let text = crate::text::short(&crate::text::plain_line(text), 60);
    let what = what.to_owned();
    Unfit::Text { what, text, why }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_tokens() {
        assert!(is_token("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"));
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", "a b", "a;b", "a\nb", "../x", "a.b", "ä", &long] {
            assert!(!is_token(bad), "{bad:?}");
            assert!(check(bad).is_err());
        }
    }
}
