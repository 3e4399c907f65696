//! What keeps a container from being a site, and what is told of it.

use super::*;
use crate::observe::model::{Inspected, RunState};

fn container(labels: &[(&str, &str)], env: &[(&str, &str)]) -> ObservedContainer {
    let own = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs.map(|(k, v)| (k.to_string(), v.to_string())).collect()
    };
    ObservedContainer {
        labels: own(labels),
        run: RunState::Running,
        inspected: Some(Inspected {
            env: own(env),
            ..Inspected::default()
        }),
        ..ObservedContainer::default()
    }
}

fn alone<T>(container: &ObservedContainer, ask: impl Fn(&ObservedContainer, &Around) -> T) -> T {
    ask(container, &Around::of(std::slice::from_ref(container)))
}

const RULE: (&str, &str) = ("traefik.http.routers.x.rule", "Host(`a.example`)");
const LIST: &str = "traefik.http.routers.x.middlewares";

fn why(labels: &[(&str, &str)]) -> Option<String> {
    let mut all = vec![RULE];
    all.extend(labels);
    alone(&container(&all, &[]), not_whole)
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
    let told = alone(&container(&all, &[]), notes);
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
        // All paths are the whole domain, as Coolify writes it.
        ("Host(`a.example`) && PathPrefix(`/`)", true),
        ("PathPrefix(\"/\")&&Host(`a.example`)", true),
        (
            "Host(`a.example`) && PathPrefix(`/`) || Host(`b.example`) && PathPrefix(`/`)",
            true,
        ),
        ("Host(`a.example`) && PathPrefix(`/x`)", false),
        ("Host(`a.example`) && PathPrefix(`/`) && Path(`/x`)", false),
        ("Host(`a.example`) && !PathPrefix(`/`)", false),
        ("!PathPrefix(`/`) && Host(`a.example`)", false),
        ("Host(`a.example`) || PathPrefix(`/`)", false),
    ] {
        assert_eq!(rule(text).is_none(), fine, "{text}: {:?}", rule(text));
    }
}

#[test]
fn nginx_proxys_guards_are_told_of() {
    let host = ("VIRTUAL_HOST", "a.example");
    let internal = container(&[], &[host, ("NETWORK_ACCESS", "internal")]);
    assert!(
        alone(&internal, not_whole)
            .unwrap()
            .contains("NETWORK_ACCESS")
    );
    let open = container(&[], &[host, ("NETWORK_ACCESS", "external")]);
    assert_eq!(alone(&open, not_whole), None);
    let told = alone(&open, notes);
    assert!(told[0].contains("htpasswd") && told[0].contains("vhost.d"));
    assert_eq!(alone(&container(&[], &[]), notes), [""; 0]);
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
        (
            vec![
                ("caddy_0", "https://a.example, b.example"),
                ("caddy_1", "(snippet)"),
                ("caddy_0.reverse_proxy", "{{upstreams 80}}"),
            ],
            vec![],
            "caddy-docker-proxy serve https://a.example b.example;",
        ),
        (vec![("caddy", "c.example")], vec![], "serve c.example;"),
    ] {
        let why = unsaid(&container(&labels, &env));
        assert!(why.as_ref().is_some_and(|w| w.contains(says)), "{why:?}");
    }
    let off = [
        ("traefik.enable", "false"),
        ("traefik.http.routers.x.rule", "PathPrefix(`/x`)"),
    ];
    assert_eq!(unsaid(&container(&off, &[])), None);
    // Global options and the names of networks are no address.
    let global = [
        ("caddy.email", "me@a.example"),
        ("caddy_ingress_network", "x"),
    ];
    assert_eq!(unsaid(&container(&global, &[])), None);
}

#[test]
fn a_middleware_may_be_described_on_another_container() {
    let app = container(&[RULE, (LIST, "tls@docker,gzip")], &[]);
    let traefik = |more: &[(&str, &str)]| {
        let mut labels = vec![
            (
                "traefik.http.middlewares.tls.redirectscheme.scheme",
                "https",
            ),
            ("traefik.http.middlewares.gzip.compress", "true"),
        ];
        labels.extend(more);
        ObservedContainer {
            image: "traefik:v3.1".into(),
            ..container(&labels, &[])
        }
    };
    let judged = |other: ObservedContainer| {
        let all = [app.clone(), other];
        let around = Around::of(&all);
        (not_whole(&app, &around), notes(&app, &around))
    };
    let (why, told) = judged(traefik(&[]));
    assert_eq!(why, None);
    assert_eq!(
        told[1],
        "not carried over: Traefik's compress, redirectscheme"
    );
    // One description of two is enough to keep people out.
    let (why, _) = judged(traefik(&[(
        "traefik.http.middlewares.gzip.basicauth.users",
        "x",
    )]));
    assert!(why.unwrap().contains("gzip (basicauth)"));
    // What Traefik does not read describes nothing.
    let mut ended = traefik(&[]);
    ended.run = RunState::Exited;
    assert!(
        judged(ended)
            .0
            .unwrap()
            .contains("no container here describes")
    );
    let (why, _) = judged(traefik(&[("traefik.enable", "false")]));
    assert!(why.is_some());
}

#[test]
fn what_traefik_was_not_asked_to_serve_is_not_public_today() {
    let traefik = |command: &str| ObservedContainer {
        image: "traefik:v3.1".into(),
        inspected: Some(Inspected {
            made: std::collections::BTreeMap::from([("command".to_owned(), command.to_owned())])
                .into(),
            ..Inspected::default()
        }),
        ..container(&[], &[])
    };
    let asked = r#"["--providers.docker","--providers.docker.exposedbydefault=false"]"#;
    let enabled = ("traefik.enable", "true");
    for (labels, command, out, doubt) in [
        (vec![RULE], asked, true, false),
        (vec![RULE, enabled], asked, false, false),
        (vec![RULE], "[]", false, true),
        (vec![RULE, enabled], "[]", false, false),
        (
            vec![RULE],
            r#"["--providers.docker.exposedbydefault=true"]"#,
            false,
            false,
        ),
    ] {
        let all = [container(&labels, &[]), traefik(command)];
        let around = Around::of(&all);
        let why = not_whole(&all[0], &around);
        assert_eq!(why.is_some(), out, "{labels:?} {command}: {why:?}");
        let told = notes(&all[0], &around);
        let doubts = told.iter().any(|note| note.contains("no traefik.enable"));
        assert_eq!(!out && doubts, doubt, "{labels:?} {command}: {told:?}");
    }
    // nginx-proxy asks for no such thing.
    let all = [
        container(&[], &[("VIRTUAL_HOST", "a.example")]),
        traefik(asked),
    ];
    assert_eq!(not_whole(&all[0], &Around::of(&all)), None);
    // Without a Traefik nobody says.
    let told = alone(&container(&[RULE], &[]), notes);
    assert!(told.last().unwrap().contains("no Traefik runs here"));
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
