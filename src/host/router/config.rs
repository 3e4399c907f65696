//! The router's configuration and the files beside it, as bytes.

use std::collections::BTreeMap;

use super::probe;
use super::table::{Map, Table, Unfit, maps};
use super::tls::{self, Certificates};
use crate::fleet::{HeaderName, value};
use crate::record::guard::METADATA;
use crate::record::layout::{Layout, RUN};
use crate::record::route::{
    BUFFER, CONNECTIONS, HEAD, HEAD_FIELDS, NET_SHARE, Proxies, RouterConfig, SHARE, SITE_SHARE,
};

/// Questions of ours that one site is asked at the same time.
const QUESTIONS: u32 = 8;

const TEXT: &str = include_str!("haproxy.cfg");

const PAGES: [(&str, &str); 8] = [
    ("bad-request", include_str!("pages/bad-request.html")),
    ("limit", include_str!("pages/limit.html")),
    ("loop", include_str!("pages/loop.html")),
    ("stopped", include_str!("pages/stopped.html")),
    ("too-large", include_str!("pages/too-large.html")),
    ("too-many", include_str!("pages/too-many.html")),
    ("unknown-domain", include_str!("pages/unknown-domain.html")),
    ("unreachable", include_str!("pages/unreachable.html")),
];

/// Content by path below the root folder.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Every file of the router, its default certificate excepted, for a host whose root folder is
/// `root`, and whose key (see [`HostRecord`]) is `key`.
///
/// [`HostRecord`]: crate::record::HostRecord
pub fn files(
    config: &RouterConfig,
    root: &str,
    key: &str,
    table: &Table,
    certificates: &Certificates,
) -> Result<Files, Unfit> {
    let root = checked_root(root)?;
    let mut files = map_files(table, &config.proxies)?;
    files.extend(tls::files(&Layout::new(root), certificates)?);
    files.insert("router/haproxy.cfg".into(), text(config, root).into_bytes());
    // Who has another share of the connections than a visitor.
    files.insert(
        "router/shares.map".into(),
        format!("{} {SITE_SHARE}\n", config.sites).into_bytes(),
    );
    files.insert("router/probe.list".into(), probe::list(key));
    // Answers to ACME challenges live for seconds: they are only ever told to the running process.
    files.insert("router/maps/acme.map".into(), Vec::new());
    for (name, page) in PAGES {
        files.insert(format!("router/pages/{name}.html"), page.into());
    }
    Ok(files)
}

/// The files of what is told to the router while it runs.
pub fn map_files(table: &Table, proxies: &Proxies) -> Result<Files, Unfit> {
    let maps = maps(table, proxies)?;
    Ok(Map::ALL
        .map(|map| (format!("router/maps/{}.map", map.word()), maps.file(map)))
        .into())
}

/// The text of `haproxy.cfg`. `root` was checked.
fn text(config: &RouterConfig, root: &str) -> String {
    let ports = config.ports;
    let secure = match ports.https {
        443 => String::new(),
        port => format!(":{port}"),
    };
    TEXT.replace("{way}", &way())
        .replace("{headers}", &headers())
        .replace("{secure}", &secure)
        .replace("{hops}", &HOPS.to_string())
        .replace("{root}", root)
        .replace("{run}", RUN)
        .replace("{connections}", &CONNECTIONS.to_string())
        .replace("{buffer}", &BUFFER.to_string())
        .replace("{head}", &HEAD.to_string())
        .replace("{fields}", &HEAD_FIELDS.to_string())
        .replace("{mark}", &config.mark)
        .replace("{net_share}", &NET_SHARE.to_string())
        .replace("{questions}", &QUESTIONS.to_string())
        .replace("{share}", &SHARE.to_string())
        .replace("{metadata}", &METADATA.join(" "))
        .replace("{sites}", &config.sites.to_string())
        .replace("{http}", &ports.http.to_string())
        .replace("{https}", &ports.https.to_string())
}

/// How many trusted proxies may stand one behind another. HAProxy finds the ten last entries of a
/// list.
const HOPS: usize = 5;

