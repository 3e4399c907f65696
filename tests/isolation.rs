//! What one site can do to another, to ostler's own files, and to the host: nothing.

#[path = "common/load.rs"]
mod load;
#[path = "common/testhost.rs"]
mod testhost;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::Duration;

use tokio::task::JoinHandle;

use world::World;

const WEB: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\nmount: /data\nmemory: 64M\nenv: { GRACE: \"0\" }\n";

async fn two_sites(engine: &tier::Engine) -> World {
    let mut world = World::new(engine).await;
    world.site("alice", &format!("{WEB}domains: [alice.test]"));
    world.site("bob", &format!("{WEB}domains: [bob.test]"));
    world.apply().await;
    world
}

/// Runs a Python program inside a site's container, as the site; what it printed.
async fn inside(world: &World, site: &str, program: &str, args: &[&str]) -> String {
    let id = world.container(site).await.id;
    let mut argv = vec!["python3", "-c", program];
    argv.extend(args);
    let out = world
        .client
        .exec(&id, &argv, None, Duration::from_secs(60))
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    assert_eq!(
        out.code,
        0,
        "{text}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    text
}

/// Tries each `HOST PORT`; prints a line each.
const CONNECT: &str = r#"
import socket, sys
for host, port in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
        print("open", host, port)
    except OSError as e:
        print("closed", host, port, type(e).__name__)
"#;

#[tokio::test]
async fn a_site_reaches_no_other_site() {
    let Some(engine) = tier::engine() else { return };
    let world = two_sites(&engine).await;
    let bob = world.container("bob").await;
    let address = world.address_of("bob").await.to_string();
    // From the host, and so from the router, it can be reached: the test below means something.
    assert_eq!(world.ask("bob.test", "/").await.status, 200);
    let tried = inside(
        &world,
        "alice",
        CONNECT,
        &[
            &address,
            "8080",
            &bob.name,
            "8080",
            "bob",
            "8080",
            &bob.id[..12],
            "8080",
        ],
    )
    .await;
    assert_eq!(tried.matches("closed").count(), 4, "{tried}");
}

#[tokio::test]
async fn a_site_has_no_second_way_through_the_network() {
    let Some(engine) = tier::engine() else { return };
    let world = two_sites(&engine).await;
    // No raw sockets (ARP games need them), no IPv6 address but loopback's, no interface changes.
    let program = r#"
import socket, fcntl, struct
for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW)):
    try:
        socket.socket(family, kind, 1)
        print("raw")
    except PermissionError:
        print("refused")
try:
    lines = open("/proc/net/if_inet6").read().split("\n")
except FileNotFoundError:
    lines = []
print("v6", [l for l in lines if l and not l.endswith("lo")])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14s", b"eth0", 0, b""))  # SIOCSIFFLAGS
    print("changed")
except PermissionError:
    print("refused")
caps = [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapEff", "CapPrm", "CapBnd", "NoNewPrivs"))]
print("caps", *caps)
"#;
    let said = inside(&world, "alice", program, &[]).await;
    let zero = "0".repeat(16);
    assert_eq!(
        said,
        format!("refused\nrefused\nv6 []\nrefused\ncaps {zero} {zero} {zero} 1")
    );
}

#[tokio::test]
async fn a_site_sees_its_own_files_only() {
    let Some(engine) = tier::engine() else { return };
    let world = two_sites(&engine).await;
    let program = r#"
import os, sys
print(os.getuid(), os.getgid())
open("/data/mine", "w").write("x")
print(os.stat("/data/mine").st_uid)
for path in sys.argv[1:]:
    try:
        print(os.listdir(path))
    except OSError as e:
        print(type(e).__name__)
mounts = [l.split()[3:5] for l in open("/proc/self/mountinfo")]
print([m for m in mounts if sys.argv[1] in m[0]])
"#;
    let said = inside(
        &world,
        "alice",
        program,
        &[&world.root, "/var/run/docker.sock"],
    )
    .await;
    let lines: Vec<&str> = said.lines().collect();
    let uids: Vec<&str> = lines[0].split(' ').collect();
    assert_eq!(uids[0], uids[1]);
    assert!(uids[0].parse::<u32>().unwrap() >= 200_000);
    assert_eq!(lines[1], uids[0]);
    assert_eq!(&lines[2..4], ["FileNotFoundError", "FileNotFoundError"]);
    // Of the root folder alice sees her own part, nothing of bob's and nothing of ostler's.
    for what in ["bob", "/state", "/certs", "/run/", "/router", "/journal"] {
        assert!(!lines[4].contains(what), "{what}: {}", lines[4]);
    }
    let bob = inside(&world, "bob", "import os; print(os.getuid())", &[]).await;
    assert_ne!(bob, uids[0]);
}

#[tokio::test]
async fn php_runs_as_the_site() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    world.site("php", "recipe: php\ndomains: [php.test]\nmemory: 128M");
    world.apply().await;
    let uid = world.look().await.state.read().unwrap().sites["php"].uid;
    let page = "<?php echo posix_getuid(), ' ', posix_getgid(), ' ', $_SERVER['REMOTE_ADDR'];";
    world.put_page("php", "who.php", page).await;
    let reply = world.ask("php.test", "/who.php").await;
    assert_eq!(reply.text(), format!("{uid} {uid} 127.0.0.1"));
}

