use std::os::unix::fs::PermissionsExt;

use super::*;

fn key(kind: &str, seed: u8) -> Vec<u8> {
    let mut key = (kind.len() as u32).to_be_bytes().to_vec();
    key.extend_from_slice(kind.as_bytes());
    key.extend_from_slice(&32u32.to_be_bytes());
    key.extend_from_slice(&[seed; 32]);
    key
}

fn line(hosts: &str, key: &[u8]) -> String {
    format!("{hosts} {} {} comment", kind(key), STANDARD.encode(key))
}

fn known(text: &str, name: &str) -> KnownHosts {
    let mut known = KnownHosts::default();
    known.take(text.as_bytes(), Path::new("/k"), name);
    known
}

#[test]
fn prints_fingerprints_as_ssh_keygen_does() {
    // ssh-keygen -lf of this key prints this.
    let key = STANDARD
        .decode("AAAAC3NzaC1lZDI1NTE5AAAAIECo5nrXqFamJ3qpB7XLOKUI8fh2nuL0dOEg5yvW3xLm")
        .unwrap();
    assert_eq!(kind(&key), "ssh-ed25519");
    assert_eq!(
        fingerprint(&key),
        "SHA256:oY493GtXt2iVh8Eap9W3o2cNNe8rJFheuTcQSVDALiQ"
    );
}

#[test]
fn names_a_key_that_makes_no_sense() {
    for wrong in [
        &b""[..],
        b"\0\0\0\x0bssh",
        b"\xff\xff\xff\xffx",
        b"\0\0\0\x02\x1b[",
        b"\0\0\0\0",
    ] {
        assert_eq!(kind(wrong), "unknown");
    }
}

#[test]
fn finds_the_host_however_it_is_written() {
    let a = key("ssh-ed25519", 1);
    for hosts in [
        "web1",
        "WEB1",
        "other,web1,192.0.2.1",
        "web?",
        "w*1",
        "*",
        "web*,!web2",
        // ssh-keygen -H of `web1`
        "|1|TfDXJ+Xbx+3ZKMU1HrYEM7Reits=|CxwaR5Y/vsss53XLpdVFNsRCJmk=",
    ] {
        let known = known(&line(hosts, &a), "web1");
        assert_eq!(known.judge(&a), Verdict::Known, "{hosts}");
    }
    for hosts in [
        "web2",
        "web",
        "web12",
        "!web1",
        "*,!web1",
        "|1|x|y",
        "|1|",
        "[web1]:2222",
        "# web1",
    ] {
        let known = known(&line(hosts, &a), "web1");
        assert_eq!(known.judge(&a), Verdict::Unknown, "{hosts}");
    }
}

#[test]
fn tells_changed_from_unknown() {
    let (a, b) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
    let rsa = key("ssh-rsa", 3);
    let text = format!("\n# mine\n{}\n{}\n", line("web1", &a), line("web2", &b));
    let known = known(&text, "web1");
    assert_eq!(known.kinds(), ["ssh-ed25519"]);
    let Verdict::Changed(entry) = known.judge(&b) else {
        panic!("{:?}", known.judge(&b));
    };
    assert_eq!(entry.place(), "/k:3");
    // It had a key of another kind: it has a new one instead.
    assert!(matches!(known.judge(&rsa), Verdict::Changed(e) if e.key == a));
}

#[test]
fn a_port_has_keys_of_its_own() {
    let (a, b) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
    let both = format!("{}\n{}\n", line("web1", &a), line("[web1]:2222", &b));
    let at = |name: &str| known(&both, name);
    assert_eq!(at("web1").judge(&a), Verdict::Known);
    assert!(matches!(at("web1").judge(&b), Verdict::Changed(_)));
    assert_eq!(at("[web1]:2222").judge(&b), Verdict::Known);
    // As ssh does: the machine's key is not good where another one is known …
    assert!(matches!(at("[web1]:2222").judge(&a), Verdict::Changed(e) if e.key == b));
    let rsa = key("ssh-rsa", 3);
    let other = format!("{}\n{}\n", line("web1", &a), line("[web1]:2222", &rsa));
    assert!(matches!(known(&other, "[web1]:2222").judge(&a), Verdict::Changed(e) if e.key == rsa));
    // … and at all other ports it is; a new one there is not a change.
    assert_eq!(
        known(&line("web1", &a), "[web1]:2222").judge(&a),
        Verdict::Known
    );
    assert_eq!(
        known(&line("web1", &a), "[web1]:2222").judge(&b),
        Verdict::Unknown
    );
    assert_eq!(at("[web1]:2222").kinds(), ["ssh-ed25519"]);
}

