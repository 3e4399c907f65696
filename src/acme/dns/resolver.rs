//! Questions to a resolver: over UDP, and over TCP what does not fit.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{self, Data, Message, Record, Type, query};
use crate::file;

/// How long one server is waited for, once; each is asked twice.
const PATIENCE: Duration = Duration::from_secs(2);
/// The same over TCP, from the connection to the end of the answer.
const TCP: Duration = Duration::from_secs(5);
/// Servers that are asked, as in the C library.
const SERVERS: usize = 3;
/// Steps of one alias to the next.
const ALIASES: usize = 8;

/// Whom DNS is asked of.
#[derive(Debug, Clone)]
pub(in crate::acme) struct Resolver {
    servers: Vec<SocketAddr>,
}

/// What is known of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::acme) struct Known {
    /// There is such a name.
    pub(in crate::acme) exists: bool,
    /// What its aliases end at; the name itself where it has none.
    pub(in crate::acme) end: String,
    /// What stands there.
    pub(in crate::acme) data: Vec<Data>,
}

impl Resolver {
    /// The resolver that is given, or those of this machine.
    pub(in crate::acme) fn new(given: Option<SocketAddr>) -> Resolver {
        let servers = match given {
            Some(server) => vec![server],
            None => {
                let path = Path::new("/etc/resolv.conf");
                nameservers(&file::read_text(path, file::SMALL).unwrap_or_default())
            }
        };
        Resolver { servers }
    }

    /// Asks for records of a name, through its aliases.
    ///
    /// # Errors
    /// No server answers, or none knows, in words.
    pub(in crate::acme) async fn ask(&self, name: &str, kind: Type) -> Result<Known, String> {
        let mut end = name.trim_end_matches('.').to_ascii_lowercase();
        for _ in 0..ALIASES {
            let message = self.message(&end, kind).await?;
            let before = end.clone();
            end = follow(&message.answers, end, kind);
            let here = message.answers.into_iter().filter(|it| it.name == end);
            let data: Vec<Data> = here.map(|it| it.data).filter(|it| is(it, kind)).collect();
            // A server that does not look further than its own zones leaves the rest to us.
            if data.is_empty() && end != before && message.code == 0 {
                continue;
            }
            return Ok(Known {
                exists: message.code == 0,
                end,
                data,
            });
        }
        Err(format!("{name} leads through more than {ALIASES} aliases"))
    }

    async fn message(&self, name: &str, kind: Type) -> Result<Message, String> {
        let mut why = String::from("there is no resolver");
        for server in self.servers.iter().chain(&self.servers) {
            match ask(*server, name, kind).await {
                Ok(message) if matches!(message.code, 0 | 3) => return Ok(message),
                Ok(message) => why = format!("{} answers {}", server.ip(), word(message.code)),
                Err(error) => why = format!("{}: {error}", server.ip()),
            }
        }
        Err(why)
    }
}

/// The word of an answer's code.
pub(super) fn word(code: u8) -> String {
    let known = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
    ];
    let more = ["YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE"];
    let mut words = known.iter().chain(&more);
    let word = words.nth(usize::from(code)).copied();
    word.map_or_else(|| format!("error {code}"), str::to_owned)
}

/// Where aliases of an answer lead. Records of names that were not asked for are nobody's business.
fn follow(answers: &[Record], mut end: String, kind: Type) -> String {
    for _ in 0..if kind == Type::Cname { 0 } else { ALIASES } {
        let mut aliases = answers.iter().filter(|it| it.name == end);
        match aliases.find_map(|it| match &it.data {
            Data::Cname(to) => Some(to),
            _ => None,
        }) {
            Some(to) => end = to.clone(),
            None => break,
        }
    }
    end
}

fn is(data: &Data, kind: Type) -> bool {
    matches!(
        (data, kind),
        (Data::Address(IpAddr::V4(_)), Type::A)
            | (Data::Address(IpAddr::V6(_)), Type::Aaaa)
            | (Data::Cname(_), Type::Cname)
            | (Data::Ns(_), Type::Ns)
            | (Data::Txt(_), Type::Txt)
            | (Data::Caa { .. }, Type::Caa)
    )
}

/// One question to one server.
pub(super) async fn ask(server: SocketAddr, name: &str, kind: Type) -> Result<Message, String> {
    let id = random()?;
    let question = query(id, name, kind).ok_or_else(|| format!("{name} is no name"))?;
    let ours = |message: &Message| {
        let asked = (name.to_ascii_lowercase(), kind as u16, message::IN);
        message.id == id && message.question.as_ref() == Some(&asked)
    };
    let late = |_| "no answer".to_owned();
    let udp = timeout(PATIENCE, datagram(server, &question, &ours));
    let message = udp.await.map_err(late)?.map_err(|e| e.to_string())?;
    if !message.truncated {
        return Ok(message);
    }
    let answer = timeout(TCP, stream(server, &question));
    let answer = answer.await.map_err(late)?.map_err(|e| e.to_string())?;
    let message = message::read(&answer).filter(|message| ours(message));
    message.ok_or_else(|| "what it answers cannot be read".to_owned())
}

