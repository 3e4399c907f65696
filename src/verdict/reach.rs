//! Why a host does not answer, or was not read, in words.

use super::evidence::HostData;
use super::link::Link;
use crate::fleet::Name;
use crate::text::clean;

/// Why what is known of a host is old.
pub(super) fn away(data: &HostData, host: &Name) -> String {
    if data.is_up() {
        return format!("{host}: {}", unread(data));
    }
    match (data.link, data.observed_at) {
        (Link::Connecting, None) => format!("{host}: connecting"),
        _ => format!("{host} does not answer: {}", clean(brief(&data.why))),
    }
}

/// Why a host that answers is not read, or that it is not.
pub fn unread(data: &HostData) -> String {
    match data.unread_since {
        Some(_) if !data.why.is_empty() => clean(brief(&data.why)).into_owned(),
        Some(_) => "it cannot be read".into(),
        None if data.why.is_empty() => "it answers, but was not read for long".into(),
        None => format!("{}; not read for long", clean(brief(&data.why))),
    }
}

/// A host's link, and what is the matter: one that answers and is not read is not well.
pub fn link(data: &HostData, now: i64) -> (Link, String) {
    match data.unread(now) {
        Some(_) => (Link::Degraded, unread(data)),
        None => (data.link, clean(brief(&data.why)).into_owned()),
    }
}

/// Why a host does not answer, on a line that names the host: without its address.
fn brief(why: &str) -> &str {
    let rest = why.strip_prefix("cannot reach ").unwrap_or(why);
    match rest.split_once(": ") {
        Some((address, why)) if address.contains("://") && !address.contains(' ') => why,
        _ => why,
    }
}

#[cfg(test)]
mod tests {
    use super::brief;

    #[test]
    fn an_address_is_left_out_where_the_host_is_named() {
        let why = "cannot reach ssh://ops@web1.example.net:22: no route to host: 5";
        assert_eq!(brief(why), "no route to host: 5");
        let why = "ssh://ops@web1: its key is not known";
        assert_eq!(brief(why), "its key is not known");
        let why = "no answer within 8 s: ping at unix:///x: y";
        assert_eq!(brief(why), why);
        assert_eq!(
            brief("no Docker socket at /x: y"),
            "no Docker socket at /x: y"
        );
    }
}
