//! Logging in over SSH, against a real sshd: keys, agents, questions, known hosts, and what it is
//! called when it fails.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use ostler::engine::transport::ask::{Answer, Ask, Headless, Question};
use ostler::engine::transport::ssh::config::hop::Hop;
use ostler::engine::transport::ssh::trouble::Trouble;
use ostler::engine::transport::ssh::{Answered, SshOptions, config, login, openssh};
use ostler::engine::{Client, Gate};

#[path = "ssh/stage.rs"]
mod stage;
#[path = "common/tier.rs"]
mod tier;

use stage::{Agent, Operator, Sshd, fingerprint, keygen, keygen_with, run, trouble, works};

#[test]
fn a_key_file_lets_us_in() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    sshd.lets_in(&Headless);
    // In every form that ssh-keygen writes.
    for (name, arguments) in [
        ("rsa", &["-t", "rsa"][..]),
        ("pem", &["-t", "rsa", "-m", "PEM"]),
        ("ecdsa", &["-t", "ecdsa", "-b", "384"]),
        ("pkcs8", &["-t", "ecdsa", "-m", "PKCS8"]),
    ] {
        let arguments = [arguments, &["-N", ""]].concat();
        keygen_with(&sshd.path(name), &arguments);
        sshd.write("authorized", &sshd.read(&format!("{name}.pub")));
        std::fs::remove_file(sshd.path(&format!("{name}.pub"))).unwrap();
        sshd.config(&format!("IdentityFile DIR/{name}"));
        sshd.lets_in(&Headless);
    }
}

#[test]
fn a_passphrase_is_asked_once_for_all_hosts() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    for (name, format) in [("locked", "RFC4716"), ("locked-pem", "PEM")] {
        let arguments = ["-t", "rsa", "-m", format, "-N", "open sesame"];
        keygen_with(&sshd.path(name), &arguments);
        sshd.write("authorized", &sshd.read(&format!("{name}.pub")));
        if format == "PEM" {
            // Then nothing can be known of it before it is open.
            std::fs::remove_file(sshd.path("locked-pem.pub")).unwrap();
        }
        sshd.config(&format!(
            "IdentityFile DIR/{name}\nHost *\n  IdentitiesOnly yes"
        ));
        let operator = Operator::types(&["wrong", "open sesame"]);
        let answered = Answered::default();
        sshd.lets_in_with(&operator, &answered);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| sshd.lets_in_with(&operator, &answered));
            }
        });
        let asked = operator.asked();
        assert_eq!(asked.len(), 2, "{asked:?}");
        let Question::Text {
            host,
            prompt,
            by_host: false,
            visible,
            again,
        } = &asked[1]
        else {
            panic!("{asked:?}");
        };
        assert_eq!((host.as_str(), *visible, *again), ("web1", false, true));
        assert_eq!(
            *prompt,
            format!("passphrase of {}", sshd.path(name).display())
        );
    }
}

#[test]
fn a_passphrase_that_nobody_gives_is_named() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    keygen(&sshd.path("locked"), "ed25519", "open sesame");
    sshd.write("authorized", &sshd.read("locked.pub"));
    sshd.config("IdentityFile DIR/locked\nIdentityFile DIR/none");
    let Trouble::Refused {
        notes,
        tried,
        methods,
        ..
    } = sshd.refuses(&Headless)
    else {
        panic!();
    };
    assert_eq!(methods, ["publickey"]);
    assert_eq!(tried, [sshd.path("id").display().to_string()]);
    assert!(notes[0].contains("none is not there"), "{notes:?}");
    assert!(notes[1].contains("ssh-add"), "{notes:?}");
    // Three wrong ones are enough.
    let operator = Operator::types(&["a", "b", "c", "open sesame"]);
    let answered = Answered::default();
    let why = trouble(sshd.log_in_with(&operator, &answered)).to_string();
    assert!(why.contains("was not opened by 3 passphrases"), "{why}");
    assert_eq!(operator.asked().len(), 3);
    // A key that this host does not want is not opened for it.
    sshd.write("authorized", "");
    let operator = Operator::types(&["open sesame"]);
    sshd.refuses(&operator);
    assert!(operator.asked().is_empty());
}

