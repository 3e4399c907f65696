//! Which foreign containers could be sites: what nginx-proxy, Traefik and compose were told about
//! them, as `proxy` sites. Pure; nothing on the host is touched, neither now nor by applying them,
//! for such a site is a route and no more.

mod around;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use super::look::{Said, look};
use super::model::{ObservedContainer, ObservedHost};
use super::whose::is_foreign;
use crate::fleet::{Domain, Fleet, Https, Name, ProxyTarget, Recipe, Site, domain_both_ways};
use crate::record::StateRead;
use around::Around;

/// What a host's foreign containers come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Sites as they would be written, by name.
    pub sites: Vec<Found>,
    /// Containers that serve something but cannot be written as a site, each with the reason.
    pub left: Vec<Left>,
}

/// One container as a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The site: a `proxy` to the container.
    pub site: Site,
    pub container: String,
    pub image: String,
    /// Its compose project, where it has one.
    pub project: Option<String>,
    /// What the operator should know about it.
    pub notes: Vec<String>,
}

/// One container that is not a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub container: String,
    /// Why not.
    pub why: String,
}

/// Reads all foreign containers of one host, which have to be inspected: nginx-proxy's settings are
/// in the environment. `only`: these containers and no others; empty: all.
pub fn import(
    fleet: &Fleet,
    host: &Name,
    seen: &ObservedHost,
    only: &BTreeSet<String>,
) -> Imported {
    let mut containers: Vec<&ObservedContainer> = seen
        .containers
        .iter()
        .filter(|c| is_foreign(c) && (only.is_empty() || only.contains(&c.name)))
        .collect();
    // Of several with one domain (workers and jobs often share an environment) the one that can be
    // asked is the site.
    containers.sort_by_key(|c| (c.listens.is_empty(), &c.name));
    let mut out = Imported::default();
    let mut taken = Taken::new(fleet, seen);
    let around = Around::of(&seen.containers);
    let looks: Vec<(&ObservedContainer, Said)> = containers.iter().map(|c| (*c, look(c))).collect();
    // How many containers of a project serve a domain: one alone may bear the project's name.
    let mut serving: BTreeMap<&str, usize> = BTreeMap::new();
    for (container, look) in &looks {
        if let (Some(project), false) = (&look.project, look.domains.is_empty()) {
            *serving.entry(project).or_default() += usize::from(container.is_running());
        }
    }
    for (container, look) in &looks {
        let alone = look
            .project
            .as_deref()
            .is_some_and(|project| serving.get(project) == Some(&1));
        match one(host, container, look, &around, alone, &mut taken) {
            Ok(Some(found)) => out.sites.push(found),
            Ok(None) if only.is_empty() => {}
            Ok(None) => out.left.push(Left {
                container: container.name.clone(),
                why: "it says no domain (VIRTUAL_HOST, or a Traefik rule with Host)".into(),
            }),
            Err(why) => out.left.push(Left {
                container: container.name.clone(),
                why,
            }),
        }
    }
    out.sites.sort_by(|a, b| a.container.cmp(&b.container));
    out.left.sort_by(|a, b| a.container.cmp(&b.container));
    out
}

/// Domains and names that are somebody's already.
struct Taken {
    domains: BTreeMap<Domain, String>,
    names: BTreeSet<Name>,
}

impl Taken {
    fn new(fleet: &Fleet, seen: &ObservedHost) -> Taken {
        let mut domains = BTreeMap::new();
        for site in fleet.sites.values() {
            let all = site.domains.iter().chain(site.redirects.keys());
            domains.extend(all.map(|d| (d.clone(), format!("the site {}", site.name))));
        }
        let mut names: BTreeSet<Name> = fleet.sites.keys().cloned().collect();
        // A leftover's folder and data belong to its name.
        if let StateRead::Read(state) = &seen.state {
            names.extend(state.sites.keys().cloned());
        }
        Taken { domains, names }
    }

