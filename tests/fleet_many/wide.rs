//! A fleet file over all the hosts of `tests/fleet/up`, under names and folders of its own.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cli::{self, Ran};
use crate::running::Runs;
use crate::testhost::TestFleet;

/// Hosts with an engine.
pub const HOSTS: [&str; 5] = ["lab", "web1", "web2", "web3", "web4"];

/// Removes what it made from the hosts when it goes out of scope.
pub struct Wide {
    pub fleet: &'static TestFleet,
    folder: tempfile::TempDir,
    name: String,
    port: u16,
}

impl Runs for Wide {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = cli::command(self.folder.path());
        command.env("OSTLER_SSH_CONFIG", self.fleet.ssh_config());
        command.args(arguments);
        command
    }
}

impl Wide {
    /// A site on each host; nothing is applied yet.
    pub fn new(fleet: &'static TestFleet) -> Wide {
        let random = getrandom::u32().unwrap();
        let wide = Wide {
            fleet,
            folder: tempfile::tempdir().unwrap(),
            name: format!("f{:x}", random >> 8),
            // The hosts' ports are theirs alone, but for other tests on them.
            port: 20_000 + (random % 20_000) as u16,
        };
        wide.write("b0");
        wide
    }

    fn write(&self, body: &str) {
        let (name, port) = (&self.name, self.port);
        let (mut hosts, mut sites) = (String::new(), String::new());
        for host in HOSTS {
            let engine = match host {
                "lab" => format!("\"{}\"", self.fleet.socket("lab")),
                "web3" => format!(
                    "\"tcp://{}:2376\", tls: \"{}/web3/tls/operator\"",
                    self.fleet.address("web3"),
                    self.fleet.folder.display()
                ),
                _ => format!("\"ssh://ops@{host}\""),
            };
            hosts.push_str(&format!(
                "  {host}: {{ engine: {engine}, root: /srv/{name}, ports: {{ http: {port}, https: {} }} }}\n",
                port + 1
            ));
            sites.push_str(&format!(
                "  on-{host}: {{ host: {host}, recipe: image, image: \"ostler-test/web:1\", port: 8080, domains: [on-{host}.test], memory: 64M, env: {{ BODY: {body}, GRACE: \"1\" }} }}\n"
            ));
        }
        let text = format!("fleet: {name}\nhosts:\n{hosts}sites:\n{sites}");
        fs::write(self.folder.path().join("fleet.yml"), text).unwrap();
    }

    /// Every site is to answer with something else: a new container for each.
    pub fn set_body(&self, body: &str) {
        self.write(body);
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        cli::run(&mut self.command(arguments))
    }

    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    /// Applies until all is as the file says; what was cut off may first come to its end.
    #[track_caller]
    pub fn settle(&self) {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            let applied = self.run(&["apply", "--yes"]);
            if applied.code == 0 {
                break;
            }
            assert!(Instant::now() < end, "it never settles: {applied:?}");
        }
        let plan = self.run(&["plan"]);
        assert_eq!(plan.code, 0, "{plan:?}");
    }

    /// Asked on the host itself: the machine has no way to the one behind the bastion.
    #[track_caller]
    pub fn assert_answers(&self, host: &str, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        let url = format!("http://127.0.0.1:{}/", self.port);
        let name = format!("Host: on-{host}.test");
        loop {
            let script = "curl -s -m 5 -H \"$1\" \"$2\" || true";
            let answer = self
                .fleet
                .tell(host, "run", &["sh", "-c", script, "sh", &name, &url]);
            if answer.contains(text) && !answer.contains("<html") {
                return;
            }
            assert!(Instant::now() < end, "{host}: no {text} in {answer:?}");
        }
    }

    #[track_caller]
    pub fn assert_all_answer(&self, text: &str) {
        for host in HOSTS {
            self.assert_answers(host, text);
        }
    }

    fn docker(&self, host: &str, arguments: &[&str]) -> String {
        let out = Command::new("docker")
            .args(["-H", &self.fleet.socket(host)])
            .args(arguments)
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// The container of the site on a host.
    pub fn container(&self, host: &str) -> String {
        let fleet = format!("label=ostler.fleet={}", self.name);
        let found = self.docker(
            host,
            &[
                "ps",
                "-q",
                "--filter",
                &fleet,
                "--filter",
                "label=ostler.role=site",
            ],
        );
        assert!(
            !found.is_empty() && !found.contains('\n'),
            "{host}: {found:?}"
        );
        found
    }

    /// A run that was cut off leaves its lock, which is waited for until it is stale.
    pub fn forget_lock(&self, host: &str) {
        self.docker(host, &["rm", "-f", &format!("ostler-{}-lock", self.name)]);
    }
}

impl Drop for Wide {
    fn drop(&mut self) {
        for host in HOSTS {
            let fleet = format!("label=ostler.fleet={}", self.name);
            let ids = self.docker(host, &["ps", "-aq", "--filter", &fleet]);
            let mut arguments = vec!["rm", "-f"];
            arguments.extend(ids.split_whitespace());
            if arguments.len() > 2 {
                self.docker(host, &arguments);
            }
            self.docker(host, &["network", "rm", &format!("ostler-{}", self.name)]);
        }
    }
}