#[test]
fn the_agents_keys_are_offered_one_by_one() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    let agent = Agent::start(sshd.folder.path());
    let with = |lines: &str| {
        sshd.config(&format!(
            "IdentityAgent {}\n{lines}",
            agent.socket.display()
        ));
    };
    std::fs::rename(sshd.path("id"), sshd.path("elsewhere")).unwrap();
    std::fs::set_permissions(sshd.path("elsewhere"), PermissionsExt::from_mode(0o600)).unwrap();
    for n in 0..3 {
        keygen(&sshd.path(&format!("wrong{n}")), "ed25519", "");
        agent.add(&sshd.path(&format!("wrong{n}")));
    }
    agent.add(&sshd.path("elsewhere"));
    with("");
    sshd.lets_in(&Headless);
    // More than the host allows.
    for n in 3..8 {
        keygen(&sshd.path(&format!("wrong{n}")), "ed25519", "");
        agent.add(&sshd.path(&format!("wrong{n}")));
    }
    let again = Agent::start(&{
        let folder = sshd.path("second");
        std::fs::create_dir(&folder).unwrap();
        folder
    });
    for n in 0..8 {
        again.add(&sshd.path(&format!("wrong{n}")));
    }
    again.add(&sshd.path("elsewhere"));
    let public = sshd.read("id.pub");
    std::fs::remove_file(sshd.path("id.pub")).unwrap();
    sshd.config(&format!(
        "IdentityAgent {}\nIdentityFile none",
        again.socket.display()
    ));
    let why = sshd.refuses(&Headless);
    assert!(matches!(why, Trouble::TooMany { .. }), "{why}");
    assert!(why.remedy("web1").unwrap().contains("IdentitiesOnly"));
    assert!(why.needs_operator());
    sshd.write("id.pub", &public);
    // Named by its public half only: that one, and no other.
    sshd.config(&format!(
        "IdentityAgent {}\nIdentitiesOnly yes",
        again.socket.display()
    ));
    sshd.lets_in(&Headless);
    // Named, it also goes first.
    sshd.config(&format!("IdentityAgent {}", again.socket.display()));
    sshd.lets_in(&Headless);
    // An agent that is not there is said, and does no harm.
    sshd.config("IdentityAgent /no/such/agent\nIdentityFile DIR/elsewhere");
    sshd.lets_in(&Headless);
    sshd.config("IdentityAgent /no/such/agent\nIdentityFile none");
    let why = sshd.refuses(&Headless).to_string();
    assert!(why.contains("/no/such/agent cannot be asked"), "{why}");
}

#[test]
fn keys_that_cannot_be_used_say_why() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    sshd.write("authorized", "");
    std::fs::set_permissions(sshd.path("id"), PermissionsExt::from_mode(0o644)).unwrap();
    sshd.write("putty", "PuTTY-User-Key-File-3: ssh-ed25519\n");
    sshd.config("IdentityFile DIR/putty");
    let why = sshd.refuses(&Headless);
    let text = why.to_string();
    assert!(text.contains("may be read by others (0644)"), "{text}");
    assert!(text.contains("PuTTY"), "{text}");
    assert!(text.contains("nothing to offer"), "{text}");
    assert!(why.needs_operator());
}

#[test]
fn a_wrong_user_is_named_with_what_was_tried() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    sshd.config("User nobody-here");
    let why = sshd.refuses(&Headless);
    let text = why.to_string();
    let wanted = format!(
        "nobody-here may not log in; the host takes publickey; it refused {}",
        sshd.path("id").display()
    );
    assert_eq!(text, wanted);
    assert!(why.remedy("web1").unwrap().contains("right login name"));
}

/// An account of this machine, for as long as a test takes.
struct Account(String);

impl Account {
    fn make(password: &str) -> Account {
        let name = format!("ostler-t{}", std::process::id());
        run(Command::new("/usr/sbin/useradd").args(["-M", "-d", "/tmp", "-s", "/bin/sh", &name]));
        let account = Account(name);
        let mut child = Command::new("/usr/sbin/chpasswd")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let line = format!("{}:{password}\n", account.0);
        child
            .stdin
            .take()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        assert!(child.wait().unwrap().success());
        account
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = Command::new("/usr/sbin/userdel")
            .args(["-f", &self.0])
            .output();
    }
}

