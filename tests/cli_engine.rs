//! Which engine the command line means, and what it says of one behind TLS: the real binary, a
//! simulated engine behind a real TLS port, a home of its own.

mod cli;
#[path = "common/tls.rs"]
mod tls;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use cli::{Ran, command, run};
use sha2::{Digest, Sha256};
use tls::{Authority, TlsEngine, Wish, config, write_folder};

struct World {
    home: tempfile::TempDir,
    engine: TlsEngine,
    authority: Authority,
}

impl World {
    /// An engine, and the files to reach it in `~/tls`; certificates that end in so many years.
    async fn new() -> World {
        let authority = Authority::new("test ca");
        let server = authority.issue(Wish::server(&["127.0.0.1"]));
        let engine = TlsEngine::up(config(&server, Some(&authority), false)).await;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("tls");
        fs::create_dir(&folder).unwrap();
        write_folder(&folder, &authority.pem, &authority.issue(Wish::client()));
        World {
            home,
            engine,
            authority,
        }
    }

    fn address(&self) -> String {
        format!("tcp://{}", self.engine.at)
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.home());
        command.args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        run(&mut self.command(arguments))
    }

    /// A Docker context, as `docker context create` writes it; with the TLS files or without.
    fn context(&self, name: &str, host: &str, skip: bool, tls: bool) {
        let digest = Sha256::digest(name.as_bytes());
        let id: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let contexts = self.home().join(".docker/contexts");
        let meta = contexts.join("meta").join(&id);
        fs::create_dir_all(&meta).unwrap();
        let text = format!(
            r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}","SkipTLSVerify":{skip}}}}}}}"#
        );
        fs::write(meta.join("meta.json"), text).unwrap();
        if tls {
            let folder = contexts.join("tls").join(&id).join("docker");
            fs::create_dir_all(&folder).unwrap();
            for file in ["ca.pem", "cert.pem", "key.pem"] {
                fs::copy(self.home().join("tls").join(file), folder.join(file)).unwrap();
            }
        }
    }

    fn fleet(&self, folder: &str, tls: &str) {
        let text = format!(
            "fleet: near\nhosts:\n  web2: {{ engine: \"{}\", tls: {tls} }}\nsites:\n  blog: {{ host: web2, recipe: static, domains: [blog.test], memory: 64M }}\n",
            self.address()
        );
        fs::create_dir_all(self.home().join(folder)).unwrap();
        fs::write(self.home().join(folder).join("fleet.yml"), text).unwrap();
    }
}