/// Links planted in `www` and `logs` lead nothing of ostler's anywhere, whatever it then does.
#[tokio::test]
async fn planted_links_lead_nowhere() {
    let Some(engine) = tier::engine() else { return };
    let mut world = two_sites(&engine).await;
    let victim = world.folder.path().join("victim");
    std::fs::create_dir(&victim).unwrap();
    std::fs::write(victim.join("file"), "untouched").unwrap();
    let plant = r#"
import os, shutil, sys
for name in ("index.html", ".new-index.html", "a"):
    try: os.unlink("/data/" + name)
    except OSError: pass
    os.symlink(sys.argv[1], "/data/" + name)
os.symlink("../../../state", "/data/state")
os.symlink("../../bob/www", "/data/bob")
os.symlink("/etc", "/data/etc")
"#;
    inside(&world, "alice", plant, &[victim.to_str().unwrap()]).await;
    let owner = |path: &std::path::Path| {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::symlink_metadata(path).unwrap();
        (meta.uid(), meta.mode())
    };
    let root = std::path::PathBuf::from(&world.root);
    let before = [
        owner(&victim),
        owner(&root.join("state")),
        owner(&root.join("sites/bob/www")),
        owner("/etc".as_ref()),
    ];
    // Everything that touches the site's folder: a new container, stop, archive, back again, and
    // the taking over of files that another uid owns.
    let web = |more: &str| format!("{WEB}domains: [alice.test]\n{more}");
    for state in ["stopped", "archived", "running"] {
        world.site("alice", &web(&format!("state: {state}")));
        world.apply().await;
    }
    world.forget("alice").await;
    std::os::unix::fs::lchown(root.join("sites/alice/www"), Some(4321), Some(4321)).unwrap();
    world.site("alice", &web(""));
    let plan = world.plan().await;
    assert!(
        plan.operations
            .iter()
            .any(|o| matches!(o.kind, ostler::plan::OperationKind::TakeOwnership { .. })),
        "{plan:#?}"
    );
    world.apply().await;
    let after = [
        owner(&victim),
        owner(&root.join("state")),
        owner(&root.join("sites/bob/www")),
        owner("/etc".as_ref()),
    ];
    assert_eq!(before, after);
    assert_eq!(
        std::fs::read_to_string(victim.join("file")).unwrap(),
        "untouched"
    );
    let uid = world.look().await.state.read().unwrap().sites["alice"].uid;
    assert_eq!(owner(&root.join("sites/alice/www")).0, uid);
    assert_eq!(
        owner(&root.join("sites/alice/www/etc")).0,
        uid,
        "the link itself, not what it names"
    );
}