#[test]
fn passwords_and_the_hosts_own_questions_are_put_to_the_operator() {
    let Some(_) = tier::fleet() else { return };
    let account = Account::make("swordfish");
    for (lines, way) in [
        (
            "UsePAM yes\nKbdInteractiveAuthentication yes",
            "keyboard-interactive",
        ),
        (
            "KbdInteractiveAuthentication no\nPasswordAuthentication yes",
            "password",
        ),
        (
            "UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods publickey,keyboard-interactive",
            "both",
        ),
    ] {
        // The first line counts, and the stage has its own.
        let sshd = Sshd::start_with(&["ed25519"], lines);
        let key = match way {
            "both" => "",
            _ => "PubkeyAuthentication no\n",
        };
        sshd.config(&format!("User {}\n{key}", account.0));
        let log = || sshd.read("sshd.log");
        if way == "keyboard-interactive" {
            // Where nobody is, the host is not made to ask; and where nobody says anything, nothing
            // is sent: hosts count wrong answers.
            let why = sshd.refuses(&Headless).to_string();
            assert!(why.contains("nobody is there"), "{why}");
            assert!(!log().contains("keyboard-interactive"), "{}", log());
            let operator = Operator::says([Answer::No]);
            let why = sshd.refuses(&operator).to_string();
            assert!(why.contains("nobody answered"), "{why}");
            assert_eq!(operator.asked().len(), 1);
            // It writes its log when it comes to it: the end of that connection is the last line.
            let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
            let asked = || {
                let log = log();
                let after = log.split_once("Postponed keyboard-interactive");
                after.is_some_and(|(_, after)| after.contains("Connection "))
            };
            while !asked() {
                assert!(std::time::Instant::now() < end, "{}", log());
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            assert!(!log().contains("Failed keyboard-interactive"), "{}", log());
        }
        let answered = Answered::default();
        let operator = Operator::types(&["wrong", "swordfish"]);
        sshd.lets_in_with(&operator, &answered);
        let asked = operator.asked();
        assert_eq!(asked.len(), 2, "{way}: {asked:?}");
        let Question::Text {
            prompt,
            visible,
            again,
            host,
            by_host,
        } = &asked[1]
        else {
            panic!("{asked:?}");
        };
        assert!(prompt.to_lowercase().contains("password"), "{prompt}");
        assert_eq!((host.as_str(), *visible, *again), ("web1", false, true));
        // Its own words are not taken for ours.
        assert_eq!(*by_host, way != "password", "{way}");
        // The next login knows it, and another machine under the same address is not told.
        sshd.lets_in_with(&Headless, &answered);
        sshd.write(
            "known_hosts",
            &format!(
                "{}\nother {}\n",
                sshd.known_line("ed25519"),
                sshd.host_key("ed25519")
            ),
        );
        sshd.config(&format!("HostKeyAlias other\nUser {}\n{key}", account.0));
        let why = trouble(sshd.log_in_with(&Headless, &answered)).to_string();
        assert!(why.contains("nobody"), "{way}: {why}");
        sshd.config(&format!("User {}\n{key}", account.0));

        let why = sshd.refuses(&Headless).to_string();
        assert!(why.contains("nobody"), "{way}: {why}");
        let operator = Operator::types(&["a", "b", "c", "swordfish"]);
        let why = sshd.refuses(&operator);
        assert!(
            matches!(why, Trouble::Refused { .. } | Trouble::TooMany { .. }),
            "{way}: {why}"
        );
        assert!(!why.to_string().contains("swordfish"));
        assert!(operator.asked().len() <= 3);
    }
}

#[test]
fn an_unknown_host_is_asked_about_with_its_fingerprint() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    let print = fingerprint(&sshd.path("host_ed25519.pub"));
    sshd.write("known_hosts", "# mine");
    let why = sshd.refuses(&Headless);
    assert_eq!(
        why.to_string(),
        format!("its key is not known: ssh-ed25519 {print}")
    );
    let remedy = why.remedy("web1").unwrap();
    assert!(
        remedy.contains(&format!("`ssh -p {} root@web1`", sshd.port)),
        "{remedy}"
    );
    assert_eq!(sshd.read("known_hosts"), "# mine");

    let (operator, answered) = (
        Operator::says([Answer::No, Answer::Yes]),
        Answered::default(),
    );
    for _ in 0..2 {
        let why = trouble(sshd.log_in_with(&operator, &answered));
        assert!(
            matches!(why, Trouble::UnknownKey { declined: true, .. }),
            "{why:?}"
        );
    }
    let wanted = Question::HostKey {
        host: "web1".into(),
        address: format!("127.0.0.1:{}", sshd.port),
        kind: "ssh-ed25519".into(),
        fingerprint: print,
        file: sshd.path("known_hosts"),
    };
    assert_eq!(operator.asked(), [wanted]);
    assert_eq!(sshd.read("known_hosts"), "# mine");

    answered.ask_again();
    sshd.lets_in_with(&operator, &answered);
    let line = sshd.known_line("ed25519");
    assert_eq!(sshd.read("known_hosts"), format!("# mine\n{line}\n"));
    sshd.lets_in(&Headless);
    // OpenSSH reads it the same.
    let name = format!("[127.0.0.1]:{}", sshd.port);
    let known = sshd.path("known_hosts");
    run(Command::new("ssh-keygen")
        .args(["-F", &name, "-f"])
        .arg(known));
}

