//! Where a name leads, as this machine's resolver says.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

/// Longest time for an answer.
const WITHIN: Duration = Duration::from_secs(4);

/// Addresses of a domain, at least one, each with that port; else why there is none.
pub async fn resolve(domain: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    // Browsers and curl never ask DNS for these (RFC 6761), and not every libc answers.
    if domain == "localhost" || domain.ends_with(".localhost") {
        return Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]);
    }
    match timeout(WITHIN, lookup_host((domain, port))).await {
        Err(_) => Err("DNS did not answer".into()),
        Ok(Err(_)) => Err("it does not resolve from here".into()),
        Ok(Ok(addresses)) => {
            let mut found: Vec<SocketAddr> = addresses.collect();
            found.dedup();
            match found.is_empty() {
                true => Err("it does not resolve from here".into()),
                false => Ok(found),
            }
        }
    }
}
