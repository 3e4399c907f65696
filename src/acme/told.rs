//! What an authority answers instead of what it was asked for.

use std::time::Duration;

use instant_acme::Problem;

/// An answer that is none to build on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Told {
    /// Nothing came, in words.
    #[error("{0}")]
    Away(String),
    /// A refusal.
    #[error("status {status}")]
    Said {
        status: u16,
        problem: Option<Problem>,
        retry_after: Option<Duration>,
    },
}

/// The last word of a problem's type: `rateLimited`.
pub(super) fn short_type(problem: &Problem) -> &str {
    let name = problem.r#type.as_deref().unwrap_or_default();
    name.strip_prefix("urn:ietf:params:acme:error:")
        .unwrap_or_default()
}
