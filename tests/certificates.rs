//! Certificates from a real authority, served by a real router: had in the apply that creates a site,
//! renewed by `tend`, and never at a site's expense.

mod cli;
#[path = "common/pebble.rs"]
mod pebble;
#[path = "cli/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use std::fs;
use std::path::Path;
use std::process::Command;

use pebble::{Options, Pebble};
use serde_json::json;
use stage::Stage;

fn site(name: &str, more: &str) -> String {
    format!(
        "  {name}: {{ host: here, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [{name}.test, www.{name}.test], memory: 64M{more} }}\n"
    )
}

/// A fleet whose authority is a `pebble` of its own.
fn stage(
    engine: &tier::Engine,
    programs: &Path,
    sites: &str,
    options: Options<'_>,
) -> (Stage, Pebble) {
    let stage = Stage::new(engine, sites);
    let pebble = Pebble::start(
        programs,
        &Options {
            http_port: stage.port,
            ..options
        },
    );
    // By the one its address is believed, by the other what it signs.
    let roots = format!("{}{}", pebble.root, pebble.issuing_root());
    fs::write(stage.folder.path().join("ca.pem"), roots).unwrap();
    let acme = format!(
        "acme: {{ terms: agreed, contact: [ops@example.net], directory: \"{}\", ca: ca.pem, port: {}, resolver: \"{}\" }}\nhosts:\n",
        pebble.directory, stage.port, pebble.dns
    );
    stage.edit("hosts:\n", &acme);
    (stage, pebble)
}

/// What a stranger gets over https: the status, and why it failed where it did.
fn https(stage: &Stage, root: &Path, name: &str) -> (String, String) {
    let port = stage.https;
    let out = Command::new("curl")
        .args([
            "-sS",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code} %{http_version}",
        ])
        .args(["--max-time", "20", "--cacert"])
        .arg(root)
        .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
        .arg(format!("https://{name}:{port}/"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&out.stdout), text(&out.stderr))
}

/// All that is kept below a folder, as text.
fn kept(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => kept(&path, all),
            false => all.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap())),
        }
    }
}

fn leads_here(pebble: &Pebble, name: &str) {
    for host in [format!("{name}.test."), format!("www.{name}.test.")] {
        pebble.tell_dns(
            "add-a",
            &json!({ "host": host, "addresses": ["127.0.0.1"] }),
        );
    }
}

