//! A certificate authority of a test's own: `pebble`, with `pebble-challtestsrv` for its DNS, behind a
//! root of its own, in temporary folders, on free ports.

#![allow(dead_code)] // every test binary takes what it needs of this

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// How it is to be.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// Where it fetches what names answer; 0: a free port, on which nobody listens yet.
    pub http_port: u16,
    /// Who tells it addresses and records; `None`: its own, where every name is at 127.0.0.1.
    pub dns: Option<SocketAddr>,
    /// A customer's number and key (base64), without which it makes no account.
    pub eab: Option<(&'a str, &'a str)>,
    /// Names that it does not sign for.
    pub blocked: &'a [&'a str],
    /// Life of its certificates, seconds; 0: 90 days.
    pub life: u64,
    /// Of a hundred good nonces, so many are refused.
    pub refused_nonces: u32,
}

/// It ends with the test.
pub struct Pebble {
    /// URL of its directory.
    pub directory: String,
    /// PEM of the root that its own address is believed by.
    pub root: String,
    /// Where it fetches what names answer.
    pub http_port: u16,
    /// Its DNS server, UDP and TCP.
    pub dns: SocketAddr,
    folder: tempfile::TempDir,
    programs: PathBuf,
    refused_nonces: u32,
    ports: [u16; 3],
    processes: Vec<Child>,
}

impl Pebble {
    /// Starts it from the folder that `tier::acme` found.
    pub fn start(programs: &Path, options: &Options<'_>) -> Pebble {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (root, certificate, key) = identity();
        std::fs::write(at("root.pem"), &root).unwrap();
        std::fs::write(at("cert.pem"), certificate).unwrap();
        std::fs::write(at("key.pem"), key).unwrap();
        let ports = [free_port(), free_port(), free_port()];
        let http_port = match options.http_port {
            0 => free_port(),
            port => port,
        };
        let dns = (options.dns).unwrap_or_else(|| ([127, 0, 0, 1], free_port()).into());
        let life = match options.life {
            0 => 90 * 86_400,
            life => life,
        };
        let keys: serde_json::Map<String, serde_json::Value> = options
            .eab
            .iter()
            .map(|(kid, key)| ((*kid).to_owned(), (*key).into()))
            .collect();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", ports[0]),
            "managementListenAddress": format!("127.0.0.1:{}", ports[1]),
            "certificate": at("cert.pem"),
            "privateKey": at("key.pem"),
            "httpPort": http_port,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": options.eab.is_some(),
            "externalAccountMACKeys": keys,
            "domainBlocklist": options.blocked,
            // As seldom as it can be told: tests wait for it.
            "retryAfter": { "authz": 1, "order": 1 },
            "certificateValidityPeriod": life,
        }});
        std::fs::write(at("config.json"), config.to_string()).unwrap();
        let mut pebble = Pebble {
            directory: format!("https://127.0.0.1:{}/dir", ports[0]),
            root,
            http_port,
            dns,
            folder,
            programs: programs.to_owned(),
            refused_nonces: options.refused_nonces,
            ports,
            processes: Vec::new(),
        };
        if options.dns.is_none() {
            let mut command = pebble.command("pebble-challtestsrv");
            for (option, value) in [
                ("-dns01", dns.to_string()),
                ("-management", format!("127.0.0.1:{}", ports[2])),
                ("-defaultIPv4", "127.0.0.1".into()),
                ("-defaultIPv6", String::new()),
                ("-http01", String::new()),
                ("-https01", String::new()),
                ("-tlsalpn01", String::new()),
                ("-doh", String::new()),
            ] {
                command.args([option, &value]);
            }
            pebble.run(command, ports[2]);
        }
        pebble.run_authority();
        pebble
    }

    fn command(&self, program: &str) -> Command {
        let log = self.folder.path().join("log");
        let log = File::options().create(true).append(true).open(log).unwrap();
        let mut command = Command::new(self.programs.join(program));
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        command
    }

    fn run_authority(&mut self) {
        let mut command = self.command("pebble");
        command
            .args([
                "-config",
                "config.json",
                "-dnsserver",
                &self.dns.to_string(),
            ])
            .current_dir(self.folder.path())
            .env("PEBBLE_VA_NOSLEEP", "1")
            // Each order proves its names anew.
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", self.refused_nonces.to_string());
        self.run(command, self.ports[0]);
    }

    fn run(&mut self, mut command: Command, port: u16) {
        let mut child = command.spawn().unwrap();
        let late = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{command:?} ended: {ended:?}\n{}",
                self.log()
            );
            assert!(
                Instant::now() < late,
                "{command:?} does not answer\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.processes.push(child);
    }

    /// It forgets everything: accounts, orders, its own keys.
    pub fn forget(&mut self) {
        let mut old = self.processes.pop().unwrap();
        old.kill().unwrap();
        old.wait().unwrap();
        self.run_authority();
    }

    /// What its programs said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A file with [`Pebble::root`].
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The root of the certificates that it signs, PEM.
    pub fn issuing_root(&self) -> String {
        let url = format!("https://127.0.0.1:{}/roots/0", self.ports[1]);
        let out = Command::new("curl")
            .args(["-sSf", "--max-time", "20", "--cacert"])
            .arg(self.root_file())
            .arg(url)
            .output()
            .unwrap();
        assert!(out.status.success(), "{out:?}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// Tells its own DNS: `add-a`, `add-aaaa`, `add-caa`, `set-cname`, `set-txt`, `set-servfail`, … with
    /// what the program wants to know.
    pub fn tell_dns(&self, what: &str, body: &serde_json::Value) {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[2])).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let request = format!(
            "POST /{what} HTTP/1.0\r\nHost: dns\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(
            answer.split(' ').nth(1) == Some("200"),
            "{what} {body}: {answer}"
        );
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.processes {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A root, and a certificate of it for 127.0.0.1 with its key; PEM.
fn identity() -> (String, String, String) {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "root of a test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap().pem();
    (root, certificate, key.serialize_pem())
}

/// One that the kernel gives to no connection, free for TCP and for UDP.
pub fn free_port() -> u16 {
    loop {
        let port = 20_000 + (getrandom::u32().unwrap() % 10_000) as u16;
        let udp = UdpSocket::bind(("127.0.0.1", port));
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && udp.is_ok() {
            return port;
        }
    }
}
