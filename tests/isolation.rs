//! What one site can do to another, to ostler's own files, and to the host: nothing.

#[path = "common/load.rs"]
mod load;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::time::Duration;

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
