//! What a container that is not ours says about itself: its compose project and its domains, as
//! nginx-proxy (`VIRTUAL_HOST`) and Traefik (labels) read them. Pure.

use std::collections::BTreeMap;

use super::model::ObservedContainer;
use crate::record::labels;

/// What can be read from labels and environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Compose project, Swarm stack, or another fleet of ostler's.
    pub project: Option<String>,
    /// Service of that project; site, or role, in a fleet.
    pub service: Option<String>,
    /// Domains, in lower case, each once, in the order found.
    pub domains: Vec<String>,
}

/// Reads labels, and the environment where the container was inspected.
pub fn look(container: &ObservedContainer) -> Said {
    let label = |key: &str| container.labels.get(key).filter(|v| !v.is_empty()).cloned();
    let empty = BTreeMap::new();
    let env = container.inspected.as_ref().map_or(&empty, |i| &i.env);
    let mut domains = Vec::new();
    // LETSENCRYPT_HOST only asks for certificates: nothing is routed for it.
    for domain in env
        .get("VIRTUAL_HOST")
        .into_iter()
        .flat_map(|v| v.split([',', ' ']))
    {
        add(&mut domains, domain);
    }
    for (key, rule) in traefik(container) {
        if is_rule(&key) {
            for domain in hosts_in_rule(rule) {
                add(&mut domains, &domain);
            }
        }
    }
    Said {
        project: label("com.docker.compose.project")
            .or_else(|| label("com.docker.stack.namespace"))
            .or_else(|| label(labels::FLEET).map(|fleet| format!("ostler {fleet}"))),
        service: label("com.docker.compose.service")
            .or_else(|| label("com.docker.swarm.service.name"))
            .or_else(|| label(labels::SITE))
            .or_else(|| label(labels::ROLE)),
        domains,
    }
}

/// What Traefik reads: its labels, with names in lower case as it compares them; none when it is
/// told to leave the container alone.
pub(super) fn traefik(container: &ObservedContainer) -> Vec<(String, &str)> {
    let labels = container.labels.iter();
    let labels: Vec<(String, &str)> = labels
        .map(|(key, value)| (key.to_lowercase(), value.as_str()))
        .filter(|(key, _)| key.starts_with("traefik."))
        .collect();
    let off = |value: &str| matches!(value.trim().to_lowercase().as_str(), "false" | "f" | "0");
    match labels.iter().any(|(k, v)| k == "traefik.enable" && off(v)) {
        true => Vec::new(),
        false => labels,
    }
}

/// What a label of Traefik's version 1 is about: `traefik.frontend.OPTION`, `traefik.OPTION`, and
/// the same with a segment's name behind `traefik.`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version1<'a> {
    /// How requests get in.
    Frontend(&'a str),
    /// Where they go.
    Backend(&'a str),
}

/// Reads a label's name, in lower case.
pub(super) fn version_1(key: &str) -> Option<Version1<'_>> {
    let rest = key.strip_prefix("traefik.")?;
    let (first, behind) = rest.split_once('.').unwrap_or(("", rest));
    if matches!(first, "http" | "tcp" | "udp") {
        return None;
    }
    let frontend = rest.strip_prefix("frontend.");
    if let Some(option) = frontend.or_else(|| behind.strip_prefix("frontend.")) {
        return Some(Version1::Frontend(option));
    }
    matches!(behind, "port" | "protocol").then_some(Version1::Backend(behind))
}

fn add(domains: &mut Vec<String>, domain: &str) {
    let domain = domain.trim().trim_end_matches('.').to_lowercase();
    // nginx-proxy takes `~^regex`; that is not a domain.
    if !domain.is_empty() && !domain.starts_with('~') && !domains.contains(&domain) {
        domains.push(domain);
    }
}

/// `traefik.http.routers.NAME.rule`, and version 1's `traefik.frontend.rule`.
fn is_rule(key: &str) -> bool {
    let router = |kind: &str| key.starts_with(kind) && key.ends_with(".rule");
    router("traefik.http.routers.")
        || router("traefik.tcp.routers.")
        || version_1(key) == Some(Version1::Frontend("rule"))
}

