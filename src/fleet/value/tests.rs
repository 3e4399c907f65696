use super::*;
use crate::fleet::{EngineAddress, ProxyTarget, Via, is_private};

#[test]
fn sizes() {
    assert_eq!(parse_memory("128M"), Ok(128 << 20));
    assert_eq!(parse_memory("1.5G"), Ok(1536 << 20));
    assert_eq!(parse_size("512k"), Ok(512 << 10));
    assert_eq!(parse_memory("8388608"), Ok(8 << 20));
    assert_eq!(
        parse_memory("256").unwrap_err().0,
        "that is 256 bytes; did you mean 256M?"
    );
    assert!(parse_memory("5M").is_err());
    for wrong in [
        "",
        "M",
        "12X",
        "-5M",
        "1..5G",
        "1e9",
        "99999999T",
        "1.M",
        ".5G",
    ] {
        assert!(parse_size(wrong).is_err(), "{wrong}");
    }
    assert_eq!(
        parse_size("128MiB").unwrap_err().0.split(';').next(),
        Some("write 128M")
    );
    for bytes in [1, 1023, 1024, 128 << 20, 1536 << 20, 1 << 30] {
        assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
    }
    assert_eq!(format_size(1536 << 20), "1536M");
}

#[test]
fn cpus() {
    assert_eq!(parse_cpus("0.5"), Ok(500_000_000));
    assert_eq!(parse_cpus("2"), Ok(2_000_000_000));
    assert!(parse_cpus("0").is_err());
    assert!(parse_cpus(".5").is_err());
    assert_eq!(format_cpus(500_000_000), "0.5");
    assert_eq!(format_cpus(12_000_000_000), "12");
}

#[test]
fn times() {
    assert_eq!(parse_seconds("60", 3600), Ok(60));
    assert_eq!(parse_seconds("2m", 3600), Ok(120));
    assert_eq!(parse_seconds("1h", 3600), Ok(3600));
    for wrong in ["", "0", "s", "2h", "61m", "-1", "1ä", "1.5h", "99999999h"] {
        assert!(parse_seconds(wrong, 3600).is_err(), "{wrong}");
    }
    assert_eq!(parse_seconds("24h", DAY), Ok(DAY));
    assert!(parse_seconds("25h", DAY).is_err());
    for written in ["1s", "60s", "90s", "2m", "90m", "1h", "24h"] {
        let read = parse_seconds(written, DAY).unwrap();
        assert_eq!(format_seconds(read), written);
    }
}

#[test]
fn engines() {
    let ssh = |user: Option<&str>, host: &str, port, socket: Option<&str>| EngineAddress::Ssh {
        user: user.map(Into::into),
        host: host.into(),
        port,
        socket: socket.map(Into::into),
        via: Via::Native,
    };
    let table = [
        (
            "unix:///run/d.sock",
            EngineAddress::Unix {
                path: "/run/d.sock".into(),
            },
        ),
        (
            "ssh://ops@web1.example.net",
            ssh(Some("ops"), "web1.example.net", None, None),
        ),
        ("ssh://web1", ssh(None, "web1", None, None)),
        (
            "ssh://u@h:2222/run/user/1000/docker.sock",
            ssh(
                Some("u"),
                "h",
                Some(2222),
                Some("/run/user/1000/docker.sock"),
            ),
        ),
        (
            "tcp://10.8.0.2",
            EngineAddress::Tcp {
                host: "10.8.0.2".into(),
                port: 2376,
                tls: None,
                insecure: false,
            },
        ),
        (
            "tcp://[fd00::1]:99",
            EngineAddress::Tcp {
                host: "fd00::1".into(),
                port: 99,
                tls: None,
                insecure: false,
            },
        ),
    ];
    for (text, address) in table {
        assert_eq!(text.parse(), Ok(address), "{text}");
    }
    for wrong in [
        "",
        "docker.sock",
        "unix://docker.sock",
        "unix://",
        "ssh://-oProxyCommand=x",
        "ssh://-u@h",
        "ssh://a:b@h",
        "ssh://",
        "tcp://",
        "tcp://h:0",
        "tcp://h:99999",
        "tcp://h/p",
        "http://h",
        "sim://web1",
        "ssh://h h",
        "npipe://x",
    ] {
        assert!(wrong.parse::<EngineAddress>().is_err(), "{wrong}");
    }
    assert_eq!(
        "/run/d.sock".parse::<EngineAddress>().unwrap_err().0,
        "write unix:///run/d.sock"
    );
}

