//! How a name is shown to be ours: what an authority looks for is put in its place, and taken away
//! again.

use std::future::Future;
use std::pin::Pin;

use super::dns::Zone;

/// What puts an answer in its place, or takes it away; fails in words.
pub type Doing<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// What is fetched from `http://NAME/.well-known/acme-challenge/TOKEN`, port 80 (HTTP-01).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Letters, digits, `-` and `_` only.
    pub token: String,
    /// The body of the answer: of the same characters, with a `.`.
    pub body: String,
}

/// Whoever answers for the names of an order, by HTTP.
pub trait Answers: Send + Sync {
    /// From the moment this is done, each token is answered, whatever name it is asked by.
    fn present<'a>(&'a self, answers: &'a [Answer]) -> Doing<'a>;

    /// They are answered no longer. Asked after every order, also when it failed or when
    /// [`Answers::present`] did; not when nobody waits for the order any more.
    fn withdraw<'a>(&'a self, answers: &'a [Answer]) -> Doing<'a>;
}

/// By which way names are proven.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// HTTP-01.
    Http(&'a dyn Answers),
    /// DNS-01, with records in a zone.
    Dns(&'a Zone),
}

/// What is put in its place for one name.
#[derive(Debug, Clone)]
pub(super) struct Given {
    /// Without `*.`.
    pub(super) name: String,
    pub(super) answer: Answer,
    /// What the record says (DNS-01).
    pub(super) digest: String,
}

impl Proof<'_> {
    /// Whether it can prove names with `*.`: RFC 8555 leaves it to DNS-01, and authorities do.
    pub(super) fn takes_wildcards(&self) -> bool {
        match self {
            Proof::Http(_) => false,
            Proof::Dns(_) => true,
        }
    }

    pub(super) async fn present(&self, given: &[Given]) -> Result<(), String> {
        match self {
            Proof::Http(answers) => answers.present(&bodies(given)).await,
            Proof::Dns(zone) => {
                let wanted = given
                    .iter()
                    .map(|it| (it.name.as_str(), it.digest.as_str()));
                zone.present(&wanted.collect::<Vec<_>>()).await
            }
        }
    }

    pub(super) async fn withdraw(&self, given: &[Given]) -> Result<(), String> {
        match self {
            Proof::Http(answers) => answers.withdraw(&bodies(given)).await,
            Proof::Dns(zone) => {
                let digests = given.iter().map(|it| it.digest.as_str());
                zone.withdraw(&digests.collect::<Vec<_>>()).await
            }
        }
    }

    /// No order waits for these any more: what is left of them may be taken for what it is.
    pub(super) fn forget(&self, given: &[Given]) {
        if let Proof::Dns(_) = self {
            given.iter().for_each(|it| Zone::forget(&it.digest));
        }
    }
}

fn bodies(given: &[Given]) -> Vec<Answer> {
    given.iter().map(|it| it.answer.clone()).collect()
}

/// Whether an authority's token can be part of a path and of a line that a router is told.
pub(super) fn is_token(token: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=128).contains(&token.len()) && token.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_carry_nothing_that_a_router_would_take_for_more() {
        assert!(is_token("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"));
        for token in ["", "a b", "a\n", "a/../b", "a;b", &"x".repeat(129)] {
            assert!(!is_token(token), "{token:?}");
        }
    }
}