/// The way back from who connected to the visitor, by one set of rules for each proxy on it: HAProxy
/// has no loops. `Forwarded` is read where the other headers are absent.
fn way() -> String {
    let mut text = String::new();
    for hop in 1..=HOPS {
        let from = match hop {
            1 => "src".to_owned(),
            _ => format!("var(txn.hop{})", hop - 1),
        };
        let trusted = format!(
            "{{ {from},map_ip({{root}}/router/maps/proxies.map) -m str headers protocol }}"
        );
        text.push_str(&format!(
            "    http-request set-var(txn.hop{hop}) req.hdr_ip(x-forwarded-for,-{hop}) if listed {trusted}
    http-request set-var(txn.hop{hop}) req.hdr(forwarded,-{hop}),lower,rfc7239_field(for),rfc7239_n2nn if !listed {trusted}
    http-request set-var(txn.proto) req.hdr(x-forwarded-proto,-{hop}),lower if schemed {trusted}
    http-request set-var(txn.proto) req.hdr(forwarded,-{hop}),lower,rfc7239_field(proto) if !schemed {trusted}
    http-request set-var(txn.port) req.hdr(x-forwarded-port,-{hop}) if {trusted}
"
        ));
    }
    for hop in 1..=HOPS {
        let known = format!("if {{ var(txn.hop{hop}) -m found }}");
        text.push_str(&format!(
            "    http-request set-src var(txn.hop{hop}) {known}\n"
        ));
    }
    text.trim_end().to_owned()
}

/// A rule for each header: HAProxy wants their names in its text.
fn headers() -> String {
    let mut text = String::new();
    for name in HeaderName::ALL {
        let value =
            format!("var(txn.site),concat(|{name}),map_str({{root}}/router/maps/headers.map)");
        let only = match name {
            HeaderName::StrictTransportSecurity => " { var(txn.scheme) -m str https }",
            _ => "",
        };
        text.push_str(&format!(
            "    http-after-response set-header {name} %[{value}] if {{ {value} -m found }} !{{ res.hdr({name}) -m found }}{only}\n"
        ));
    }
    text.trim_end().to_owned()
}

/// A root folder's path stands bare in the configuration: nothing in it may mean anything there.
fn checked_root(root: &str) -> Result<&str, Unfit> {
    let root = root.trim_end_matches('/');
    match value::is_root(root) {
        true => Ok(root),
        false => Err(Unfit::Text {
            what: "the root folder".into(),
            text: root.to_owned(),
            why: value::ROOT_IS,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::{Ports, Subnet};
    use crate::record::route::TEMPLATE;
    use crate::record::spec::short_hash;

    fn made() -> Files {
        let ports = Ports {
            http: 8080,
            https: 8443,
        };
        let config = RouterConfig::new(ports, Subnet::FIRST);
        files(
            &config,
            "/srv/ostler/",
            "key",
            &Table::new(),
            &Certificates::new(),
        )
        .unwrap()
    }

    #[test]
    fn every_placeholder_is_filled_and_every_file_named_is_there() {
        let files = made();
        let text = String::from_utf8(files["router/haproxy.cfg"].clone()).unwrap();
        let rest = text
            .split(['{', '}'])
            .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()));
        assert_eq!(rest.collect::<Vec<_>>(), Vec::<&str>::new());
        assert!(text.contains("    maxconn 8000\n") && text.contains("shares.map,2000)"));
        assert_eq!(files["router/shares.map"], b"10.90.0.0/20 200\n");
        assert!(text.contains("bind *:8080\n") && text.contains("bind [::]:8443 v6only ssl"));
        for word in text.split([' ', '(', ')', ',', '\n']) {
            if let Some(path) = word.strip_prefix("/srv/ostler/router/") {
                assert!(files.contains_key(&format!("router/{path}")), "{path}");
            }
        }
    }

    /// When this fails, the configuration's text changed: raise `plan::router::TEMPLATE`, so that
    /// routers that run are replaced, and put the new hash here.
    #[test]
    fn the_text_belongs_to_its_version() {
        let mut all = made();
        all.retain(|path, _| !path.starts_with("router/maps/") && path != "router/probe.list");
        let bytes: Vec<u8> = all.into_values().flatten().collect();
        assert_eq!(
            (TEMPLATE, short_hash(&bytes).as_str()),
            (5, "ebddb756ad8d3704295729dc4359dc56")
        );
    }

    #[test]
    fn the_root_folder_means_nothing_to_haproxy() {
        let config = RouterConfig::new(Ports::default(), Subnet::FIRST);
        for bad in [
            "srv",
            "/srv/a b",
            "/srv/\"",
            "/srv/$HOME",
            "/srv/#x",
            "/a\nb",
        ] {
            assert!(
                files(&config, bad, "key", &Table::new(), &Certificates::new()).is_err(),
                "{bad:?}"
            );
        }
    }
}
