//! What servers show for names is asked by real handshakes, and told apart: a good certificate, one that
//! has ended, one for others, one without what is between it and its authority, one of nobody's.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ostler::engine::{Client, Gate, Reached};
use ostler::fleet::{Fleet, Host, Name};
use ostler::observe::anchors::Anchors;
use ostler::observe::asked::Road;
use ostler::observe::greet::Names;
use ostler::observe::model::ObservedHost;
use ostler::observe::served::{Issued, Shown};
use ostler::record::certificate::{Source, Stored, facts};
use ostler::record::route::{RouteEntry, RouteTarget};
use ostler::record::{CertificateRecord, HostState, RouterRecord, StateRead};
use ostler::sim::Sim;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

/// A root, and what it has issue for it.
struct Authority {
    root: String,
    between: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn params(names: &[String], common: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::new(names.to_vec()).unwrap();
    params.distinguished_name.push(DnType::CommonName, common);
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    params
}

impl Authority {
    fn new(name: &str) -> Authority {
        let authority = |name: String| {
            let mut params = params(&[], &name, (2020, 4000));
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let (root, key) = (authority(name.into()), KeyPair::generate().unwrap());
        let root_pem = root.self_signed(&key).unwrap().pem();
        let root = Issuer::new(root, key);
        let (between, key) = (authority(format!("{name} 2")), KeyPair::generate().unwrap());
        let made = between.signed_by(&key, &root).unwrap();
        Authority {
            root: root_pem,
            between: made.der().clone(),
            issuer: Issuer::new(between, key),
        }
    }

    fn issue(&self, names: &[String], years: (i32, i32), whole: bool) -> Shows {
        let key = KeyPair::generate().unwrap();
        let leaf = params(names, "site", years).signed_by(&key, &self.issuer);
        let leaf = leaf.unwrap();
        let mut chain = vec![leaf.der().clone()];
        chain.extend(whole.then(|| self.between.clone()));
        Shows {
            chain,
            key,
            pem: leaf.pem(),
        }
    }
}

/// What is shown for a name.
struct Shows {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    pem: String,
}

#[derive(Debug)]
struct Server(BTreeMap<String, Arc<CertifiedKey>>);

impl ResolvesServerCert for Server {
    fn resolve(&self, hello: ClientHello) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?;
        let wild = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let found = self.0.get(name).or_else(|| self.0.get(&wild?));
        found.cloned()
    }
}

/// A server of these names on a free port; what it hears after handshakes is counted.
async fn serve(names: &BTreeMap<String, Shows>) -> (u16, Arc<std::sync::atomic::AtomicUsize>) {
    let provider = ring::default_provider();
    let known = names.iter().map(|(name, shows)| {
        let key = PrivateKeyDer::Pkcs8(shows.key.serialize_der().into());
        let key = provider.key_provider.load_private_key(key).unwrap();
        (
            name.clone(),
            Arc::new(CertifiedKey::new(shows.chain.clone(), key)),
        )
    });
    let config = rustls::ServerConfig::builder_with_provider(provider.clone().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Server(known.collect())));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, counted) = (acceptor.clone(), counted.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut words = [0; 64];
                let read = stream.read(&mut words).await.unwrap_or(0);
                counted.fetch_add(read, std::sync::atomic::Ordering::Relaxed);
            });
        }
    });
    (port, heard)
}

/// Sites of one host, one for each domain, as if each had that certificate stored.
fn fleet(port: u16, sites: &[(String, String)]) -> (Fleet, ObservedHost) {
    let each = sites.iter().map(|(site, domain)| {
        format!("  {site}: {{ host: a, recipe: static, domains: [\"{domain}\"] }}\n")
    });
    let each: String = each.collect();
    let text = format!(
        "fleet: x\nhosts: {{ a: {{ engine: \"ssh://a\", ports: {{ http: 80, https: {port} }} }} }}\nsites:\n{each}"
    );
    let fleet = ostler::fleet::load(&text, Path::new("fleet.yml"))
        .unwrap()
        .fleet;
    let routes = fleet.sites.values().map(|site| {
        let entry = RouteEntry {
            site: site.name.clone(),
            domains: site.domains.to_vec(),
            redirects: BTreeMap::new(),
            target: RouteTarget::Stopped,
            connections: 10,
            timeout_s: 60,
            headers: Default::default(),
        };
        (site.name.clone(), entry)
    });
    let state = HostState {
        router: RouterRecord {
            routes: routes.collect(),
            ports: Some(fleet.hosts[0].ports),
            ..RouterRecord::default()
        },
        ..HostState::default()
    };
    let seen = ObservedHost {
        state: StateRead::Read(Arc::new(state)),
        ..ObservedHost::default()
    };
    (fleet, seen)
}