    fn name(&mut self, wish: &str) -> Name {
        let base = label(wish);
        let numbered = (2..).map(|n| {
            let end = format!("-{n}");
            let keep = 63 - end.len();
            format!(
                "{}{end}",
                base[..base.len().min(keep)].trim_end_matches('-')
            )
        });
        let free = std::iter::once(base.clone())
            .chain(numbered)
            .filter_map(|text| text.parse::<Name>().ok())
            .find(|name| !self.names.contains(name));
        // The numbers do not end.
        let name = free.unwrap_or_default();
        self.names.insert(name.clone());
        name
    }
}

/// A DNS label like a text.
fn label(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
    }
    out.truncate(63);
    let out = out.trim_end_matches('-');
    if out.is_empty() {
        "site".into()
    } else {
        out.into()
    }
}

fn one(
    host: &Name,
    container: &ObservedContainer,
    look: &Said,
    around: &Around,
    alone: bool,
    taken: &mut Taken,
) -> Result<Option<Found>, String> {
    if look.domains.is_empty() {
        return match told::unsaid(container) {
            Some(why) => Err(why),
            None => front(container),
        };
    }
    if let Some(why) = told::not_whole(container, around) {
        return Err(why);
    }
    let mut notes = Vec::new();
    let (mut domains, mut odd) = (Vec::new(), Vec::new());
    for text in &look.domains {
        match text.parse::<Domain>() {
            // What proves a wildcard to be ours is not known of it.
            Ok(domain) if domain.is_wildcard() => odd.push(text.clone()),
            Ok(domain) if !domains.contains(&domain) => domains.push(domain),
            Ok(_) => {}
            Err(_) => odd.push(text.clone()),
        }
    }
    odd.extend(patterns(container));
    if !odd.is_empty() {
        notes.push(format!("not taken over, no domain: {}", odd.join(" ")));
    }
    if domains.is_empty() {
        return Err(format!(
            "{} is no domain that a site can have",
            odd.join(" ")
        ));
    }
    for domain in &domains {
        if let Some(owner) = taken.domains.get(domain) {
            return Err(format!("{domain} belongs to {owner} already"));
        }
    }
    if !container.is_running() {
        return Err("it does not run: a route to it would lead nowhere".into());
    }
    let port = port(container)?;
    let to = target(container, port, &mut notes)?;
    for domain in &domains {
        let both = domain_both_ways(domain.as_str());
        if both != domain.as_str() {
            notes.push(format!("its domain {both}"));
        }
    }
    notes.extend(told::notes(container, around));
    let wish = match (&look.project, &look.service) {
        (Some(project), _) if alone => project.clone(),
        (Some(project), Some(service)) => format!("{project}-{service}"),
        _ => container.name.clone(),
    };
    let name = taken.name(&wish);
    for domain in &domains {
        taken
            .domains
            .insert(domain.clone(), format!("the container {}", container.name));
    }
    Ok(Some(Found {
        site: Site {
            name,
            host: host.clone(),
            recipe: Recipe::Proxy { to },
            domains,
            // Whatever becomes of its recipe: those who ask it by http:// still do.
            https: Some(Https::Both),
            ..Site::unsaid()
        },
        container: container.name.clone(),
        image: container.image.clone(),
        project: look.project.clone(),
        notes,
    }))
}

/// Where a route to it leads, so that it still does when the container is restarted.
fn target(
    container: &ObservedContainer,
    port: u16,
    notes: &mut Vec<String>,
) -> Result<ProxyTarget, String> {
    let published = container.listens.get(&port).copied().flatten();
    let bound = container.inspected.as_ref().map(|i| &i.bound);
    // The host's port stays the same when the container is made anew.
    if let (Some(_), Some(named)) = (published, bound.and_then(|bound| bound.get(&port))) {
        return Ok(ProxyTarget::Http {
            host: "127.0.0.1".into(),
            port: *named,
        });
    }
    let picked = published.map(|picked| {
        format!(
            "the host's port {picked} was picked by Docker and may be another container's after a restart: no route can lead there; `127.0.0.1:PORT:{port}` among its ports names one that stays"
        )
    });
    let at = container.reached_at().map_err(|why| match &picked {
        Some(picked) => format!("{picked}, and it {why}"),
        None => format!("it {why}"),
    })?;
    if at.is_loopback() && told::ports(container)?.is_empty() {
        return Err("it is on the host's network, and its port is not said".into());
    }
    let moves = (!at.is_loopback()).then_some(
        "its address may change when it is restarted: `ostler apply` follows; a port of its own on 127.0.0.1 would stay",
    );
    notes.extend(picked);
    notes.extend(moves.map(str::to_owned));
    Ok(ProxyTarget::Container {
        name: container.name.clone(),
        port,
    })
}

