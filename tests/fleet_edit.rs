//! Random fleets and random edits: what is written is read again as it was, and an edit touches
//! nothing that it does not mean.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;
use ostler::fleet::{
    self, Account, Acme, Certificate, Domain, Edit, EditError, EngineAddress, Fleet, Health, Host,
    Https, Images, Isolate, Limits, Name, Ports, ProxyTarget, Recipe, RedirectWww, SecretSpec,
    Site, SiteState, Value,
};
use proptest::prelude::*;
use proptest::sample::select;

fn name(text: impl Into<String>) -> Name {
    text.into().parse().unwrap()
}

/// Texts with everything that YAML gives a meaning to.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 :#,{}\\[\\]&*!|>'\"%@`/=~._\\\\+-]{0,12}",
        "[0-9]{1,6}",
        "[0-9]\\.[0-9]{1,3}",
        select(vec![
            "no", "On", "null", "~", "0755", "0x1f", "1e9", "true", "- a", "a: b", " x "
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
    ]
}

fn lines() -> impl Strategy<Value = String> {
    texts().prop_map(|text| text.replace(char::is_control, ""))
}

fn env() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,6}", texts(), 0..4)
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let ini = proptest::collection::btree_map("[a-z][a-z_.]{0,8}", lines(), 0..3);
    prop_oneof![
        Just(Recipe::Static),
        (select(vec!["8.4", "8.10", "7.4.33"]), ini).prop_map(|(php, ini)| Recipe::Php {
            php: php.into(),
            ini
        }),
        (select(vec!["old", "a.b-c"]), 1..u16::MAX).prop_map(|(name, port)| Recipe::Proxy {
            to: ProxyTarget::Container {
                name: name.into(),
                port
            }
        }),
        (
            select(vec!["10.0.0.1", "fd00::1", "x.example"]),
            1..u16::MAX
        )
            .prop_map(|(host, port)| {
                Recipe::Proxy {
                    to: ProxyTarget::Http {
                        host: host.into(),
                        port,
                    },
                }
            }),
        (
            1..u16::MAX,
            any::<bool>(),
            proptest::option::of(Just("/srv/a b".to_owned()))
        )
            .prop_map(|(port, root, mount)| Recipe::Image {
                image: "a.example:5/b:c".into(),
                port,
                root,
                mount
            }),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let memory = (6u64 << 20..1 << 40).prop_map(|bytes| {
        if bytes % 3 == 0 {
            bytes
        } else {
            bytes >> 20 << 20
        }
    });
    let memory = proptest::option::of(memory.prop_map(|bytes| bytes.max(64 << 20)));
    (
        memory,
        proptest::option::of(10_000_000u64..8_000_000_000),
        proptest::option::of(10u32..4000),
    )
        .prop_map(|(memory, nano_cpus, pids)| Limits {
            memory,
            nano_cpus,
            pids,
        })
}

fn secrets() -> impl Strategy<Value = BTreeMap<String, SecretSpec>> {
    let spec = prop_oneof![
        texts().prop_map(|text| SecretSpec::File(format!("/{text}"))),
        proptest::collection::vec(texts(), 0..3).prop_map(|words| {
            let program = std::iter::once("./tell".to_owned());
            SecretSpec::Command(program.chain(words).collect())
        }),
    ];
    proptest::collection::btree_map("[A-Z_][A-Z0-9_.-]{0,6}", spec, 0..3)
}

