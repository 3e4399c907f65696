//! A DNS server of a test's own whose zones can be changed: bind9.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
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
    /// both and below, the key `other` nothing. The challenge of `bob.test` is an alias into `acme.test`.
    pub fn start() -> Named {
        Named::primary("@ A 127.0.0.1\n")
    }

    /// The same, and another server, on port 53, which has what is new in `alice.test` only some
    /// seconds later; `None` where nobody may listen there.
    pub fn pair() -> Option<(Named, Named)> {
        let random = getrandom::u32().unwrap().to_be_bytes();
        let ip = Ipv4Addr::new(127, 1 + random[0] % 250, random[1], 1 + random[2] % 250);
        let front = UdpSocket::bind((ip, 53)).ok()?;
        let first = Named::primary(&format!("@ A 127.0.0.1\n@ NS ns2\nns2 A {ip}\n"));
        let port = first.address.port();
        let zone = format!(
            "zone \"alice.test\" {{ type slave; file \"alice.slave\"; masters {{ 127.0.0.1 port {port}; }}; }};\n"
        );
        let address = ([127, 0, 0, 1], free_port()).into();
        let mut second = Named::run(tempfile::tempdir().unwrap(), address, &zone);
        second.address = (ip, 53).into();
        // It listens on addresses of interfaces only. What comes to the other one is handed on.
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok((length, whose)) = front.recv_from(&mut bytes) {
                let back = UdpSocket::bind("127.0.0.1:0").unwrap();
                back.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                back.send_to(&bytes[..length], address).unwrap();
                if let Ok(length) = back.recv(&mut bytes) {
                    front.send_to(&bytes[..length], whose).unwrap();
                }
            }
        });
        let late = Instant::now() + Duration::from_secs(20);
        while !second.log().contains("Transfer status: success") {
            assert!(Instant::now() < late, "{}\n{}", first.log(), second.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some((first, second))
    }

    fn primary(alice: &str) -> Named {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let head = "$TTL 60\n@ SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\n";
        std::fs::write(at("alice.test"), format!("{head}{alice}")).unwrap();
        std::fs::write(at("acme.test"), head).unwrap();
        let bob = "_acme-challenge CNAME bob.acme.test.\n_acme-challenge.lost CNAME nobody\n_acme-challenge.round CNAME _acme-challenge.round\n";
        std::fs::write(at("bob.test"), format!("{head}{bob}")).unwrap();
        // The parent of all, which is asked for CAA.
        std::fs::write(at("test"), head).unwrap();
        let grant = "update-policy { grant ostler subdomain alice.test. TXT; grant ostler subdomain acme.test. TXT; };";
        let mut config = String::new();
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
        let address = ([127, 0, 0, 1], free_port()).into();
        Named::run(folder, address, &config)
    }

    fn run(folder: tempfile::TempDir, address: SocketAddr, zones: &str) -> Named {
        let at = |name: &str| folder.path().join(name);
        let config = format!(
            "options {{ directory \"{folder}\"; listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }}; pid-file \"{folder}/pid\"; session-keyfile \"{folder}/session.key\"; recursion yes; dnssec-validation no; notify yes; notify-delay 3; allow-transfer {{ any; }}; }};\ncontrols {{}};\n{zones}",
            folder = folder.path().display(),
            ip = address.ip(),
            port = address.port(),
        );
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
            address,
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
