use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

fn way(program: &Path, user: Option<&str>, host: &str, socket: &str) -> Way {
    Way {
        program: program.display().to_string(),
        options: SshOptions::default(),
        user: user.map(str::to_owned),
        host: host.to_owned(),
        port: Some(2222),
        socket: socket.to_owned(),
        running: Mutex::default(),
        starting: Joint::default(),
        spare: Mutex::default(),
        ports: Ports::default(),
        turn: tokio::sync::Mutex::default(),
    }
}

/// A stand-in for ssh: a shell script that finds the local socket in its arguments as `$local`.
fn stand_in(folder: &tempfile::TempDir, script: &str) -> PathBuf {
    let file = folder.path().join("ssh");
    let text = format!(
        "#!/bin/sh\nfor a; do case \"$a\" in /*:/*) local=${{a%%:*}};; esac; done\n{script}\n"
    );
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    file
}

/// A script that listens at `$local` and does this with each connection `C`. (Perl is where OpenSSL
/// is built.)
fn listening(each: &str) -> String {
    format!(
        "exec perl -MSocket -e 'socket S, AF_UNIX, SOCK_STREAM, 0; \
         bind S, pack_sockaddr_un($ARGV[0]) or die; listen S, 8; \
         while (accept C, S) {{ {each} close C }}' \"$local\""
    )
}

#[test]
fn paths_and_names_are_data() {
    let way = way(
        Path::new("ssh"),
        Some("ops"),
        "web1",
        "/run/a b:c%h\\d.sock",
    );
    let arguments = way.arguments(Path::new("/run/x/s")).unwrap();
    let arguments: Vec<&str> = arguments.iter().map(|a| a.to_str().unwrap()).collect();
    let at = |word: &str| arguments.iter().position(|a| *a == word).unwrap();
    assert_eq!(
        arguments[at("-L") + 1],
        "/run/x/s:/run/a b\\:c%%h\\\\d.sock"
    );
    assert_eq!(arguments[at("-l") + 1], "ops");
    assert_eq!(arguments[at("-p") + 1], "2222");
    assert_eq!(arguments[at("--") + 1..], ["web1"]);
    assert!(arguments.contains(&"BatchMode=yes") && arguments.contains(&"-N"));
    for wrong in ["run/x", "/run/${HOME}", "/run/\nx"] {
        assert!(escaped(wrong).is_err(), "{wrong}");
    }
    let odd = super::Way {
        host: "-oProxyCommand=id".into(),
        ..way
    };
    assert!(odd.start().is_err());
}

#[tokio::test]
async fn says_why_ssh_ended() {
    let folder = tempfile::tempdir().unwrap();
    let ssh = stand_in(
        &folder,
        "echo 'Load key: bad' >&2; printf 'me@web1: Permission\\033[2J denied\\n' >&2; exit 255",
    );
    let way = way(&ssh, None, "web1", "/run/docker.sock");
    let way = Arc::new(way);
    let error = way.clone().dial().await.err().unwrap();
    let text = error.to_string();
    assert!(
        text.ends_with("Load key: bad; me@web1: Permission [2J denied"),
        "{text}"
    );
    assert!(error.is_unreachable());

    let none = self::way(Path::new("/no/such/ssh"), None, "web1", "/run/docker.sock");
    let error = Arc::new(none).dial().await.err().unwrap().to_string();
    assert!(error.contains("ssh"), "{error}");
}

#[tokio::test]
async fn what_is_running_is_used_and_what_ended_is_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    // Something that listens, and counts how often it was started.
    let log = folder.path().join("log");
    let script = format!(
        "echo x >>{}; {}",
        log.display(),
        listening("sysread C, my $b, 9; syswrite C, $b;")
    );
    let ssh = stand_in(&folder, &script);
    let way = Arc::new(way(&ssh, None, "web1", "/run/docker.sock"));
    let echo = async |way: &Arc<Way>| {
        let mut stream = way.clone().dial().await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).await.unwrap();
        assert_eq!(back, "hello");
    };
    let starts = || std::fs::read_to_string(&log).unwrap().lines().count();
    echo(&way).await;
    echo(&way).await;
    assert_eq!(starts(), 1);

    let (first, id) = {
        let running = lock(&way.running);
        let process = running.as_ref().unwrap();
        (process.socket(), process.id().unwrap())
    };
    let id = rustix::process::Pid::from_raw(id.cast_signed()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    // Its socket takes connections until it is dead.
    let end = Instant::now() + Duration::from_secs(5);
    while !lock(&way.running).as_ref().unwrap().ended() && Instant::now() < end {
        tokio::task::yield_now().await;
    }
    echo(&way).await;
    assert_eq!(starts(), 2);
    assert!(!first.exists());

    let second = lock(&way.running).as_ref().unwrap().socket();
    let id = lock(&way.running).as_ref().unwrap().id().unwrap();
    drop(way);
    assert!(!second.parent().unwrap().exists());
    let gone = || !Path::new(&format!("/proc/{id}")).exists();
    let end = Instant::now() + Duration::from_secs(5);
    while !gone() && Instant::now() < end {
        tokio::task::yield_now().await;
    }
    assert!(gone());
}

#[tokio::test]
async fn all_who_wait_share_one_login_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let script = format!(
        "echo x >>{}; sleep 0.3; echo 'Permission denied' >&2; exit 255",
        log.display()
    );
    let ssh = stand_in(&folder, &script);
    let way = Arc::new(way(&ssh, None, "web1", "/run/docker.sock"));
    let all = futures_util::future::join_all((0..5).map(|_| way.clone().dial())).await;
    for failed in all {
        let error = failed.err().unwrap();
        assert!(error.needs_operator(), "{error}");
    }
    let starts = std::fs::read_to_string(&log).unwrap();
    assert_eq!(starts.lines().count(), 1);
}

#[tokio::test]
async fn a_connection_that_the_host_refuses_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let says = "syswrite STDERR, qq(channel 1: open failed: connect failed: open failed\\n);";
    let ssh = stand_in(&folder, &listening(says));
    let way = Arc::new(way(&ssh, None, "web1", "/run/docker.sock"));
    let mut stream = way.dial().await.unwrap();
    let error = stream.read(&mut [0; 9]).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("/run/docker.sock") && text.contains("connect failed"),
        "{text}"
    );
}