fn site(index: usize) -> impl Strategy<Value = Site> {
    let health = (
        select(vec!["/", "/a?b=%20"]),
        1u32..3600,
        proptest::option::of(Just(vec!["php".to_owned(), "-v".to_owned()])),
    )
        .prop_map(|(path, timeout_s, command)| Health {
            path: path.into(),
            timeout_s,
            command,
        });
    let www = proptest::option::of(select(vec![RedirectWww::ToBare, RedirectWww::ToWww]));
    let state = select(vec![
        SiteState::Running,
        SiteState::Stopped,
        SiteState::Archived,
    ]);
    (
        recipe(),
        limits(),
        env(),
        secrets(),
        (
            health,
            www,
            state,
            1u32..500,
            1usize..4,
            0usize..2,
            any::<bool>(),
        ),
    )
        .prop_map(move |(recipe, limits, env, secrets, rest)| {
            let (mut health, redirect_www, state, connections, domains, redirects, account) = rest;
            let owns = !matches!(recipe, Recipe::Proxy { .. });
            if !owns {
                health.command = None;
            }
            let domain = |kind: &str, n: usize| -> Domain {
                format!("{kind}{n}.s{index}.example").parse().unwrap()
            };
            Site {
                name: name(format!("site-{index}")),
                account: Some(name(if account { "alice" } else { "no" })),
                host: name(if index.is_multiple_of(2) {
                    "web1"
                } else {
                    "web2"
                }),
                recipe,
                domains: (0..domains).map(|n| domain("d", n)).collect(),
                limits: if owns { limits } else { Limits::default() },
                connections,
                env: if owns { env } else { BTreeMap::new() },
                secrets: if owns { secrets } else { BTreeMap::new() },
                health,
                redirect_www,
                redirects: (0..redirects)
                    .map(|n| (domain("old", n), "https://new.example/x?y=%20#z".to_owned()))
                    .collect(),
                timeout_s: Site::TIMEOUT_S,
                serve_source: false,
                certificate: account.then_some(Certificate::Partial),
                https: (connections % 2 == 0).then_some(Https::Both),
                hsts: None,
                headers: (connections % 3 == 0).then(BTreeMap::new),
                state,
            }
        })
}