#[test]
fn a_revoked_key_is_refused_even_where_it_is_known() {
    let a = key("ssh-ed25519", 1);
    let text = format!("{}\n@revoked {}\n", line("web1", &a), line("*", &a));
    assert!(matches!(known(&text, "web1").judge(&a), Verdict::Revoked(e) if e.line == 2));
}

#[test]
fn an_authority_is_named_unless_the_key_is_known() {
    let (a, ca) = (key("ssh-ed25519", 1), key("ssh-ed25519", 9));
    let text = format!("@cert-authority {}\n", line("*.example.net", &ca));
    let host = "web1.example.net";
    assert!(matches!(
        known(&text, host).judge(&a),
        Verdict::Authority(_)
    ));
    assert!(known(&text, host).kinds().is_empty());
    assert_eq!(known(&text, "web1").judge(&a), Verdict::Unknown);
    let text = format!("{text}{}\n", line(host, &a));
    assert_eq!(known(&text, host).judge(&a), Verdict::Known);
    // No certificate makes up for a key that is another one than is known.
    let b = key("ssh-ed25519", 2);
    assert!(matches!(known(&text, host).judge(&b), Verdict::Changed(e) if e.key == a));
    let rsa = key("ssh-rsa", 3);
    assert!(matches!(
        known(&text, host).judge(&rsa),
        Verdict::Authority(_)
    ));
}

#[test]
fn lines_that_make_no_sense_are_left_out() {
    let a = key("ssh-ed25519", 1);
    let mut text = b"web1\nweb1 ssh-ed25519\nweb1 ssh-ed25519 ***\n@other web1 ssh-ed25519 AAAA\nweb1 2048 35 12345\n\xff\xfe web1\n".to_vec();
    text.extend_from_slice(format!("web1 ssh-rsa {}\n", STANDARD.encode(&a)).as_bytes());
    text.extend_from_slice(line("web1", &a).as_bytes());
    let mut known = KnownHosts::default();
    known.take(&text, Path::new("/k"), "web1");
    assert_eq!(known.entries.len(), 1);
    assert_eq!(known.entries[0].line, 8);
}

#[test]
fn a_new_key_is_added_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ssh/known_hosts");
    let (a, b) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
    append(&file, "Web1", false, &a).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    // Somebody else's last line may have no end.
    std::fs::write(&file, "# mine\nweb9 ssh-rsa AAAA").unwrap();
    append(&file, "[web1]:2222", true, &b).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# mine\nweb9 ssh-rsa AAAA\n|1|"), "{text}");
    assert_eq!(text.lines().count(), 3);
    assert!(!text.contains("web1"));
    let known = KnownHosts::read(&[file], "[web1]:2222").unwrap();
    assert_eq!(known.judge(&b), Verdict::Known);
}

#[test]
fn a_file_that_cannot_be_read_is_not_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let none = KnownHosts::read(&[folder.path().join("none")], "web1").unwrap();
    assert_eq!(none.judge(b"x"), Verdict::Unknown);
    assert!(KnownHosts::read(&[folder.path().to_owned()], "web1").is_err());
}

#[test]
fn reads_lists_of_revoked_keys() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("revoked");
    let (a, b) = (key("ssh-ed25519", 1), key("ssh-ed25519", 2));
    std::fs::write(
        &file,
        format!("# no more\nssh-ed25519 {} old\n", STANDARD.encode(&a)),
    )
    .unwrap();
    assert!(matches!(revoked_by(&file, &a), Ok(Some(2))));
    assert!(matches!(revoked_by(&file, &b), Ok(None)));
    std::fs::write(&file, b"SSHKRL\n\0rest").unwrap();
    assert!(matches!(revoked_by(&file, &a), Err(RevokedError::Binary)));
    assert!(matches!(
        revoked_by(folder.path(), &a),
        Err(RevokedError::Unreadable(_))
    ));
}
