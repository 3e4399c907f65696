//! A `proxy` to a name: whoever has the name leads it where they like.

use std::net::{IpAddr, Ipv4Addr};

use ostler::engine::{Client, Gate};
use ostler::fleet::Subnet;
use ostler::record::route::RouteTarget;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::backend::Backend;
use crate::stage::{Stage, site, table};
use crate::{alone, tier};

/// A name server that knows three names.
struct NameServer {
    at: Ipv4Addr,
    task: JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl NameServer {
    /// At a loopback address of its own. HAProxy asks at port 53.
    async fn start(outside: Ipv4Addr) -> NameServer {
        let [a, b] = getrandom::u32().unwrap().to_le_bytes()[..2] else {
            unreachable!("four bytes have two")
        };
        let at = Ipv4Addr::new(127, 53, a, b.clamp(1, 254));
        let socket = UdpSocket::bind((at, 53)).await.unwrap();
        let task = tokio::spawn(async move {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let answer = answer(&query[..length], outside);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        NameServer { at, task }
    }
}

/// The answer to a question: one address, whatever kind was asked for. RFC 1035, section 4.1.
fn answer(query: &[u8], outside: Ipv4Addr) -> Vec<u8> {
    let name = &query[12..];
    let end = name.iter().position(|b| *b == 0).unwrap();
    let address = match &name[1..=usize::from(name[0])] {
        b"inside" => Ipv4Addr::LOCALHOST,
        b"cloud" => Ipv4Addr::new(169, 254, 169, 254),
        _ => outside,
    };
    let mut bytes = query[..2].to_vec();
    // An answer without an error to one question, with one record.
    bytes.extend([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    bytes.extend(&name[..end + 5]);
    // Of the name in the question: an address, in the internet, good for a second.
    bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
    bytes.extend(address.octets());
    bytes
}

/// An address of this machine that is not loopback's: that of Docker's own bridge.
pub async fn bridge(engine: &tier::Engine) -> Ipv4Addr {
    let address = engine.address.parse().unwrap();
    let client = Client::connect(&address, Gate::full()).await.unwrap();
    let networks = client.networks().await.unwrap().into_iter();
    let of_bridge = networks.filter(|n| n.name.as_deref() == Some("bridge"));
    let mut subnets = of_bridge
        .flat_map(|n| n.ipam?.config)
        .flatten()
        .filter_map(|c| c.subnet?.parse::<Subnet>().ok());
    subnets.next().expect("the bridge has IPv4").gateway()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_does_not_lead_to_the_host_itself() {
    // Port 53 is root's.
    let Some(engine) = tier::fleet() else { return };
    let _alone = alone().await;
    let outside = bridge(&engine).await;
    let names = NameServer::start(outside).await;
    let here = Backend::start_at("here", IpAddr::V4(Ipv4Addr::LOCALHOST)).await;
    let there = Backend::start_at("there", IpAddr::V4(outside)).await;
    let named = |name: &str, port: u16| {
        let mut site = site(name, &[&format!("{name}.example")], here.at);
        site.target = RouteTarget::Resolve {
            host: format!("{name}.test"),
            port,
        };
        site
    };
    let table = table([
        named("inside", here.at.port()),
        named("cloud", 80),
        named("outside", there.at.port()),
        site("direct", &["direct.example"], here.at),
    ]);
    let stage = Stage::set_with(&engine, &table, Some(names.at)).await;
    assert_eq!(stage.ask("outside.example", "/").await.text(), "there");
    for host in ["inside.example", "cloud.example"] {
        let reply = stage.ask(host, "/").await;
        let mark = reply.header("x-ostler");
        assert_eq!((reply.status, mark), (503, "off-limits"), "{host}");
    }
    // The operator's own word for it still goes there.
    assert_eq!(stage.ask("direct.example", "/").await.text(), "here");
}
