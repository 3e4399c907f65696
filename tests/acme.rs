//! Certificates from a real authority (pebble), by HTTP and by records in a real DNS server (bind9);
//! and an authority that behaves badly.

#[path = "acme/authority.rs"]
mod authority;
#[path = "acme/named.rs"]
mod named;
#[path = "common/pebble.rs"]
mod pebble;
#[path = "common/tier.rs"]
mod tier;
#[path = "acme/web.rs"]
mod web;

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use ostler::acme::dns::Zone;
use ostler::acme::{
    Account, Answer, Authority, Credentials, Directory, Eab, Issued, Kind, Looking, Opened,
    Outlook, Proof, Refusal, Wanted, look,
};

use authority::{directory, nobody, plain};
use named::Named;
use pebble::{Options, Pebble};
use web::Web;

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Pebble, and who answers for the names.
fn world(programs: &Path, options: &Options<'_>) -> (Pebble, Web) {
    let web = Web::start();
    let options = Options {
        http_port: web.port,
        ..options.clone()
    };
    (Pebble::start(programs, &options), web)
}

fn at(pebble: &Pebble) -> Authority {
    let mut authority = Authority::new(&pebble.directory);
    authority.root = Some(pebble.root.clone().into_bytes());
    authority
}

async fn opened(authority: &Authority, kept: Option<&Credentials>) -> Result<Opened, Refusal> {
    Directory::reach(authority).await?.open(kept).await
}

async fn account(authority: &Authority) -> Account {
    opened(authority, None).await.unwrap().account
}

async fn order(account: &Account, wanted: &[&str], proof: Proof<'_>) -> Result<Issued, Refusal> {
    replacing(account, wanted, proof, None).await
}

