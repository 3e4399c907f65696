//! What else the proxy in front of a container was told about it: what a route cannot say, and what
//! is lost with that proxy. Pure. In doubt a container stays out: what is protected today must not
//! become public by being imported.

use std::collections::BTreeSet;

use crate::observe::look::{self, Version1};
use crate::observe::model::ObservedContainer;

/// Middlewares of Traefik's that keep nobody out and change no path.
const HARMLESS: [&str; 6] = [
    "circuitbreaker",
    "compress",
    "contenttype",
    "headers",
    "redirectscheme",
    "retry",
];

/// Entry points that everybody reaches, by custom. Another one may be a VPN's.
const PUBLIC: [&str; 4] = ["http", "https", "web", "websecure"];

/// Why a route to a container would not be what its proxy makes of it today.
pub(super) fn not_whole(container: &ObservedContainer) -> Option<String> {
    nginx_proxy(container).or_else(|| {
        let labels = look::traefik(container);
        let mut settings = labels.iter();
        settings.find_map(|(key, value)| traefik(&labels, key, value))
    })
}

/// Why the domains of a container are not known though a proxy routes it; `None`: none does.
pub(super) fn unsaid(container: &ObservedContainer) -> Option<String> {
    if env(container, "VIRTUAL_HOST_MULTIPORTS").is_some() {
        return Some(MULTIPORTS.into());
    }
    if let Some(patterns) = env(container, "VIRTUAL_HOST") {
        return Some(format!("{patterns} is no domain that a site can have"));
    }
    let labels = look::traefik(container);
    let rule = labels.iter().find(|(key, _)| {
        let http = key.starts_with("traefik.http.routers.") && key.ends_with(".rule");
        http || look::version_1(key) == Some(Version1::Frontend("rule"))
    });
    let on = |value: &str| matches!(value.to_lowercase().as_str(), "true" | "t" | "1");
    match rule {
        Some((_, rule)) => Some(format!("its Traefik rule names no domain: {rule}")),
        None if labels.iter().any(|(k, v)| k == "traefik.enable" && on(v)) => {
            let tcp = labels.iter().any(|(k, _)| k.starts_with("traefik.tcp."));
            let why = "Traefik is to route it, by a rule that is not written on it";
            (!tcp).then(|| why.into())
        }
        None => None,
    }
}

/// What is lost, for the operator to judge.
pub(super) fn notes(container: &ObservedContainer) -> Vec<String> {
    let mut notes = Vec::new();
    if env(container, "VIRTUAL_HOST").is_some() {
        notes.push(
            "nginx-proxy's own files are not seen here and not carried over: a password that htpasswd/ asks for, or what vhost.d/ forbids, would be gone"
                .into(),
        );
    }
    let labels = look::traefik(container);
    if !labels
        .iter()
        .any(|(key, _)| key.starts_with("traefik.http.routers.") || look::version_1(key).is_some())
    {
        return notes;
    }
    notes.push(
        "Traefik's own configuration is not seen here and not carried over: what its entry points ask of every request would be gone"
            .into(),
    );
    let mut kinds = BTreeSet::new();
    for (key, list) in &labels {
        if router(key).is_some_and(|(_, option)| option == "middlewares") {
            for name in names(list) {
                kinds.extend(defined(&labels, name).unwrap_or_default());
            }
        }
    }
    if !kinds.is_empty() {
        let kinds: Vec<&str> = kinds.into_iter().collect();
        notes.push(format!("not carried over: Traefik's {}", kinds.join(", ")));
    }
    notes
}

/// The ports that its proxies are told to use, each once.
pub(super) fn ports(container: &ObservedContainer) -> Result<BTreeSet<u16>, String> {
    let labels = look::traefik(container);
    let of_traefik = labels.iter().filter(|(key, _)| {
        let service = key.starts_with("traefik.http.services.");
        service && key.ends_with(".loadbalancer.server.port")
            || look::version_1(key) == Some(Version1::Backend("port"))
    });
    let told = of_traefik.map(|(_, value)| *value);
    told.chain(env(container, "VIRTUAL_PORT"))
        .map(|text| {
            let port = text.trim().parse();
            port.map_err(|_| format!("its proxy is told the port {text}, which is none"))
        })
        .collect()
}

const MULTIPORTS: &str = "VIRTUAL_HOST_MULTIPORTS gives its domains several ports; a site has one";

fn env<'a>(container: &'a ObservedContainer, key: &str) -> Option<&'a str> {
    let value = container.inspected.as_ref()?.env.get(key)?;
    (!value.is_empty()).then_some(value.as_str())
}

