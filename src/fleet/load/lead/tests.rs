use std::path::Path;

fn said(sites: &str) -> Vec<String> {
    let text = format!(
        "fleet: x\nhosts:\n  web1: {{ engine: ssh://web1, ports: {{ http: 8080, https: 8443 }} }}\n  \
         web2: {{ engine: ssh://web2 }}\nsites:\n{sites}"
    );
    let findings = crate::fleet::load(&text, Path::new("f")).err();
    let errors = findings.unwrap_or_default().into_iter();
    errors.map(|finding| finding.message).collect()
}

#[test]
fn what_leads_elsewhere_is_left_alone() {
    let proxy = |to: &str| {
        said(&format!(
            "  a: {{ host: web1, recipe: proxy, to: \"{to}\", domains: [a.example] }}\n  \
             b: {{ host: web2, recipe: static, domains: [b.example] }}\n"
        ))
    };
    for to in [
        // Another port of the host, another host, and a container whose name says nothing.
        "http://127.0.0.1:8081",
        "http://localhost",
        "http://web2:8080",
        "http://10.0.0.5:8080",
        "http://b.example:8080",
        "localhost:8080",
    ] {
        assert_eq!(proxy(to), [""; 0], "{to}");
    }
    for to in [
        "http://127.8.0.1:8080",
        "http://[::ffff:127.0.0.1]:8443",
        "http://0.0.0.0:8080",
    ] {
        assert_eq!(proxy(to).len(), 1, "{to}");
    }
}

#[test]
fn redirects_that_end_are_no_circle() {
    let redirects = |from: &str, more: &str| {
        said(&format!(
            "  a: {{ host: web1, recipe: static, domains: [a.example], redirect_www: to-bare, redirects: {{ {from} }} }}\n{more}"
        ))
    };
    for from in [
        "x.example: \"https://www.a.example\"",
        "x.example: \"https://y.example\", y.example: \"https://a.example\"",
        // Another server answers there.
        "x.example: \"https://x.example:9443\"",
        "x.example: \"https://y.example\", y.example: \"http://x.example:8081/\"",
    ] {
        assert_eq!(redirects(from, ""), [""; 0], "{from}");
    }
    let circle = "x.example: \"https://y.example:8443\", y.example: \"http://x.example:8080\"";
    let told = redirects(circle, "");
    let way = "x.example → y.example → x.example";
    assert_eq!(told, [format!("redirects lead in a circle: {way}")]);
    // What is archived answers nothing.
    let archived = "  b: { host: web2, recipe: static, state: archived, domains: [b.example], redirects: { y.example: \"https://x.example\" } }\n";
    assert_eq!(
        redirects("x.example: \"https://y.example\"", archived),
        [""; 0]
    );
}

#[test]
fn a_circle_however_long_is_told_once() {
    let many = 3000;
    let sites: String = (0..many)
        .map(|i| {
            let next = (i + 1) % many;
            format!("  s{i}: {{ host: web2, recipe: proxy, to: \"c:80\", domains: [s{i}.example], redirects: {{ r{i}.example: \"https://r{next}.example\" }} }}\n")
        })
        .collect();
    let told = said(&sites);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("redirects lead in a circle: r0.example → r1.example → "));
}