#[test]
fn images() {
    for right in [
        "nginx",
        "nginx:1.28",
        "ghcr.io/a/b:2",
        "localhost:5000/a_b/c-d",
        "a/b",
        "php@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ] {
        assert!(
            parse_image(right).is_ok(),
            "{right}: {:?}",
            parse_image(right)
        );
    }
    for wrong in [
        "",
        "Nginx",
        "nginx:",
        "a//b",
        "-a",
        "a b",
        "a:b:c",
        "a@sha256:12",
        "a/",
        "/a",
        "a:.x",
        "a.",
        "a$b",
    ] {
        assert!(parse_image(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn folders_and_paths() {
    assert_eq!(
        parse_folder("/srv//ostler/./x/"),
        Ok("/srv/ostler/x".into())
    );
    for wrong in ["", "srv", "/", "//", "/a/../b", "/a:b", "/a\nb"] {
        assert!(parse_folder(wrong).is_err(), "{wrong:?}");
    }
    assert!(parse_url_path("/a?b=c").is_ok());
    for wrong in ["", "a", "/a b", "/a\r\nHost: x", "/ä", "/a#b"] {
        assert!(parse_url_path(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn redirect_targets() {
    for right in [
        "https://a.example",
        "http://a.example:8080/x?y#z",
        "https://[fd00::1]/",
    ] {
        assert!(parse_redirect(right).is_ok(), "{right}");
    }
    for wrong in [
        "a.example",
        "ftp://a",
        "https://",
        "https://a b",
        "https://a\n",
        "https://u@a",
        "https://a:0",
        "https:///x",
        "https://ä.example",
    ] {
        assert!(parse_redirect(wrong).is_err(), "{wrong:?}");
    }
    let (host, port) = redirect_host("https://Old.example:1/x").unwrap();
    assert_eq!((host.as_str(), port), ("old.example", Some(1)));
}

#[test]
fn targets() {
    assert_eq!(
        "old-shop:8080".parse(),
        Ok(ProxyTarget::Container {
            name: "old-shop".into(),
            port: 8080
        })
    );
    assert_eq!(
        "http://10.0.0.5/".parse(),
        Ok(ProxyTarget::Http {
            host: "10.0.0.5".into(),
            port: 80
        })
    );
    for wrong in [
        "",
        "shop",
        "https://x",
        "http://x/y",
        ":80",
        "-x:80",
        "x:0",
        "x y:80",
    ] {
        assert!(wrong.parse::<ProxyTarget>().is_err(), "{wrong}");
    }
}

#[test]
fn domains() {
    assert_eq!(
        parse_domain("Bücher.Example.").unwrap().as_str(),
        "xn--bcher-kva.example"
    );
    for (wrong, hint) in [
        ("*.a.example", "wildcards"),
        ("https://a.example/x", "write the domain only: a.example"),
        ("a.example:80", "without port"),
        ("a_b.example", "underscore"),
        ("", ""),
        ("a..b", ""),
        ("1.2.3.4", "address"),
        ("a b", ""),
    ] {
        let why = parse_domain(wrong).unwrap_err().0;
        assert!(why.contains(hint), "{wrong}: {why}");
    }
}

#[test]
fn private_addresses() {
    for yes in [
        "127.0.0.1",
        "10.8.0.2",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.9",
        "::1",
        "fd00::1",
        "localhost",
    ] {
        assert!(is_private(yes), "{yes}");
    }
    for no in [
        "8.8.8.8",
        "2001:db8::1",
        "web1.example.net",
        "172.32.0.1",
        "100.128.0.1",
    ] {
        assert!(!is_private(no), "{no}");
    }
}

#[test]
fn what_a_host_would_refuse_is_refused_here() {
    for (root, fits) in [
        ("/srv/ostler", true),
        ("/data/x.y_z-1/", true),
        ("/srv/a b", false),
        ("/srv/\"x\"", false),
        ("/srv/$HOME", false),
        ("/srv/ä", false),
    ] {
        assert_eq!(parse_root(root).is_ok(), fits, "{root}");
    }
    for (mount, fits) in [
        ("/data", true),
        ("/var/lib/a b", true),
        ("/devices", true),
        ("/run/app", true),
        ("/tmp/x", true),
        ("/dev", false),
        ("/dev/shm", false),
        ("//proc/./x", false),
        ("/sys", false),
        ("/tmp/", false),
        ("/run", false),
        ("/run/secrets", false),
        ("/run/secrets/x", false),
    ] {
        assert_eq!(parse_mount(mount).is_ok(), fits, "{mount}");
    }
    for redirect in [
        "https://a.example/%[x]",
        "https://a.example/%0",
        "https://a.example/'%zz",
    ] {
        assert!(parse_redirect(redirect).is_err(), "{redirect}");
    }
    assert!(parse_redirect("https://a.example/[x]?y=%C3%A4").is_ok());
    let long = format!("https://a.example/{}", "x".repeat(2000));
    assert!(parse_redirect(&long).is_err());
    assert!(host_and_port(&"a".repeat(254)).is_err());
    for (image, fits) in [
        ("my-registry.local:5000/a/b__c:1", true),
        ("a--b", true),
        ("a..b", false),
        ("a___b", false),
        ("a._b", false),
        ("my_registry.local/a", false),
        ("[::1]:5000/a", false),
    ] {
        assert_eq!(parse_image(image).is_ok(), fits, "{image}");
    }
    assert!(parse_image(&"a".repeat(64)).is_err() && parse_image(&"a".repeat(256)).is_err());
    assert!(unfit_variable("A", &"x".repeat(99_999)).is_none());
    assert!(unfit_variable("A", &"x".repeat(100_000)).is_some());
}
