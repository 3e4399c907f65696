//! What the router tells browsers in a site's answers, where the site itself says nothing.

use std::collections::BTreeMap;

use crate::fleet::at::At;
use crate::fleet::header::{HeaderName, unfit_header};
use crate::fleet::key::{KEY, Key, Kind, Table};
use crate::fleet::name::Invalid;
use crate::fleet::row::{self, Row, rows};
use crate::fleet::yaml::Value;

/// Headers with their values.
type Headers = BTreeMap<HeaderName, String>;

/// What holds where nothing is said: nothing that a page could miss.
pub(in crate::fleet) fn usual() -> Headers {
    [
        (HeaderName::ContentTypeOptions, NOSNIFF),
        (
            HeaderName::ReferrerPolicy,
            "strict-origin-when-cross-origin",
        ),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into()
}

const NOSNIFF: &str = "nosniff";

pub(in crate::fleet) const KEY_OF_SITE: Key = Key {
    name: "headers",
    kind: Kind::Either(&Kind::Word(&["default", "none"]), &HEADERS),
    shared: true,
    default: "default",
    example: "{ X-Content-Type-Options: nosniff, X-Frame-Options: DENY }",
    doc: "Headers of its answers that the site does not set itself: `default` (`X-Content-Type-Options: nosniff` and `Referrer-Policy: strict-origin-when-cross-origin`), `none`, or those that are named and no others.",
    synonyms: &["header", "security_headers", "response_headers"],
    ..KEY
};

pub const HEADERS: Table = Table {
    of: "headers (Strict-Transport-Security is `hsts`)",
    shared: false,
    keys: &row::keys::<_, _, { ROWS.len() }>(ROWS),
};

const ROWS: &[Row<Headers, Headers>] = &rows! {
    "Content-Security-Policy" => {
        example: "\"frame-ancestors 'self'\"",
        synonyms: &["content-security-policy", "csp"],
        doc: "From where a page may load what.",
    }
    read |all, at| take(all, HeaderName::ContentSecurityPolicy, at);
    write |all| said(all, HeaderName::ContentSecurityPolicy);

    "Cross-Origin-Opener-Policy" => {
        kind: Kind::Word(&["same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"]), example: "same-origin",
        synonyms: &["cross-origin-opener-policy", "coop"],
        doc: "Which pages share a group of windows with it.",
    }
    read |all, at| take(all, HeaderName::CrossOriginOpenerPolicy, at);
    write |all| said(all, HeaderName::CrossOriginOpenerPolicy);

    "Permissions-Policy" => {
        example: "\"camera=(), geolocation=()\"",
        synonyms: &["permissions-policy", "feature-policy"],
        doc: "What of a browser's abilities a page may use.",
    }
    read |all, at| take(all, HeaderName::PermissionsPolicy, at);
    write |all| said(all, HeaderName::PermissionsPolicy);

    "Referrer-Policy" => {
        example: "same-origin",
        synonyms: &["referrer-policy", "referer-policy"],
        doc: "Whom a browser tells where it comes from.",
    }
    read |all, at| take(all, HeaderName::ReferrerPolicy, at);
    write |all| said(all, HeaderName::ReferrerPolicy);

    "X-Content-Type-Options" => {
        kind: Kind::Word(&[NOSNIFF]), example: NOSNIFF,
        synonyms: &["x-content-type-options", "nosniff"],
        doc: "A browser takes content for what it is said to be.",
    }
    read |all, at| take(all, HeaderName::ContentTypeOptions, at);
    write |all| said(all, HeaderName::ContentTypeOptions);

    "X-Frame-Options" => {
        kind: Kind::Word(&["DENY", "SAMEORIGIN"]), example: "SAMEORIGIN",
        synonyms: &["x-frame-options", "frame-options"],
        doc: "Whether other pages may show it in a frame.",
    }
    read |all, at| take(all, HeaderName::FrameOptions, at);
    write |all| said(all, HeaderName::FrameOptions);
};

fn take(all: &mut Headers, name: HeaderName, at: &mut At<'_, '_>) {
    let value = match at.kind {
        Kind::Word(_) => at.word().map(str::to_owned),
        _ => at.parsed(|text| match unfit_header(text) {
            None => Ok(text.to_owned()),
            Some(why) => Err(Invalid(why.into())),
        }),
    };
    all.extend(value.map(|value| (name, value)));
}

fn said(all: &Headers, name: HeaderName) -> Option<Value> {
    Some(all.get(&name)?.as_str().into())
}

/// Reads what stands behind the key; `None` inside: what is usual.
pub(in crate::fleet) fn read(at: &mut At<'_, '_>) -> Option<Option<Headers>> {
    let mut all = Headers::new();
    if !at.is_mapping() {
        let Some(word) = at.word() else {
            at.report.amend(|finding| {
                finding.help("headers are named like `headers: { X-Frame-Options: DENY }`");
            });
            return None;
        };
        return Some((word == "none").then_some(all));
    }
    row::read_inner(at, &HEADERS, ROWS, &mut all);
    Some(Some(all))
}

/// What is written behind the key.
pub(in crate::fleet) fn write(all: &Headers) -> Option<Value> {
    match all.is_empty() {
        true => Some("none".into()),
        false => row::write_inner(ROWS, all),
    }
}
