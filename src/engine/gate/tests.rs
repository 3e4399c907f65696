use super::*;

fn passes(method: &str, path: &str) -> bool {
    let method: Method = method.parse().expect("a method");
    Gate::on_call()
        .judge(&method, path, &HeaderMap::new())
        .is_ok()
}

#[test]
fn the_list_passes_with_and_without_a_version() {
    let routes = [
        "_ping",
        "version",
        "info",
        "events",
        "containers/json",
        "containers/0a1b2c/json",
        "containers/ostler-x_y.1/logs",
        "containers/abc/stats",
        "containers/abc/top",
        "containers/abc/archive",
        "images/json",
        "images/php:8.4-apache/json",
        "images/sha256:0a1b/json",
        "images/registry.example:5000/team/app@sha256:0a1b/json",
        "networks",
        "networks/bridge",
        "volumes",
        "volumes/data",
        "system/df",
    ];
    for route in routes {
        assert!(passes("GET", &format!("/{route}")), "{route}");
        assert!(passes("GET", &format!("/v1.41/{route}")), "{route}");
        assert!(passes("HEAD", &format!("/v1.41/{route}")), "{route}");
        for method in [
            "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "get", "BREW",
        ] {
            assert!(
                !passes(method, &format!("/v1.41/{route}")),
                "{method} {route}"
            );
        }
    }
}

#[test]
fn nothing_else_passes() {
    let paths = [
        "",
        "/",
        "//",
        "*",
        "containers/json",
        "/v1.41",
        "/v1.41/",
        "/containers",
        "/containers/",
        "/containers/json/",
        "/containers//json",
        "//containers/json",
        "/containers/abc",
        "/containers/abc/attach",
        "/containers/abc/attach/ws",
        "/v1.41/containers/abc/attach/ws",
        "/containers/abc/export",
        "/containers/abc/changes",
        "/containers/abc/exec",
        "/containers/abc/json/../attach/ws",
        "/containers/abc/../../containers/abc/attach/ws",
        "/containers/../attach/json",
        "/containers/./json",
        "/containers/./logs",
        "/containers/../logs",
        "/containers/abc/attach%2fws",
        "/containers/abc%2fattach%2fws/json",
        "/containers/abc/%61ttach/ws",
        "/containers/abc/json%00",
        "/containers/abc/json%20",
        "/containers/abc/json;x",
        "/containers/abc/json?x",
        "/containers/abc/json#x",
        "/containers/abc\\json",
        "/containers/abc/json\n",
        "/containers/abc/json\r\nPOST /x",
        "/containers/a:b/json",
        "/containers/a@b/logs",
        "/containers/ábc/json",
        "/containers/abc/ＪＳＯＮ",
        "/Containers/json",
        "/CONTAINERS/abc/json",
        "/containers/abc/JSON",
        "/containers/abc/Logs",
        "/V1.41/containers/json",
        "/v1.41/v1.41/containers/json",
        "/v1/containers/json",
        "/v1.41.2/containers/json",
        "/v.41/containers/json",
        "/v1./containers/json",
        "/v1.41x/containers/json",
        "/v1.4141/containers/json",
        "/v１.41/containers/json",
        "/vv1.41/containers/json",
        "/exec/abc/json",
        "/exec/abc/start",
        "/images/get",
        "/images/abc/get",
        "/images/search",
        "/images/abc/history",
        "/images//json",
        "/images/../containers/x/attach/json",
        "/images/a/./json",
        "/images/a%2f..%2fcontainers/json",
        "/images/a//b/json",
        "/distribution/abc/json",
        "/build",
        "/build/prune",
        "/session",
        "/grpc",
        "/commit",
        "/auth",
        "/swarm",
        "/swarm/unlockkey",
        "/services",
        "/tasks",
        "/nodes",
        "/secrets",
        "/configs",
        "/plugins",
        "/networks/",
        "/networks/abc/connect",
        "/networks/abc/def",
        "/volumes/abc/def",
        "/volumes/..",
        "/networks/..",
        "/system",
        "/system/",
        "/system/df/x",
        "/_ping/x",
        "/_ping/",
        "/version/x",
        "/info/",
        "/events/",
        "/debug/pprof/profile",
        "/debug/vars",
        "/metrics",
        "http://localhost/containers/json",
        "/http://localhost/containers/json",
    ];
    for path in paths {
        assert!(!passes("GET", path), "{path:?}");
        assert!(!passes("HEAD", path), "{path:?}");
    }
}

#[test]
fn no_connection_is_upgraded() {
    let gate = Gate::on_call();
    for (name, value) in [
        ("upgrade", "tcp"),
        ("Upgrade", "websocket"),
        ("upgrade", ""),
        ("connection", "Upgrade"),
        ("connection", "keep-alive, UPGRADE"),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
        assert!(
            gate.judge(&Method::GET, "/containers/json", &headers)
                .is_err(),
            "{name}: {value}"
        );
    }
    let mut opaque = HeaderMap::new();
    opaque.insert(
        "connection",
        http::HeaderValue::from_bytes(b"\xff").unwrap(),
    );
    assert!(
        gate.judge(&Method::GET, "/containers/json", &opaque)
            .is_err()
    );
    assert_eq!(gate.refused(), 6);
    assert_eq!(gate.reading() + gate.changing() + gate.exec(), 0);
}

