//! The fleet file, from outside: valid ones load, broken ones say what is wrong.

use std::path::{Path, PathBuf};

use ostler::fleet;

fn fixtures(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/fleets")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yml"))
        .map(|path| (path.clone(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn valid_files_load_without_a_word() {
    for (path, source) in fixtures("valid") {
        match fleet::load(&source, &path) {
            Ok(loaded) => {
                let said = fleet::render(&loaded.warnings, &source, &path, false);
                assert!(loaded.warnings.is_empty(), "{said}");
            }
            Err(findings) => panic!("{}", fleet::render(&findings, &source, &path, false)),
        }
    }
}

#[test]
fn broken_files_say_what_is_wrong() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../fixtures/fleets/broken");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (path, source) in fixtures("broken") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let shown = PathBuf::from(path.file_name().unwrap());
        let findings = fleet::load(&source, &shown)
            .err()
            .unwrap_or_else(|| panic!("{name} loads"));
        let text = fleet::render(&findings, &source, &shown, false);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

#[test]
fn the_demo_fleet_loads_without_a_word() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo/fleet.yml");
    let source = std::fs::read_to_string(&path).unwrap();
    let loaded = fleet::load(&source, &path)
        .unwrap_or_else(|f| panic!("{}", fleet::render(&f, &source, &path, false)));
    assert!(
        loaded.warnings.is_empty(),
        "{}",
        fleet::render(&loaded.warnings, &source, &path, false)
    );
    let fleet = loaded.fleet;
    assert_eq!(
        (fleet.hosts.len(), fleet.accounts.len(), fleet.sites.len()),
        (3, 12, 41)
    );
    for recipe in fleet::keys::RECIPES {
        assert!(
            fleet
                .sites
                .values()
                .any(|site| site.recipe.word() == *recipe),
            "{recipe}"
        );
    }
    for state in [fleet::SiteState::Stopped, fleet::SiteState::Archived] {
        assert!(
            fleet.sites.values().any(|site| site.state == state),
            "{state:?}"
        );
    }
}

#[test]
fn defaults_are_merged() {
    let (path, source) = fixtures("valid")
        .into_iter()
        .find(|(p, _)| p.ends_with("everything.yml"))
        .unwrap();
    let fleet = fleet::load(&source, &path).unwrap().fleet;
    let plain = &fleet.sites["plain"];
    assert_eq!(
        (plain.host.as_str(), plain.recipe.word()),
        ("web1", "static")
    );
    assert_eq!(plain.limits.memory, Some(64 << 20));
    assert_eq!(plain.limits.nano_cpus, Some(500_000_000));
    assert_eq!((plain.limits.pids, plain.connections), (Some(50), 20));
    assert_eq!(
        (plain.health.path.as_str(), plain.health.timeout_s),
        ("/up", 120)
    );
    assert_eq!(plain.redirect_www, Some(fleet::RedirectWww::ToWww));
    assert_eq!(plain.env["B"], "from defaults");
    let own = &fleet.sites["own"];
    assert_eq!(own.limits, fleet::Limits::default());
    assert_eq!(
        (own.health.path.as_str(), own.health.timeout_s),
        ("/up", 30)
    );
    assert_eq!(
        (own.env["A"].as_str(), own.env["B"].as_str()),
        ("from defaults", "its own")
    );
    let domains: Vec<_> = own.domains.iter().map(|d| d.as_str()).collect();
    assert_eq!(domains, ["own.example", "xn--bcher-kva.own.example"]);
    let fleet::Recipe::Php { php, ini } = &own.recipe else {
        panic!()
    };
    assert_eq!(
        (php.as_str(), ini["expose_php"].as_str(), ini.len()),
        ("8.3", "off", 2)
    );
    let routed = &fleet.sites["routed"];
    assert!(routed.env.is_empty() && routed.limits == fleet::Limits::default());
    assert_eq!(fleet.hosts["web1"].root, "/data/ostler");
    // Written out and read again it is the same.
    let again = fleet::load(&fleet::to_yaml(&fleet), &path).unwrap().fleet;
    assert_eq!(again, fleet);
}

#[test]
fn certificates_come_from_where_it_is_said_nearest() {
    use fleet::{Acme, Certificate, Hook, Https, Notify};
    let (path, source) = fixtures("valid")
        .into_iter()
        .find(|(p, _)| p.ends_with("certificates.yml"))
        .unwrap();
    let fleet = fleet::load(&source, &path).unwrap().fleet;
    let of = |site: &str| fleet.sites[site].certificate().clone();
    let own = |name: &str| Certificate::Own {
        file: format!("certs/{name}.pem"),
        key: format!("certs/{name}.key"),
    };
    // Of the site, else of its account, else of the defaults.
    assert_eq!(of("own"), Certificate::Auto);
    assert_eq!(of("hers"), own("alice"));
    assert_eq!(of("plain"), Certificate::Partial);
    let https = ["plain", "shop", "old"].map(|site| fleet.sites[site].https());
    assert_eq!(https, [Https::Redirect, Https::Both, Https::Off]);
    let hsts = |site: &str| fleet.sites[site].hsts.map(|hsts| hsts.header());
    assert_eq!(hsts("plain").as_deref(), Some("max-age=15552000"));
    assert_eq!(
        hsts("own").as_deref(),
        Some("max-age=31536000; includeSubDomains; preload")
    );
    assert_eq!(hsts("intra").as_deref(), Some("max-age=0"));
    assert_eq!(hsts("shop"), None);
    let headers = |site: &str| {
        let all = fleet.sites[site].headers().into_iter();
        let all: Vec<String> = all
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        all
    };
    assert_eq!(
        headers("hers"),
        ["Strict-Transport-Security: max-age=15552000"]
    );
    assert_eq!(
        headers("own"),
        [
            "Referrer-Policy: strict-origin-when-cross-origin",
            "Strict-Transport-Security: max-age=31536000; includeSubDomains; preload",
            "X-Content-Type-Options: nosniff",
        ]
    );
    assert_eq!(headers("old"), ["X-Frame-Options: DENY"]);
    assert_eq!(
        headers("intra")[..2],
        [
            "Content-Security-Policy: default-src 'self'; frame-ancestors 'none'",
            "Permissions-Policy: camera=()",
        ]
    );
    let Some(Acme::On(authority)) = &fleet.acme else {
        panic!("{:?}", fleet.acme)
    };
    assert_eq!(authority.directory, "https://acme.example.net:14000/dir");
    assert_eq!(authority.port, 5002);
    assert_eq!(
        authority.resolver.unwrap().to_string(),
        "[2001:db8::53]:5353"
    );
    let servers: Vec<_> = fleet.dns.iter().map(|dns| dns.server.to_string()).collect();
    assert_eq!(
        servers,
        ["ns.example.net:5353", "[2001:db8::53]:53", "192.0.2.53:53"]
    );
    let ports = fleet.notify.iter().filter_map(|way| match way {
        Notify::Smtp(smtp) => Some(smtp.server.port),
        _ => None,
    });
    assert_eq!(ports.collect::<Vec<_>>(), [587, 2525]);
    let secret = |way: &Notify| matches!(way, Notify::Webhook(Hook::Secret(_)));
    assert!(secret(&fleet.notify[2]) && !secret(&fleet.notify[1]));
    // Written out and read again it is the same.
    let text = fleet::to_yaml(&fleet);
    let again = fleet::load(&text, &path).unwrap_or_else(|f| {
        panic!("{}{text}", fleet::render(&f, &text, &path, false));
    });
    assert_eq!(again.fleet, fleet);
    // What is said of certificates is part of what the fleet says.
    assert_ne!(
        fleet::hash(&fleet),
        fleet::hash(&fleet::Fleet {
            acme: None,
            ..fleet.clone()
        })
    );
}

#[test]
fn an_authority_is_named_by_its_word() {
    for (word, url) in [
        (
            "letsencrypt-staging",
            "https://acme-staging-v02.api.letsencrypt.org/directory",
        ),
        ("https://ca.example.net/acme", "https://ca.example.net/acme"),
    ] {
        let text = format!("fleet: x\nhosts:\nacme: {{ terms: agreed, directory: {word} }}\n");
        let fleet = fleet::load(&text, Path::new("f")).unwrap().fleet;
        let Some(fleet::Acme::On(authority)) = &fleet.acme else {
            panic!("{:?}", fleet.acme)
        };
        assert_eq!(
            (authority.directory.as_str(), authority.word()),
            (url, word)
        );
        let written = fleet::to_yaml(&fleet);
        assert!(
            written.contains(&format!("directory: {word}\n")),
            "{written}"
        );
    }
    let usual = fleet::load(
        "fleet: x\nhosts:\nacme: { terms: agreed }\n",
        Path::new("f"),
    );
    let usual = fleet::to_yaml(&usual.unwrap().fleet);
    assert_eq!(usual, "fleet: x\nacme:\n  terms: agreed\n");
    let off = fleet::load("fleet: x\nhosts:\nacme: off\n", Path::new("f")).unwrap();
    assert_eq!(off.fleet.acme, Some(fleet::Acme::Off));
    let again = fleet::to_yaml(&off.fleet);
    assert_eq!(
        fleet::load(&again, Path::new("f")).unwrap().fleet.acme,
        Some(fleet::Acme::Off)
    );
}

#[test]
fn every_manner_of_writing_can_be_edited() {
    use fleet::Edit;
    for (path, source) in fixtures("valid") {
        let before = fleet::load(&source, &path).unwrap().fleet;
        let host = before.hosts.keys().next().unwrap().to_string();
        let site = before.sites.keys().next().unwrap().to_string();
        let edits = vec![
            Edit::CreateSite {
                name: "brand-new".into(),
                fields: vec![
                    ("host".into(), host.into()),
                    ("recipe".into(), "static".into()),
                    ("domains".into(), vec!["brand-new.example"].into()),
                ],
            },
            Edit::SetSite {
                site: site.clone(),
                key: "memory".into(),
                value: "96M".into(),
            },
            Edit::SetState {
                site: site.clone(),
                state: fleet::SiteState::Stopped,
            },
            Edit::AddDomain {
                site: site.clone(),
                domain: "more.example".into(),
            },
        ];
        let edited = fleet::apply_edits(&source, &path, &edits)
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(edited.fleet.sites.len(), before.sites.len() + 1);
        let name = format!("edit-{}", path.file_stem().unwrap().to_str().unwrap());
        let shown: Vec<_> = fleet::diff(&source, &edited.text)
            .iter()
            .map(|l| l.to_string())
            .collect();
        insta::with_settings!({ snapshot_path => "../fixtures/fleets/valid", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, shown.join("\n"));
        });
        // And back again.
        let back = vec![
            Edit::RemoveSite {
                site: "brand-new".into(),
            },
            Edit::RemoveDomain {
                site,
                domain: "more.example".into(),
            },
        ];
        let back = fleet::apply_edits(&edited.text, &path, &back)
            .unwrap_or_else(|e| panic!("{}: {e}\n{}", path.display(), edited.text));
        assert_eq!(back.fleet.sites.len(), before.sites.len());
    }
}