#[test]
fn unknown_keys_are_treated_as_ssh_config_says() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    sshd.write("known_hosts", "");
    sshd.config("StrictHostKeyChecking yes");
    let operator = Operator::says([Answer::Yes]);
    let why = sshd.refuses(&operator);
    assert!(why.remedy("web1").unwrap().contains("ssh-keyscan"), "{why}");
    assert!(operator.asked().is_empty());

    sshd.config("StrictHostKeyChecking accept-new\nHashKnownHosts yes");
    sshd.lets_in(&Headless);
    let text = sshd.read("known_hosts");
    assert!(
        text.starts_with("|1|") && text.lines().count() == 1,
        "{text}"
    );
    sshd.config("StrictHostKeyChecking yes");
    sshd.lets_in(&Headless);

    // Nowhere to write it: then it is known for this run.
    sshd.config("UserKnownHostsFile none");
    let (operator, answered) = (Operator::says([Answer::Yes]), Answered::default());
    sshd.lets_in_with(&operator, &answered);
    sshd.lets_in_with(&operator, &answered);
    assert_eq!(operator.asked().len(), 1);
    // Somewhere where it cannot be written: not let in.
    sshd.config("UserKnownHostsFile /proc/none/known_hosts");
    let why = sshd.refuses(&Operator::says([Answer::Yes]));
    assert!(matches!(why, Trouble::KnownHosts { .. }), "{why}");
}

#[test]
fn a_changed_key_is_refused_whatever_ssh_config_says() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    keygen(&sshd.path("host_old"), "ed25519", "");
    let text = format!("# mine\n{}\n", sshd.known_line("old"));
    sshd.write("known_hosts", &text);
    for strict in ["no", "accept-new", "ask", "yes"] {
        sshd.config(&format!("StrictHostKeyChecking {strict}"));
        let operator = Operator::says([Answer::Yes]);
        let why = sshd.refuses(&operator);
        let said = why.to_string();
        for part in [
            &fingerprint(&sshd.path("host_ed25519.pub")),
            &fingerprint(&sshd.path("host_old.pub")),
            &format!("{}:2", sshd.path("known_hosts").display()),
        ] {
            assert!(said.contains(part), "{said}");
        }
        let remedy = why.remedy("web1").unwrap();
        assert!(
            remedy.contains(&format!("-R '[127.0.0.1]:{}'", sshd.port)),
            "{remedy}"
        );
        assert!(why.needs_operator() && operator.asked().is_empty());
        assert_eq!(sshd.read("known_hosts"), text);
    }
    // A key of another kind in its place is a change too.
    keygen(&sshd.path("host_rsa"), "rsa", "");
    sshd.write("known_hosts", &sshd.known_line("rsa"));
    let why = sshd.refuses(&Operator::says([Answer::Yes]));
    assert!(matches!(why, Trouble::ChangedKey { .. }), "{why}");
}