/// Something without a domain is of interest only when it holds the ports that a router wants.
fn front(container: &ObservedContainer) -> Result<Option<Found>, String> {
    let held: Vec<String> = [80, 443]
        .iter()
        .filter(|port| {
            container
                .published
                .iter()
                .any(|(published, protocol)| published == *port && protocol == "tcp")
        })
        .map(ToString::to_string)
        .collect();
    match held.as_slice() {
        [] => Ok(None),
        held => Err(format!(
            "it says no domain and holds port {}: what routes requests today, it seems",
            held.join(" and ")
        )),
    }
}

/// `~^regex` of nginx-proxy.
fn patterns(container: &ObservedContainer) -> Vec<String> {
    let env = container.inspected.as_ref().map(|i| &i.env);
    let hosts = env.and_then(|env| env.get("VIRTUAL_HOST"));
    let parts = hosts.into_iter().flat_map(|hosts| hosts.split(','));
    let odd = parts.map(str::trim).filter(|part| part.starts_with('~'));
    odd.map(str::to_owned).collect()
}

/// The port its proxy uses: the one it was told, else the only one exposed, else 80 (nginx-proxy's
/// own rule: github.com/nginx-proxy/nginx-proxy, "Virtual Ports").
fn port(container: &ObservedContainer) -> Result<u16, String> {
    let told = told::ports(container)?;
    let list = |ports: &mut dyn Iterator<Item = &u16>| {
        let ports: Vec<String> = ports.map(ToString::to_string).collect();
        ports.join(" and ")
    };
    match (told.len(), told.first()) {
        (1, Some(port)) => return Ok(*port),
        (0, _) => {}
        _ => {
            return Err(format!(
                "its proxy uses its ports {}; a site has one",
                list(&mut told.iter())
            ));
        }
    }
    let exposed: Vec<u16> = container.listens.keys().copied().collect();
    match exposed.as_slice() {
        [] => Ok(80),
        [only] => Ok(*only),
        many if many.contains(&80) => Ok(80),
        many => Err(format!(
            "it exposes {}; which one serves HTTP is not said",
            list(&mut many.iter())
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::model::{Inspected, RunState};

    fn container(name: &str, labels: &[(&str, &str)], env: &[(&str, &str)]) -> ObservedContainer {
        let own = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter();
            pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect()
        };
        ObservedContainer {
            name: name.into(),
            image: "example/app:1".into(),
            run: RunState::Running,
            addresses: [("web".to_owned(), [172, 18, 0, 5].into())].into(),
            labels: own(labels),
            inspected: Some(Inspected {
                env: own(env),
                ..Inspected::default()
            }),
            ..ObservedContainer::default()
        }
    }

    fn read(containers: Vec<ObservedContainer>) -> Imported {
        let source = "fleet: x\nhosts:\n  web1: { engine: \"unix:///run/d.sock\" }\nsites:\n  blog: { host: web1, recipe: static, domains: [taken.example] }\n";
        let fleet = crate::fleet::load(source, "fleet.yml".as_ref())
            .unwrap()
            .fleet;
        let seen = ObservedHost {
            containers,
            ..ObservedHost::default()
        };
        import(&fleet, &"web1".parse().unwrap(), &seen, &BTreeSet::new())
    }

    fn target(found: &Found) -> String {
        let block = crate::fleet::site_block(&found.site);
        let line = block.lines().find(|line| line.contains("to:")).unwrap();
        line.trim().to_owned()
    }

    #[test]
    fn a_published_port_is_preferred_for_it_stays() {
        let mut app = container("app", &[], &[("VIRTUAL_HOST", "a.example,www.a.example")]);
        app.listens = [(3000, Some(8081))].into();
        app.inspected.as_mut().unwrap().bound = [(3000, 8081)].into();
        let mut other = container("other_1", &[], &[("VIRTUAL_HOST", "b.example")]);
        other.listens = [(9000, None)].into();
        let found = read(vec![other, app]);
        assert_eq!(found.left, []);
        let names: Vec<_> = found.sites.iter().map(|f| f.site.name.as_str()).collect();
        assert_eq!(names, ["app", "other-1"]);
        assert_eq!(target(&found.sites[0]), "to: http://127.0.0.1:8081");
        let notes = &found.sites[0].notes;
        assert!(!notes.iter().any(|n| n.contains("may change")), "{notes:?}");
        assert_eq!(target(&found.sites[1]), "to: other_1:9000");
        assert!(found.sites[1].notes[0].contains("may change"));
    }

    #[test]
    fn a_port_that_docker_picked_is_no_way_to_a_site() {
        let mut app = container("app", &[], &[("VIRTUAL_HOST", "a.example")]);
        app.listens = [(3000, Some(32768))].into();
        let found = read(vec![app.clone()]);
        assert_eq!(target(&found.sites[0]), "to: app:3000");
        let notes = &found.sites[0].notes;
        let says = |text: &str| notes.iter().any(|n| n.contains(text));
        assert!(says("32768 was picked by Docker"), "{notes:?}");
        assert!(
            says("`127.0.0.1:PORT:3000`") && says("may change"),
            "{notes:?}"
        );
        // Another port of it is named; this one is not.
        app.inspected.as_mut().unwrap().bound = [(9000, 9000)].into();
        assert_eq!(target(&read(vec![app.clone()]).sites[0]), "to: app:3000");
        // No other way leads to it.
        app.addresses.clear();
        app.network_mode = "none".into();
        let found = read(vec![app]);
        let why = &found.left[0].why;
        assert!(
            why.contains("picked by Docker") && why.contains("on no network"),
            "{why}"
        );
    }

    #[test]
    fn a_job_that_shares_the_environment_of_a_site_is_none() {
        let of = |service: &str, exposes: bool, run: RunState| {
            let labels = [
                ("com.docker.compose.project", "shop"),
                ("com.docker.compose.service", service),
            ];
            let name = format!("shop-{service}-1");
            let mut app = container(&name, &labels, &[("VIRTUAL_HOST", "a.example")]);
            if exposes {
                app.listens = [(3000, None)].into();
            }
            app.run = run;
            app
        };
        let found = read(vec![
            of("migrate", true, RunState::Exited),
            of("queue", false, RunState::Running),
            of("web", true, RunState::Running),
        ]);
        assert_eq!(target(&found.sites[0]), "to: shop-web-1:3000");
        let left: Vec<_> = found.left.iter().map(|l| l.container.as_str()).collect();
        assert_eq!(left, ["shop-migrate-1", "shop-queue-1"]);
    }

    #[test]
    fn names_come_from_projects_and_never_clash() {
        let of = |project, service, domain| {
            let labels = [
                ("com.docker.compose.project", project),
                ("com.docker.compose.service", service),
            ];
            container(
                &format!("{project}_{service}_1"),
                &labels,
                &[("VIRTUAL_HOST", domain)],
            )
        };
        let found = read(vec![
            of("blog", "web", "a.example"),
            of("shop", "web", "b.example"),
            of("shop", "admin", "c.example"),
            container("Ünï", &[], &[("VIRTUAL_HOST", "d.example")]),
        ]);
        let mut names: Vec<_> = found.sites.iter().map(|f| f.site.name.as_str()).collect();
        names.sort_unstable();
        // `blog` is a site already.
        assert_eq!(names, ["blog-2", "n", "shop-admin", "shop-web"]);
    }

    #[test]
    fn what_a_site_cannot_be_is_left_out_with_the_reason() {
        let rule = |rule| container("x", &[("traefik.http.routers.x.rule", rule)], &[]);
        let host = |env: &[(&str, &str)]| {
            let mut all = vec![("VIRTUAL_HOST", "a.example")];
            all.extend(env);
            container("x", &[], &all)
        };
        let mut stopped = host(&[]);
        stopped.run = RunState::Exited;
        let mut many = host(&[]);
        many.listens = [(3000, None), (9000, None)].into();
        let labelled = |more: &[(&str, &str)]| {
            let mut all = vec![("traefik.http.routers.x.rule", "Host(`a.example`)")];
            all.extend(more);
            container("x", &all, &[])
        };
        let mut front = container("proxy", &[], &[]);
        front.published = vec![(80, "tcp".into()), (443, "tcp".into())];
        for (container, why) in [
            (
                rule("Host(`a.example`) && PathPrefix(`/api`)"),
                "whole domains",
            ),
            (host(&[("VIRTUAL_PATH", "/api")]), "whole domains"),
            (host(&[("VIRTUAL_PROTO", "https")]), "talks https"),
            (
                host(&[("VIRTUAL_HOST", "taken.example")]),
                "the site blog already",
            ),
            (
                host(&[("VIRTUAL_HOST", "*.a.example")]),
                "no domain that a site",
            ),
            (stopped, "does not run"),
            (many, "3000 and 9000"),
            (front, "80 and 443"),
            (
                labelled(&[("traefik.http.routers.x.middlewares", "auth@file")]),
                "auth@file",
            ),
            (
                labelled(&[
                    ("traefik.http.services.a.loadbalancer.server.port", "9000"),
                    ("traefik.http.services.x.loadbalancer.server.port", "80"),
                ]),
                "80 and 9000",
            ),
            (host(&[("NETWORK_ACCESS", "internal")]), "NETWORK_ACCESS"),
        ] {
            let found = read(vec![container]);
            assert_eq!(found.sites, [], "{why}");
            assert!(found.left[0].why.contains(why), "{:?}", found.left[0]);
        }
        // A database says no domain and holds no port of a router.
        assert_eq!(read(vec![container("db", &[], &[])]), Imported::default());
    }

    #[test]
    fn only_what_is_on_the_hosts_network_is_at_127_0_0_1() {
        let on = |mode: &str, env: &[(&str, &str)]| {
            let mut all = vec![("VIRTUAL_HOST", "a.example")];
            all.extend(env);
            let mut app = container("app", &[], &all);
            app.addresses.clear();
            app.network_mode = mode.into();
            read(vec![app])
        };
        for (mode, why) in [
            ("none", "on no network"),
            ("container:0123", "another container's network"),
            ("six", "no IPv4 address"),
            ("", "no IPv4 address"),
            // What else listens on the host's port 80?
            ("host", "port is not said"),
        ] {
            let found = on(mode, &[]);
            assert_eq!(found.sites, [], "{mode}");
            assert!(found.left[0].why.contains(why), "{:?}", found.left);
        }
        let found = on("host", &[("VIRTUAL_PORT", "3000")]);
        assert_eq!(target(&found.sites[0]), "to: app:3000");
        let notes = &found.sites[0].notes;
        assert!(!notes.iter().any(|n| n.contains("may change")), "{notes:?}");
    }

    #[test]
    fn two_containers_of_one_domain_are_one_site_at_most() {
        let one = container("a", &[], &[("VIRTUAL_HOST", "a.example")]);
        let two = container("b", &[], &[("VIRTUAL_HOST", "www.a.example,a.example")]);
        let found = read(vec![one, two]);
        assert_eq!(found.sites.len(), 1);
        assert!(found.left[0].why.contains("the container a already"));
    }

    #[test]
    fn what_is_written_reads_as_it_was_meant() {
        let app = container(
            "a",
            &[],
            &[("VIRTUAL_HOST", "a.example,~^x.*"), ("VIRTUAL_PORT", "81")],
        );
        let found = read(vec![app]);
        assert!(found.sites[0].notes.iter().any(|n| n.contains("~^x.*")));
        let text = format!(
            "fleet: x\nhosts:\n  web1: {{ engine: \"unix:///run/d.sock\" }}\nsites:\n{}",
            crate::fleet::site_block(&found.sites[0].site)
        );
        let again = crate::fleet::load(&text, "fleet.yml".as_ref())
            .unwrap()
            .fleet;
        let mut meant = found.sites[0].site.clone();
        meant.limits = again.sites["a"].limits;
        assert_eq!(again.sites["a"], meant);
    }
}