/// Domains in ``Host(`a`, `b`) || HostSNI(`c`)``, in `Host("a")`, and in version 1's `Host:a,b`.
fn hosts_in_rule(rule: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, word) in ["HostSNI", "HostHeader", "Host"]
        .iter()
        .flat_map(|w| rule.match_indices(w))
    {
        let before = rule[..at].chars().next_back();
        if before.is_some_and(char::is_alphanumeric) {
            continue;
        }
        let rest = &rule[at + word.len()..];
        if let Some(list) = rest.strip_prefix('(') {
            let inside = list.split(')').next().unwrap_or("");
            out.extend(inside.split(',').map(|part| {
                part.trim()
                    .trim_matches(|c| matches!(c, '`' | '"' | '\'' | ' '))
                    .to_owned()
            }));
        } else if let Some(list) = rest.strip_prefix(':') {
            let inside = list.split(';').next().unwrap_or("");
            out.extend(inside.split(',').map(|part| part.trim().to_owned()));
        }
    }
    out.retain(|d| !d.is_empty() && d != "*");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::model::Inspected;

    fn container(labels: &[(&str, &str)], env: &[(&str, &str)]) -> ObservedContainer {
        let own = |pairs: &[(&str, &str)]| {
            pairs
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect()
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

    #[test]
    fn nginx_proxy_names_its_domains_in_the_environment() {
        let seen = look(&container(
            &[
                ("com.docker.compose.project", "blog"),
                ("com.docker.compose.service", "web"),
            ],
            &[
                (
                    "VIRTUAL_HOST",
                    "Blog.Example.net, www.blog.example.net,~^x.*",
                ),
                ("LETSENCRYPT_HOST", "blog.example.net,mail.example.net"),
            ],
        ));
        assert_eq!(seen.project.as_deref(), Some("blog"));
        assert_eq!(seen.service.as_deref(), Some("web"));
        assert_eq!(seen.domains, ["blog.example.net", "www.blog.example.net"]);
    }

    #[test]
    fn traefik_names_them_in_rules() {
        for (rule, domains) in [
            ("Host(`a.example`)", vec!["a.example"]),
            (
                "Host(`a.example`, `b.example`)",
                vec!["a.example", "b.example"],
            ),
            ("Host(`a.example`) && PathPrefix(`/api`)", vec!["a.example"]),
            (
                "Host(\"a.example\") || Host(`b.example`)",
                vec!["a.example", "b.example"],
            ),
            ("HostSNI(`db.example`)", vec!["db.example"]),
            ("HostSNI(`*`)", vec![]),
            ("HostRegexp(`^.+$`)", vec![]),
            (
                "Host:a.example,b.example;PathPrefix:/x",
                vec!["a.example", "b.example"],
            ),
            ("PathPrefix(`/`)", vec![]),
        ] {
            let seen = look(&container(&[("traefik.http.routers.x.rule", rule)], &[]));
            assert_eq!(seen.domains, domains, "{rule}");
        }
        for (key, domains) in [
            ("Traefik.HTTP.Routers.X.Rule", vec!["a.example"]),
            ("traefik.frontend.rule", vec!["a.example"]),
            ("traefik.admin.frontend.rule", vec!["a.example"]),
            ("traefik.http.middlewares.frontend.rule", vec![]),
        ] {
            let seen = look(&container(&[(key, "Host(`a.example`)")], &[]));
            assert_eq!(seen.domains, domains, "{key}");
        }
    }

    #[test]
    fn what_traefik_is_told_to_leave_alone_has_no_domain() {
        for (enable, there) in [("false", false), ("False", false), ("true", true)] {
            let labels = [
                ("traefik.enable", enable),
                ("traefik.http.routers.x.rule", "Host(`a.example`)"),
            ];
            let seen = look(&container(&labels, &[]));
            assert_eq!(!seen.domains.is_empty(), there, "{enable}");
        }
    }

    #[test]
    fn a_container_that_says_nothing_says_nothing() {
        assert_eq!(look(&ObservedContainer::default()), Said::default());
    }
}