/// A command of the docker program against a test host's engine; what it printed.
fn docker(host: &testhost::TestHost, args: &[&str]) -> String {
    let mut command = std::process::Command::new("docker");
    command.args(["-H", &host.engine.address]).args(args);
    let out = command.output().unwrap();
    let complaint = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "docker {args:?}: {complaint}");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

/// What listens on a test host, as a site can try it: `HOST PORT`, in this order: the metadata
/// address of a cloud, the host's sshd, a port that a container publishes, the router.
async fn surroundings(world: &World, host: &testhost::TestHost) -> Vec<String> {
    let web = "ostler-test/web:1";
    let run = |more: &[&str]| docker(host, &[&["run", "-d"], more, &[web]].concat());
    run(&["--publish", "9010:8080"]);
    let cloud = run(&["--network", "none", "--env", "PORT=80"]);
    let pid = docker(host, &["inspect", "--format", "{{.State.Pid}}", &cloud]);
    // Beyond the host, as a cloud's is: the host forwards to it.
    let wires = r#"set -e
ip link add cloud0 type veth peer name eth0 netns "$1"
ip addr add 169.254.169.1/24 dev cloud0
ip link set cloud0 up
nsenter -t "$1" -n ip addr add 169.254.169.254/24 dev eth0
nsenter -t "$1" -n ip link set eth0 up
"#;
    host.run(&["sh", "-c", wires, "wires", &pid]);
    let address = host.address.to_string();
    let router = world.front.port().to_string();
    let all = [
        ["169.254.169.254", "80"],
        [&address, "22"],
        [&address, "9010"],
        [&address, &router],
    ];
    all.iter().flatten().map(|s| (*s).to_owned()).collect()
}

/// Runs a Python program inside a site while the test goes on; what it printed.
async fn beside(
    world: &World,
    site: &str,
    program: &'static str,
    host: &str,
) -> JoinHandle<String> {
    let (client, id) = (world.client.clone(), world.container(site).await.id);
    let host = host.to_owned();
    tokio::spawn(async move {
        let argv = ["python3", "-c", program, &host];
        let out = client.exec(&id, &argv, None, Duration::from_secs(90)).await;
        let out = out.map(|out| out.stdout).unwrap_or_default();
        String::from_utf8_lossy(&out).trim().to_owned()
    })
}

/// Holds a connection to the host's sshd and speaks on it: prints `cut` when it breaks.
async fn hold(world: &World, site: &str, host: &str) -> JoinHandle<String> {
    let program = r#"
import socket, sys, time
s = socket.create_connection((sys.argv[1], 22), timeout=5)
s.recv(100)
open("/data/held", "w").close()
s.settimeout(1)
for _ in range(300):
    try:
        s.send(b"S")
        time.sleep(0.2)
    except OSError:
        print("cut")
        break
"#;
    let held = beside(world, site, program, host).await;
    let there = async || {
        let there = "import os; print(os.path.exists('/data/held'))";
        inside(world, site, there, &[]).await == "True"
    };
    until("a connection is held", there).await;
    held
}

/// Goes on trying to reach the host's sshd, and writes down how that went.
async fn try_on(world: &World, site: &str, host: &str) -> JoinHandle<String> {
    let program = r#"
import socket, sys, time
out = open("/data/tried", "w", buffering=1)
while True:
    try:
        socket.create_connection((sys.argv[1], 22), timeout=1).close()
        print("open", file=out)
    except OSError:
        print("closed", file=out)
    time.sleep(0.1)
"#;
    let trying = beside(world, site, program, host).await;
    let there = async || {
        let there = "import os; print(os.path.exists('/data/tried') and os.path.getsize('/data/tried') > 0)";
        inside(world, site, there, &[]).await == "True"
    };
    until("it is tried", there).await;
    trying
}

