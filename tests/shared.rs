//! What all sites of a host share, and what is left of it when one of them, or a visitor, takes all
//! that can be had.

#[path = "cli/mod.rs"]
mod cli;
#[path = "common/load.rs"]
mod load;
#[path = "common/testhost.rs"]
mod testhost;
#[path = "common/tier.rs"]
mod tier;
#[path = "apply/world.rs"]
mod world;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, NetworkingConfig,
};
use futures_util::StreamExt;
use ostler::engine::{Client, LogOptions};
use ostler::host::router;
use ostler::record::layout::run_on_host;
use ostler::record::names;
use ostler::record::route::{NET_SHARE, SHARE, SITE_SHARE};
use testhost::TestHost;
use world::World;

const WEB: &str = "recipe: image\nimage: ostler-test/web:1\nport: 8080\nmount: /data\nmemory: 128M\npids: 256\nenv: { GRACE: \"0\" }\n";

async fn two_sites(world: &mut World) {
    world.site("alice", &format!("{WEB}domains: [alice.test]"));
    world.site("bob", &format!("{WEB}domains: [bob.test]"));
    world.apply().await;
}

/// Runs a program of Python in alice's container, as her site; its exit code and what it printed.
async fn as_alice(world: &World, program: &str, args: &[&str]) -> (i64, String) {
    let id = world.container("alice").await.id;
    let mut argv = vec!["python3", "-c", program];
    argv.extend(args);
    let out = world
        .client
        .exec(&id, &argv, None, Duration::from_secs(180))
        .await
        .unwrap();
    let text = [out.stdout, out.stderr].concat();
    (out.code, String::from_utf8_lossy(&text).trim().to_owned())
}

/// Holds so many connections to `HOST PORT`…, says nothing on them, and opens those anew that are
/// closed, until there is a file `/tmp/enough`.
const FLOOD: &str = r#"
import os, resource, socket, sys, time
many = int(sys.argv[1])
to = list(zip(sys.argv[2::2], map(int, sys.argv[3::2])))
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
def stands(s):
    try:
        if s.recv(1): return True
    except BlockingIOError:
        return True
    except OSError:
        pass
    s.close()
held, opened, end = [], 0, time.monotonic() + 170
while time.monotonic() < end and not os.path.exists("/tmp/enough"):
    held = [s for s in held if stands(s)]
    for _ in range(min(250, many - len(held))):
        host, port = to[opened % len(to)]
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        s.setblocking(False)
        s.connect_ex((host, port))
        held.append(s)
        opened += 1
    time.sleep(0.05)
"#;

/// Connections that the router counts at the moment when it refuses them.
const MOMENT: u32 = 64;

/// Connections as one of the router's tables counts them.
async fn table(world: &World, name: &str) -> Vec<(String, u32)> {
    let asked = [format!("show table {name}")];
    let told = router::ask(&world.toolbox(), &asked).await.unwrap();
    let row = |line: &str| {
        let field = |name| line.split(' ').find_map(|word| word.strip_prefix(name));
        Some((field("key=")?.to_owned(), field("conn_cur=")?.parse().ok()?))
    };
    told[0].lines().filter_map(row).collect()
}

/// Which network a container is on.
enum Where {
    /// The engine's own: for the router a visitor like any other.
    Outside,
    /// The sites', at this address.
    Among(Ipv4Addr),
    /// The host's.
    Host,
}

/// A container that is none of ours.
struct Stranger {
    client: Client,
    id: String,
}

impl Stranger {
    async fn runs(world: &World, image: &str, argv: &[&str], place: Where) -> Stranger {
        let network = names::network(&world.name);
        let mut body = ContainerCreateBody {
            image: Some(image.into()),
            entrypoint: Some(argv.iter().map(|word| (*word).to_owned()).collect()),
            cmd: Some(Vec::new()),
            ..ContainerCreateBody::default()
        };
        if let Where::Host = place {
            body.host_config.get_or_insert_default().network_mode = Some("host".into());
        }
        if let Where::Among(address) = place {
            let ipam = EndpointIpamConfig {
                ipv4_address: Some(address.to_string()),
                ..EndpointIpamConfig::default()
            };
            let endpoint = EndpointSettings {
                ipam_config: Some(ipam),
                ..EndpointSettings::default()
            };
            body.host_config.get_or_insert_default().network_mode = Some(network.clone());
            body.networking_config = Some(NetworkingConfig {
                endpoints_config: Some([(network, endpoint)].into()),
            });
        }
        let name = format!("ostler-test-stranger-{}", world.name);
        let client = world.client.clone();
        let id = client.create(&name, &body).await.unwrap();
        let stranger = Stranger { client, id };
        stranger.client.start(&stranger.id).await.unwrap();
        stranger
    }

