//! `ostler certs` against a real router: what is stored, loaded and served, and each way in which these do
//! not go together, named as what it is.

mod cli;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ostler::engine::{Client, Gate};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use stage::Stage;

/// A root, and what stands between it and the certificates it has issued.
struct Authority {
    root: String,
    between: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A leaf, the certificate above it, and the leaf's key.
struct Made {
    leaf: String,
    between: String,
    key: String,
}

impl Made {
    fn chain(&self) -> String {
        format!("{}{}", self.leaf, self.between)
    }
    fn file(&self) -> String {
        format!("{}{}", self.chain(), self.key)
    }
}

impl Authority {
    fn new() -> Authority {
        let authority = |name: &str| {
            let mut params = CertificateParams::default();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params, KeyPair::generate().unwrap())
        };
        let (params, key) = authority("Test Root");
        let root = params.self_signed(&key).unwrap().pem();
        let top = Issuer::new(params, key);
        let (params, key) = authority("Test Intermediate");
        let between = params.signed_by(&key, &top).unwrap().pem();
        Authority {
            root,
            between,
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, name: &str, years: (i32, i32)) -> Made {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        Made {
            leaf: params.signed_by(&key, &self.issuer).unwrap().pem(),
            between: self.between.clone(),
            key: key.serialize_pem(),
        }
    }
}

const SITES: [&str; 7] = ["bare", "gone", "good", "old", "strange", "untold", "wrong"];
const GOOD: (i32, i32) = (2026, 2090);

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

#[test]
fn each_mismatch_is_shown_as_what_it_is() {
    let Some(engine) = tier::engine() else { return };
    let authority = Authority::new();
    let sites: String = SITES
        .iter()
        .map(|name| {
            format!(
                "  {name}: {{ host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [{name}.localhost], memory: 64M, certificate: {{ file: {name}.pem, key: {name}.key }} }}\n"
            )
        })
        .collect();
    let stage = Stage::new(&engine, &sites);
    let folder = stage.folder.path();
    write(folder, "ca.pem", &authority.root);
    stage.edit(
        "hosts:\n",
        "acme: { terms: agreed, directory: \"https://ca.invalid/directory\", ca: ca.pem }\nhosts:\n",
    );
    let mut made = BTreeMap::new();
    for name in SITES {
        let one = authority.issue(&format!("{name}.localhost"), GOOD);
        write(folder, &format!("{name}.pem"), &one.chain());
        write(folder, &format!("{name}.key"), &one.key);
        made.insert(name, one);
    }
    cli::keep_to_us(folder);
    stage.done(&["apply", "--yes"]);

    // All is well: stored, loaded and served are the same.
    let begun = Instant::now();
    let all = stage.done(&["certs", "--json"]).json();
    assert!(begun.elapsed() < Duration::from_secs(20));
    let rows = all.as_array().unwrap();
    let row = |all: &serde_json::Value, name: &str| {
        let mut rows = all.as_array().unwrap().iter();
        rows.find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(rows.len(), SITES.len() + 1, "the account is one of them");
    let good = row(&all, "good");
    assert_eq!(
        (&good["state"], &good["ok"]),
        (&"ok".into(), &true.into()),
        "{good}"
    );
    assert_eq!(good["stored"]["issuer"], "Test Intermediate");
    assert_eq!(good["loaded"]["known"], true);
    assert_eq!(good["loaded"]["certificate"]["listed"], true);
    let served = &good["names"][0];
    assert_eq!(served["name"], "good.localhost");
    assert_eq!(served["visitors"]["issued"], "known", "{served}");
    assert_eq!(
        served["visitors"]["certificate"]["fingerprint"],
        good["stored"]["fingerprint"]
    );
    assert_eq!(stage.run(&["certs", "--expiring", "14d"]).code, 0);
    let called = stage.run(&["--read-only", "certs", "--json"]);
    assert_eq!(called.code, 0, "{}{}", called.out, called.err);
    let called = called.json();
    assert_eq!(row(&called, "good")["loaded"]["known"], false);
    assert_eq!(row(&called, "good")["state"], "ok");

    // Other files take their places, and the router starts anew with them.
    let certs = Path::new(&stage.root).join("certs");
    let put = |name: &str, text: &str| {
        fs::write(certs.join(format!("site-{name}.pem")), text).unwrap();
    };
    put(
        "old",
        &authority.issue("old.localhost", (2020, 2021)).file(),
    );
    put("wrong", &authority.issue("other.example", GOOD).file());
    let bare = &made["bare"];
    put("bare", &format!("{}{}", bare.leaf, bare.key));
    put(
        "strange",
        &Authority::new().issue("strange.localhost", GOOD).file(),
    );
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let address = engine.address.parse().unwrap();
        let client = Client::connect(&address, Gate::full()).await.unwrap();
        let router = format!("ostler-{}-router", stage.fleet);
        client
            .restart(&router, Duration::from_secs(10))
            .await
            .unwrap();
    });
    let answers = || stage.ask("good.localhost").0 != 0;
    let end = Instant::now() + Duration::from_secs(30);
    while !answers() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
    }
    // These are changed after it.
    put("untold", &authority.issue("untold.localhost", GOOD).file());
    fs::remove_file(certs.join("site-gone.pem")).unwrap();

    let ran = stage.run(&["certs", "--json"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let all = ran.json();
    for (name, mismatch, verdict) in [
        ("old", "expired", "failing"),
        // HAProxy shows it to nobody: no visitor asks for its names here.
        ("wrong", "not_shown", "failing"),
        ("bare", "intermediate_missing", "failing"),
        ("strange", "untrusted", "warning"),
        ("untold", "not_loaded", "warning"),
        ("gone", "not_on_disk", "warning"),
    ] {
        let row = row(&all, name);
        assert_eq!(row["mismatch"], mismatch, "{name}: {row:#}");
        assert_eq!(row["verdict"], verdict, "{name}: {row:#}");
        assert!(!row["why"].as_str().unwrap().is_empty() && !row["next"].is_null());
    }
    assert_eq!(row(&all, "good")["state"], "ok");
    let shown = stage.run(&["certs"]);
    for words in [
        "intermediate missing: the certificate of Test Intermediate is not shown with it",
        "on disk, not loaded: the router has another one",
        "loaded, not on disk: its file: its file is missing",
    ] {
        assert!(shown.out.contains(words), "{words}:\n{}", shown.out);
    }
    let first = shown.out.lines().nth(1).unwrap();
    assert!(
        first.starts_with("old ") && first.contains("expired"),
        "{first}"
    );

    // On call no command runs in the toolbox, and handshakes tell as much.
    let ran = stage.run(&["--read-only", "certs", "--json"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let called = ran.json();
    for (name, mismatch) in [
        ("old", "expired"),
        ("wrong", "not_shown"),
        ("bare", "intermediate_missing"),
        ("strange", "untrusted"),
    ] {
        assert_eq!(
            row(&called, name)["mismatch"],
            mismatch,
            "{}",
            row(&called, name)
        );
    }
    let ending = stage.run(&["certs", "--expiring", "14d"]);
    assert_eq!(ending.code, 2);
    let lines: Vec<&str> = ending.out.lines().collect();
    assert!(
        lines.len() == 2 && lines[1].starts_with("old "),
        "{}",
        ending.out
    );

    // Without its host nothing of it is known.
    let only = stage.run(&["certs", "--only", "site=good", "--json"]);
    assert_eq!((only.code, only.json().as_array().unwrap().len()), (0, 1));
    let text = stage
        .text()
        .replace(&engine.address, "unix:///nowhere/docker.sock");
    fs::write(stage.file(), text).unwrap();
    cli::keep_to_us(folder);
    let away = stage.run(&["certs", "--json"]);
    assert_eq!(away.code, 3, "{}", away.out);
    assert_eq!(row(&away.json(), "good")["reachable"], false);
}
