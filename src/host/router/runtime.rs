//! The router's runtime socket as text: which commands make the running process equal the wanted
//! maps, and what its answers mean.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{Map, Maps};

/// An answer that cannot be understood, or that refuses a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Answer {
    /// There were more or fewer answers than commands.
    #[error("the router gave {got} answers to {asked} commands")]
    Count {
        /// Answers.
        got: usize,
        /// Commands.
        asked: usize,
    },
    /// A command was refused.
    #[error("the router refused \"{command}\": {words}")]
    Refused {
        command: String,
        /// What the router said.
        words: String,
    },
    /// An answer has another form than expected.
    #[error("the router's answer to \"{command}\" cannot be read: {line:?}")]
    Garbled {
        command: String,
        /// The line that was not understood.
        line: String,
    },
}

/// The bytes to send for commands, in the socket's interactive mode: one connection for all, and
/// every answer ends with a prompt.
pub fn script(commands: &[String]) -> Vec<u8> {
    let mut text = String::from("prompt\n");
    for command in commands {
        text.push_str(command);
        text.push('\n');
    }
    text.push_str("quit\n");
    text.into_bytes()
}

/// One answer per command, from all that came back for a [`script`].
pub fn answers(output: &[u8], asked: usize) -> Result<Vec<String>, Answer> {
    const PROMPT: &str = "\n> ";
    let text = String::from_utf8_lossy(output);
    let mut parts = text.split(PROMPT);
    // Before the first prompt and after the last one there is nothing.
    parts.next();
    let mut answers: Vec<String> = parts
        .map(|part| {
            let mut part = part;
            // The prompt of each line of a command's payload.
            while let Some(rest) = part.strip_prefix("+ ") {
                part = rest;
            }
            part.trim_matches('\n').to_owned()
        })
        .collect();
    let after = answers.pop();
    if answers.len() != asked || after.is_none_or(|rest| !rest.is_empty()) {
        return Err(Answer::Count {
            got: answers.len(),
            asked,
        });
    }
    Ok(answers)
}

/// A word of a command: what would end it or begin another command is escaped.
pub(super) fn word(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, ' ' | ';' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The command that shows a map; `file` is its path as in the configuration.
pub fn show_map(file: &str) -> String {
    format!("show map {}", word(file))
}

/// How the answer begins where the process has no such map.
pub const NO_MAP: &str = "Unknown map identifier";

/// Entries of a map as loaded, from the answer to [`show_map`]. A key may occur twice when someone
/// added it by hand.
pub fn parse_map(file: &str, answer: &str) -> Result<Vec<(String, String)>, Answer> {
    answer
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut parts = line.splitn(3, ' ');
            match (parts.next(), parts.next()) {
                (Some(pointer), Some(key)) if pointer.starts_with("0x") => {
                    Ok((key.to_owned(), parts.next().unwrap_or("").to_owned()))
                }
                _ => Err(Answer::Garbled {
                    command: show_map(file),
                    line: line.to_owned(),
                }),
            }
        })
        .collect()
}

/// The maps as loaded; one that the process does not know is absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Loaded(BTreeMap<Map, Vec<(String, String)>>);

impl Loaded {
    /// Entries of one map.
    pub fn insert(&mut self, map: Map, entries: Vec<(String, String)>) {
        self.0.insert(map, entries);
    }
    /// Whether the process knows a map.
    pub fn knows(&self, map: Map) -> bool {
        self.0.contains_key(&map)
    }
    /// Entries of one map.
    pub fn get(&self, map: Map) -> &[(String, String)] {
        self.0.get(&map).map_or(&[], Vec::as_slice)
    }
}

/// One change of a map of the running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new key.
    Add(Map, String, String),
    /// Another value for a key, in one step.
    Set(Map, String, String),
    /// A key is no longer wanted.
    Remove(Map, String),
}

impl Change {
    /// The command; `file` gives the path of a map as in the configuration.
    pub fn command(&self, file: impl Fn(Map) -> String) -> String {
        match self {
            Change::Add(map, key, value) => {
                let file = word(&file(*map));
                format!("add map {file} {} {}", word(key), word(value))
            }
            Change::Set(map, key, value) => {
                let file = word(&file(*map));
                format!("set map {file} {} {}", word(key), word(value))
            }
            Change::Remove(map, key) => {
                format!("del map {} {}", word(&file(*map)), word(key))
            }
        }
    }
}

/// The fewest changes that make the loaded maps equal the wanted ones, in an order in which no
/// domain that stays is without its route in between: what is new or different first, from route to
/// domain; then what goes, from domain to route.
pub fn changes(loaded: &Loaded, wanted: &Maps) -> Vec<Change> {
    let mut all = Vec::new();
    let known = || Map::ALL.into_iter().filter(|map| loaded.knows(*map));
    for map in known() {
        let mut live: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in loaded.get(map) {
            live.entry(key).or_default().push(value);
        }
        for (key, value) in wanted.get(map) {
            match live.get(key.as_str()) {
                None => all.push(Change::Add(map, key.clone(), value.clone())),
                Some(values) if values.iter().any(|v| v != value) => {
                    all.push(Change::Set(map, key.clone(), value.clone()));
                }
                Some(_) => {}
            }
        }
    }
    for map in known().rev() {
        let wanted = wanted.get(map);
        let gone: BTreeSet<&String> = loaded
            .get(map)
            .iter()
            .map(|(key, _)| key)
            .filter(|key| !wanted.contains_key(*key))
            .collect();
        all.extend(gone.into_iter().map(|key| Change::Remove(map, key.clone())));
    }
    all
}

