//! What a container that is not ours says about itself: its compose project and its domains, as
//! nginx-proxy (`VIRTUAL_HOST`) and Traefik (labels) read them. Pure.

use std::collections::BTreeMap;

use super::model::ObservedContainer;

/// What can be read from labels and environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Look {
    /// Compose project, Swarm stack, or another fleet of ostler's.
    pub project: Option<String>,
    /// Service of that project; site, or role, in a fleet.
    pub service: Option<String>,
    /// Domains, in lower case, each once, in the order found.
    pub domains: Vec<String>,
    /// The port that its proxy is told to use.
    pub port: Option<u16>,
}

/// Reads labels, and the environment where the container was inspected.
pub fn look(container: &ObservedContainer) -> Look {
    let label = |key: &str| container.labels.get(key).filter(|v| !v.is_empty()).cloned();
    let empty = BTreeMap::new();
    let env = container.inspected.as_ref().map_or(&empty, |i| &i.env);
    let mut domains = Vec::new();
    for key in ["VIRTUAL_HOST", "LETSENCRYPT_HOST"] {
        if let Some(value) = env.get(key) {
            for domain in value.split([',', ' ']) {
                add(&mut domains, domain);
            }
        }
    }
    for (key, value) in &container.labels {
        if is_rule(key) {
            for domain in hosts_in_rule(value) {
                add(&mut domains, &domain);
            }
        }
    }
    let port = env
        .get("VIRTUAL_PORT")
        .and_then(|p| p.parse().ok())
        .or_else(|| {
            container.labels.iter().find_map(|(key, value)| {
                (key.starts_with("traefik.http.services.")
                    && key.ends_with(".loadbalancer.server.port"))
                .then(|| value.parse().ok())?
            })
        });
    Look {
        project: label("com.docker.compose.project")
            .or_else(|| label("com.docker.stack.namespace"))
            .or_else(|| label("ostler.fleet").map(|fleet| format!("ostler {fleet}"))),
        service: label("com.docker.compose.service")
            .or_else(|| label("com.docker.swarm.service.name"))
            .or_else(|| label("ostler.site"))
            .or_else(|| label("ostler.role")),
        domains,
        port,
    }
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
    let router = |kind: &str| {
        key.strip_prefix(kind)
            .and_then(|rest| rest.strip_suffix(".rule"))
            .is_some()
    };
    router("traefik.http.routers.")
        || router("traefik.tcp.routers.")
        || key == "traefik.frontend.rule"
}

/// Domains in ``Host(`a`, `b`) || HostSNI(`c`)``, in `Host("a")`, and in version 1's `Host:a,b`.
fn hosts_in_rule(rule: &str) -> Vec<String> {
    let mut out = Vec::new();
    for (at, word) in ["HostSNI", "Host"]
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
                ("LETSENCRYPT_HOST", "blog.example.net"),
                ("VIRTUAL_PORT", "8080"),
            ],
        ));
        assert_eq!(seen.project.as_deref(), Some("blog"));
        assert_eq!(seen.service.as_deref(), Some("web"));
        assert_eq!(seen.domains, ["blog.example.net", "www.blog.example.net"]);
        assert_eq!(seen.port, Some(8080));
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
        let seen = look(&container(
            &[("traefik.http.services.x.loadbalancer.server.port", "3000")],
            &[],
        ));
        assert_eq!(seen.port, Some(3000));
    }

    #[test]
    fn a_container_that_says_nothing_says_nothing() {
        assert_eq!(look(&ObservedContainer::default()), Look::default());
    }
}
