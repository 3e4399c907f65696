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
        dump::ask("/no/such/ssh", &named, None, "h", None)
            .unwrap()
            .is_none()
    );
}
