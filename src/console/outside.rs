//! What the operator's own side sees of a site: what DNS says, and whether what answers there is a
//! router of ours. The site itself is asked for nothing.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fleet::{EngineAddress, Fleet, Name};
use crate::host::router::probe::HERE;
use crate::observe::resolve::resolve;
use crate::verdict::Outside;

/// Longest time for each step.
const STEP: Duration = Duration::from_secs(4);
/// Bytes of an answer's head that are read, at most.
const HEAD: u64 = 16 * 1024;

/// Asks DNS for a domain of the site, the first that is no wildcard, and what answers there whether it is a router of ours.
/// `tells`: whether the host's router says so when it is asked.
/// `None`: the site is not one that is seen from anywhere.
pub async fn look(fleet: &Fleet, site: &Name, tells: bool) -> Option<Outside> {
    let site = fleet.sites.get(site)?;
    let host = fleet.hosts.get(&site.host)?;
    if matches!(host.engine, EngineAddress::Sim { .. }) {
        return None;
    }
    let domain = site.asked()?;
    let domain = domain.as_str();
    let port = host.ports.http;
    let dns = resolve(domain, port).await;
    let dns = dns.map(|all| all.iter().map(|at| at.ip().to_string()).collect::<Vec<_>>());
    let at = chrono::Utc::now().timestamp();
    let (http, router) = match &dns {
        Err(_) => (Err("it does not resolve".into()), false),
        Ok(addresses) => match request(&addresses[0], port, domain).await {
            Ok((status, router)) => (Ok(status), router),
            Err(why) => (Err(why), false),
        },
    };
    Some(Outside {
        at,
        dns,
        http,
        router: tells.then_some(router),
    })
}

/// The status of what answers at an address, and whether it is a router of ours.
async fn request(address: &str, port: u16, domain: &str) -> Result<(u16, bool), String> {
    let work = async {
        let mut stream = TcpStream::connect((address, port))
            .await
            .map_err(|e| format!("port {port}: {e}"))?;
        let text = format!(
            "GET {HERE} HTTP/1.1\r\nHost: {domain}\r\nUser-Agent: ostler\r\nConnection: close\r\n\r\n"
        );
        let silent = |e: std::io::Error| format!("port {port}: {e}");
        stream.write_all(text.as_bytes()).await.map_err(silent)?;
        let mut head = Vec::new();
        let mut stream = stream.take(HEAD);
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.map_err(silent)? == 0 {
                break;
            }
        }
        answer(&head).ok_or_else(|| format!("port {port} does not speak HTTP"))
    };
    timeout(STEP, work)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", STEP.as_secs())))
}

fn answer(head: &[u8]) -> Option<(u16, bool)> {
    let text = String::from_utf8_lossy(head);
    let status = text.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let mut headers = text.lines().skip(1).take_while(|line| !line.is_empty());
    let ours = headers.any(|line| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        name.eq_ignore_ascii_case("x-ostler") && value.trim() == "here"
    });
    Some((status, ours))
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn an_answer_is_read_and_whose_it_is() {
        let ours = b"HTTP/1.1 204 No Content\r\nx-ostler: here\r\n\r\n";
        assert_eq!(answer(ours), Some((204, true)));
        let page = b"HTTP/1.0 404 Not Found\r\nX-Ostler: unknown-domain\r\n\r\nx-ostler: here";
        assert_eq!(answer(page), Some((404, false)));
        assert_eq!(answer(b"HTTP/1.0 502 Bad"), Some((502, false)));
        assert_eq!(answer(b"SSH-2.0-OpenSSH_10"), None);
        assert_eq!(answer(b"HTTP"), None);
    }
}