pub(super) fn random() -> Result<u16, String> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|error| error.to_string())?;
    Ok(u16::from_ne_bytes(id))
}

async fn datagram(
    server: SocketAddr,
    question: &[u8],
    ours: &impl Fn(&Message) -> bool,
) -> std::io::Result<Message> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = [0; 4096];
    loop {
        let length = socket.recv(&mut answer).await?;
        // What is not the answer to this question is somebody else's, or meant to deceive.
        if let Some(message) = message::read(&answer[..length]).filter(ours) {
            return Ok(message);
        }
    }
}

/// One message there and one back over TCP (RFC 1035, 4.2.2): at most 65,535 bytes each.
pub(super) async fn stream(server: SocketAddr, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect(server).await?;
    let sent = [&length.to_be_bytes()[..], message].concat();
    stream.write_all(&sent).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

/// The servers of a `resolv.conf`; without one, this machine itself is asked.
fn nameservers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let server = words.next().filter(|word| *word == "nameserver");
        // The zone of a link's own address (%eth0) is not understood.
        server.and(words.next())?.parse::<IpAddr>().ok()
    });
    let servers: Vec<SocketAddr> = lines.map(|ip| (ip, 53).into()).take(SERVERS).collect();
    match servers.is_empty() {
        true => vec![(Ipv4Addr::LOCALHOST, 53).into()],
        false => servers,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_found_as_the_c_library_finds_them() {
        let text = "# x\nsearch example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1\nnameserver fe80::1%eth0\nnameservers 192.0.2.9\n";
        let found = nameservers(text);
        assert_eq!(
            found,
            [
                "192.0.2.1:53".parse().unwrap(),
                "[2001:db8::1]:53".parse().unwrap()
            ]
        );
        assert_eq!(nameservers(""), ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(
            nameservers(&"nameserver 192.0.2.1\n".repeat(9)).len(),
            SERVERS
        );
    }

    #[test]
    fn aliases_are_followed_from_what_was_asked_and_not_in_circles() {
        let alias = |name: &str, to: &str| Record {
            name: name.into(),
            data: Data::Cname(to.into()),
        };
        let answers = [
            alias("a", "b"),
            alias("b", "c"),
            alias("x", "evil"),
            alias("c", "c"),
        ];
        assert_eq!(follow(&answers[..3], "a".into(), Type::A), "c");
        assert_eq!(follow(&answers[..3], "a".into(), Type::Cname), "a");
        assert_eq!(follow(&answers, "a".into(), Type::A), "c");
    }

    /// A server of one answer by UDP and another by TCP.
    async fn server(udp: Vec<Vec<u8>>, tcp: Vec<u8>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut question = [0; 512];
            let (_, peer) = socket.recv_from(&mut question).await.unwrap();
            for mut answer in udp {
                answer[..2].copy_from_slice(&question[..2]);
                socket.send_to(&answer, peer).await.unwrap();
            }
            let (mut stream, _) = listener.accept().await.unwrap();
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.unwrap();
            let mut answer = tcp;
            answer[..2].copy_from_slice(&question[..2]);
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn what_does_not_fit_is_asked_for_by_tcp_and_strangers_are_not_heard() {
        let question = query(0, "a.test", Type::A).unwrap();
        let answered = |flags: u8, name: &str, record: &[u8]| {
            let mut bytes = query(0, name, Type::A).unwrap();
            bytes[2] |= 0x80 | flags;
            bytes[7] = u8::from(!record.is_empty());
            bytes.extend(record);
            bytes
        };
        let record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07";
        let udp = vec![
            b"xx".to_vec(),
            question,
            answered(0, "b.test", record),
            answered(2, "a.test", b""),
        ];
        let address = server(udp, answered(0, "a.test", record)).await;
        let known = Resolver::new(Some(address)).ask("A.test.", Type::A).await;
        let expected = Known {
            exists: true,
            end: "a.test".into(),
            data: vec![Data::Address("192.0.2.7".parse().unwrap())],
        };
        assert_eq!(known, Ok(expected));
    }

    #[tokio::test]
    async fn nobody_there_is_told() {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let why = Resolver::new(Some(address))
            .ask("a.test", Type::A)
            .await
            .unwrap_err();
        assert!(why.starts_with("127.0.0.1: "), "{why}");
        let why = Resolver::new(Some(address))
            .ask("a..b", Type::A)
            .await
            .unwrap_err();
        assert!(why.contains("no name"), "{why}");
    }
}