fn record(stage: &Stage, site: &str) -> serde_json::Value {
    let path = format!("{}/state/certificates/{site}.json", stage.root);
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_site_has_its_certificate_in_the_apply_that_creates_it() {
    let Some(engine) = tier::engine() else { return };
    let Some(programs) = tier::acme() else { return };
    let sites = site("shop", "");
    let (stage, pebble) = stage(&engine, &programs, &sites, Options::default());
    let plan = stage.run(&["plan"]);
    assert!(
        plan.out
            .contains("get a certificate for shop.test, www.shop.test"),
        "{}",
        plan.out
    );
    let applied = stage.done(&["apply", "--yes"]);
    assert_eq!(stage.run(&["plan"]).code, 0, "{}", applied.out);
    let root = stage.folder.path().join("root.pem");
    fs::write(&root, pebble.issuing_root()).unwrap();
    for name in ["shop.test", "www.shop.test"] {
        assert_eq!(
            https(&stage, &root, name).0,
            "200 2",
            "{:?}",
            https(&stage, &root, name)
        );
    }
    let (_, head) = stage.ask_path(&format!("shop.test:{}", stage.port), "/a?b=c");
    assert!(head.starts_with("HTTP/1.1 301"), "{head}");
    assert!(
        head.to_lowercase().contains(&format!(
            "location: https://shop.test:{}/a?b=c",
            stage.https
        )),
        "{head}"
    );
    assert_eq!(stage.done(&["tend"]).out, "Nothing is due.\n");

    // Keys are root's, and nowhere else.
    for file in ["site-shop.pem", "acme-account.json"] {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let facts = fs::metadata(format!("{}/certs/{file}", stage.root)).unwrap();
        assert_eq!(
            (facts.permissions().mode() & 0o777, facts.uid()),
            (0o600, 0),
            "{file}"
        );
    }
    let pem = fs::read_to_string(format!("{}/certs/site-shop.pem", stage.root)).unwrap();
    let key = pem.split("PRIVATE KEY-----").nth(1).unwrap();
    let key = key.lines().nth(1).unwrap();
    let mut all = format!("{}{}{}", plan.out, applied.out, applied.err);
    kept(Path::new(&stage.root).join("state").as_path(), &mut all);
    kept(Path::new(&stage.root).join("journal").as_path(), &mut all);
    kept(Path::new(&stage.root).join("router").as_path(), &mut all);
    kept(stage.folder.path(), &mut all);
    assert!(key.len() > 30 && !all.contains(key) && !all.contains("PRIVATE KEY"));

    // Another domain is another certificate; without acme what there is is served on.
    stage.edit("www.shop.test]", "www.shop.test, new.shop.test]");
    stage.done(&["apply", "--yes"]);
    assert_eq!(https(&stage, &root, "new.shop.test").0, "200 2");
    stage.edit("acme: { terms: agreed", "acme: off\nx-was: { terms: agreed");
    stage.edit("x-was:", "# was:");
    assert_eq!(stage.run(&["plan"]).code, 0);
    assert_eq!(https(&stage, &root, "new.shop.test").0, "200 2");
    // An archived site is not served any more, by neither.
    stage.edit("memory: 64M", "memory: 64M, state: archived");
    stage.done(&["apply", "--yes"]);
    assert!(record(&stage, "shop").get("served").is_none());
    assert!(https(&stage, &root, "shop.test").1.contains("certificate"));
    assert_eq!(stage.run(&["plan"]).code, 0);
}

#[test]
fn what_cannot_be_had_takes_no_site_down_and_is_told() {
    let Some(engine) = tier::engine() else { return };
    let Some(programs) = tier::acme() else { return };
    let sites = format!(
        "{}{}{}",
        site("good", ""),
        site("bad", ""),
        site("late", "")
    );
    let options = Options {
        blocked: &["bad.test"],
        ..Options::default()
    };
    let (stage, pebble) = stage(&engine, &programs, &sites, options);
    // A name without an address waits.
    pebble.tell_dns("set-default-ipv4", &json!({ "ip": "" }));
    for name in ["good", "bad"] {
        leads_here(&pebble, name);
    }
    let applied = stage.run(&["apply", "--yes"]);
    assert_eq!(applied.code, 3, "{}\n{}", applied.out, applied.err);
    for name in ["good", "bad", "late"] {
        let status = stage.ask(&format!("{name}.test")).0;
        assert!([200, 301].contains(&status), "{name}: {status}");
    }
    let root = stage.folder.path().join("root.pem");
    fs::write(&root, pebble.issuing_root()).unwrap();
    assert_eq!(https(&stage, &root, "good.test").0, "200 2");
    let bad = record(&stage, "bad");
    assert_eq!(bad["attempt"]["ended"], "failed", "{bad}");
    let words = bad["attempt"]["words"].to_string();
    assert!(words.contains("forbidden domain"), "{words}");
    let late = record(&stage, "late");
    assert_eq!(late["attempt"]["ended"], "waiting", "{late}");
    assert!(
        late["attempt"]["words"]["late.test"]
            .as_str()
            .unwrap()
            .contains("address"),
        "{late}"
    );

    // It rests; nothing else is left to do, and nothing is asked.
    let plan = stage.run(&["plan"]);
    assert_eq!(plan.code, 0, "{}", plan.out);
    assert!(plan.out.contains("its certificate waits") && plan.out.contains("could not be had"));
    let tended = stage.done(&["tend", "--json"]).json();
    assert_eq!(tended["done"], json!([]));

    // Once the name is there, the next pass gets it.
    let path = format!("{}/state/certificates/late.json", stage.root);
    let mut late = record(&stage, "late");
    late["attempt"]["not_before"] = 0.into();
    fs::write(&path, late.to_string()).unwrap();
    leads_here(&pebble, "late");
    let tended = stage.done(&["tend", "--json"]).json();
    assert_eq!(tended["done"][0]["outcome"], "done", "{tended}");
    assert_eq!(https(&stage, &root, "late.test").0, "200 2");
    assert_eq!(stage.run(&["plan"]).code, 0);
}

#[test]
fn an_authority_that_is_away_is_told_and_tried_later() {
    let Some(engine) = tier::engine() else { return };
    let Some(programs) = tier::acme() else { return };
    let (stage, pebble) = stage(&engine, &programs, &site("shop", ""), Options::default());
    drop(pebble);
    let applied = stage.run(&["apply", "--yes"]);
    assert_eq!(applied.code, 3, "{}", applied.err);
    assert_eq!(stage.ask("shop.test").0, 200);
    let attempt = record(&stage, "shop")["attempt"].clone();
    let rests = attempt["not_before"].as_i64().unwrap() - attempt["at"].as_i64().unwrap();
    assert_eq!((attempt["ended"].as_str(), rests), (Some("failed"), 300));
    assert_eq!(stage.run(&["plan"]).code, 0);
}

#[test]
fn one_of_the_operator_s_own_is_judged_then_served() {
    let Some(engine) = tier::engine() else { return };
    let own = ", certificate: { file: own.pem, key: own.key }";
    let stage = Stage::new(&engine, &site("shop", own));
    let make = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(names).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    let write = |(pem, key): &(String, String)| {
        fs::write(stage.folder.path().join("own.pem"), pem).unwrap();
        fs::write(stage.folder.path().join("own.key"), key).unwrap();
        cli::keep_to_us(stage.folder.path());
    };
    write(&make(&["shop.test"]));
    let plan = stage.run(&["plan"]);
    assert!(
        plan.out.contains("it is not for www.shop.test"),
        "{}{}",
        plan.out,
        plan.err
    );
    let first = make(&["shop.test", "www.shop.test"]);
    write(&first);
    stage.done(&["apply", "--yes"]);
    let root = stage.folder.path().join("own.pem");
    assert_eq!(https(&stage, &root, "www.shop.test").0, "200 2");
    assert_eq!(stage.run(&["plan"]).code, 0);
    let second = make(&["shop.test", "www.shop.test"]);
    write(&(second.0.clone(), first.1));
    let plan = stage.run(&["plan"]);
    assert!(
        plan.out.contains("another certificate"),
        "{}{}",
        plan.out,
        plan.err
    );
    assert!(
        https(&stage, &root, "shop.test").1.contains("certificate"),
        "the first is served"
    );
    write(&second);
    assert_eq!(stage.run(&["plan"]).code, 2);
    stage.done(&["apply", "--yes"]);
    assert_eq!(https(&stage, &root, "shop.test").0, "200 2");
}