/// The record of a site in which this is stored.
fn store(seen: &mut ObservedHost, site: &str, pem: &str) {
    let StateRead::Read(state) = &mut seen.state else {
        panic!("no state");
    };
    let site: Name = site.parse().unwrap();
    let mut record = CertificateRecord::new(&site);
    record.stored = Some(Stored {
        facts: facts(pem.as_bytes()).unwrap(),
        from: Source::Own,
        ari: None,
        at: 0,
    });
    let certificates = &mut Arc::make_mut(state).certificates;
    certificates.insert(site, Arc::new(record));
}

fn host(fleet: &Fleet) -> &Host {
    &fleet.hosts[0]
}

/// A client whose host has its router at that port of this machine.
async fn client(port: u16) -> Client {
    let connector = Sim::new(1).connector().with_ports(move |asked| async move {
        assert_eq!(asked, port);
        let stream = TcpStream::connect(("127.0.0.1", asked)).await;
        Ok(Reached::on_host(stream.unwrap()))
    });
    Client::over(connector, "sim://a", Gate::on_call())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_told_apart() {
    let (known, unknown) = (Authority::new("Known"), Authority::new("Unknown"));
    let own = {
        let key = KeyPair::generate().unwrap();
        let made = params(&["own.localhost".into()], "own", (2020, 4000));
        let made = made.self_signed(&key).unwrap();
        let chain = vec![made.der().clone()];
        Shows {
            chain,
            key,
            pem: made.pem(),
        }
    };
    let names = |name: &str| [name.to_owned()];
    let good = |name: &str| known.issue(&names(name), (2020, 4000), true);
    let shows: BTreeMap<String, Shows> = [
        ("good.localhost", good("good.localhost")),
        ("elsewhere.localhost", good("elsewhere.localhost")),
        (
            "old.localhost",
            known.issue(&names("old.localhost"), (2020, 2021), true),
        ),
        ("other.localhost", good("somebody.localhost")),
        (
            "bare.localhost",
            known.issue(&names("bare.localhost"), (2020, 4000), false),
        ),
        ("own.localhost", own),
        (
            "strange.localhost",
            unknown.issue(&names("strange.localhost"), (2020, 4000), true),
        ),
        ("*.wild.localhost", good("*.wild.localhost")),
        ("inside.invalid", good("inside.invalid")),
    ]
    .map(|(name, shows)| (name.to_owned(), shows))
    .into();
    let (port, heard) = serve(&shows).await;
    let mut sites: Vec<(String, String)> = Vec::new();
    for name in shows.keys().map(String::as_str).chain(["none.localhost"]) {
        let site = name.trim_start_matches("*.").split('.').next().unwrap();
        // One with a wildcard is no fleet file's yet.
        let domain = name.replace("*.", "any.");
        sites.push((site.to_owned(), domain));
    }
    let (fleet, mut seen) = fleet(port, &sites);
    for (site, _) in &sites {
        let of = shows.iter().find(|(name, _)| name.contains(site.as_str()));
        let pem = match site.as_str() {
            // There it is another one that is stored.
            "elsewhere" | "none" => &shows["good.localhost"].pem,
            _ => &of.unwrap().1.pem,
        };
        store(&mut seen, site, pem);
    }
    let client = client(port).await;
    let anchors = Anchors::of([known.root.as_bytes()]);
    let asked = Names::of(&fleet, &host(&fleet).name, &seen, |_| true);
    assert_eq!(asked.len(), sites.len());
    let within = Duration::from_secs(30);
    let found = asked
        .ask(Some(&client), &anchors, &Semaphore::new(8), within)
        .await;
    let showings = |site: &str| {
        let of_site = &found[&site.parse::<Name>().unwrap()];
        of_site.values().next().unwrap().clone()
    };
    let visitors = |site: &str| match showings(site).visitors.unwrap().shown {
        Shown::Certificate {
            facts,
            issued,
            cut_off,
        } => {
            assert_eq!(cut_off, None, "{site}");
            (facts, issued)
        }
        other => panic!("{site}: {other:?}"),
    };
    for (site, issued) in [
        ("good", Issued::Known),
        ("old", Issued::Known),
        ("other", Issued::Known),
        ("bare", Issued::Incomplete),
        ("own", Issued::Itself),
        ("strange", Issued::Nobody),
        ("wild", Issued::Known),
    ] {
        let (facts, found) = visitors(site);
        assert_eq!(found, issued, "{site}");
        // What is stored is shown: the router need not be asked.
        assert_eq!(showings(site).router, None, "{site}");
        let now = chrono::Utc::now().timestamp();
        assert_eq!(facts.not_after < now, site == "old", "{site}");
        let name = &sites.iter().find(|(it, _)| it == site).unwrap().1;
        assert_eq!(facts.covers(name), site != "other", "{site}");
        assert_eq!(
            facts.chain,
            shows
                .values()
                .find(|it| {
                    ostler::record::certificate::facts(it.pem.as_bytes())
                        .unwrap()
                        .fingerprint
                        == facts.fingerprint
                })
                .unwrap()
                .chain
                .len()
        );
    }
    // Where another one than is stored is shown, the router is asked, too.
    let router = showings("elsewhere").router.unwrap();
    assert_eq!(router.road, Road::Connection);
    assert!(matches!(
        router.shown,
        Shown::Certificate {
            issued: Issued::Known,
            ..
        }
    ));
    // No name leads there: only the router can be asked.
    let inside = showings("inside");
    let nowhere = inside.visitors.unwrap().shown;
    assert!(matches!(nowhere, Shown::NotKnown(why) if why.contains("resolve")));
    assert!(matches!(
        inside.router.unwrap().shown,
        Shown::Certificate { .. }
    ));
    let none = showings("none");
    for shown in [none.visitors.unwrap().shown, none.router.unwrap().shown] {
        assert!(
            matches!(&shown, Shown::Nothing(why) if why.contains("refuses")),
            "{shown:?}"
        );
    }
    assert_eq!(heard.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!((client.gate().hellos(), client.gate().visits()), (3, 0));
    assert_eq!(client.gate().exec(), 0);
    // Without anybody who is believed, nothing is said of issuers.
    let nobody = Anchors::of([b"no certificate".as_slice()]);
    let found = Names::of(&fleet, &host(&fleet).name, &seen, |_| true)
        .ask(None, &nobody, &Semaphore::new(8), within)
        .await;
    let good = found[&"good".parse::<Name>().unwrap()]
        .values()
        .next()
        .unwrap();
    assert!(good.router.is_none());
    let Shown::Certificate { issued, .. } = &good.visitors.as_ref().unwrap().shown else {
        panic!("{good:?}");
    };
    assert_eq!(*issued, Issued::NotJudged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_or_speaks_no_tls_delays_nobody_for_long() {
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = deaf.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = deaf.accept().await {
            // The first says something else, the others nothing.
            if kept.is_empty() {
                let words = b"HTTP/1.1 400 Bad Request\r\n\r\n";
                tokio::io::AsyncWriteExt::write_all(&mut stream, words)
                    .await
                    .unwrap();
            }
            kept.push(stream);
        }
    });
    let sites: Vec<(String, String)> = (0..20)
        .map(|nr| (format!("s{nr}"), format!("s{nr}.localhost")))
        .collect();
    let (fleet, mut seen) = fleet(port, &sites);
    let authority = Authority::new("Known");
    let pem = authority
        .issue(&["s.localhost".into()], (2020, 4000), true)
        .pem;
    sites
        .iter()
        .for_each(|(site, _)| store(&mut seen, site, &pem));
    let begun = Instant::now();
    let names = Names::of(&fleet, &host(&fleet).name, &seen, |_| true);
    let within = Duration::from_secs(20);
    let found = names
        .ask(None, &Anchors::default(), &Semaphore::new(64), within)
        .await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    let all = found.values().flat_map(|it| it.values());
    let said: Vec<String> = all
        .map(|it| match &it.visitors.as_ref().unwrap().shown {
            Shown::Nothing(why) => why.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        said.iter().filter(|why| why.contains("within 4 s")).count(),
        19
    );
    assert!(
        said.iter().any(|why| why.contains("not speak TLS")),
        "{said:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_names_take_seconds() {
    let authority = Authority::new("Known");
    let shows = authority.issue(&["*.many.localhost".into()], (2020, 4000), true);
    let pem = shows.pem.clone();
    let (port, _) = serve(&[("*.many.localhost".to_owned(), shows)].into()).await;
    let sites: Vec<(String, String)> = (0..1_000)
        .map(|nr| (format!("s{nr}"), format!("s{nr}.many.localhost")))
        .collect();
    let (fleet, mut seen) = fleet(port, &sites);
    sites
        .iter()
        .for_each(|(site, _)| store(&mut seen, site, &pem));
    let anchors = Anchors::of([authority.root.as_bytes()]);
    let names = Names::of(&fleet, &host(&fleet).name, &seen, |_| true);
    let begun = Instant::now();
    let within = Duration::from_secs(60);
    let found = names.ask(None, &anchors, &Semaphore::new(64), within).await;
    println!("1,000 names in {:?}", begun.elapsed());
    let all = found.values().flat_map(|it| it.values());
    let good = all.filter(|it| {
        let shown = &it.visitors.as_ref().unwrap().shown;
        matches!(
            shown,
            Shown::Certificate {
                issued: Issued::Known,
                ..
            }
        )
    });
    assert_eq!(good.count(), 1_000);
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