/// The line of a doctor's report about a check that holds a text.
fn line<'a>(ran: &'a Ran, check: &str, holding: &str) -> &'a str {
    let mut lines = ran.out.lines();
    let found = lines.find(|line| line.contains(&format!(" {check} ")) && line.contains(holding));
    found.unwrap_or_else(|| {
        panic!(
            "nothing about {check} with {holding:?}:\n{}\n{}",
            ran.out, ran.err
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_the_fleet_file_is_reached_with_files_beside_it() {
    let world = World::new().await;
    for tls in ["../tls", "~/tls"] {
        world.fleet("fleet", tls);
        let ran = world.run(&["--fleet", "fleet/fleet.yml", "hosts", "--json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let row = &ran.json()[0];
        assert_eq!(row["reachable"], true, "{row}");
        assert_eq!(row["server_certificate_until"], 64_060_588_800i64);
        assert_eq!(row["client_certificate_until"], 64_060_588_800i64);
    }
    let ran = world.run(&["--fleet", "fleet/fleet.yml", "hosts"]);
    assert!(ran.out.contains("CERTIFICATE"), "{}", ran.out);
    // The fleet file says it: to be told otherwise and not to heed it would be worse than an error.
    let ran = world.run(&["--fleet", "fleet/fleet.yml", "hosts", "--insecure"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("go with --host"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_what_docker_s_variables_say() {
    let world = World::new().await;
    let ran = run(world
        .command(&["init"])
        .env("DOCKER_HOST", world.address())
        .env("DOCKER_TLS_VERIFY", "1")
        .env("DOCKER_CERT_PATH", world.home().join("tls")));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("(DOCKER_HOST)"), "{}", ran.out);
    let text = fs::read_to_string(world.home().join("fleet.yml")).unwrap();
    assert!(text.contains("tls: \"~/tls\""), "{text}");
    assert_eq!(world.run(&["check"]).code, 0);
    let ran = world.run(&["hosts", "--json"]);
    assert_eq!(ran.json()[0]["reachable"], true, "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_docker_context_names_an_engine_with_its_files() {
    let world = World::new().await;
    world.context("prod", &world.address(), false, true);
    world.context("other", "ssh://ops@web9.example.net", false, false);
    let ran = world.run(&["hosts", "--host", "prod", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.json()[0]["name"], "prod");
    assert_eq!(ran.json()[0]["reachable"], true, "{}", ran.out);

    // As `docker context use prod` leaves it.
    let config = world.home().join(".docker/config.json");
    fs::write(config, r#"{"currentContext":"prod"}"#).unwrap();
    let ran = world.run(&["init"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("the Docker context prod"), "{}", ran.out);
    assert!(
        ran.out
            .contains("not written: other (ssh://ops@web9.example.net)"),
        "{}",
        ran.out
    );
    let text = fs::read_to_string(world.home().join("fleet.yml")).unwrap();
    assert!(text.contains("\n  prod:\n"), "{text}");
    assert!(text.contains("tls: \"~/.docker/contexts/tls/"), "{text}");
    let ran = world.run(&["hosts", "--json"]);
    assert_eq!(ran.json()[0]["reachable"], true, "{}", ran.out);

    let ran = world.run(&["hosts", "--host", "prd"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("did you mean prod?"), "{}", ran.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_spoken_to_is_refused_with_the_way_out() {
    let world = World::new().await;
    world.context("loose", &world.address(), true, true);
    let ran = world.run(&["hosts", "--host", "loose"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("SkipTLSVerify"), "{}", ran.err);

    let plain = |arguments: &[&str], host: &str| {
        let ran = run(world.command(arguments).env("DOCKER_HOST", host));
        assert_eq!(ran.code, 1, "{}", ran.out);
        format!("{}{}", ran.out, ran.err)
    };
    let said = plain(&["doctor"], "tcp://127.0.0.1:1");
    assert!(
        said.contains("--insecure") && said.contains("--tls FOLDER"),
        "{said}"
    );
    let said = plain(&["doctor", "--insecure"], "tcp://203.0.113.7:2375");
    assert!(
        said.contains("loopback and private addresses only"),
        "{said}"
    );
    let said = plain(&["init", "--insecure"], &world.address());
    assert!(said.contains("speaks TLS, and was asked without"), "{said}");
    assert!(!world.home().join("fleet.yml").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_looks_after_certificates_and_keys() {
    let world = World::new().await;
    let address = world.address();
    let doctor = |tls: &str| world.run(&["doctor", "--host", &address, "--tls", tls]);
    let ran = doctor("tls");
    line(&ran, "tls", "the engine's certificate is good for");
    line(&ran, "tls", "our certificate is good for");
    let unknown = line(&ran, "disk", "cannot be known");
    assert!(unknown.contains("· ?"), "{unknown}");
    line(&ran, "addresses", "cannot be known");

    let key = world.home().join("tls/key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let ran = doctor("tls");
    assert!(line(&ran, "tls", "everyone on this machine").contains("▲ warn"));

    let expired = world.authority.issue(Wish::client().years(2000, 2001));
    let folder = world.home().join("old");
    fs::create_dir(&folder).unwrap();
    write_folder(&folder, &world.authority.pem, &expired);
    let ran = doctor("old");
    assert_eq!(ran.code, 1);
    let failed = line(&ran, "engine", "our certificate");
    assert!(failed.contains("expired on 2001-01-01"), "{failed}");
    assert!(
        failed.contains("→ issue a new client certificate"),
        "{failed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_asks_the_toolbox_about_a_machine_far_away() {
    let world = World::new().await;
    world.fleet(".", "tls");
    let ran = world.run(&["doctor"]);
    line(&ran, "disk", "no toolbox of this fleet runs there");

    let ran = world.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let ran = world.run(&["doctor"]);
    line(&ran, "disk", "free below");
    line(&ran, "addresses", "no network covers a route");
    assert!(!ran.out.contains("cannot be known"), "{}", ran.out);
    let ran = world.run(&["doctor", "--read-only"]);
    line(&ran, "disk", "on-call mode runs none");
}