fn nginx_proxy(container: &ObservedContainer) -> Option<String> {
    if let Some(who) = env(container, "NETWORK_ACCESS").filter(|who| *who != "external") {
        return Some(format!(
            "NETWORK_ACCESS={who} keeps it from the public; a site is public"
        ));
    }
    if let Some(path) = env(container, "VIRTUAL_PATH").filter(|path| *path != "/") {
        return Some(format!(
            "it serves only {path} of its domains; a site has whole domains"
        ));
    }
    if env(container, "VIRTUAL_HOST_MULTIPORTS").is_some() {
        return Some(MULTIPORTS.into());
    }
    let protocol = env(container, "VIRTUAL_PROTO").filter(|p| *p != "http")?;
    Some(talks(protocol))
}

fn talks(protocol: &str) -> String {
    format!("its proxy talks {protocol} to it; ostler's router talks HTTP")
}

/// One setting of Traefik's. `labels`: all of them.
fn traefik(labels: &[(String, &str)], key: &str, value: &str) -> Option<String> {
    if let Some((_, option)) = router(key) {
        return match option {
            "rule" => rule(value),
            "middlewares" => names(value).find_map(|name| middleware(labels, name)),
            "entrypoints" => entry_points(value),
            "service" => service(labels, value),
            "tls.options" if !matches!(value, "" | "default") => Some(format!(
                "Traefik's TLS options {value} may ask visitors for a certificate, which a route does not"
            )),
            _ => None,
        };
    }
    match look::version_1(key) {
        Some(Version1::Frontend("rule")) => return rule(value),
        Some(Version1::Frontend("entrypoints")) => return entry_points(value),
        Some(Version1::Frontend(option)) if !value.is_empty() => {
            let kept = ["auth.", "whitelist"].iter().any(|p| option.starts_with(p));
            return kept.then(|| {
                format!(
                    "Traefik lets only some people in ({key}), which a route does not carry over"
                )
            });
        }
        Some(Version1::Backend("protocol")) if value != "http" => return Some(talks(value)),
        Some(_) => return None,
        None => {}
    }
    if key.starts_with("traefik.tcp.") && key.ends_with(".rule") {
        return Some("it is routed as plain TCP; ostler's router routes HTTP".into());
    }
    let server = key.strip_prefix("traefik.http.services.")?;
    if server.ends_with(".loadbalancer.server.scheme") && value != "http" {
        return Some(talks(value));
    }
    server
        .ends_with(".loadbalancer.server.url")
        .then(|| format!("its Traefik service leads to {value}, not to the container"))
}

/// Name and option of `traefik.http.routers.NAME.OPTION`.
fn router(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("traefik.http.routers.")?.split_once('.')
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|n| !n.is_empty())
}

/// The kinds of a middleware, where the container itself says what it is.
fn defined<'a>(labels: &'a [(String, &str)], name: &str) -> Option<BTreeSet<&'a str>> {
    let name = name.to_lowercase();
    let own = on_containers(&name)?;
    let options = labels.iter().filter_map(|(key, _)| {
        key.strip_prefix("traefik.http.middlewares.")?
            .strip_prefix(own)?
            .strip_prefix('.')
    });
    let kinds: BTreeSet<&str> = options.filter_map(|o| o.split('.').next()).collect();
    (!kinds.is_empty()).then_some(kinds)
}

/// A name without its provider; `None` where that reads no containers.
fn on_containers(name: &str) -> Option<&str> {
    match name.split_once('@') {
        None => Some(name),
        Some((own, "docker" | "swarm")) => Some(own),
        Some(_) => None,
    }
}

fn middleware(labels: &[(String, &str)], name: &str) -> Option<String> {
    let Some(kinds) = defined(labels, name) else {
        return Some(format!(
            "Traefik puts the middleware {name} in front of it, which is not described on it and may keep people out"
        ));
    };
    let kind = kinds.into_iter().find(|kind| !HARMLESS.contains(kind))?;
    Some(format!(
        "Traefik puts the middleware {name} ({kind}) in front of it, which a route does not carry over"
    ))
}

fn entry_points(list: &str) -> Option<String> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let public = names(list).any(|name| PUBLIC.contains(&plain(name).as_str()));
    let some = names(list).next().is_some();
    (some && !public).then(|| {
        format!("Traefik serves it on the entry point {list}, which may not be public; a site is")
    })
}

/// A router may lead to Traefik itself, or to a service described elsewhere.
fn service(labels: &[(String, &str)], name: &str) -> Option<String> {
    let lower = name.trim().to_lowercase();
    let here = on_containers(&lower).is_some_and(|own| {
        let prefix = format!("traefik.http.services.{own}.");
        labels.iter().any(|(key, _)| key.starts_with(&prefix))
    });
    (!lower.is_empty() && !here)
        .then(|| format!("its Traefik router leads to {name}, which is not described on it"))
}

