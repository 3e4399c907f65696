//! A DNS server of a test's own whose zones can be changed: bind9.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::pebble::free_port;

/// The secret of the key that may change, and of one that may not; base64.
pub const SECRET: &str = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBvc3RsZXI=";
pub const OTHER: &str = "YW5vdGhlciBzZWNyZXQgb2Ygb3N0bGVyJ3MgdGVzdHM=";

/// It ends with the test.
pub struct Named {
    pub address: SocketAddr,
    folder: tempfile::TempDir,
    process: Child,
}

impl Named {
    /// Serves `alice.test` and `acme.test`; the key `ostler` may change TXT at `_acme-challenge.…` of
    /// both and below, the key `other` nothing. `*.bob.test` is at 127.0.0.1, and its challenge an alias
    /// into `acme.test`.
    pub fn start() -> Named {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let at = |name: &str| folder.path().join(name);
        let head = "$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n";
        std::fs::write(at("alice.test"), format!("{head}@ A 127.0.0.1\n")).unwrap();
        std::fs::write(at("acme.test"), head).unwrap();
        let bob = "_acme-challenge CNAME bob.acme.test.\n_acme-challenge.lost CNAME nobody\n_acme-challenge.round CNAME _acme-challenge.round\n";
        std::fs::write(at("bob.test"), format!("{head}{bob}")).unwrap();
        // The parent of all, which is asked for CAA.
        std::fs::write(at("test"), head).unwrap();
        let grant = "update-policy { grant ostler subdomain alice.test. TXT; grant ostler subdomain acme.test. TXT; };";
        let mut config = format!(
            "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file \"{folder}/pid\"; session-keyfile \"{folder}/session.key\"; recursion yes; dnssec-validation no; notify no; }};\ncontrols {{}};\n",
            folder = folder.path().display(),
        );
        for (name, secret) in [("ostler", SECRET), ("other", OTHER)] {
            config +=
                &format!("key \"{name}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n");
        }
        for (zone, policy) in [
            ("alice.test", grant),
            ("acme.test", grant),
            ("bob.test", ""),
            ("test", ""),
        ] {
            config += &format!("zone \"{zone}\" {{ type master; file \"{zone}\"; {policy} }};\n");
        }
        std::fs::write(at("named.conf"), config).unwrap();
        let log = std::fs::File::create(at("log")).unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let process = Command::new("named")
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .args(["-g", "-n", "1", "-c"])
            .arg(at("named.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut named = Named {
            address: ([127, 0, 0, 1], port).into(),
            folder,
            process,
        };
        let late = Instant::now() + Duration::from_secs(20);
        while !named.log().contains("running\n") {
            let ended = named.process.try_wait().unwrap();
            assert!(ended.is_none(), "named ended: {}", named.log());
            assert!(Instant::now() < late, "named does not run: {}", named.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        named
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Puts a text at a name, as somebody else would.
    pub fn add(&self, name: &str, text: &str) {
        use std::io::Write;
        let mut child = Command::new("nsupdate")
            .args(["-y", &format!("hmac-sha256:ostler:{SECRET}")])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let (ip, port) = (self.address.ip(), self.address.port());
        let commands = format!("server {ip} {port}\nadd {name} 60 TXT \"{text}\"\nsend\n");
        child
            .stdin
            .take()
            .unwrap()
            .write_all(commands.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// The texts at a name, each in quotes, as a stranger is told.
    pub fn dig(&self, name: &str) -> Vec<String> {
        let (ip, port) = (
            format!("@{}", self.address.ip()),
            self.address.port().to_string(),
        );
        let out = Command::new("dig")
            .args([&ip, "-p", &port, "+short", name, "TXT"])
            .output()
            .unwrap();
        assert!(out.status.success(), "{out:?}");
        let said = String::from_utf8(out.stdout).unwrap();
        said.lines().map(str::to_owned).collect()
    }

    /// The key file of a key that it knows, or not.
    pub fn key(name: &str, secret: &str) -> ostler::acme::dns::Key {
        let text = format!("key \"{name}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};");
        ostler::acme::dns::Key::read(&text).unwrap()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
