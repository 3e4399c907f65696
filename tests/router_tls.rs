//! Certificates in the real HAProxy: how they come, change and go while visitors come by https, and what
//! the start does with those that are refused.

#[path = "router/backend.rs"]
mod backend;
#[path = "common/load.rs"]
mod load;
#[path = "router/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;
#[path = "router/visitors.rs"]
mod visitors;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use backend::Backend;
use ostler::fleet::{HeaderName, Name};
use ostler::host::router::tls::{self, Certificates, LoadedCertificate};
use ostler::host::router::{self, probe, put};
use ostler::host::script::Script;
use ostler::record::certificate::{self, Served};
use stage::{KEY, Stage, site, table};
use tokio::sync::{Mutex, MutexGuard};
use visitors::{Authority, Visitors, ask, shown};

/// Tests that measure must not share two cores with others.
async fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::const_new(());
    ONE.lock().await
}

macro_rules! engine {
    () => {
        match tier::engine() {
            Some(engine) => engine,
            None => return,
        }
    };
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// As the record says what is served; the domains of these sites are led to https.
fn served(pem: &str, redirected: &[&str]) -> Served {
    Served {
        fingerprint: certificate::facts(pem.as_bytes()).unwrap().fingerprint,
        redirected: redirected.iter().map(|it| (*it).to_owned()).collect(),
    }
}

/// Stores certificates and has them served besides what was; none may be refused.
async fn serve(stage: &Stage, all: &mut Certificates, some: &[(&str, &str)]) -> Vec<Name> {
    for (site, pem) in some {
        tls::store(&stage.toolbox, &name(site), pem.as_bytes())
            .await
            .unwrap();
        all.insert(name(site), served(pem, &[]));
    }
    let changed: BTreeSet<Name> = some.iter().map(|(site, _)| name(site)).collect();
    let told = tls::serve(&stage.toolbox, all, &changed).await.unwrap();
    assert_eq!(told.refused, []);
    told.loaded
}

/// What the process has; its log where it does not tell.
async fn all_loaded(stage: &Stage) -> Vec<LoadedCertificate> {
    match tls::loaded(&stage.toolbox).await {
        Ok(loaded) => loaded,
        Err(e) => panic!("{e}\n{}", stage.log(&stage.router()).await),
    }
}

async fn run(stage: &Stage, text: &'static str, args: &[&str]) -> String {
    let script = Script {
        tag: "test-run",
        text,
        deadline: Duration::from_secs(30),
    };
    let out = stage.toolbox.run(&script, args, None).await.unwrap();
    String::from_utf8_lossy(&out).into_owned()
}

/// `curl -i` in the toolbox, for a domain at the router's port for this scheme; nothing is believed of
/// certificates.
async fn curl(stage: &Stage, url: &str, args: &[&str]) -> String {
    let ports = stage.config.ports;
    let port = match url.starts_with("https") {
        true => ports.https,
        false => ports.http,
    };
    let to = format!("::127.0.0.1:{port}");
    let mut all = vec!["--connect-to", &to, url];
    all.extend(args);
    run(stage, "exec curl -sS -i -k -g -m 10 \"$@\"", &all).await
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_renewed_under_load() {
    let engine = engine!();
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let sites: Vec<(String, String)> = (0..50)
        .map(|n| (format!("s{n}"), format!("s{n}.example")))
        .collect();
    let entries = sites
        .iter()
        .map(|(name, domain)| site(name, &[domain], a.at));
    let stage = Stage::set(&engine, &table(entries)).await;
    let https = stage.config.ports.https;
    let authority = Authority::new();
    let connector = authority.stranger();
    let mut all = Certificates::new();
    let issue = || -> Vec<(&str, String)> {
        let each = sites.iter();
        each.map(|(name, domain)| (name.as_str(), authority.issue(&[domain])))
            .collect()
    };
    let first = issue();
    let some: Vec<(&str, &str)> = first
        .iter()
        .map(|(name, pem)| (*name, pem.as_str()))
        .collect();
    assert_eq!(serve(&stage, &mut all, &some).await.len(), 50);

    let domains: Vec<String> = sites.iter().map(|(_, domain)| domain.clone()).collect();
    let resuming = authority.connector();
    let visitors = [&resuming, &connector].map(|it| Visitors::start(it, https, &domains));
    for round in 0..4 {
        let next = issue();
        let some: Vec<(&str, &str)> = next
            .iter()
            .map(|(name, pem)| (*name, pem.as_str()))
            .collect();
        match round % 2 {
            0 => assert_eq!(serve(&stage, &mut all, &some).await.len(), 50),
            _ => {
                for one in some.chunks(5) {
                    assert_eq!(serve(&stage, &mut all, one).await.len(), 5);
                }
            }
        }
        for (name, pem) in &next {
            let der = shown(&connector, https, &format!("{name}.example"))
                .await
                .unwrap();
            assert_eq!(
                der,
                certificate::chain(pem.as_bytes()).unwrap()[0],
                "{name}"
            );
        }
        // New ones come and go, too.
        let more = authority.issue(&["more.example"]);
        assert_eq!(
            serve(&stage, &mut all, &[("more", &more)]).await,
            [name("more")]
        );
        all.remove("more");
        assert_eq!(serve(&stage, &mut all, &[]).await, []);
        // Done again it changes nothing.
        let changed: BTreeSet<Name> = all.keys().cloned().collect();
        let told = tls::serve(&stage.toolbox, &all, &changed).await.unwrap();
        assert_eq!(told, tls::Told::default());
    }
    let mut count = 0;
    for some in visitors {
        count += some.stop().await;
    }
    println!("{count} handshakes with a request each");
    assert!(count > 500, "{count}");

    let loaded = all_loaded(&stage).await;
    assert_eq!(loaded.len(), 51);
    assert!(loaded.iter().all(|it| it.listed), "{loaded:#?}");
    assert_eq!(loaded[0].site, None);
    let known: Vec<&Name> = all.keys().collect();
    let disk = tls::on_disk(&stage.toolbox, &known).await.unwrap();
    for one in &loaded[1..] {
        let site = one.site.as_ref().unwrap();
        assert!(
            one.is(disk[site].as_ref().unwrap()) && one.chain == 2,
            "{one:?}"
        );
        assert_eq!(one.names, [format!("{site}.example")]);
    }
    // A restart comes to the same.
    stage
        .client
        .restart(&stage.router(), Duration::from_secs(2))
        .await
        .unwrap();
    stage.await_router().await;
    assert_eq!(all_loaded(&stage).await, loaded);
    assert_eq!(tls::left_out(&stage.toolbox).await.unwrap(), []);
    for domain in &domains {
        ask(&connector, https, domain).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_takes_nothing_else_down() {
    let engine = engine!();
    let a = Backend::start("a").await;
    let stage = Stage::set(
        &engine,
        &table([site("a", &["a.example", "b.example"], a.at)]),
    )
    .await;
    let https = stage.config.ports.https;
    let authority = Authority::new();
    let connector = authority.stranger();
    let mut all = Certificates::new();
    let old = authority.issue(&["a.example"]);
    serve(&stage, &mut all, &[("a", &old)]).await;

    // A key of another one, which only the router finds.
    let (new, other) = (
        authority.issue(&["a.example"]),
        authority.issue(&["a.example"]),
    );
    let mixed = |pem: &str, key: &str| {
        let at = |pem: &str| pem.find("-----BEGIN PRIVATE").unwrap();
        format!("{}{}", &pem[..at(pem)], &key[at(key)..])
    };
    let mixed = mixed(&new, &other);
    let fresh = authority.issue(&["b.example"]);
    for (site, pem, domains) in [
        ("a", &mixed, ["a.example"]),
        ("b", &fresh, ["b.example"]),
        ("c", &mixed, ["c.example"]),
    ] {
        tls::store(&stage.toolbox, &name(site), pem.as_bytes())
            .await
            .unwrap();
        all.insert(name(site), served(pem, &domains));
    }
    all.insert(name("d"), served(&fresh, &["d.example"]));
    let changed = ["a", "b", "c", "d"].map(name).into();
    let told = tls::serve(&stage.toolbox, &all, &changed).await.unwrap();
    assert_eq!(told.loaded, [name("b")]);
    let words: BTreeMap<&str, &str> = told
        .refused
        .iter()
        .map(|it| (it.site.as_str(), it.words.as_str()))
        .collect();
    assert_eq!(words.len(), 3, "{words:?}");
    for site in ["a", "c"] {
        assert!(
            words[site].contains("inconsistencies between private key"),
            "{words:?}"
        );
    }
    assert!(words["d"].contains("missing"), "{words:?}");
    // What was there stays; nobody is led to https for the sake of what was refused.
    let der = shown(&connector, https, "a.example").await.unwrap();
    assert_eq!(der, certificate::chain(old.as_bytes()).unwrap()[0]);
    ask(&connector, https, "b.example").await.unwrap();
    assert!(ask(&connector, https, "c.example").await.is_err());
    assert_eq!(stage.ask("a.example", "/").await.status, 200);
    assert_eq!(stage.ask("b.example", "/").await.status, 301);
    let files: Vec<String> = all_loaded(&stage)
        .await
        .into_iter()
        .map(|it| it.file)
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    // The next one is not kept from its turn, nor by what somebody else left open.
    let path = stage.toolbox.layout.certificate(&name("a"));
    let elsewhere = [format!("set ssl cert {path} <<\n{new}")];
    router::ask(&stage.toolbox, &elsewhere).await.unwrap();
    all.retain(|site, _| ["a", "b"].contains(&site.as_str()));
    let (next, more) = (
        authority.issue(&["a.example"]),
        authority.issue(&["b.example"]),
    );
    serve(&stage, &mut all, &[("b", &more), ("a", &next)]).await;
    let der = shown(&connector, https, "a.example").await.unwrap();
    assert_eq!(der, certificate::chain(next.as_bytes()).unwrap()[0]);
    // What was changed on the host by others is not taken.
    tls::store(&stage.toolbox, &name("a"), old.as_bytes())
        .await
        .unwrap();
    let told = tls::serve(&stage.toolbox, &all, &[name("a")].into())
        .await
        .unwrap();
    assert!(
        told.refused[0].words.contains("another certificate"),
        "{told:?}"
    );
    let bad = tls::store(&stage.toolbox, &name("a"), b"show info\n").await;
    assert!(bad.is_err());
    let mode = run(&stage, "stat -c %a:%u \"$@\"", &[&path]).await;
    assert_eq!(mode, "600:0\n");
}

/// Files in six bad ways, and a list with an option that there is not; gives what they are called.
fn spoil(stage: &Stage, authority: &Authority) -> Vec<&'static str> {
    let layout = &stage.toolbox.layout;
    let pem = authority.issue(&["bad.example"]);
    let other = authority.issue(&["bad.example"]);
    let key = |pem: &str| pem.find("-----BEGIN PRIVATE").unwrap();
    let bad = [
        ("bad-garbage", "garbage\n".to_owned()),
        ("bad-empty", String::new()),
        ("bad-truncated", pem[..300].to_owned()),
        (
            "bad-mismatch",
            format!("{}{}", &pem[..key(&pem)], &other[key(&other)..]),
        ),
        ("bad-keyless", pem[..key(&pem)].to_owned()),
    ];
    for (site, content) in &bad {
        std::fs::write(layout.certificate(&name(site)), content).unwrap();
    }
    let mut sites: Vec<&str> = bad.iter().map(|(site, _)| *site).collect();
    sites.push("bad-missing");
    sites
}

fn write_list(stage: &Stage, sites: &[String], more: &str) {
    let layout = &stage.toolbox.layout;
    let mut list = format!("{}/default.pem\n", layout.certs());
    for site in sites {
        list.push_str(&layout.certificate(&name(site)));
        list.push('\n');
    }
    list.push_str(more);
    std::fs::write(format!("{}/certs.list", layout.router()), list).unwrap();
}

async fn restart(stage: &Stage) -> Duration {
    stage
        .client
        .stop(&stage.router(), Duration::from_secs(1))
        .await
        .unwrap();
    let begun = Instant::now();
    stage.client.start(&stage.router()).await.unwrap();
    stage.await_router().await;
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_files_among_a_thousand_are_left_out_at_the_start() {
    let engine = engine!();
    let _alone = alone().await;
    let a = Backend::start("a").await;
    let domains: Vec<String> = (0..994).map(|n| format!("s{n}.example")).collect();
    let refs: Vec<&str> = domains.iter().map(String::as_str).collect();
    let stage = Stage::set(&engine, &table([site("all", &refs, a.at)])).await;
    let https = stage.config.ports.https;
    let authority = Authority::new();
    let connector = authority.stranger();
    let layout = &stage.toolbox.layout;
    let mut all = Certificates::new();
    for n in 0..994 {
        let (site, pem) = (
            format!("s{n}"),
            authority.issue(&[&format!("s{n}.example")]),
        );
        std::fs::write(layout.certificate(&name(&site)), &pem).unwrap();
        all.insert(name(&site), served(&pem, &[]));
    }
    let mut sites: Vec<String> = all.keys().map(Name::to_string).collect();
    write_list(&stage, &sites, "");
    let good = restart(&stage).await;
    let bad = spoil(&stage, &authority);
    for (at, site) in bad.iter().enumerate() {
        sites.insert(at * 150, (*site).to_owned());
    }
    let odd = layout.certificate(&name("s5"));
    write_list(&stage, &sites, &format!("{odd} [frob on]\n"));
    let took = restart(&stage).await;
    println!("start with 994 good ones {good:?}, with six bad ones among them {took:?}");

    let left_out = tls::left_out(&stage.toolbox).await.unwrap();
    let named: BTreeSet<String> = left_out
        .iter()
        .filter_map(|it| it.site.as_ref())
        .map(Name::to_string)
        .collect();
    let mut wanted: BTreeSet<String> = bad.iter().map(|site| (*site).to_owned()).collect();
    wanted.insert("s5".to_owned());
    assert_eq!(named, wanted, "{left_out:#?}");
    assert_eq!(left_out.len(), 7, "{left_out:#?}");
    assert!(
        left_out
            .iter()
            .all(|it| !it.why.is_empty() && it.why.len() < 200)
    );
    // That one was listed twice, once in a way that means something.
    let mut wrong = Vec::new();
    for domain in &domains {
        if let Err(why) = ask(&connector, https, domain).await {
            wrong.push(why);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} do not answer: {:?}",
        wrong.len(),
        wrong.first()
    );

    // One more takes one load, and what is bad still keeps nobody.
    let pem = authority.issue(&["one-more.example"]);
    let begun = Instant::now();
    let loaded = serve(&stage, &mut all, &[("one-more", &pem)]).await;
    println!("one more at 994: {:?}", begun.elapsed());
    assert_eq!(loaded, [name("one-more")]);
    shown(&connector, https, "one-more.example").await.unwrap();
    let begun = Instant::now();
    for _ in 0..30 {
        assert_eq!(all_loaded(&stage).await.len(), 996);
    }
    println!("what it has of 996, 30 times: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_router_starts_whatever_its_own_certificate_is() {
    let engine = engine!();
    let a = Backend::start("a").await;
    let stage = Stage::set(&engine, &table([site("a", &["a.example"], a.at)])).await;
    let https = stage.config.ports.https;
    let authority = Authority::new();
    let connector = authority.stranger();
    let default = format!("{}/default.pem", stage.toolbox.layout.certs());
    let bad = spoil(&stage, &authority);
    let bad: Vec<String> = bad.iter().map(|site| (*site).to_owned()).collect();
    // None but its own, of the files that it is told.
    write_list(&stage, &bad, "");
    restart(&stage).await;
    assert_eq!(stage.ask("a.example", "/").await.status, 200);
    let seen = curl(&stage, "https://a.example/", &[]).await;
    assert!(seen.starts_with("HTTP/2 200"), "{seen}");
    assert_eq!(tls::left_out(&stage.toolbox).await.unwrap().len(), 6);

    // A site's, and not its own: other names are not shown a customer's.
    let mut all = Certificates::new();
    let pem = authority.issue(&["a.example"]);
    serve(&stage, &mut all, &[("a", &pem)]).await;
    std::fs::write(&default, "garbage").unwrap();
    restart(&stage).await;
    ask(&connector, https, "a.example").await.unwrap();
    let other = shown(&connector, https, "b.example").await.unwrap_err();
    assert!(
        other.contains("UnrecognisedName") || other.contains("alert"),
        "{other}"
    );
    let left_out = tls::left_out(&stage.toolbox).await.unwrap();
    assert_eq!(
        (left_out.len(), left_out[0].file.as_str()),
        (1, default.as_str())
    );

    // None at all, not even a list.
    std::fs::remove_file(format!("{}/certs.list", stage.toolbox.layout.router())).unwrap();
    restart(&stage).await;
    assert_eq!(stage.ask("a.example", "/").await.status, 200);
    assert!(ask(&connector, https, "a.example").await.is_err());
    // What runs can be given them again.
    serve(&stage, &mut all, &[]).await;
    ask(&connector, https, "a.example").await.unwrap();
    // And the next time its files are written it has one of its own.
    let routes = table([site("a", &["a.example"], a.at)]);
    std::fs::write(&default, "").unwrap();
    restart(&stage).await;
    router::write(&stage.toolbox, &stage.config, KEY, &routes, &all)
        .await
        .unwrap();
    restart(&stage).await;
    assert_eq!(tls::left_out(&stage.toolbox).await.unwrap(), []);
    let seen = curl(&stage, "https://b.example/", &[]).await;
    assert!(seen.starts_with("HTTP/2 404"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_led_to_a_certificate_that_the_start_left_out() {
    let engine = engine!();
    let a = Backend::start("a").await;
    let routes = table([
        site("a", &["a.example"], a.at),
        site("b", &["b.example"], a.at),
    ]);
    let stage = Stage::set(&engine, &routes).await;
    let https = stage.config.ports.https;
    let authority = Authority::new();
    let connector = authority.stranger();
    let mut all = Certificates::new();
    let told = async |all: &Certificates| {
        let changed = all.keys().cloned().collect();
        let told = tls::serve(&stage.toolbox, all, &changed).await.unwrap();
        assert_eq!(told.refused, []);
    };
    for (site, domain) in [("a", "a.example"), ("b", "b.example")] {
        let pem = authority.issue(&[domain]);
        tls::store(&stage.toolbox, &name(site), pem.as_bytes())
            .await
            .unwrap();
        all.insert(name(site), served(&pem, &[domain]));
    }
    told(&all).await;
    let status = async || {
        let a = stage.ask("a.example", "/").await.status;
        (a, stage.ask("b.example", "/").await.status)
    };
    assert_eq!(status().await, (301, 301));
    restart(&stage).await;
    assert_eq!(status().await, (301, 301));
    let path = stage.toolbox.layout.certificate(&name("a"));
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, "garbage").unwrap();
    restart(&stage).await;
    // By http there is an answer; by https only the router's own certificate waits.
    assert_eq!(status().await, (200, 301));
    ask(&connector, https, "b.example").await.unwrap();
    // Mended while it runs, and for the next start.
    std::fs::write(&path, good).unwrap();
    told(&all).await;
    assert_eq!(status().await, (301, 301));
    ask(&connector, https, "a.example").await.unwrap();
    all.remove("a");
    told(&all).await;
    assert_eq!(status().await, (200, 301));
    restart(&stage).await;
    assert_eq!(status().await, (200, 301));
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_are_led_to_https_and_told_what_a_page_may_do() {
    let engine = engine!();
    let a = Backend::start("a").await;
    let b = Backend::start("b").await;
    let mut shop = site("shop", &["shop.example", "*.shop.example"], a.at);
    let policy = r#"default-src 'self'; img-src "x\y", <<a b"#;
    shop.headers = [
        (HeaderName::FrameOptions, "SAMEORIGIN"),
        (HeaderName::ContentSecurityPolicy, policy),
        (
            HeaderName::StrictTransportSecurity,
            "max-age=31536000; includeSubDomains",
        ),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    let routes = table([shop.clone(), site("blog", &["blog.shop.example"], b.at)]);
    let stage = Stage::set(&engine, &routes).await;
    let authority = Authority::new();
    let pem = authority.issue(&["shop.example", "*.shop.example"]);
    let mut all = Certificates::new();
    // By its suffix, where nobody has the name itself; one label, and no more.
    for (domain, body) in [
        ("shop.example", "a"),
        ("x.shop.example", "a"),
        ("X.Shop.Example:80", "a"),
        ("blog.shop.example", "b"),
    ] {
        assert_eq!(stage.ask(domain, "/").await.text(), body, "{domain}");
    }
    for domain in [
        "x.y.shop.example",
        "xshop.example",
        ".shop.example",
        "example",
    ] {
        assert_ne!(stage.ask(domain, "/").await.status, 200, "{domain}");
    }
    let ours = probe::mark(KEY);
    tls::store(&stage.toolbox, &name("shop"), pem.as_bytes())
        .await
        .unwrap();
    all.insert(
        name("shop"),
        served(&pem, &["shop.example", "*.shop.example"]),
    );
    let told = tls::serve(&stage.toolbox, &all, &[name("shop")].into())
        .await
        .unwrap();
    assert_eq!(told.loaded, [name("shop")]);

    let (http, https) = (stage.config.ports.http, stage.config.ports.https);
    let direct = format!("x.shop.example:{http}");
    for (domain, to) in [
        ("shop.example", "https://shop.example/p?q=1".to_owned()),
        ("x.shop.example", "https://x.shop.example/p?q=1".to_owned()),
        (
            direct.as_str(),
            format!("https://x.shop.example:{https}/p?q=1"),
        ),
    ] {
        let led = stage.ask(domain, "/p?q=1").await;
        assert_eq!(
            (led.status, led.header("location")),
            (301, to.as_str()),
            "{domain}"
        );
        assert_eq!(led.header("strict-transport-security"), "", "not by http");
    }
    let posted = curl(&stage, "http://shop.example/p", &["-d", "x=1"]).await;
    assert!(posted.starts_with("HTTP/1.1 308"), "{posted}");
    // Nobody else's domain; not an authority; not ostler.
    assert_eq!(stage.ask("blog.shop.example", "/").await.text(), "b");
    let acme = "/.well-known/acme-challenge/";
    let own = format!("{acme}of-the-site");
    assert_eq!(stage.ask("shop.example", &own).await.status, 200);
    let answers = BTreeMap::from([("tok_en-1".to_owned(), "tok_en-1.digest".to_owned())]);
    for _ in 0..2 {
        tls::challenge(&stage.toolbox, &answers).await.unwrap();
    }
    assert_eq!(tls::challenges(&stage.toolbox).await.unwrap(), ["tok_en-1"]);
    let answer = stage.ask("shop.example", &format!("{acme}tok_en-1")).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "tok_en-1.digest")
    );
    for _ in 0..2 {
        tls::no_challenge(&stage.toolbox, ["tok_en-1"])
            .await
            .unwrap();
    }
    assert_eq!(tls::challenges(&stage.toolbox).await.unwrap(), [""; 0]);
    let forged = BTreeMap::from([("a".to_owned(), "a.b\nshow info".to_owned())]);
    assert!(tls::challenge(&stage.toolbox, &forged).await.is_err());
    assert_eq!(stage.ask("shop.example", probe::HERE).await.status, 204);
    let header = format!("X-Ostler-Probe: {ours}");
    let probed = curl(&stage, "http://shop.example/", &["-H", &header]).await;
    assert!(
        probed.starts_with("HTTP/1.1 200") && probed.ends_with('a'),
        "{probed}"
    );
    // A change of its routes is verified as before.
    stage.route(&routes).await;

    let line = |answer: &str, name: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let seen = curl(&stage, "https://x.shop.example/", &[]).await;
    assert!(seen.starts_with("HTTP/2 200"), "{seen}");
    for (name, value) in &shop.headers {
        assert_eq!(line(&seen, name.word()), *value, "{seen}");
    }
    let framed = curl(&stage, "https://shop.example/framed", &[]).await;
    assert_eq!(line(&framed, "x-frame-options"), "DENY");
    assert_eq!(
        framed.to_lowercase().matches("x-frame-options").count(),
        1,
        "{framed}"
    );
    let seen = curl(&stage, "https://blog.shop.example/", &[]).await;
    assert_eq!(line(&seen, "x-frame-options"), "");
    // Changed while it runs.
    let mut other = routes.clone();
    shop.headers.remove(&HeaderName::ContentSecurityPolicy);
    shop.headers.insert(HeaderName::FrameOptions, "DENY".into());
    put(&mut other, shop);
    stage.route(&other).await;
    let seen = curl(&stage, "https://shop.example/", &[]).await;
    assert_eq!(line(&seen, "x-frame-options"), "DENY");
    assert_eq!(line(&seen, "content-security-policy"), "");
    // No longer served: nobody is led there, and it is gone.
    all.clear();
    tls::serve(&stage.toolbox, &all, &BTreeSet::new())
        .await
        .unwrap();
    assert_eq!(stage.ask("shop.example", "/").await.status, 200);
    assert_eq!(all_loaded(&stage).await.len(), 1);
}

/// What strangers see of it: `openssl`, which the router's image has.
#[tokio::test(flavor = "multi_thread")]
async fn handshakes_are_of_today() {
    let engine = engine!();
    let a = Backend::start("a").await;
    let stage = Stage::set(&engine, &table([site("a", &["a.example"], a.at)])).await;
    let authority = Authority::new();
    let pem = authority.issue(&["a.example"]);
    let mut all = Certificates::new();
    serve(&stage, &mut all, &[("a", &pem)]).await;
    let at = format!("127.0.0.1:{}", stage.config.ports.https);
    let router = stage.router();
    let openssl = async |args: &[&str]| {
        const TEXT: &str = "exec openssl s_client -connect \"$@\" -servername a.example </dev/null";
        let mut argv = vec!["sh", "-c", TEXT, "test", at.as_str()];
        argv.extend(args);
        let ran = stage
            .client
            .exec(&router, &argv, None, Duration::from_secs(20));
        let ran = ran.await.unwrap();
        let (out, err) = (ran.stdout, ran.stderr);
        format!(
            "{}{}",
            String::from_utf8_lossy(&out),
            String::from_utf8_lossy(&err)
        )
    };
    let seen = openssl(&["-alpn", "h2,http/1.1"]).await;
    for part in [
        "CN=Intermediate",
        "Verification error",
        "TLSv1.3",
        "ALPN protocol: h2",
        "X25519MLKEM768",
    ] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    // One of the older kind.
    const RSA: &str = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=rsa -addext \
        subjectAltName=DNS:a.example -keyout /tmp/key.pem 2>/dev/null; cat /tmp/key.pem";
    let argv = ["sh", "-c", RSA, "test"];
    let made = stage
        .client
        .exec(&router, &argv, None, Duration::from_secs(20));
    let made = String::from_utf8(made.await.unwrap().stdout).unwrap();
    serve(&stage, &mut all, &[("a", &made)]).await;
    let seen = openssl(&["-tls1_2", "-cipher", "aRSA"]).await;
    assert!(seen.contains("ECDHE-RSA-AES"), "{seen}");
    serve(&stage, &mut all, &[("a", &pem)]).await;
    let seen = openssl(&["-tls1_2", "-groups", "P-256", "-alpn", "http/1.1"]).await;
    assert!(
        seen.contains("TLSv1.2") && seen.contains("prime256v1"),
        "{seen}"
    );
    assert!(seen.contains("ALPN protocol: http/1.1"), "{seen}");
    for refused in [
        ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        ["-tls1_2", "-cipher", "AES128-SHA"],
        ["-tls1_3", "-groups", "P-521"],
    ] {
        let seen = openssl(&refused).await;
        assert!(seen.contains("no peer certificate available"), "{seen}");
    }
}
