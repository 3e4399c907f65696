//! A request to a site from where the operator sits: what DNS says, and whether it answers.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::fleet::{EngineAddress, Fleet, Name};
use crate::verdict::{Outside, Probe, Road, SiteAnswer};

/// Longest time for each step.
const STEP: Duration = Duration::from_secs(4);

/// Asks DNS for the site's first domain and makes one request to its host. `None`: the site or its
/// host is not one that can be asked.
pub async fn probe(fleet: &Fleet, site: &Name) -> Option<(Outside, Probe)> {
    let site = fleet.sites.get(site)?;
    let host = fleet.hosts.get(&site.host)?;
    let domain = site.domains.first()?.as_str();
    let machine = match &host.engine {
        EngineAddress::Unix { .. } => "127.0.0.1",
        EngineAddress::Tcp { host, .. } | EngineAddress::Ssh { host, .. } => host,
        EngineAddress::Sim { .. } => return None,
    };
    let began = std::time::Instant::now();
    let (dns, http) = futures_util::join!(
        resolve(domain, host.ports.http),
        request(machine, host.ports.http, domain, &site.health.path),
    );
    let at = chrono::Utc::now().timestamp();
    let answer = match &http {
        Ok(status) => SiteAnswer::Site(*status),
        Err(why) => SiteAnswer::NotAsked(why.clone()),
    };
    let road = Road::Here(machine.to_owned());
    let probe = Probe::new(at, answer, road, began.elapsed(), None);
    Some((Outside { at, dns, http }, probe))
}

async fn resolve(domain: &str, port: u16) -> Result<Vec<String>, String> {
    // Browsers and curl never ask DNS for these (RFC 6761), and not every libc answers.
    if domain == "localhost" || domain.ends_with(".localhost") {
        return Ok(vec!["127.0.0.1".into()]);
    }
    match timeout(STEP, lookup_host((domain, port))).await {
        Err(_) => Err("DNS did not answer".into()),
        Ok(Err(_)) => Err("it does not resolve from here".into()),
        Ok(Ok(addresses)) => {
            let mut found: Vec<String> = addresses.map(|a| a.ip().to_string()).collect();
            found.dedup();
            match found.is_empty() {
                true => Err("it does not resolve from here".into()),
                false => Ok(found),
            }
        }
    }
}

async fn request(machine: &str, port: u16, domain: &str, path: &str) -> Result<u16, String> {
    let work = async {
        let mut stream = TcpStream::connect((machine, port))
            .await
            .map_err(|e| format!("{machine}:{port}: {e}"))?;
        let text = format!(
            "GET {path} HTTP/1.1\r\nHost: {domain}\r\nUser-Agent: ostler\r\nConnection: close\r\n\r\n"
        );
        let silent = |e: std::io::Error| format!("{machine}:{port}: {e}");
        stream.write_all(text.as_bytes()).await.map_err(silent)?;
        // The first line is enough: "HTTP/1.1 200 OK".
        let mut head = Vec::with_capacity(64);
        while head.len() < 12 {
            let mut part = [0; 64];
            let n = stream.read(&mut part).await.map_err(silent)?;
            if n == 0 {
                break;
            }
            head.extend_from_slice(&part[..n]);
        }
        status(&head).ok_or_else(|| format!("{machine}:{port} does not speak HTTP"))
    };
    timeout(STEP, work)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", STEP.as_secs())))
}

fn status(head: &[u8]) -> Option<u16> {
    let text = std::str::from_utf8(head.get(..12)?).ok()?;
    text.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::status;

    #[test]
    fn a_status_line_is_read() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 502 Bad"), Some(502));
        assert_eq!(status(b"SSH-2.0-OpenSSH_10"), None);
        assert_eq!(status(b"HTTP"), None);
    }
}