/// Waits until something holds.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !holds().await {
        assert!(
            std::time::Instant::now() < end,
            "not within a minute: {what}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Which of these a site reaches: one letter each, `o` for open.
async fn reached(world: &World, site: &str, these: &[String]) -> String {
    let these: Vec<&str> = these.iter().map(String::as_str).collect();
    let said = inside(world, site, CONNECT, &these).await;
    said.lines().map(|line| &line[..1]).collect()
}

#[tokio::test]
async fn sites_of_a_strict_host_reach_the_router_and_nothing_else_of_it() {
    if tier::fleet().is_none() {
        return;
    }
    let images = [
        "haproxy:3.0",
        "ostler-test/web:1",
        "ostler/toolbox:1",
        "ostler/guard:1",
    ];
    let images = images.iter().flat_map(|image| ["--image", image]);
    let options: Vec<&str> = ["--ssh"].into_iter().chain(images).collect();
    let host = testhost::TestHost::up_with("strict", &options);
    let mut world = World::new(&host.engine).await;
    world.front.set_ip(host.address.into());
    // It takes its time to end: longer than the guard when the daemon stops.
    let slow = WEB.replace("GRACE: \"0\"", "GRACE: \"8\"");
    world.site("alice", &format!("{slow}domains: [alice.test]"));
    world.apply().await;
    let these = surroundings(&world, &host).await;
    // Else the rest means nothing.
    let open = async || {
        let before = reached(&world, "alice", &these).await;
        before.starts_with("oo") && before.ends_with('o')
    };
    until("all of it can be reached", open).await;

    let held = hold(&world, "alice", &these[2]).await;
    world.host = "    isolate: strict\n".into();
    world.apply().await;
    // A connection from before ends too.
    assert_eq!(held.await.unwrap(), "cut");
    assert_eq!(reached(&world, "alice", &these).await, "ccco");
    assert_eq!(world.ask("alice.test", "/").await.status, 200);
    // Name servers are not cut off: some clouds have theirs at the metadata address.
    let program = "import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(2)
s.connect((sys.argv[1], 53))
s.send(b'x')
try:
    s.recv(1)
except ConnectionRefusedError:
    print('came there')
except OSError as e:
    print(e)";
    let asked = inside(&world, "alice", program, &["169.254.169.254"]).await;
    assert_eq!(asked, "came there");

    // Taken away behind its back, the rules come back.
    let guard = ostler::record::names::guard(&world.name);
    let table = ostler::record::guard::table(&world.name);
    let nft = |what: &'static str| {
        let (client, guard, table) = (world.client.clone(), guard.clone(), table.clone());
        async move {
            let argv = ["nft", what, "table", "ip", &table];
            let limit = Duration::from_secs(10);
            let out = client.exec(&guard, &argv, None, limit).await;
            out.ok().map(|out| out.code)
        }
    };
    assert_eq!(nft("delete").await, Some(0));
    until("the rules are back", async || nft("list").await == Some(0)).await;
    assert_eq!(reached(&world, "alice", &these).await, "ccco");

    // Without ostler, while the daemon stops and after its restart.
    let trying = try_on(&world, "alice", &these[2]).await;
    host.restart_dockerd();
    trying.abort();
    until("the rules are back", async || nft("list").await == Some(0)).await;
    let answers = async || {
        let reply = load::ask(world.front, "alice.test", "/").await;
        reply.is_ok_and(|reply| reply.status == 200)
    };
    until("the site answers", answers).await;
    let rest = [&these[2..4], &these[6..]].concat();
    assert_eq!(reached(&world, "alice", &rest).await, "co");
    let tried = inside(&world, "alice", "print(open('/data/tried').read())", &[]).await;
    assert!(
        tried.contains("closed") && !tried.contains("open"),
        "{tried}"
    );
    assert!(world.plan().await.is_empty());

    // And gone with the key.
    world.host.clear();
    world.apply().await;
    let tables = host.run(&["sh", "-c", "nft list tables 2>/dev/null || :"]);
    assert!(!tables.contains(&table), "{tables}");
    let guards = world.ours().await;
    assert!(guards.iter().all(|c| c.name != guard));
}