    /// What it wrote until it ended.
    async fn said(&self) -> String {
        let options = LogOptions {
            follow: true,
            tail: None,
            timestamps: false,
            ..LogOptions::default()
        };
        let mut bytes = Vec::new();
        let mut chunks = std::pin::pin!(self.client.logs(&self.id, options));
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk.unwrap().bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                if let Err(e) = runtime.block_on(self.client.remove(&self.id, true)) {
                    eprintln!("left behind, {}: {e}", self.id);
                }
            });
        });
    }
}

/// The router's own limit for the head of a request; whoever waits longer is not served.
const PATIENCE: Duration = Duration::from_secs(10);

async fn assert_answered(to: SocketAddr, what: &str) {
    let asked = tokio::time::timeout(PATIENCE, load::ask(to, "bob.test", "/")).await;
    let reply = asked.unwrap_or_else(|_| panic!("{what}: no answer in {PATIENCE:?}"));
    assert_eq!(reply.map(|r| r.status), Ok(200), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_take_no_other_site_down() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    two_sites(&mut world).await;
    let address = world.address_of("alice").await;
    let gateway = world.gateway().await;
    let http = world.front.port().to_string();
    let https = world.https().to_string();
    let at = gateway.to_string();
    let flood = ["9000", &at, &http, &at, &https];

    let argv: Vec<&str> = ["python3", "-c", FLOOD].into_iter().chain(flood).collect();
    let _visitor = Stranger::runs(&world, "ostler-test/web:1", &argv, Where::Outside).await;
    let inside = as_alice(&world, FLOOD, &flood);
    let outside = async {
        // Each has all that it can get, and no more.
        let alice = format!("::ffff:{address}");
        let until = Instant::now() + Duration::from_secs(60);
        let (mut site_full, mut visitor_full) = (false, false);
        while !(site_full && visitor_full) {
            let now = table(&world, "sources").await;
            for (key, count) in &now {
                let share = if *key == alice { SITE_SHARE } else { SHARE };
                assert!(*count <= share + MOMENT, "{now:?}");
                site_full |= *key == alice && *count == share;
                visitor_full |= *key != alice && *count == share;
            }
            assert!(Instant::now() < until, "the flood does not stand: {now:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let visitor = SocketAddr::from((gateway, world.front.port()));
        for round in 0..20 {
            assert_answered(visitor, &format!("visitor {round}")).await;
            assert_answered(world.front, &format!("from the host {round}")).await;
        }
        let info = router::info(&world.toolbox()).await.unwrap();
        assert!(
            info.connections <= u64::from(SHARE + SITE_SHARE) + 50,
            "{info:?}"
        );
        let stop = "open('/tmp/enough', 'w')";
        assert_eq!(as_alice(&world, stop, &[]).await.0, 0);
    };
    let (flooded, ()) = tokio::join!(inside, outside);
    assert_eq!(flooded.0, 0, "{}", flooded.1);

    // Her share is hers again.
    let ask = r#"
import http.client, sys
to = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=10)
to.request("GET", "/", headers={"Host": "bob.test"})
print(to.getresponse().status)
"#;
    let asked = as_alice(&world, ask, &[&at, &http]).await;
    assert_eq!(asked, (0, "200".to_owned()));
}

/// Few connections of HTTP/2 are no way around what a source may have.
#[tokio::test(flavor = "multi_thread")]
async fn requests_of_few_connections_count_each() {
    let Some(engine) = tier::engine() else { return };
    let mut world = World::new(&engine).await;
    two_sites(&mut world).await;
    const MANY: &str = "i=0\n\
        while [ $i -lt 80 ]; do set -- \"$@\" -o /dev/null \"https://bob.test:$2/slow?s=4\"; i=$((i+1)); done\n\
        to=$1 port=$2; shift 2\n\
        for i in 1 2 3; do curl -sk -Z --parallel-max 80 --http2 --connect-to \"::$to:$port\" \
          -w '%{http_code} %{http_version} %{num_connects}\\n' \"$@\" & done\n\
        wait";
    let gateway = world.gateway().await.to_string();
    let https = world.https().to_string();
    let argv = ["sh", "-c", MANY, "many", &gateway, &https];
    let [a, b, c, _] = world.address_of("alice").await.octets();
    let at = Ipv4Addr::new(a, b, c, 200);
    let one = Stranger::runs(&world, "ostler/toolbox:1", &argv, Where::Among(at)).await;
    let out = one.said().await;
    let count = |begin: &str| out.lines().filter(|line| line.starts_with(begin)).count();
    let connections = out.lines().filter(|line| line.ends_with(" 1")).count();
    assert_eq!(connections, 3, "{out}");
    let share = SITE_SHARE as usize;
    let counted = (count("200 2 "), count("429 2 "));
    assert_eq!(counted, (share, 240 - share), "{out}");
}

/// Leaves no inode and no block of the disk that her files lie on.
const FILL: &str = r#"
import errno
def until_full(do):
    try:
        while True: do()
    except OSError as e:
        print(errno.errorcode[e.errno])
count = iter(range(1 << 30))
until_full(lambda: open("/data/%d" % next(count), "w").close())
file = open("/data/0", "ab", buffering=0)
until_full(lambda: file.write(b"x" * 4096))
"#;

/// Until a site answers through the router, which may be about to start.
async fn answers_again(world: &World, what: &str) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let reply = load::ask(world.front, "bob.test", "/").await;
        match &reply {
            Ok(reply) if reply.status == 200 => return,
            _ if Instant::now() > until => panic!("{what}: {reply:?}"),
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_keeps_no_router_from_starting() {
    if tier::fleet().is_none() {
        return;
    }
    let images = ["haproxy:3.0", "ostler-test/web:1", "ostler/toolbox:1"];
    let host = TestHost::up("one", &images);
    let mut world = World::new(&host.engine).await;
    world.front.set_ip(host.address.into());
    let mount = "mkdir -p \"$1\" && mount -t tmpfs -o size=8m,nr_inodes=400 small \"$1\"";
    host.run(&["sh", "-c", mount, "mount", &world.root]);
    two_sites(&mut world).await;
    let full = as_alice(&world, FILL, &[]).await;
    assert_eq!(full, (0, "ENOSPC\nENOSPC".to_owned()));

    // What looks at the host says so.
    let file = world.folder.path().join("fleet.yml");
    std::fs::write(file, world.text()).unwrap();
    let status = cli::ostler_in(world.folder.path(), &["status"]);
    for what in [
        "✖ here: 0% of the ",
        "0% of the inodes of the sites' disk left",
    ] {
        assert!(status.out.contains(what), "{}{}", status.out, status.err);
    }
    let doctor = cli::ostler_in(world.folder.path(), &["doctor"]);
    assert!(
        doctor.out.contains("and 0 inodes (0%) free below"),
        "{}{}",
        doctor.out,
        doctor.err
    );

    let (router, toolbox) = (names::router(&world.name), names::toolbox(&world.name));
    for helper in [&router, &toolbox] {
        let restarted = world.client.restart(helper, Duration::from_secs(2)).await;
        restarted.unwrap();
    }
    answers_again(&world, "after a restart of the router").await;
    assert!(router::serves(&world.toolbox(), &router).await.unwrap());

    // As after a reboot: the daemon starts all anew, and nothing is in the host's /run.
    host.kill_dockerd();
    host.run(&["rm", "-r", &run_on_host(&world.name)]);
    host.start_dockerd();
    answers_again(&world, "after a reboot").await;
    assert!(router::serves(&world.toolbox(), &router).await.unwrap());
}

/// Whoever has an IPv6 network of /64 has more addresses than the router could count, and whoever has
/// one of /48 more networks of /64.
#[tokio::test(flavor = "multi_thread")]
async fn an_ipv6_network_is_one_source() {
    if tier::fleet().is_none() {
        return;
    }
    let images = ["haproxy:3.0", "ostler-test/web:1", "ostler/toolbox:1"];
    let host = TestHost::up("one", &images);
    if host
        .run(&["sh", "-c", "ls /proc/net/if_inet6 || :"])
        .is_empty()
    {
        println!("left out: this machine has no IPv6");
        return;
    }
    let mut world = World::new(&host.engine).await;
    world.front.set_ip(host.address.into());
    two_sites(&mut world).await;
    // Many addresses in one network of /64, and five more such networks in the same /48.
    let many = (1..=8).map(|n| format!("fd77::{n}"));
    let others = (1..=5).map(|n| format!("fd77:0:0:{n}::1"));
    let from: Vec<String> = many.chain(others).collect();
    let addresses = "sysctl -qw net.ipv6.conf.lo.disable_ipv6=0
        for a in \"$@\"; do ip -6 addr add \"$a/64\" dev lo nodad; done";
    let mut setup = vec!["sh", "-ec", addresses, "addresses"];
    setup.extend(from.iter().map(String::as_str));
    host.run(&setup);
    let http = world.front.port().to_string();
    let mut argv = vec!["python3", "-c", FLOOD, "4800"];
    for from in &from {
        argv.extend([from.as_str(), http.as_str()]);
    }
    // Each address talks to itself, so that it is also where its connections come from.
    let _flood = Stranger::runs(&world, "ostler-test/web:1", &argv, Where::Host).await;
    let until = Instant::now() + Duration::from_secs(60);
    let (mut source_full, mut net_full) = (false, false);
    while !(source_full && net_full) {
        let sources = table(&world, "sources").await;
        let nets = table(&world, "nets").await;
        let within = |most| move |(_, count): &(String, u32)| *count <= most + MOMENT;
        assert!(sources.iter().all(within(SHARE)), "{sources:?}");
        assert!(nets.iter().all(within(NET_SHARE)), "{nets:?}");
        source_full |= sources.contains(&("fd77::".into(), SHARE));
        net_full |= nets.contains(&("fd77::".into(), NET_SHARE));
        assert!(Instant::now() < until, "{sources:?} {nets:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_answered(world.front, "a neighbour").await;
}
