//! What else the proxy in front of a container was told about it: what a route cannot say, and what
//! is lost with that proxy. Pure. In doubt a container stays out: what is protected today must not
//! become public by being imported.

use std::collections::BTreeSet;

use super::around::{Around, Exposes, asks, on_containers};
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
pub(super) fn not_whole(container: &ObservedContainer, around: &Around) -> Option<String> {
    nginx_proxy(container).or_else(|| {
        let labels = look::traefik(container);
        if around.exposes == Exposes::Asked && is_routed(&labels) && !asks(container) {
            return Some(
                "Traefik serves only what says traefik.enable=true (exposedByDefault is false), and it does not: it is not public today"
                    .into(),
            );
        }
        let mut settings = labels.iter();
        settings.find_map(|(key, value)| traefik(&labels, around, key, value))
    })
}

/// Whether it has a rule of Traefik's, of either version.
fn is_routed(labels: &[(String, &str)]) -> bool {
    labels
        .iter()
        .any(|(key, _)| key.starts_with("traefik.http.routers.") || look::version_1(key).is_some())
}

/// Why the domains of a container are not known though a proxy routes it; `None`: none does.
pub(super) fn unsaid(container: &ObservedContainer) -> Option<String> {
    if env(container, "VIRTUAL_HOST_MULTIPORTS").is_some() {
        return Some(MULTIPORTS.into());
    }
    if let Some(patterns) = env(container, "VIRTUAL_HOST") {
        return Some(format!("{patterns} is no domain that a site can have"));
    }
    if let Some(said) = caddy(container) {
        return Some(format!(
            "its labels have caddy-docker-proxy serve {said}; what else they tell it is not read here and may keep people out: write the site by hand, with `recipe: proxy` and `to: {}:PORT`",
            container.name
        ));
    }
    let labels = look::traefik(container);
    let rule = labels.iter().find(|(key, _)| {
        let http = key.starts_with("traefik.http.routers.") && key.ends_with(".rule");
        http || look::version_1(key) == Some(Version1::Frontend("rule"))
    });
    match rule {
        Some((_, rule)) => Some(format!("its Traefik rule names no domain: {rule}")),
        None if asks(container) => {
            let tcp = labels.iter().any(|(k, _)| k.starts_with("traefik.tcp."));
            let why = "Traefik is to route it, by a rule that is not written on it";
            (!tcp).then(|| why.into())
        }
        None => None,
    }
}

/// What is lost, for the operator to judge.
pub(super) fn notes(container: &ObservedContainer, around: &Around) -> Vec<String> {
    let mut notes = Vec::new();
    if env(container, "VIRTUAL_HOST").is_some() {
        notes.push(
            "nginx-proxy's own files are not seen here and not carried over: a password that htpasswd/ asks for, or what vhost.d/ forbids, would be gone"
                .into(),
        );
    }
    if container.labels.contains_key("coolify.managed") {
        notes.push(
            "Coolify names a container anew with each deployment: `to:` has to follow by hand, or keep one name with its \"consistent container names\""
                .into(),
        );
    }
    let labels = look::traefik(container);
    if !is_routed(&labels) {
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
                kinds.extend(around.kinds(name).unwrap_or_default());
            }
        }
    }
    if !kinds.is_empty() {
        let kinds: Vec<&str> = kinds.into_iter().collect();
        notes.push(format!("not carried over: Traefik's {}", kinds.join(", ")));
    }
    let doubt = match around.exposes {
        _ if asks(container) => None,
        Exposes::All | Exposes::Asked => None,
        Exposes::Unsaid => {
            Some("Traefik serves it unless its configuration file says exposedByDefault: false")
        }
        Exposes::Unknown => Some("no Traefik runs here that would say whether it serves such ones"),
    };
    let doubt = doubt.map(|why| {
        format!("it has a rule and no traefik.enable; {why}: make sure that it is public today")
    });
    notes.extend(doubt);
    notes
}

/// The addresses that caddy-docker-proxy is told to serve: `caddy`, or `caddy_1` and so on.
fn caddy(container: &ObservedContainer) -> Option<String> {
    let site = |key: &str| {
        let number = key.strip_prefix("caddy_");
        key == "caddy" || number.is_some_and(|n| n.bytes().all(|c| c.is_ascii_digit()))
    };
    let labels = container.labels.iter();
    // A snippet is in brackets; global options have no address.
    let told = labels.filter(|(key, value)| site(key) && !value.starts_with('('));
    let addresses = told.flat_map(|(_, value)| value.split([',', ' ']));
    let addresses: Vec<&str> = addresses.filter(|address| !address.is_empty()).collect();
    (!addresses.is_empty()).then(|| addresses.join(" "))
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
fn traefik(labels: &[(String, &str)], around: &Around, key: &str, value: &str) -> Option<String> {
    if let Some((_, option)) = router(key) {
        return match option {
            "rule" => rule(value),
            "middlewares" => names(value).find_map(|name| middleware(around, name)),
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

fn middleware(around: &Around, name: &str) -> Option<String> {
    let Some(kinds) = around.kinds(name) else {
        return Some(format!(
            "Traefik puts the middleware {name} in front of it, which no container here describes and which may keep people out"
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
    let bare = unquoted(&without_root(text));
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

/// A rule without what every path fulfils: `` && PathPrefix(`/`) ``.
fn without_root(rule: &str) -> String {
    let mut quote = None;
    let mut dense = String::new();
    for c in rule.chars() {
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '`' | '"' | '\'') => quote = Some(c),
            None if c.is_whitespace() => continue,
            _ => {}
        }
        dense.push(c);
    }
    for quote in ['`', '"', '\''] {
        let root = format!("PathPrefix({quote}/{quote})");
        dense = dense.replace(&format!("&&{root}"), "");
        dense = dense.replace(&format!("{root}&&"), "");
    }
    dense
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
mod tests;