#[test]
fn revoked_keys_and_authorities_are_recognised() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    let line = sshd.known_line("ed25519");
    sshd.write(
        "known_hosts",
        &format!("{line}\n@revoked * {}\n", sshd.host_key("ed25519")),
    );
    let why = sshd.refuses(&Operator::says([Answer::Yes]));
    assert!(
        matches!(&why, Trouble::RevokedKey { place, .. } if place.ends_with("known_hosts:2")),
        "{why}"
    );

    sshd.write("known_hosts", &line);
    sshd.config("RevokedHostKeys DIR/revoked");
    sshd.write("revoked", &sshd.host_key("ed25519"));
    assert!(matches!(
        sshd.refuses(&Headless),
        Trouble::RevokedKey { .. }
    ));
    run(Command::new("ssh-keygen")
        .args(["-kf"])
        .arg(sshd.path("revoked"))
        .arg(sshd.path("id.pub")));
    assert!(matches!(
        sshd.refuses(&Headless),
        Trouble::NeedsOpenSsh { .. }
    ));
    std::fs::remove_file(sshd.path("revoked")).unwrap();
    assert!(matches!(
        sshd.refuses(&Headless),
        Trouble::KnownHosts { .. }
    ));

    sshd.config("");
    keygen(&sshd.path("host_ca"), "ed25519", "");
    sshd.write(
        "known_hosts",
        &format!("@cert-authority {}\n", sshd.known_line("ca")),
    );
    let why = sshd.refuses(&Operator::says([Answer::Yes]));
    assert!(why.to_string().contains("host certificate"), "{why}");
    assert!(why.remedy("web1").unwrap().contains("via: openssh"));
}

#[test]
fn hashed_names_and_aliases_are_found() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    run(Command::new("ssh-keygen")
        .arg("-Hf")
        .arg(sshd.path("known_hosts")));
    assert!(!sshd.read("known_hosts").contains("127.0.0.1"));
    sshd.lets_in(&Headless);
    sshd.write(
        "known_hosts",
        &format!("the-web {}\n", sshd.host_key("ed25519")),
    );
    sshd.config("HostKeyAlias the-web");
    sshd.lets_in(&Headless);
    sshd.config("HostKeyAlias another");
    assert!(matches!(
        sshd.refuses(&Headless),
        Trouble::UnknownKey { .. }
    ));
}

#[test]
fn the_host_is_asked_for_the_key_that_is_known() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["rsa", "ecdsa", "ed25519"]);
    for kind in ["ed25519", "rsa", "ecdsa"] {
        sshd.write("known_hosts", &sshd.known_line(kind));
        let session = sshd
            .log_in(&Headless)
            .unwrap_or_else(|e| panic!("{kind}: {e}"));
        works(&session);
    }
}

#[test]
fn a_users_certificate_is_offered() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start_with(&["ed25519"], "TrustedUserCAKeys DIR/ca.pub");
    sshd.write("authorized", "");
    assert!(matches!(sshd.refuses(&Headless), Trouble::Refused { .. }));
    keygen(&sshd.path("ca"), "ed25519", "");
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let key = format!("user_{kind}");
        keygen(&sshd.path(&key), kind, "");
        let mut sign = Command::new("ssh-keygen");
        sign.args(["-q", "-I", "test", "-n", "root", "-s"])
            .arg(sshd.path("ca"));
        run(sign.arg(sshd.path(&format!("{key}.pub"))));
        sshd.config(&format!("IdentityFile DIR/{key}"));
        sshd.lets_in(&Headless);
    }
}

/// An operator who takes a while, and has the passphrase when the host has hung up.
struct Slow<'a>(&'a Sshd, std::time::Duration);

impl Ask for Slow<'_> {
    fn ask(&self, _: &Question) -> Answer {
        std::thread::sleep(self.1);
        self.0.hang_up();
        Answer::Text("open sesame".into())
    }
}

#[test]
fn a_connection_that_is_lost_after_one_refused_key_is_called_lost() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    keygen(&sshd.path("wrong"), "ed25519", "");
    keygen(&sshd.path("locked"), "ed25519", "open sesame");
    sshd.write("authorized", &sshd.read("locked.pub"));
    sshd.config("IdentityFile DIR/wrong\nIdentityFile DIR/locked");
    let at_once = sshd.refuses(&Slow(&sshd, std::time::Duration::ZERO));
    assert!(matches!(at_once, Trouble::Lost { .. }), "{at_once}");
    // Whoever is kept waiting may hang up for that.
    let late = sshd.refuses(&Slow(&sshd, std::time::Duration::from_millis(1100)));
    assert!(matches!(late, Trouble::Late), "{late}");
    assert!(!at_once.needs_operator() && !late.needs_operator());
}

