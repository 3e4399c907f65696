//! A site while it is read from the file.

use std::ops::Range;

use super::model::{ProxyTarget, Site};
use super::name::{Domain, Name};

/// A site, key by key. What is missing or wrong was said as an error, so that no fleet comes of it.
pub(super) struct Draft {
    pub site: Site,
    /// The recipe's word, once it was read.
    pub recipe: Option<&'static str>,
    pub claims: Claims,
}

/// Where a site claims its domains.
#[derive(Default)]
pub(super) struct Claims {
    /// What the site is called in messages.
    pub title: String,
    /// Its name, where that is right.
    pub name: Option<Name>,
    pub domains: Vec<(Domain, Range<usize>)>,
    pub redirects: Vec<(Domain, Range<usize>)>,
    /// Where its redirects lead, each with the place of the URL.
    pub leads: Vec<(Domain, String, Range<usize>)>,
    /// Its host, once that was read, and whether it has routes.
    pub host: Option<Name>,
    pub routed: bool,
    /// Where a `proxy` leads.
    pub to: Option<(ProxyTarget, Range<usize>)>,
    /// Where `redirect_www` is said, if it is; its domains follow from `domains`.
    pub redirect_www: Option<Range<usize>>,
}

impl Draft {
    /// Nothing is said yet.
    pub fn new(claims: Claims) -> Self {
        Draft {
            site: Site::unsaid(),
            recipe: None,
            claims,
        }
    }

    /// Whether the site has a container of its own.
    pub fn has_container(&self) -> bool {
        self.recipe != Some("proxy")
    }
}