#[test]
fn full_mode_passes_all_and_counts_three_ways() {
    let gate = Gate::full();
    let shared = gate.clone();
    let none = HeaderMap::new();
    let judge = |method: Method, path: &str| gate.judge(&method, path, &none).unwrap();
    assert_eq!(judge(Method::GET, "/v1.41/containers/json"), Kind::Reading);
    assert_eq!(
        judge(Method::HEAD, "/v1.41/containers/a/archive"),
        Kind::Reading
    );
    assert_eq!(judge(Method::GET, "/v1.41/exec/abc/json"), Kind::Reading);
    assert_eq!(
        judge(Method::GET, "/v1.41/containers/a/attach/ws"),
        Kind::Changing
    );
    assert_eq!(
        judge(Method::POST, "/v1.41/containers/create"),
        Kind::Changing
    );
    assert_eq!(
        judge(Method::PUT, "/v1.41/containers/a/archive"),
        Kind::Changing
    );
    assert_eq!(judge(Method::DELETE, "/v1.41/containers/a"), Kind::Changing);
    assert_eq!(judge(Method::POST, "/v1.41/containers/a/exec"), Kind::Exec);
    assert_eq!(
        judge(Method::POST, "/v1.41/containers/a/wait"),
        Kind::Reading
    );
    assert_eq!(judge(Method::POST, "/exec/abc/start"), Kind::Exec);
    assert_eq!(
        judge(Method::POST, "/v1.41/containers/exec/start"),
        Kind::Changing
    );
    assert_eq!(
        (
            shared.reading(),
            shared.changing(),
            shared.exec(),
            shared.refused()
        ),
        (4, 5, 2, 0)
    );
}

#[test]
fn a_refusal_names_the_request_and_the_rule() {
    let error = Gate::on_call()
        .judge(
            &Method::POST,
            "/v1.41/containers/abc/stop",
            &HeaderMap::new(),
        )
        .unwrap_err();
    assert!(error.is_gate());
    assert_eq!(
        error.to_string(),
        "on-call mode does not let POST /v1.41/containers/abc/stop out: only GET and HEAD read"
    );
}

fn host(port: u16) -> Host {
    let text = format!(
        "fleet: x\nhosts: {{ a: {{ engine: \"unix:///x\", ports: {{ http: {port} }} }} }}\nsites: {{}}\n"
    );
    let loaded = crate::fleet::load(&text, std::path::Path::new("fleet.yml"));
    loaded.unwrap().fleet.hosts[0].clone()
}

#[test]
fn a_site_is_asked_as_any_visitor_could_and_in_no_other_way() {
    let (gate, host) = (Gate::on_call(), host(8080));
    let domain: Domain = "shop.example".parse().unwrap();
    let mark = "0a".repeat(32);
    let visit = gate
        .visit(&host, &domain, "/up?deep=1", Some(&mark))
        .unwrap();
    assert_eq!(visit.port(), 8080);
    let request = visit.request();
    assert_eq!(
        (request.method(), request.version()),
        (&Method::GET, http::Version::HTTP_11)
    );
    assert_eq!(request.uri(), "/up?deep=1");
    let headers: Vec<(&str, &str)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(
        headers,
        [
            ("host", "shop.example"),
            ("user-agent", "ostler"),
            ("accept", "*/*"),
            ("connection", "close"),
            ("x-ostler-probe", &mark),
        ]
    );
    assert_eq!((gate.visits(), gate.reading(), gate.refused()), (1, 0, 0));
    let paths = [
        "",
        "up",
        "http://other.example/",
        "/a b",
        "/a\r\nX: y",
        "/a\0",
        "/\u{e4}",
        "/a#b",
        "*",
    ];
    let marks = ["", "0a", "0a\r\nX: y", &"0A".repeat(32), &"0g".repeat(32)];
    for path in paths {
        assert!(gate.visit(&host, &domain, path, None).is_err(), "{path:?}");
    }
    for mark in marks {
        let made = gate.visit(&host, &domain, "/", Some(mark));
        assert!(made.is_err(), "{mark:?}");
    }
    // A damaged record may hold any text as a domain.
    for bad in ["\"a b\"", "\"a\\r\\nX: y\"", "\"\"", "\"a/b\""] {
        if let Ok(domain) = serde_json::from_str::<Domain>(bad) {
            assert!(gate.visit(&host, &domain, "/", None).is_err(), "{bad}");
        }
    }
    assert_eq!(gate.visits(), 1);
}

#[test]
fn a_handshake_is_begun_with_the_router_alone_and_for_a_domain() {
    let (gate, host) = (Gate::on_call(), host(8080));
    let hello = gate.hello(&host, &"shop.example".parse().unwrap()).unwrap();
    assert_eq!(hello.port(), host.ports.https);
    for bad in ["\"a b\"", "\"\"", "\"a/b\"", "\"10.0.0.1\""] {
        if let Ok(domain) = serde_json::from_str::<Domain>(bad) {
            assert!(gate.hello(&host, &domain).is_err(), "{bad}");
        }
    }
    assert_eq!((gate.hellos(), gate.visits(), gate.reading()), (1, 0, 0));
}