fn fleets() -> impl Strategy<Value = Fleet> {
    let sites = (0usize..6).prop_flat_map(|count| (0..count).map(site).collect::<Vec<_>>());
    let engine = select(vec![
        "unix:///var/run/docker.sock",
        "ssh://ops@web.example.net:22/run/d.sock",
        "ssh://web",
    ]);
    (sites, engine, 1u16..60000, any::<bool>()).prop_map(|(sites, engine, http, other)| {
        let host = |key: &str, engine: EngineAddress| Host {
            name: name(key),
            engine,
            ports: if other {
                Ports {
                    http,
                    https: http + 1,
                }
            } else {
                Ports::default()
            },
            trusted_proxies: if other {
                let networks = ["192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "::1"];
                networks.map(|network| network.parse().unwrap()).into()
            } else {
                Vec::new()
            },
            proxy_protocol: other,
            isolate: if other {
                Isolate::Strict
            } else {
                Isolate::Sites
            },
            root: if other {
                "/data/a-b_1.x".into()
            } else {
                "/srv/ostler".into()
            },
            subnet: other.then(|| "10.90.0.0/20".parse().unwrap()),
            images: if other {
                Images {
                    php: "x.example/php:{php}".into(),
                    ..Images::default()
                }
            } else {
                Images::default()
            },
        };
        let tls = EngineAddress::Tcp {
            host: "10.8.0.2".into(),
            port: 2376,
            tls: Some("~/.ostler/web2".into()),
            insecure: false,
        };
        let hosts = [host("web1", engine.parse().unwrap()), host("web2", tls)];
        let accounts = ["alice", "no"].map(|key| Account {
            name: name(key),
            email: other.then(|| "a@example.net".to_owned()),
            certificate: None,
        });
        Fleet {
            name: name("f1"),
            hosts: hosts
                .into_iter()
                .map(|h| (h.name.clone(), h))
                .collect::<IndexMap<_, _>>(),
            accounts: accounts.into_iter().map(|a| (a.name.clone(), a)).collect(),
            sites: sites.into_iter().map(|s| (s.name.clone(), s)).collect(),
            acme: other.then_some(Acme::Off),
            ..Fleet::default()
        }
    })
}

fn load(source: &str) -> Fleet {
    match fleet::load(source, Path::new("fleet.yml")) {
        Ok(loaded) => loaded.fleet,
        Err(findings) => {
            panic!(
                "{}\n{source}",
                fleet::render(&findings, source, Path::new("fleet.yml"), false)
            )
        }
    }
}

/// A file as a person would have it: comments everywhere, the manner differs from site to site.
fn dressed(fleet: &Fleet, salt: u64, crlf: bool, end: bool) -> String {
    let mut text = String::from("# the fleet # really\n");
    let mut state = salt | 1;
    let mut number = 0;
    for line in fleet::to_yaml(fleet).lines() {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let indent = line.len() - line.trim_start().len();
        let pad = " ".repeat(indent);
        match state >> 61 {
            0 => {
                number += 1;
                text.push_str(&format!("{pad}# c{number}: \"quoted\" # twice\n{line}\n"));
            }
            1 => text.push_str(&format!("\n{line}\n")),
            2 if !line.ends_with('\\') => {
                number += 1;
                text.push_str(&format!("{line}   # c{number}\n"));
            }
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text.push_str("# the end\n");
    if !end {
        text.pop();
    }
    if crlf {
        text.replace('\n', "\r\n")
    } else {
        text
    }
}

fn comments(text: &str) -> Vec<String> {
    let words = text.lines().filter_map(|line| {
        let at = line.find("# c").or_else(|| line.find("# the"))?;
        Some(line[at..].trim_end().to_owned())
    });
    words.collect()
}

fn edits() -> impl Strategy<Value = (usize, Vec<Edit>)> {
    let key = select(vec![
        "memory",
        "cpus",
        "pids",
        "php",
        "account",
        "connections",
    ]);
    (0usize..6, 0usize..12, texts(), "[A-Z]{1,3}", key).prop_map(|(at, what, text, word, key)| {
        let site = format!("site-{at}");
        let set = |key: &str, value: Value| Edit::SetSite {
            site: site.clone(),
            key: key.into(),
            value,
        };
        let edits = match what {
            0 => vec![set("memory", "96M".into())],
            1 => vec![set("connections", 7u32.into())],
            2 => vec![set(&format!("env.{word}"), text.into())],
            3 => vec![Edit::UnsetSite {
                site,
                key: key.into(),
            }],
            4 => vec![Edit::SetState {
                site,
                state: SiteState::Archived,
            }],
            5 => vec![Edit::AddDomain {
                site,
                domain: "new.example".into(),
            }],
            6 => vec![Edit::RemoveDomain {
                site: site.clone(),
                domain: format!("d1.s{at}.example"),
            }],
            7 => vec![Edit::RemoveSite { site }],
            8 => vec![set("health.path", "/ready".into())],
            9 => vec![set(
                "domains",
                vec![format!("d0.s{at}.example"), "x.example".into()].into(),
            )],
            10 => vec![Edit::UnsetSite {
                site,
                key: "env".into(),
            }],
            _ => vec![Edit::CreateSite {
                name: "brand-new".into(),
                fields: vec![
                    ("account".into(), "no".into()),
                    ("host".into(), "web1".into()),
                    ("recipe".into(), "php".into()),
                    ("domains".into(), vec!["brand-new.example"].into()),
                    ("env".into(), Value::Mapping(vec![(word, text.into())])),
                ],
            }],
        };
        (at, edits)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(fleet in fleets()) {
        let text = fleet::to_yaml(&fleet);
        let loaded = load(&text);
        prop_assert_eq!(&loaded, &fleet, "{}", text);
        prop_assert_eq!(fleet::hash(&loaded), fleet::hash(&fleet));
    }

    #[test]
    fn edits_touch_only_what_they_mean(
        fleet in fleets(),
        salt in any::<u64>(),
        crlf in any::<bool>(),
        end in any::<bool>(),
        (at, edits) in edits(),
    ) {
        let source = dressed(&fleet, salt, crlf, end);
        prop_assert_eq!(&load(&source), &fleet, "{}", source);
        let edited = match fleet::apply_edits(&source, Path::new("fleet.yml"), &edits) {
            Ok(edited) => edited,
            Err(EditError::Refused(why)) => panic!("{why}: {edits:?}\n{source}"),
            // The site or domain is not there, or the result would not load.
            Err(_) => return Ok(()),
        };
        // The model: the other sites are what they were.
        for (other, site) in &fleet.sites {
            if other.as_str() != format!("site-{at}") {
                prop_assert_eq!(&edited.fleet.sites[other], site);
            }
        }
        prop_assert_eq!(&edited.fleet.hosts, &fleet.hosts);
        prop_assert_eq!(&edited.fleet.accounts, &fleet.accounts);
        // The bytes: one stretch of lines changed, and it lies within the site's own lines.
        let old: Vec<&str> = source.split_inclusive('\n').collect();
        let new: Vec<&str> = edited.text.split_inclusive('\n').collect();
        let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
        let rest = old.len().min(new.len()) - head;
        let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
        let changed = &old[head..old.len() - tail];
        let header = format!("  site-{at}:");
        let begin = old.iter().position(|line| line.starts_with(&header));
        let creates = matches!(edits[0], Edit::CreateSite { .. });
        // (`sites: {}` is written above them when the last site goes.)
        if !changed.is_empty() && !creates && !edited.fleet.sites.is_empty() {
            let begin = begin.unwrap();
            let after = old[begin + 1..].iter().position(|line| {
                line.trim_end().len() > 2 && !line.starts_with("    ") && !line.trim_start().starts_with('#')
            });
            let end = after.map_or(old.len(), |n| begin + 1 + n);
            prop_assert!(head + 1 >= begin && old.len() - tail <= end + 1, "{}\n---\n{}", source, edited.text);
        }
        if creates {
            // Only `sites: {}`-like lines and a missing last line end may give way.
            prop_assert!(changed.len() <= 1, "{:?}", changed);
        }
        // The comments: all there and in order, save those of a removed entry.
        let removes = matches!(edits[0], Edit::RemoveSite { .. } | Edit::UnsetSite { .. })
            || matches!(edits[0], Edit::RemoveDomain { .. });
        if removes {
            let gone = comments(&changed.concat());
            let now = comments(&edited.text);
            let mut left = comments(&source);
            left.retain(|comment| !gone.contains(comment) || now.contains(comment));
            prop_assert_eq!(now, left);
        } else {
            prop_assert_eq!(comments(&edited.text), comments(&source), "{}\n---\n{}", source, edited.text);
        }
        // And twice the same is the same.
        prop_assert_eq!(fleet::hash(&load(&edited.text)), fleet::hash(&edited.fleet));
    }

    #[test]
    fn no_text_makes_it_panic(source in "[a-c:#,{}\\[\\]&*!|>'\"%\\-? \\n\\r\\t~<ü🦀\u{85}\u{2028}\u{feff}]{0,60}") {
        let path = Path::new("fleet.yml");
        if let Err(findings) = fleet::load(&source, path) {
            prop_assert!(!findings.is_empty());
            fleet::render(&findings, &source, path, true);
        }
        let edit = Edit::SetSite { site: "a".into(), key: "b".into(), value: "c".into() };
        let _ = fleet::apply_edits(&source, path, &[edit]);
    }

    #[test]
    fn no_sites_text_makes_it_panic(sites in "[a-c:#,{}\\[\\]&*|>'\" \\nü🦀\\-]{0,50}") {
        let source = format!("fleet: x\nsites:\n {sites}");
        let path = Path::new("fleet.yml");
        if let Err(findings) = fleet::load(&source, path) {
            fleet::render(&findings, &source, path, true);
        }
        for edit in [
            Edit::RemoveSite { site: "a".into() },
            Edit::SetSite { site: "a".into(), key: "b".into(), value: "c".into() },
            Edit::CreateSite { name: "z".into(), fields: vec![] },
        ] {
            let _ = fleet::apply_edits(&source, path, &[edit]);
        }
    }
}