async fn replacing(
    account: &Account,
    wanted: &[&str],
    proof: Proof<'_>,
    replaces: Option<&str>,
) -> Result<Issued, Refusal> {
    let wanted = Wanted {
        names: &names(wanted),
        replaces,
        proof,
        deadline: Duration::from_secs(60),
        say: &|_| (),
    };
    account.obtain(&wanted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_issued_and_renewed_when_the_authority_says_so() {
    let Some(programs) = tier::acme() else { return };
    let (pebble, web) = world(&programs, &Options::default());
    let mut authority = at(&pebble);
    authority.contact = vec!["mailto:ops@fleet.example".into()];
    let first = opened(&authority, None).await.unwrap();
    let kept = first.keep.expect("a new account is to be kept");
    let said = Mutex::new(Vec::new());
    let wanted = Wanted {
        names: &names(&["shop.test", "www.shop.test"]),
        replaces: None,
        proof: Proof::Http(&web),
        deadline: Duration::from_secs(60),
        say: &|text| said.lock().unwrap().push(text.to_owned()),
    };
    let issued = first.account.obtain(&wanted).await.unwrap();
    assert_eq!(issued.facts.names, ["shop.test", "www.shop.test"]);
    assert!(issued.facts.not_after > now() + 80 * 86_400);
    assert_eq!(issued.facts.chain, 2);
    assert_eq!((web.left(), *web.counts.lock().unwrap()), (0, (1, 1)));
    let steps = [
        "ordering",
        "answering",
        "being looked at",
        "finalizing",
        "taking the answers away",
    ];
    assert_eq!(*said.lock().unwrap(), steps);

    // The same account again, from what was kept; it has new contacts then.
    let again = opened(&authority, Some(&kept)).await.unwrap();
    assert!(again.keep.is_none());
    authority.contact = vec!["mailto:others@fleet.example".into()];
    let again = opened(&authority, Some(&kept)).await.unwrap();
    let kept = again.keep.expect("new contacts are to be kept");
    let again = opened(&authority, Some(&kept)).await.unwrap();
    assert!(again.keep.is_none());

    // Nothing is due yet.
    let directory = Directory::reach(&authority).await.unwrap();
    let ari = issued.ari.clone().unwrap();
    assert_eq!(
        ostler::acme::ari(issued.chain.as_bytes()),
        Some(ari.clone())
    );
    let window = directory.renewal(&ari).await.unwrap().unwrap();
    assert!(window.start > now() && window.end < issued.facts.not_after);
    assert!(window.again > now());
    // Of one that it does not know, it says nothing.
    let unknown = directory
        .renewal("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")
        .await;
    assert_eq!(unknown, Ok(None));

    // Revoked, it is due at once; the new one says what it replaces, and so may one more.
    again.account.revoke(issued.chain.as_bytes()).await.unwrap();
    let window = directory.renewal(&ari).await.unwrap().unwrap();
    assert!(window.end <= now(), "{window:?}");
    let mut serials = vec![issued.facts.serial.clone()];
    for _ in 0..2 {
        let wanted = ["shop.test", "www.shop.test"];
        let next = replacing(&again.account, &wanted, Proof::Http(&web), Some(&ari)).await;
        serials.push(next.unwrap().facts.serial);
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 3);
    // It refused the second time, and was asked without.
    let log = pebble.log();
    assert_eq!(log.matches("is a replacement of").count(), 1, "{log}");
    assert_eq!(log.matches("POST /order-plz").count(), 4, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_orders_succeed_where_every_second_nonce_is_refused() {
    let Some(programs) = tier::acme() else { return };
    let options = Options {
        refused_nonces: 50,
        ..Options::default()
    };
    let (pebble, web) = world(&programs, &options);
    let account = account(&at(&pebble)).await;
    let sites: Vec<[String; 2]> = (0..10)
        .map(|n| [format!("site{n}.test"), format!("www.site{n}.test")])
        .collect();
    let orders = sites.iter().map(|names| {
        let names = [names[0].as_str(), names[1].as_str()];
        let (account, web) = (&account, &web);
        async move { order(account, &names, Proof::Http(web)).await }
    });
    for result in join_all(orders).await {
        result.unwrap();
    }
    assert_eq!((web.left(), *web.counts.lock().unwrap()), (0, (10, 10)));
    // Each of these is asked once for an order where none is refused.
    let log = pebble.log();
    let asked = ["/order-plz", "/finalize-order/", "/certZ/"];
    let asked = asked
        .iter()
        .map(|path| log.matches(&format!("POST {path}")).count());
    let asked: usize = asked.sum();
    assert!(asked > 33, "{asked}\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_proven_is_told_in_the_authority_s_words() {
    let Some(programs) = tier::acme() else { return };
    let options = Options {
        blocked: &["bank.test"],
        ..Options::default()
    };
    let (pebble, web) = world(&programs, &options);
    let account = account(&at(&pebble)).await;
    web.deaf_for("bad.test");
    let refusal = order(&account, &["good.test", "bad.test"], Proof::Http(&web))
        .await
        .unwrap_err();
    assert_eq!(refusal.kind, Kind::Names);
    let told: Vec<&String> = refusal.words.keys().collect();
    assert_eq!(told, ["bad.test"]);
    assert!(refusal.words["bad.test"].contains("404"), "{refusal}");
    assert_eq!((web.left(), *web.counts.lock().unwrap()), (0, (1, 1)));
    // The others go ahead without it.
    order(&account, &["good.test"], Proof::Http(&web))
        .await
        .unwrap();

    let refusal = order(
        &account,
        &["shop.bank.test", "good.test"],
        Proof::Http(&web),
    )
    .await
    .unwrap_err();
    assert_eq!(refusal.kind, Kind::Names, "{refusal}");
    assert!(refusal.to_string().contains("bank.test"), "{refusal}");

    // What cannot be put in its place is taken away all the same.
    let before = *web.counts.lock().unwrap();
    *web.broken.lock().unwrap() = Some("the router does not answer".into());
    let refusal = order(&account, &["good.test"], Proof::Http(&web))
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.to_string().as_str()),
        (Kind::Other, "the router does not answer")
    );
    assert_eq!(*web.counts.lock().unwrap(), (before.0 + 1, before.1 + 1));
    assert_eq!(web.left(), 0);

    // No order is spent on what cannot succeed.
    let orders = pebble.log().matches("POST /order-plz").count();
    let many: Vec<String> = (0..101).map(|n| format!("n{n}.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for wrong in [&["*.shop.test"][..], &[], &["a.test", "a.test"], &many] {
        let refusal = order(&account, wrong, Proof::Http(&web)).await.unwrap_err();
        assert_eq!(refusal.kind, Kind::Settings, "{refusal}");
    }
    assert_eq!(pebble.log().matches("POST /order-plz").count(), orders);
    assert!(orders > 0, "{}", pebble.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_gone_is_told_as_that() {
    let Some(programs) = tier::acme() else { return };
    let (mut pebble, web) = world(&programs, &Options::default());
    let authority = at(&pebble);
    let first = opened(&authority, None).await.unwrap();
    let kept = first.keep.unwrap();
    pebble.forget();
    let refusal = opened(&authority, Some(&kept)).await.err().unwrap();
    assert_eq!(refusal.kind, Kind::Account, "{refusal}");
    // Also when it goes while it is open.
    let refusal = order(&first.account, &["a.test"], Proof::Http(&web))
        .await
        .unwrap_err();
    assert_eq!(refusal.kind, Kind::Account, "{refusal}");
    // One of another authority, and what is none at all.
    let mut other = authority.clone();
    other.directory = other.directory.replace("127.0.0.1", "localhost");
    let refusal = opened(&other, Some(&kept)).await.err().unwrap();
    assert_eq!(refusal.kind, Kind::Account, "{refusal}");
    let broken = Credentials::from_json(b"{}".to_vec());
    let refusal = opened(&authority, Some(&broken)).await.err().unwrap();
    assert_eq!(refusal.kind, Kind::Account, "{refusal}");
    let next = opened(&authority, None).await.unwrap();
    order(&next.account, &["a.test"], Proof::Http(&web))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_bound_to_customers_where_the_authority_wants_it() {
    let Some(programs) = tier::acme() else { return };
    const KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
    const WRONG: &str = "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH";
    let options = Options {
        eab: Some(("kid-1", KEY)),
        ..Options::default()
    };
    let (pebble, web) = world(&programs, &options);
    let mut authority = at(&pebble);
    for (eab, part) in [
        (None, "acme.eab"),
        (Some(Eab::new("kid-1", WRONG).unwrap()), ""),
        (Some(Eab::new("kid-2", KEY).unwrap()), ""),
    ] {
        authority.eab = eab;
        let refusal = opened(&authority, None).await.err().unwrap();
        assert_eq!(refusal.kind, Kind::Settings, "{refusal}");
        assert!(refusal.to_string().contains(part), "{refusal}");
        assert!(!refusal.to_string().contains(KEY), "{refusal}");
    }
    authority.eab = Some(Eab::new("kid-1", KEY).unwrap());
    let opened = opened(&authority, None).await.unwrap();
    order(&opened.account, &["a.test"], Proof::Http(&web))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_are_proven_by_records_which_are_gone_afterwards() {
    let Some(programs) = tier::acme() else { return };
    let named = Named::start();
    let options = Options {
        dns: Some(named.address),
        ..Options::default()
    };
    let pebble = Pebble::start(&programs, &options);
    let account = account(&at(&pebble)).await;
    let server = named.address.to_string();
    let zone = |name: &str, key: &str, secret: &str| {
        let key = Named::key(key, secret);
        Zone::new(&server, name, key, Some(named.address)).unwrap()
    };
    let alice = zone("alice.test", "ostler", named::SECRET);
    let texts = |name: &str| texts(&named, name);

    // What a killed run left is taken out, what is somebody else's is not.
    let left = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
    named.add("_acme-challenge.alice.test", left);
    named.add("_acme-challenge.alice.test", "somebody else's");
    let issued = order(
        &account,
        &["alice.test", "*.alice.test"],
        Proof::Dns(&alice),
    )
    .await
    .unwrap();
    assert_eq!(issued.facts.names, ["*.alice.test", "alice.test"]);
    assert_eq!(texts("_acme-challenge.alice.test"), ["\"somebody else's\""]);

    // An order that nobody waits for any more leaves its record, and the next one takes it out.
    let looked_at = tokio::sync::Notify::new();
    let wanted = Wanted {
        names: &names(&["alice.test"]),
        replaces: None,
        proof: Proof::Dns(&alice),
        deadline: Duration::from_secs(60),
        say: &|text| {
            if text == "being looked at" {
                looked_at.notify_one();
            }
        },
    };
    tokio::select! {
        result = account.obtain(&wanted) => panic!("{:?}", result.map(|_| ())),
        () = looked_at.notified() => {}
    }
    assert_eq!(texts("_acme-challenge.alice.test").len(), 2);
    order(&account, &["alice.test"], Proof::Dns(&alice))
        .await
        .unwrap();
    assert_eq!(texts("_acme-challenge.alice.test"), ["\"somebody else's\""]);

    // Several orders at once in one zone do not take each other's records out.
    let orders = [
        ["alice.test", "a.alice.test"],
        ["*.alice.test", "b.alice.test"],
    ];
    let orders = orders
        .iter()
        .map(|names| order(&account, names, Proof::Dns(&alice)));
    for result in join_all(orders).await {
        result.unwrap();
    }
    assert_eq!(texts("_acme-challenge.alice.test"), ["\"somebody else's\""]);

    // Along an alias into another zone.
    let acme = zone("acme.test", "ostler", named::SECRET);
    order(&account, &["bob.test", "*.bob.test"], Proof::Dns(&acme))
        .await
        .unwrap();
    assert_eq!(texts("bob.acme.test"), [""; 0]);
    assert!(named.log().contains("bob.acme.test"), "{}", named.log());

    // A name whose record the authority does not find: its words, and the records gone.
    let refusal = order(
        &account,
        &["alice.test", "*.lost.bob.test"],
        Proof::Dns(&acme),
    )
    .await
    .unwrap_err();
    let why = "is not in the zone acme.test";
    assert!(refusal.to_string().contains(why), "{refusal}");
    assert_eq!(texts("_acme-challenge.alice.test"), ["\"somebody else's\""]);
    for (proof, names, part) in [
        (
            &acme,
            &["lost.bob.test"][..],
            "nobody.bob.test is not in the zone",
        ),
        (&acme, &["round.bob.test"], "aliases"),
        (
            &zone("alice.test", "ostler", named::OTHER),
            &["alice.test"],
            "is the secret the same?",
        ),
        (
            &zone("alice.test", "nobody", named::SECRET),
            &["alice.test"],
            "does not know the key nobody",
        ),
        (
            &zone("alice.test", "other", named::OTHER),
            &["alice.test"],
            "does it let the key other change TXT at _acme-challenge.alice.test",
        ),
        (
            &zone("example", "ostler", named::SECRET),
            &["a.example"],
            "not the server",
        ),
    ] {
        let refusal = order(&account, names, Proof::Dns(proof)).await.unwrap_err();
        assert!(refusal.to_string().contains(part), "{part}: {refusal}");
        assert!(!refusal.to_string().contains(named::SECRET), "{refusal}");
    }
    assert_eq!(texts("_acme-challenge.alice.test"), ["\"somebody else's\""]);
}

/// An authority asks any server of a zone.
#[tokio::test(flavor = "multi_thread")]
async fn the_other_servers_of_a_zone_are_waited_for() {
    let Some(programs) = tier::acme() else { return };
    let Some((first, second)) = Named::pair() else {
        println!("left out: a second DNS server on port 53 needs root");
        return;
    };
    let options = Options {
        dns: Some(second.address),
        ..Options::default()
    };
    let pebble = Pebble::start(&programs, &options);
    let account = account(&at(&pebble)).await;
    let server = first.address.to_string();
    let key = Named::key("ostler", named::SECRET);
    let zone = Zone::new(&server, "alice.test", key, Some(first.address)).unwrap();
    let began = Instant::now();
    for names in [
        ["alice.test", "*.alice.test"],
        ["alice.test", "a.alice.test"],
    ] {
        let issued = order(&account, &names, Proof::Dns(&zone)).await;
        issued.unwrap_or_else(|error| panic!("{error}\n{}\n{}", first.log(), second.log()));
    }
    // Otherwise this shows nothing.
    assert!(began.elapsed() > Duration::from_secs(2), "{}", second.log());
}

/// The texts at a name, as `dig` tells them.
fn texts(named: &Named, name: &str) -> Vec<String> {
    let mut found = named.dig(name);
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_tells_what_an_order_would_come_to() {
    let Some(programs) = tier::acme() else { return };
    let (pebble, web) = world(&programs, &Options::default());
    let elsewhere = Web::at("127.0.0.2".parse().unwrap(), web.port);
    let marker = Answer {
        token: "look-1".into(),
        body: "look-1.ours".into(),
    };
    web.give(&marker);
    let address = |host: &str, ips: &[&str]| {
        let body = serde_json::json!({ "host": host, "addresses": ips });
        pebble.tell_dns("add-a", &body);
    };
    address("both.test", &["127.0.0.1", "127.0.0.2"]);
    address("away.test", &["127.0.0.2"]);
    address("silent.test", &["127.0.0.3"]);
    address("half.test", &["127.0.0.1", "127.0.0.3"]);
    pebble.tell_dns(
        "add-aaaa",
        &serde_json::json!({ "host": "six.test", "addresses": ["::1"] }),
    );
    pebble.tell_dns(
        "set-cname",
        &serde_json::json!({ "host": "alias.test", "target": "away.test" }),
    );
    pebble.tell_dns(
        "set-servfail",
        &serde_json::json!({ "host": "servfail.test" }),
    );
    let caa = |host: &str, value: &str| {
        let policies = serde_json::json!([{ "tag": "issue", "value": value }]);
        pebble.tell_dns(
            "add-caa",
            &serde_json::json!({ "host": host, "policies": policies }),
        );
    };
    caa("owned.test", "other.example");
    caa("ours.test", "ca.example; validationmethods=http-01");
    let asked = names(&[
        "plain.test",
        "both.test",
        "away.test",
        "alias.test",
        "silent.test",
        "half.test",
        "six.test",
        "servfail.test",
        "owned.test",
        "www.owned.test",
        "*.owned.test",
        "ours.test",
        "*.plain.test",
    ]);
    let identities = ["ca.example".to_owned()];
    let looking = Looking {
        resolver: Some(pebble.dns),
        port: web.port,
        marker: Some(&marker),
        identities: &identities,
    };
    let found = look(&asked, &looking).await;
    assert_eq!(found.len(), asked.len());
    for (name, outlook, words) in [
        ("plain.test", Outlook::Good, ""),
        (
            "both.test",
            Outlook::Elsewhere,
            "A leads to 127.0.0.2, which is not this host (it answers 404)",
        ),
        (
            "away.test",
            Outlook::Elsewhere,
            "A leads to 127.0.0.2, which is not this host",
        ),
        ("alias.test", Outlook::Elsewhere, "A leads to 127.0.0.2"),
        (
            "silent.test",
            Outlook::Silent,
            "A leads to 127.0.0.3, which does not answer on port",
        ),
        (
            "half.test",
            Outlook::Good,
            "127.0.0.3, which does not answer",
        ),
        (
            "servfail.test",
            Outlook::Unclear,
            "127.0.0.1 answers SERVFAIL",
        ),
        (
            "owned.test",
            Outlook::Forbidden,
            "CAA of owned.test lets only other.example issue certificates, not ca.example",
        ),
        ("www.owned.test", Outlook::Forbidden, "CAA of owned.test"),
        ("*.owned.test", Outlook::Forbidden, "issue wildcards"),
        ("ours.test", Outlook::Good, ""),
        ("*.plain.test", Outlook::Good, ""),
    ] {
        let finding = &found[name];
        assert_eq!(finding.outlook, outlook, "{name}: {}", finding.words);
        assert!(finding.words.contains(words), "{name}: {}", finding.words);
        assert!(
            !words.is_empty() || finding.words.is_empty(),
            "{name}: {}",
            finding.words
        );
    }
    // Nobody listens there, or this machine has no IPv6: it is not ours in either case.
    let six = &found["six.test"];
    assert!(six.words.contains("AAAA leads to ::1"), "{six:?}");

    // Where names are proven by DNS, only their owners' word counts.
    let looking = Looking {
        marker: None,
        ..looking
    };
    let found = look(&names(&["away.test", "owned.test"]), &looking).await;
    assert_eq!(found["away.test"].outlook, Outlook::Good);
    assert_eq!(found["owned.test"].outlook, Outlook::Forbidden);
    drop(elsewhere);

    // A name without any address waits, and so does one that nobody made.
    let named = Named::start();
    let looking = Looking {
        resolver: Some(named.address),
        marker: Some(&marker),
        ..looking
    };
    let found = look(
        &names(&["alice.test", "acme.test", "new.alice.test"]),
        &looking,
    )
    .await;
    assert_eq!(found["alice.test"].outlook, Outlook::Good, "{found:?}");
    for (name, words) in [
        ("acme.test", "neither A nor AAAA"),
        ("new.alice.test", "no such name"),
    ] {
        assert_eq!(found[name].outlook, Outlook::NoAddress, "{found:?}");
        assert!(
            found[name].waits() && found[name].words.contains(words),
            "{found:?}"
        );
    }
}

/// An authority that is away, hangs, asks to be left alone, or is none.
#[tokio::test]
async fn an_authority_that_behaves_badly_is_told_in_time() {
    let reached = async |authority: &Authority| Directory::reach(authority).await.err().unwrap();
    let refusal = reached(&Authority::new(&format!("https://{}/dir", nobody()))).await;
    assert_eq!(refusal.kind, Kind::Away);
    assert!(refusal.to_string().contains("refused"), "{refusal}");

    let mut hangs = authority::start(|_, _, _| None).await;
    hangs.patience = Duration::from_millis(300);
    let began = Instant::now();
    let refusal = reached(&hangs).await;
    assert_eq!(refusal.kind, Kind::Away);
    assert!(
        refusal.to_string().contains("no answer within 0.3 s"),
        "{refusal}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));

    let mut stranger = authority::start(|base, _, _| plain(200, directory(base, "{}"))).await;
    Directory::reach(&stranger).await.unwrap();
    stranger.root = None;
    let refusal = reached(&stranger).await;
    assert_eq!(refusal.kind, Kind::Away);
    assert!(refusal.to_string().contains("certificate"), "{refusal}");

    for (answer, kind, part) in [
        (
            (200, "<html>Welcome!</html>".to_owned()),
            Kind::Settings,
            "no ACME directory",
        ),
        ((200, "x".repeat(2 << 20)), Kind::Away, "breaks off"),
        ((404, "not here".to_owned()), Kind::Other, "404"),
        ((302, String::new()), Kind::Other, "302"),
        ((502, "<html>\u{1b}[2J".to_owned()), Kind::Away, "502"),
    ] {
        let authority = authority::start(move |_, _, _| plain(answer.0, answer.1.clone())).await;
        let refusal = reached(&authority).await;
        assert_eq!(refusal.kind, kind, "{refusal}");
        assert!(refusal.to_string().contains(part), "{refusal}");
    }

    let meta = r#"{"profiles":{"classic":"the usual","shortlived":"six days"},"termsOfService":"https://ca.example/terms","caaIdentities":["CA.example"]}"#;
    let mut profiles = authority::start(move |base, _, _| plain(200, directory(base, meta))).await;
    let found = Directory::reach(&profiles).await.unwrap();
    assert_eq!(found.terms().as_deref(), Some("https://ca.example/terms"));
    assert_eq!(found.caa_identities(), ["ca.example"]);
    profiles.profile = Some("tlsserver".into());
    let refusal = reached(&profiles).await;
    assert_eq!(refusal.kind, Kind::Profile);
    assert!(
        refusal
            .to_string()
            .contains("it offers classic, shortlived"),
        "{refusal}"
    );
}

/// How orders are answered once there is an account.
async fn with_orders(
    says: impl Fn(&str, &str) -> Option<(u16, String, String)> + Send + Sync + 'static,
) -> Account {
    let authority = authority::start(move |base, _, path| match path {
        "/dir" => plain(200, directory(base, "{}")),
        "/nonce" => plain(200, ""),
        "/account" => Some((
            201,
            format!("Location: {base}/account/1\r\n"),
            r#"{"status":"valid"}"#.into(),
        )),
        path => says(base, path),
    });
    account(&authority.await).await
}

#[tokio::test]
async fn limits_are_told_with_how_long_they_last() {
    let web = Web::start();
    let problem = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many \u001b[2Jcertificates (5) already issued","status":429}"#;
    let date = chrono::Utc::now() + chrono::Duration::seconds(600);
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (status, header, body, kind, seconds) in [
        (
            429,
            "Retry-After: 3600\r\n".to_owned(),
            problem,
            Kind::RateLimited,
            3600..=3600,
        ),
        (
            503,
            format!("Retry-After: {date}\r\n"),
            "<html>busy",
            Kind::Away,
            500..=600,
        ),
    ] {
        let account =
            with_orders(move |_, _| Some((status, header.clone(), body.to_owned()))).await;
        let refusal = order(&account, &["a.test"], Proof::Http(&web))
            .await
            .unwrap_err();
        assert_eq!(refusal.kind, kind, "{refusal}");
        let wait = refusal.retry_after.unwrap().as_secs();
        assert!(seconds.contains(&wait), "{wait}");
        assert!(!refusal.to_string().contains('\u{1b}'), "{refusal:?}");
    }
    assert_eq!(*web.counts.lock().unwrap(), (0, 0));
}

#[tokio::test]
async fn an_order_that_does_not_end_is_given_up_and_its_answers_taken_away() {
    let web = Web::start();
    let order = |base: &str, status: &str| {
        format!(
            r#"{{"status":"{status}","authorizations":["{base}/authz/1"],"finalize":"{base}/finalize"}}"#
        )
    };
    let challenge = |base: &str, token: &str| {
        format!(
            r#"{{"type":"http-01","url":"{base}/challenge/1","token":"{token}","status":"pending"}}"#
        )
    };
    let authority = |token: &'static str| {
        with_orders(move |base, path| match path {
            "/order" => Some((
                201,
                format!("Location: {base}/order/1\r\n"),
                order(base, "pending"),
            )),
            "/order/1" => plain(200, order(base, "pending")),
            "/challenge/1" => plain(200, challenge(base, token)),
            _ => plain(
                200,
                format!(
                    r#"{{"identifier":{{"type":"dns","value":"a.test"}},"status":"pending","challenges":[{}]}}"#,
                    challenge(base, token)
                ),
            ),
        })
    };
    let account = authority("token-1").await;
    let wanted = Wanted {
        names: &names(&["a.test"]),
        replaces: None,
        proof: Proof::Http(&web),
        deadline: Duration::from_secs(2),
        say: &|_| (),
    };
    let began = Instant::now();
    let refusal = account.obtain(&wanted).await.unwrap_err();
    assert_eq!(refusal.kind, Kind::Away);
    assert!(
        refusal
            .to_string()
            .contains("within 2 s: the authority did not end looking"),
        "{refusal}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!((web.left(), *web.counts.lock().unwrap()), (0, (1, 1)));

    // A token that would be more than a line of a map to a router is given to nobody.
    let account = authority("x 1\\nset map").await;
    let refusal = account.obtain(&wanted).await.unwrap_err();
    assert!(
        refusal.to_string().contains("token that is none"),
        "{refusal}"
    );
    assert_eq!(*web.counts.lock().unwrap(), (1, 1));
}