/// What a rule asks for besides domains.
fn rule(text: &str) -> Option<String> {
    let bare = unquoted(text);
    for (at, _) in bare.match_indices(['(', ':']) {
        let words = bare[..at].rsplit(|c: char| !c.is_ascii_alphanumeric());
        let word = words.into_iter().next().unwrap_or("");
        // Brackets around a part of a rule have no word.
        if !matches!(word, "" | "Host" | "HostHeader" | "HostSNI") {
            return Some(format!(
                "its Traefik rule asks for more than a domain ({word}…); a site has whole domains"
            ));
        }
    }
    (bare.contains('!') || bare.contains("&&")).then(|| {
        format!("its Traefik rule is more than a list of domains: {text}; a site has whole domains")
    })
}

/// A rule without what is quoted in it.
fn unquoted(rule: &str) -> String {
    let mut quote = None;
    let mut bare = String::new();
    for c in rule.chars() {
        match quote {
            Some(open) if open == c => quote = None,
            Some(_) => {}
            None if matches!(c, '`' | '"' | '\'') => quote = Some(c),
            None => bare.push(c),
        }
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::model::Inspected;

    fn container(labels: &[(&str, &str)], env: &[(&str, &str)]) -> ObservedContainer {
        let own = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect()
        };
        ObservedContainer {
            labels: own(labels),
            inspected: Some(Inspected {
                env: own(env),
                ..Inspected::default()
            }),
            ..ObservedContainer::default()
        }
    }

    const RULE: (&str, &str) = ("traefik.http.routers.x.rule", "Host(`a.example`)");
    const LIST: &str = "traefik.http.routers.x.middlewares";

    fn why(labels: &[(&str, &str)]) -> Option<String> {
        let mut all = vec![RULE];
        all.extend(labels);
        not_whole(&container(&all, &[]))
    }

    #[test]
    fn what_traefik_protects_stays_out() {
        let basic = (
            "traefik.http.middlewares.auth.basicauth.users",
            "me:$apr1$x",
        );
        let scheme = (
            "traefik.http.middlewares.tls.redirectscheme.scheme",
            "https",
        );
        for labels in [
            vec![(LIST, "auth"), basic],
            vec![(LIST, "Auth@Docker"), basic],
            vec![("traefik.http.routers.x.Middlewares", "auth"), basic],
            vec![(LIST, "tls, auth"), scheme, basic],
            // Described elsewhere: nobody knows what it does.
            vec![(LIST, "auth")],
            vec![(LIST, "tls@file"), scheme],
            vec![
                (LIST, "office"),
                (
                    "traefik.http.middlewares.office.ipallowlist.sourcerange",
                    "10.0.0.0/8",
                ),
            ],
            vec![
                (LIST, "sso"),
                (
                    "traefik.http.middlewares.sso.forwardAuth.address",
                    "http://sso",
                ),
            ],
            vec![
                (LIST, "all"),
                ("traefik.http.middlewares.all.chain.middlewares", "auth"),
            ],
            // One of its routers is enough.
            vec![("traefik.http.routers.y.middlewares", "auth"), basic],
            vec![("traefik.http.routers.x.entrypoints", "vpn")],
            vec![("traefik.http.routers.x.tls.options", "mtls@file")],
            vec![("traefik.http.routers.x.service", "api@internal")],
            vec![("traefik.http.routers.x.service", "other")],
            vec![("traefik.frontend.auth.basic.users", "me:$apr1$x")],
            vec![("traefik.frontend.auth.forward.address", "http://sso")],
            vec![("traefik.frontend.whiteList.sourceRange", "10.0.0.0/8")],
            vec![("traefik.frontend.whitelistSourceRange", "10.0.0.0/8")],
            vec![("traefik.admin.frontend.auth.basic", "me:$apr1$x")],
        ] {
            assert!(why(&labels).is_some(), "{labels:?}");
        }
        let reason = why(&[(LIST, "auth"), basic]).unwrap();
        assert!(reason.contains("auth (basicauth)"), "{reason}");
        assert!(!reason.contains("apr1"), "no password's hash: {reason}");
    }

    #[test]
    fn what_keeps_nobody_out_does_not_keep_a_site_out() {
        let scheme = (
            "traefik.http.middlewares.tls.redirectscheme.scheme",
            "https",
        );
        let headers = (
            "traefik.http.middlewares.h.headers.customresponseheaders.x",
            "1",
        );
        for labels in [
            vec![],
            vec![(LIST, "")],
            vec![(LIST, "tls@docker, H"), scheme, headers],
            // Defined for others, such as by a login page itself, which is public.
            vec![(
                "traefik.http.middlewares.sso.forwardauth.address",
                "http://sso",
            )],
            vec![("traefik.http.routers.x.entrypoints", "vpn,websecure")],
            vec![("traefik.http.routers.x.tls.options", "default")],
            vec![
                ("traefik.http.routers.x.service", "app"),
                ("traefik.http.services.app.loadbalancer.server.port", "80"),
            ],
            vec![("traefik.frontend.passHostHeader", "true")],
        ] {
            assert_eq!(why(&labels), None, "{labels:?}");
        }
        let all = [RULE, (LIST, "tls,h"), scheme, headers];
        let told = notes(&container(&all, &[]));
        assert!(told[0].contains("entry points"), "{told:?}");
        assert_eq!(
            told[1],
            "not carried over: Traefik's headers, redirectscheme"
        );
    }

    #[test]
    fn rules_other_than_a_list_of_domains_stay_out() {
        for (text, fine) in [
            ("Host(`a.example`)", true),
            ("Host(`a.example`) || Host(\"b.example\")", true),
            ("(Host(`a.example`, `b.example`))", true),
            ("HostHeader(`a.example`)", true),
            ("Host:a.example,b.example", true),
            // A word within quotes is none of the rule's.
            ("Host(`path(.example`)", true),
            ("!Host(`a.example`)", false),
            ("Host(`a.example`) && ! Host(`b.example`)", false),
            ("Host(`a.example`) && !(Host(`b.example`))", false),
            ("Host(`a.example`) && Path(`/x`)", false),
            ("Host(`a.example`) && Header(`X-Key`, `1`)", false),
            ("Host(`a.example`) && ClientIP(`10.0.0.0/8`)", false),
            ("Host(`a.example`) || HostRegexp(`^.+$`)", false),
            ("Host:a.example;PathPrefixStrip:/x", false),
            ("ä(Host(`a.example`)", true),
        ] {
            assert_eq!(rule(text).is_none(), fine, "{text}: {:?}", rule(text));
        }
    }

    #[test]
    fn nginx_proxys_guards_are_told_of() {
        let host = ("VIRTUAL_HOST", "a.example");
        let internal = container(&[], &[host, ("NETWORK_ACCESS", "internal")]);
        assert!(not_whole(&internal).unwrap().contains("NETWORK_ACCESS"));
        let open = container(&[], &[host, ("NETWORK_ACCESS", "external")]);
        assert_eq!(not_whole(&open), None);
        let told = notes(&open);
        assert!(told[0].contains("htpasswd") && told[0].contains("vhost.d"));
        assert_eq!(notes(&container(&[], &[])), [""; 0]);
    }

    #[test]
    fn what_is_routed_by_no_domain_is_told_of() {
        for (labels, env, says) in [
            (vec![], vec![("VIRTUAL_HOST", "~^x.*")], "~^x.*"),
            (vec![], vec![("VIRTUAL_HOST_MULTIPORTS", "x")], "several"),
            (
                vec![("traefik.http.routers.x.rule", "PathPrefix(`/x`)")],
                vec![],
                "PathPrefix",
            ),
            (vec![("traefik.enable", "true")], vec![], "not written"),
        ] {
            let why = unsaid(&container(&labels, &env));
            assert!(why.as_ref().is_some_and(|w| w.contains(says)), "{why:?}");
        }
        let off = [
            ("traefik.enable", "false"),
            ("traefik.http.routers.x.rule", "PathPrefix(`/x`)"),
        ];
        assert_eq!(unsaid(&container(&off, &[])), None);
    }

    #[test]
    fn ports_are_told_by_either_proxy() {
        let server = |name: &str, port: &'static str| {
            let key = format!("traefik.http.services.{name}.loadBalancer.server.port");
            (key, port)
        };
        let read = |labels: &[(String, &'static str)], env: &[(&str, &str)]| {
            let labels: Vec<_> = labels.iter().map(|(k, v)| (k.as_str(), *v)).collect();
            ports(&container(&labels, env)).map(|p| p.into_iter().collect::<Vec<_>>())
        };
        assert_eq!(read(&[], &[]), Ok(vec![]));
        assert_eq!(read(&[server("a", "3000")], &[]), Ok(vec![3000]));
        let same = [server("a", "3000"), server("b", "3000")];
        assert_eq!(read(&same, &[("VIRTUAL_PORT", "3000")]), Ok(vec![3000]));
        let two = [server("a", "3000"), server("b", "9000")];
        assert_eq!(read(&two, &[]), Ok(vec![3000, 9000]));
        let old = [("traefik.port".to_owned(), "81")];
        assert_eq!(read(&old, &[]), Ok(vec![81]));
        assert!(read(&[server("a", "web")], &[]).is_err());
    }
}
