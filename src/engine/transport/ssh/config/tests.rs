use std::time::Duration;

use super::*;

fn hop(text: &str) -> Hop {
    let text = format!("user me\nhostname web1.example.net\nport 22\n{text}");
    Hop::of("web1", &Dump::parse(&text), Path::new("/home/me")).unwrap()
}

#[test]
fn reads_jumps() {
    let target = |user: Option<&str>, host: &str, port| Target {
        user: user.map(Into::into),
        host: host.into(),
        port,
    };
    for (text, wanted) in [
        ("b1", target(None, "b1", None)),
        ("ops@b1:2222", target(Some("ops"), "b1", Some(2222))),
        ("ssh://ops@b1:22/", target(Some("ops"), "b1", Some(22))),
        ("a@b@c", target(Some("a@b"), "c", None)),
        ("[fd00::1]:99", target(None, "fd00::1", Some(99))),
        ("x@[fd00::1]", target(Some("x"), "fd00::1", None)),
        ("fd00::1", target(None, "fd00::1", None)),
    ] {
        assert_eq!(Target::parse(text).unwrap(), wanted, "{text}");
    }
    for wrong in [
        "",
        "@",
        "-oProxyCommand=x",
        "-u@h",
        "u@-h",
        "h:",
        "h:0",
        "h:x",
        "h:70000",
        "[h",
    ] {
        assert!(Target::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_host_is_never_an_option() {
    let error = resolve(&SshOptions::default(), None, "-oProxyCommand=id", None).unwrap_err();
    assert!(
        error.to_string().contains("not the name of a host"),
        "{error}"
    );
}

#[test]
fn defaults_are_those_of_openssh() {
    let hop = hop("");
    assert_eq!(hop.strict, Strict::Ask);
    assert!(hop.publickey && hop.keyboard_interactive && hop.password);
    assert!(!hop.identities_only && !hop.hash_known_hosts);
    assert_eq!(hop.connect_timeout, None);
    assert_eq!(hop.known_as(), "web1.example.net");
}

#[test]
fn words_mean_what_they_mean_to_openssh() {
    for (word, strict) in [
        ("yes", Strict::Yes),
        ("true", Strict::Yes),
        ("ask", Strict::Ask),
        ("accept-new", Strict::AcceptNew),
        ("no", Strict::AcceptNew),
        ("off", Strict::AcceptNew),
        ("false", Strict::AcceptNew),
    ] {
        assert_eq!(
            hop(&format!("stricthostkeychecking {word}\n")).strict,
            strict,
            "{word}"
        );
    }
    let none = hop("connecttimeout none\nserveraliveinterval 0\nknownhostscommand none\n");
    assert_eq!(
        (none.connect_timeout, none.server_alive_interval),
        (None, None)
    );
    assert!(!none.known_hosts_command);
    let some = hop("connecttimeout 7\nserveraliveinterval 30\nserveralivecountmax 5\n");
    assert_eq!(some.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(some.server_alive_interval, Some(Duration::from_secs(30)));
    assert_eq!(some.server_alive_count_max, 5);
    assert!(!hop("pubkeyauthentication false\n").publickey);
    assert!(hop("pubkeyauthentication unbound\n").publickey);
}

#[test]
fn files_are_found_where_openssh_finds_them() {
    let hop = hop(concat!(
        "identityfile ~/.ssh/k_%h\nidentityfile /tmp/with space/%r%%\nidentityfile none\n",
        "identityfile %d/%n-%p\nidentityagent ~/agent\ncertificatefile ~/c\n",
        "userknownhostsfile /root/k1 /tmp/a b/k2\nglobalknownhostsfile none\n",
        "revokedhostkeys /etc/revoked\n",
    ));
    let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
    assert_eq!(
        hop.identity_files,
        paths(&[
            "/home/me/.ssh/k_web1.example.net",
            "/tmp/with space/me%",
            "/home/me/web1-22"
        ])
    );
    assert_eq!(hop.identity_agent, Some("/home/me/agent".into()));
    assert_eq!(hop.certificate_files, paths(&["/home/me/c"]));
    assert_eq!(hop.user_known_hosts, paths(&["/root/k1", "/tmp/a b/k2"]));
    assert_eq!(hop.global_known_hosts, paths(&[]));
    assert_eq!(hop.revoked_host_keys, Some("/etc/revoked".into()));
}

#[test]
fn a_token_that_does_not_exist_is_an_error() {
    for wrong in ["%z", "a%", "${OSTLER_NO_SUCH_VARIABLE}", "${x"] {
        let dump = Dump::parse(&format!("user me\nidentityfile {wrong}\n"));
        assert!(Hop::of("web1", &dump, Path::new("/")).is_err(), "{wrong}");
    }
}

#[test]
fn no_agent_is_no_agent() {
    assert_eq!(hop("identityagent none\n").identity_agent, None);
    assert_eq!(
        hop("identityagent $OSTLER_NO_SUCH_VARIABLE\n").identity_agent,
        None
    );
}

#[test]
fn known_hosts_are_looked_up_by_port_and_alias() {
    let odd = Hop {
        port: 2222,
        ..hop("")
    };
    assert_eq!(odd.known_as(), "[web1.example.net]:2222");
    let alias = Hop {
        port: 2222,
        ..hop("hostkeyalias web\n")
    };
    assert_eq!(alias.known_as(), "web");
}

#[test]
fn without_ssh_there_are_defaults() {
    let target = Target::parse("ops@Web1:2222").unwrap();
    let hop = target
        .hop(&target.without_ssh(&SshOptions::default()).unwrap())
        .unwrap();
    assert_eq!(
        (hop.host.as_str(), hop.port, hop.user.as_str()),
        ("web1", 2222, "ops")
    );
    assert_eq!(hop.identity_files.len(), 3);
    assert_eq!(hop.user_known_hosts.len(), 2);
    assert_eq!(hop.strict, Strict::Ask);
    let named = SshOptions {
        config: Some("/x".into()),
    };
    assert!(target.without_ssh(&named).is_err());
    assert!(
        dump::ask("/no/such/ssh", dump::LIMIT, &named, None, "h", None)
            .unwrap()
            .is_none()
    );
}

#[test]
fn only_what_ssh_refuses_is_wrong_with_the_configuration() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("ssh");
    let says = |script: &str, limit: u64| {
        // Renamed into place: a file that is being written cannot be run.
        let new = folder.path().join("new");
        std::fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::rename(&new, &program).unwrap();
        let limit = Duration::from_millis(limit);
        let options = SshOptions::default();
        dump::ask(program.to_str().unwrap(), limit, &options, None, "h", None).unwrap_err()
    };
    let wrong = says(
        "echo 'line 2: Bad configuration option' >&2; exit 255",
        10_000,
    );
    assert!(
        matches!(&wrong, Trouble::Config { why } if why.contains("line 2")),
        "{wrong}"
    );
    assert!(wrong.needs_operator());
    let slow = says("exec sleep 20", 100);
    assert!(matches!(slow, Trouble::TimedOut { .. }), "{slow}");
    let killed = says("kill -KILL $$", 10_000);
    for passing in [slow, killed] {
        assert!(!passing.needs_operator(), "{passing}");
    }
}

#[test]
fn tokens_in_jumps_are_those_of_the_host_behind() {
    let hop = hop("");
    for (text, wanted) in [
        ("bastion-%h", "bastion-web1.example.net"),
        ("%r@%n:%p,b", "me@web1:22,b"),
        ("a%%h%%", "a%h%"),
        ("b1", "b1"),
    ] {
        assert_eq!(token::jump(text, &hop).unwrap(), wanted);
    }
    for wrong in ["%d", "b%", "%%%"] {
        assert!(token::jump(wrong, &hop).is_err(), "{wrong}");
    }
}

#[test]
fn the_same_address_elsewhere_is_another_place() {
    let places = |hops: Vec<Hop>| with_ways(hops).last().map(Hop::place);
    let bastion = |host: &str| Hop {
        host: host.into(),
        ..hop("")
    };
    let direct = places(vec![hop("")]);
    assert_eq!(direct, places(vec![hop("")]));
    let first = places(vec![bastion("b1"), hop("")]);
    let second = places(vec![bastion("b2"), hop("")]);
    let alias = places(vec![hop("hostkeyalias other\n")]);
    for (one, other) in [(&direct, &first), (&first, &second), (&direct, &alias)] {
        assert_ne!(one, other);
    }
}

#[test]
fn addresses_are_of_the_family_that_is_wanted() {
    for (word, family) in [
        ("", Family::Any),
        ("addressfamily any\n", Family::Any),
        ("addressfamily inet\n", Family::V4),
        ("addressfamily inet6\n", Family::V6),
    ] {
        assert_eq!(hop(word).family, family);
    }
}