fn answers(greeting: &'static [u8], keep: bool) -> Trouble {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text =
        "Host *\n  ConnectTimeout 1\n  UserKnownHostsFile none\n  GlobalKnownHostsFile /dev/null\n";
    std::fs::write(&file, text).unwrap();
    let options = SshOptions { config: Some(file) };
    let hop: Hop = config::resolve(&options, Some("root"), "127.0.0.1", None)
        .unwrap()
        .remove(0);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(greeting).unwrap();
        if keep {
            // Until the test has its answer.
            let _ = wait.recv();
        }
    });
    let stream = TcpStream::connect(address).unwrap();
    let why = login::log_in(
        stream,
        &hop,
        &address.to_string(),
        &Headless,
        &Answered::default(),
    );
    drop(end);
    server.join().unwrap();
    trouble(why)
}

#[test]
fn what_is_no_ssh_server_is_told_apart() {
    let Some(_) = tier::fleet() else { return };
    let why = answers(b"", false);
    assert!(matches!(why, Trouble::Closed { .. }), "{why:?}");
    assert!(why.remedy("web1").unwrap().contains("MaxStartups") && !why.needs_operator());
    let why = answers(b"", true);
    assert!(matches!(why, Trouble::TimedOut { .. }), "{why:?}");
    let why = answers(b"SSH-2.0-OpenSSH_9.2\r\n", true);
    assert!(matches!(why, Trouble::TimedOut { .. }), "{why:?}");
    // Cut while keys are exchanged: that says nothing about the host's cryptography.
    let why = answers(b"SSH-2.0-OpenSSH_9.2\r\n", false);
    assert!(matches!(why, Trouble::Lost { .. }), "{why:?}");
    assert!(!why.needs_operator());
    let why = answers(
        b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n<html>",
        false,
    );
    assert!(matches!(why, Trouble::NotSsh { .. }), "{why:?}");
}

#[test]
fn a_host_with_other_cryptography_is_named() {
    let Some(_) = tier::fleet() else { return };
    for lines in [
        "KexAlgorithms sntrup761x25519-sha512@openssh.com",
        "Ciphers 3des-cbc\nMACs umac-64@openssh.com",
        // Libssh2 can do these, and nobody should.
        "Ciphers aes128-cbc",
        "Ciphers aes256-ctr\nMACs hmac-sha1",
        "KexAlgorithms diffie-hellman-group14-sha1",
        "HostKeyAlgorithms ssh-rsa",
    ] {
        let sshd = Sshd::start_with(&["ed25519", "rsa"], lines);
        let why = sshd.refuses(&Headless);
        assert!(matches!(why, Trouble::Crypto { .. }), "{lines}: {why:?}");
        assert!(why.remedy("web1").unwrap().contains("via: openssh"));
    }
    for lines in [
        "Ciphers aes128-ctr\nMACs hmac-sha2-256-etm@openssh.com",
        "KexAlgorithms diffie-hellman-group14-sha256\nHostKeyAlgorithms rsa-sha2-256",
    ] {
        works(
            &Sshd::start_with(&["ed25519", "rsa"], lines)
                .log_in(&Headless)
                .unwrap(),
        );
    }
}

#[test]
fn a_host_whose_key_can_be_forged_is_refused_though_it_is_known() {
    let Some(_) = tier::fleet() else { return };
    let sshd = Sshd::start(&["rsa-1024"]);
    let why = sshd.refuses(&Headless);
    assert!(
        matches!(why, Trouble::WeakKey { bits: 1024, .. }),
        "{why:?}"
    );
    assert!(why.needs_operator() && why.to_string().contains("2048"));
    assert!(
        why.remedy("web1")
            .unwrap()
            .contains("ssh-keygen -t ed25519")
    );
    works(&Sshd::start(&["rsa-2048"]).log_in(&Headless).unwrap());
}