/// Domains whose answer the changes touch, in `loaded` or in `wanted`.
pub fn touched(changes: &[Change], loaded: &Loaded, wanted: &Maps) -> BTreeSet<String> {
    let mut domains = BTreeSet::new();
    for change in changes {
        let (Change::Add(map, key, _) | Change::Set(map, key, _) | Change::Remove(map, key)) =
            change;
        match map {
            // Asked from the host itself, where nothing shows of it.
            Map::Proxies => {}
            // Not seen in what is compared.
            Map::Headers => {}
            Map::Domains | Map::Redirects => {
                domains.insert(key.clone());
            }
            Map::Routes => {
                let before = loaded.get(Map::Domains).iter();
                let before = before.filter(|(_, site)| site == key).map(|(d, _)| d);
                let after = wanted.domains.iter();
                let after = after.filter(|(_, site)| *site == key).map(|(d, _)| d);
                domains.extend(before.chain(after).cloned());
            }
        }
    }
    domains
}

/// One site's traffic, counted by the router since it started or since the site was idle for an
/// hour. The router's own pages count as answers.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SiteTraffic {
    /// Requests under way, web sockets included.
    pub connections: u64,
    /// Requests so far.
    pub requests: u64,
    /// Requests a second, over the last 10 s.
    pub request_rate: f64,
    /// Answers 400 to 499 so far.
    pub client_errors: u64,
    /// Answers 400 to 499 in the last minute.
    pub client_errors_minute: u64,
    /// Answers 500 to 599 so far.
    pub server_errors: u64,
    /// Answers 500 to 599 in the last minute.
    pub server_errors_minute: u64,
    /// Bytes sent to clients in the last minute.
    pub bytes_minute: u64,
}

/// The command whose answer [`parse_traffic`] reads.
pub const SHOW_TRAFFIC: &str = "show table traffic";

/// Traffic by site.
pub fn parse_traffic(answer: &str) -> Result<BTreeMap<String, SiteTraffic>, Answer> {
    let rows = table_rows(SHOW_TRAFFIC, answer)?;
    Ok(rows
        .into_iter()
        .map(|(site, row)| {
            let number = |name: &str| row.get(name).copied().unwrap_or(0);
            let traffic = SiteTraffic {
                connections: number("conn_cur"),
                requests: number("http_req_cnt"),
                request_rate: number("http_req_rate") as f64 / 10.0,
                client_errors: number("gpc0"),
                client_errors_minute: number("gpc0_rate"),
                server_errors: number("gpc1"),
                server_errors_minute: number("gpc1_rate"),
                bytes_minute: number("bytes_out_rate"),
            };
            (site, traffic)
        })
        .collect())
}

/// The command that shows how many requests to an address are under way.
pub fn show_address(address: &str) -> String {
    format!("show table addresses key {}", word(address))
}

/// Requests under way to an address, from the answer to [`show_address`].
pub fn parse_in_flight(address: &str, answer: &str) -> Result<u64, Answer> {
    let rows = table_rows(&show_address(address), answer)?;
    let row = rows.into_iter().find(|(key, _)| key == address);
    Ok(row.map_or(0, |(_, row)| row.get("conn_cur").copied().unwrap_or(0)))
}

type Row = BTreeMap<String, u64>;

/// Rows of a stick table: key → counter → value. Periods (`http_req_rate(10000)`) are left out of
/// the counters' names.
fn table_rows(command: &str, answer: &str) -> Result<Vec<(String, Row)>, Answer> {
    let garbled = |line: &str| Answer::Garbled {
        command: command.to_owned(),
        line: line.to_owned(),
    };
    let mut rows = Vec::new();
    for line in answer.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (pointer, rest) = line.split_once(": ").ok_or_else(|| garbled(line))?;
        let mut words = rest.split(' ');
        let key = words.next().and_then(|word| word.strip_prefix("key="));
        let Some(key) = key.filter(|_| pointer.starts_with("0x")) else {
            return Err(garbled(line));
        };
        let mut row = Row::new();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| garbled(line))?;
            let name = name.split('(').next().unwrap_or(name);
            row.insert(name.to_owned(), value.parse().map_err(|_| garbled(line))?);
        }
        rows.push((key.to_owned(), row));
    }
    Ok(rows)
}

/// The router's process as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouterInfo {
    /// Such as `3.0.11`.
    pub version: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// When it started, in unix seconds of the host's clock. Older versions of HAProxy do not tell.
    pub started: Option<i64>,
    /// Connections of clients now.
    pub connections: u64,
    /// How many it takes at most.
    pub max_connections: u64,
    /// Requests since it started.
    pub requests: u64,
    /// It takes no new connections and waits for the last ones to end.
    pub stopping: bool,
}

/// The command whose answer [`parse_info`] reads.
pub const SHOW_INFO: &str = "show info";

/// Reads the answer to [`SHOW_INFO`].
pub fn parse_info(answer: &str) -> Result<RouterInfo, Answer> {
    let fields: BTreeMap<&str, &str> = answer
        .lines()
        .filter_map(|line| line.split_once(": "))
        .collect();
    let text = |name: &str| {
        fields.get(name).copied().ok_or_else(|| Answer::Garbled {
            command: SHOW_INFO.to_owned(),
            line: format!("{name} is missing"),
        })
    };
    let number = |name: &str| {
        let value = text(name)?;
        value.parse::<u64>().map_err(|_| Answer::Garbled {
            command: SHOW_INFO.to_owned(),
            line: format!("{name}: {value}"),
        })
    };
    Ok(RouterInfo {
        version: text("Version")?.to_owned(),
        uptime_s: number("Uptime_sec")?,
        started: fields.get("Start_time_sec").and_then(|v| v.parse().ok()),
        connections: number("CurrConns")?,
        max_connections: number("Maxconn")?,
        requests: number("CumReq")?,
        stopping: number("Stopping")? != 0,
    })
}

#[cfg(test)]
mod tests;
