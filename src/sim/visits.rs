//! The visitors of simulated sites: who came when, and what they got. All of it follows from seed,
//! site and time, so nothing is kept and nothing runs: whoever asks for a stretch of time gets the
//! same visits each time, in the site's log and in the router's alike.

use super::clock::SECOND;
use super::container::Container;
use super::random;

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// Unix nanoseconds.
    pub at: i64,
    /// Where from.
    pub client: String,
    pub path: &'static str,
    /// Status answered.
    pub status: u16,
    /// Bytes answered.
    pub bytes: u64,
    /// Milliseconds it took.
    pub millis: u64,
    /// What the client calls itself.
    pub agent: &'static str,
}

const PATHS: [&str; 16] = [
    "/",
    "/",
    "/",
    "/style.css",
    "/index.php",
    "/favicon.ico",
    "/about",
    "/contact",
    "/images/header.jpg",
    "/feed",
    "/2026/11/autumn",
    "/app.js",
    "/robots.txt",
    "/search?q=cat",
    "/wp-login.php",
    "/.env",
];

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "curl/8.14.1",
];

/// How a site's visitors are.
#[derive(Debug, Clone)]
pub struct Crowd {
    seed: u64,
    key: String,
    rate: f64,
    errors: f64,
    status: u16,
    millis: u64,
}

impl Crowd {
    /// Those of the site that a container serves.
    pub fn of(seed: u64, container: &Container) -> Self {
        let behaviour = &container.behaviour;
        let errors = match behaviour.status {
            500.. => 1.0,
            _ if behaviour.hangs => 1.0,
            _ if container.starves() => behaviour.errors.max(0.35),
            _ => behaviour.errors,
        };
        Crowd {
            seed,
            key: key(container).to_owned(),
            rate: behaviour.rate,
            errors,
            status: if behaviour.status >= 500 {
                behaviour.status
            } else {
                502
            },
            millis: behaviour.latency.as_millis() as u64,
        }
    }

    /// Requests a second.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Share of them that ends in a 5xx.
    pub fn errors(&self) -> f64 {
        self.errors
    }

    /// The visits of one second, in their order.
    pub fn second(&self, second: i64) -> Vec<Visit> {
        if self.rate <= 0.0 {
            return Vec::new();
        }
        // Between half and one and a half of the rate, and a chance for the fraction of a visit.
        let mean = self.rate * (0.5 + random::fraction(self.seed, &self.key, second as u64));
        let more = random::fraction(self.seed ^ 1, &self.key, second as u64) < mean.fract();
        let count = mean as u64 + u64::from(more);
        let mut visits: Vec<Visit> = (0..count).map(|index| self.visit(second, index)).collect();
        visits.sort_by_key(|visit| visit.at);
        visits
    }

    fn visit(&self, second: i64, index: u64) -> Visit {
        let lot = |salt: u64| {
            random::number(
                self.seed ^ (salt << 32),
                &self.key,
                (second as u64) << 12 | index,
            )
        };
        let share = |salt: u64| (lot(salt) >> 11) as f64 / (1u64 << 53) as f64;
        let path = PATHS[(lot(2) % PATHS.len() as u64) as usize];
        let status = match share(3) {
            x if x < self.errors => self.status,
            _ if matches!(path, "/.env" | "/wp-login.php") => 404,
            x if x > 0.93 => 304,
            _ => 200,
        };
        let (one, two) = (lot(4) % 200 + 20, lot(5) % 250 + 1);
        Visit {
            at: second * SECOND + (lot(6) % SECOND as u64) as i64,
            client: format!("203.0.{one}.{two}"),
            path,
            status,
            bytes: if status == 200 {
                400 + lot(7) % 40_000
            } else {
                250
            },
            millis: self.millis + 2 + lot(8) % 40 * (1 + lot(9) % 3),
            agent: AGENTS[(lot(10) % AGENTS.len() as u64) as usize],
        }
    }
}

/// What a container's visitors go by: its site, so that they stay when it is replaced.
pub fn key(container: &Container) -> &str {
    container
        .labels
        .get("ostler.site")
        .unwrap_or(&container.name)
}

impl Visit {
    /// A line of Apache's access log.
    pub fn apache_line(&self) -> String {
        let date =
            chrono::DateTime::from_timestamp_nanos(self.at).format("%d/%b/%Y:%H:%M:%S +0000");
        format!(
            "{} - - [{date}] \"GET {} HTTP/1.1\" {} {} \"-\" \"{}\"\n",
            self.client, self.path, self.status, self.bytes, self.agent
        )
    }

    /// A line of the router's log.
    pub fn router_line(&self, site: &str, domain: &str) -> String {
        let seconds = self.at as f64 / SECOND as f64;
        let (answer, end) = if self.status == 502 {
            (-1, "SH")
        } else {
            (self.millis as i64, "--")
        };
        let line = serde_json::json!({
            "time": (seconds * 1000.0).round() / 1000.0,
            "site": site,
            "domain": domain,
            "client": self.client,
            "method": "GET",
            "path": self.path.split('?').next(),
            "status": self.status,
            "bytes": self.bytes,
            "connect_ms": 0,
            "answer_ms": answer,
            "total_ms": self.millis,
            "end": end,
            "agent": self.agent,
        });
        format!("{line}\n")
    }
}