#[test]
fn ssh_config_is_read_as_openssh_reads_it() {
    let Some(_) = tier::fleet() else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let dir = folder.path().display().to_string();
        std::fs::write(folder.path().join(name), text.replace("DIR", &dir)).unwrap();
    };
    write(
        "more",
        "Host web*\n  ProxyJump ops@b1:2222,[::1]:23\n  Port 2022\nHost b1\n  HostName bastion.example.net\n  ProxyJump b0\n",
    );
    write(
        "config",
        "Include DIR/more\nHost web1\n  HostName web1.example.net\nMatch host web1.example.net user deploy\n  IdentityFile DIR/%r@%h\n\
         Match originalhost web1 exec true\n  ServerAliveInterval 9\n\
         Host through\n  ProxyCommand nc %h %p\nHost around\n  ProxyJump around2\nHost around2\n  ProxyJump around\n\
         Host token\n  HostName t1\n  ProxyJump b-%h-%n\nHost direct\n  ProxyJump none\n  ProxyCommand none\nHost *\n  User me\n",
    );
    let options = SshOptions {
        config: Some(folder.path().join("config")),
    };
    let resolve =
        |user: Option<&str>, host: &str, port| config::resolve(&options, user, host, port);
    let hops = resolve(None, "web1", None).unwrap();
    let short: Vec<String> = hops
        .iter()
        .map(|h| format!("{}={}@{}:{}", h.name, h.user, h.host, h.port))
        .collect();
    assert_eq!(
        short,
        [
            "b0=me@b0:22",
            "b1=ops@bastion.example.net:2222",
            "::1=me@::1:23",
            "web1=me@web1.example.net:2022"
        ]
    );
    assert_eq!(hops[3].server_alive_interval.unwrap().as_secs(), 9);
    assert_eq!(hops[0].server_alive_interval, None);
    // What the address says counts more.
    let hops = resolve(Some("deploy"), "web1", Some(22)).unwrap();
    assert_eq!((hops[3].user.as_str(), hops[3].port), ("deploy", 22));
    let key = folder.path().join("deploy@web1.example.net");
    assert!(
        hops[3].identity_files.contains(&key),
        "{:?}",
        hops[3].identity_files
    );

    assert_eq!(resolve(None, "token", None).unwrap()[0].host, "b-t1-token");
    assert_eq!(resolve(None, "direct", None).unwrap().len(), 1);
    let why = resolve(None, "through", None).unwrap_err();
    assert!(why.to_string().contains("ProxyCommand"), "{why}");
    assert!(why.remedy().unwrap().contains("via: openssh") && why.needs_operator());
    let why = resolve(None, "around", None).unwrap_err();
    assert!(
        why.to_string().contains("ProxyJump leads over more than"),
        "{why}"
    );
    write("config", "Host *\n  NoSuchKey 1\n");
    let why = resolve(None, "web1", None).unwrap_err().to_string();
    assert!(
        why.contains("line 2") && why.to_lowercase().contains("nosuchkey"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_systems_ssh_forwards_the_socket() {
    let Some(engine) = tier::fleet() else { return };
    let sshd = Sshd::start(&["ed25519"]);
    let socket = engine.socket.to_str().unwrap();
    let connector = |options: &SshOptions, socket: &str| {
        openssh::connector(options, Some("root"), "web1", None, Some(socket))
    };
    let options = sshd.options();
    // What ostler's own SSH cannot do.
    sshd.config("ProxyCommand nc 127.0.0.1 %p");
    if run(Command::new("sh").args(["-c", "command -v nc || true"])).is_empty() {
        sshd.config("");
    }
    let client = Client::over(connector(&options, socket), "ssh://web1", Gate::full())
        .await
        .unwrap();
    let there = client.info().await.unwrap().id;
    let here = Client::connect(&engine.address.parse().unwrap(), Gate::full())
        .await
        .unwrap();
    assert_eq!(there, here.info().await.unwrap().id);
    // Several at once, over the same ssh.
    let lists = futures_util::future::join_all((0..5).map(|_| client.ping())).await;
    assert!(lists.iter().all(Result::is_ok));
    let ours = || {
        let text = run(Command::new("sh").args([
            "-c",
            "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' || true",
        ]));
        let config = sshd.path("ssh_config").display().to_string();
        text.matches(&format!("-F {config}")).count()
    };
    assert_eq!(ours(), 1);
    drop(client);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while ours() > 0 && std::time::Instant::now() < end {
        tokio::task::yield_now().await;
    }
    assert_eq!(ours(), 0);

    let fails = async |socket: &str| {
        let connected = Client::over(connector(&options, socket), "ssh://web1", Gate::full()).await;
        connected.err().unwrap()
    };
    let why = fails("/no/such.sock").await;
    assert!(
        why.to_string().contains("does not forward /no/such.sock"),
        "{why}"
    );
    assert!(why.remedy().unwrap().contains("docker"));
    sshd.write("known_hosts", "");
    let why = fails(socket).await;
    assert!(
        why.to_string().contains("Host key verification failed"),
        "{why}"
    );
    assert!(why.is_unreachable() && why.needs_operator());
}
