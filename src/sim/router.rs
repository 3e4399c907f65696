//! What reaches a simulated HAProxy: its start, its runtime socket, and requests.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::behaviour::Answer;
use super::certificate::{self, Certificates};
use super::clock::SECOND;
use super::container::Container;
use super::haproxy::{Router, read_map};
use super::program::{Program, Server};
use super::tree::Node;
use super::visits::Crowd;
use super::world::World;

/// What the router answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routed {
    /// Status; 0 where no answer comes.
    pub status: u16,
    /// The mark of its own pages.
    pub mark: &'static str,
    /// How long the answer takes.
    pub after: Duration,
}

impl Routed {
    /// The same, as a client sees it who does not look at marks.
    pub fn answer(self) -> Answer {
        match self.status {
            0 if self.after > Duration::ZERO => Answer::Silence,
            0 => Answer::Refused,
            status => Answer::Status(status, self.after),
        }
    }
}

impl World {
    /// Starts the router that a container runs, from its configuration; or says why it cannot.
    pub(super) fn start_router(&mut self, now: i64, id: &str) -> Result<(), String> {
        let container = &self.containers[id];
        let argv = &container.argv;
        let path = match argv
            .iter()
            .position(|word| word == "ostler-router" || word == "-f")
        {
            Some(at) => argv.get(at + 1).cloned(),
            None => None,
        };
        let path = path.unwrap_or_else(|| "/usr/local/etc/haproxy/haproxy.cfg".to_owned());
        let alert = |text: String| format!("[ALERT]    (1) : {text}\n");
        let text = self.read_file(id, &path).ok_or_else(|| {
            alert(format!(
                "Cannot open configuration file/directory {path} : No such file or directory"
            ))
        })?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut router = Router {
            started: now,
            ports: Vec::new(),
            socket: String::new(),
            maps: BTreeMap::new(),
            certificates: Certificates::default(),
            requests: 0,
        };
        // The start command of today looks at certificates before HAProxy does.
        let filtered = argv.iter().position(|word| word == "ostler-router");
        let filtered = filtered.and_then(|at| argv.get(at + 2)).cloned();
        for line in text.lines().map(str::trim) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                ["stats", "socket", path, ..] => {
                    // Of several it is the one in a folder of the host.
                    let place = self.locate(id, path, true);
                    if let Some(place) = place.filter(|place| place.on_host) {
                        router.socket = place.path;
                    }
                }
                ["bind", address, rest @ ..] => {
                    if let Some(port) = address
                        .rsplit(':')
                        .next()
                        .and_then(|port| port.parse().ok())
                    {
                        router.ports.push(port);
                    }
                    let list = rest.iter().position(|word| *word == "crt-list");
                    let list = list.and_then(|at| rest.get(at + 1));
                    match (list, &filtered) {
                        (Some(list), Some(dir)) if list.contains("${OSTLER_CERTS}") => {
                            router.certificates = self.take_certificates(now, id, &path, dir);
                        }
                        (Some(list), None) if !list.contains("${") => {
                            router.certificates =
                                self.read_certificates(id, list).map_err(alert)?;
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
            for part in line
                .split("map_str(")
                .skip(1)
                .chain(line.split("map_ip(").skip(1))
            {
                let file = part.split([')', ',']).next().unwrap_or_default();
                // The start command's own, where there is one; the other branch is for starts without.
                let own = filtered.as_ref().map(|dir| format!("{dir}/https.map"));
                if file.contains("${OSTLER_HTTPS}") {
                    if let Some(own) = own {
                        let given = path.replace("haproxy.cfg", "maps/https.map");
                        let text = self.read_file(id, &given).unwrap_or_default();
                        let text = String::from_utf8_lossy(&text);
                        let led = led(&text, &router.certificates);
                        router.maps.insert(own, read_map(&led));
                    }
                    continue;
                }
                let other = own.is_some_and(|own| router.maps.contains_key(&own));
                if other && file.ends_with("/maps/https.map") {
                    continue;
                }
                if !router.maps.contains_key(file) {
                    let bytes = self.read_file(id, file).ok_or_else(|| {
                        alert(format!(
                            "failed to open pattern file <{file}>: No such file or directory"
                        ))
                    })?;
                    router
                        .maps
                        .insert(file.to_owned(), read_map(&String::from_utf8_lossy(&bytes)));
                }
            }
        }
        for port in &router.ports {
            let held = self.machine.ports.contains(port)
                || self.containers.values().any(|other| {
                    other.is_running()
                        && other
                            .published()
                            .iter()
                            .any(|(_, public, _)| public == port)
                });
            if held {
                return Err(alert(format!(
                    "Binding for frontend router: cannot bind socket (Address already in use) for [0.0.0.0:{port}]"
                )));
            }
        }
        self.routers.insert(id.to_owned(), router);
        Ok(())
    }

    /// Certificates of a list; what HAProxy refuses ends its start.
    fn read_certificates(&self, id: &str, list: &str) -> Result<Certificates, String> {
        let bytes = self
            .read_file(id, list)
            .ok_or_else(|| format!("unable to open crt-list '{list}'"))?;
        let mut files = Vec::new();
        for file in listed(&bytes) {
            let pem = self.read_file(id, &file).ok_or_else(|| {
                format!(
                    "unable to stat SSL certificate from file '{file}' : No such file or directory"
                )
            })?;
            if let Some(why) = certificate::unfit(&file, &pem) {
                return Err(why);
            }
            files.push((file, pem));
        }
        Ok(Certificates::new(list, files))
    }

    /// The same by the start command: what HAProxy refuses is left out, and named in a file.
    fn take_certificates(&mut self, now: i64, id: &str, config: &str, dir: &str) -> Certificates {
        let given = config.replace("haproxy.cfg", "certs.list");
        let (mut files, mut left_out) = (Vec::new(), String::new());
        for file in listed(&self.read_file(id, &given).unwrap_or_default()) {
            let why = match self.read_file(id, &file) {
                None => Some("it is missing".to_owned()),
                Some(pem) if pem.is_empty() => Some("it is empty".to_owned()),
                Some(pem) => {
                    let why = certificate::unfit(&file, &pem);
                    files.extend(why.is_none().then(|| (file.clone(), pem)));
                    why
                }
            };
            if let Some(why) = why {
                left_out.push_str(&format!("{file}\t{why}\n"));
            }
        }
        let note = self.locate(id, &format!("{dir}/left-out"), false);
        if let Some(note) = note
            && let Some(tree) = self.tree_mut(id, &note)
        {
            tree.put(&note.path, Node::file(left_out, now / SECOND));
        }
        Certificates::new(&format!("{dir}/certs.list"), files)
    }

    /// The router that got its socket last.
    fn router_at(&mut self, socket: &str) -> Option<&mut Router> {
        self.routers
            .values_mut()
            .filter(|router| router.socket == socket)
            .max_by_key(|router| router.started)
    }

    /// The answer of a runtime socket to what is written to it; `None` where nothing listens.
    pub fn ask_socket(&mut self, now: i64, socket: &str, input: &str) -> Option<String> {
        self.router_at(socket)?;
        let mut output = String::new();
        let mut prompt = false;
        let mut lines = input.lines();
        while let Some(line) = lines.next() {
            let words = words(line);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                [] => continue,
                ["quit"] => break,
                ["prompt"] => prompt = true,
                ["set", "ssl", "cert", file, "<<"] => {
                    let mut pem = String::new();
                    for line in lines.by_ref().take_while(|line| !line.is_empty()) {
                        pem.push_str(line);
                        pem.push('\n');
                        output.push_str(if prompt { "+ " } else { "" });
                    }
                    let router = self.router_at(socket)?;
                    output.push_str(&router.certificates.set(file, pem.as_bytes()));
                }
                words => {
                    let said = self.command(now, socket, words);
                    output.push_str(&said);
                    if !said.is_empty() && !said.ends_with('\n') {
                        output.push('\n');
                    }
                }
            }
            output.push('\n');
            if prompt {
                output.push_str("> ");
            } else {
                // Without a prompt one line is all that it takes.
                break;
            }
        }
        Some(output)
    }

    fn command(&mut self, now: i64, socket: &str, words: &[&str]) -> String {
        if let ["show", "table", "traffic", ..] = words {
            return self.traffic(now, socket);
        }
        let Some(router) = self.router_at(socket) else {
            return String::new();
        };
        match words {
            ["show", "table", "addresses", ..] => {
                "# table: addresses, type: string, size:20480, used:0\n".to_owned()
            }
            ["show", "info", ..] => {
                let up = (now - router.started) / SECOND;
                let (requests, started) = (router.requests, router.started / SECOND);
                format!(
                    "Name: HAProxy\nVersion: 3.0.11\nRelease_date: 2025/06/03\nNbthread: 2\nPid: 8\nUptime_sec: {up}\nStart_time_sec: {started}\nMaxconn: 24960\nCurrConns: 1\nCumConns: {requests}\nCumReq: {requests}\nStopping: 0\n"
                )
            }
            words => {
                let said = router.map_command(words);
                said.or_else(|| router.certificates.command(words))
            }
            .unwrap_or_else(|| {
                "Unknown command, but maybe one of the following ones is a better match:\n"
                    .to_owned()
            }),
        }
    }

    /// The table of traffic by site.
    fn traffic(&mut self, now: i64, socket: &str) -> String {
        let Some(router) = self.router_at(socket).cloned() else {
            return String::new();
        };
        let mut rows = String::new();
        let mut count = 0;
        for (site, route) in router.map("routes") {
            let Some(crowd) = self.crowd(route) else {
                continue;
            };
            let seconds = (now - router.started) as f64 / SECOND as f64;
            let lately: usize = (1..=10)
                .map(|ago| crowd.second(now / SECOND - ago).len())
                .sum();
            let all = (crowd.rate() * seconds) as u64;
            let errors = |requests: f64| (requests * crowd.errors()) as u64;
            let missing = |requests: f64| (requests * 0.1) as u64;
            let minute = crowd.rate() * seconds.min(60.0);
            count += 1;
            let _ = writeln!(
                rows,
                "0x{:x}: key={site} use=0 exp=3599995 shard=0 conn_cur={} http_req_cnt={all} http_req_rate(10000)={lately} bytes_out_rate(60000)={} gpc0={} gpc1={} gpc0_rate(60000)={} gpc1_rate(60000)={}",
                0x7fec_0000 + count * 256,
                (crowd.rate() / 20.0) as u64,
                (minute * 9_000.0) as u64,
                missing(all as f64),
                errors(all as f64),
                missing(minute),
                errors(minute),
            );
        }
        format!("# table: traffic, type: string, size:10240, used:{count}\n{rows}")
    }

    /// The visitors of the site that a route leads to.
    fn crowd(&self, route: &str) -> Option<Crowd> {
        let address = route.strip_prefix("ip|")?.split('|').next()?.parse().ok()?;
        let crowd = Crowd::of(self.seed, self.container_at(address)?);
        (crowd.rate() > 0.0).then_some(crowd)
    }

    /// Site, a domain of it and its visitors, for every route of a router.
    pub fn crowds(&self, router: &str) -> Vec<(String, String, Crowd)> {
        let Some(router) = self.routers.get(router) else {
            return Vec::new();
        };
        let domains = router.map("domains");
        let mut crowds = Vec::new();
        for (site, route) in router.map("routes") {
            let Some(crowd) = self.crowd(route) else {
                continue;
            };
            let domain = domains
                .iter()
                .find(|(_, of)| of == site)
                .map(|(domain, _)| domain.clone());
            crowds.push((
                site.clone(),
                domain.unwrap_or_else(|| "-".to_owned()),
                crowd,
            ));
        }
        crowds
    }

    fn container_at(&self, address: Ipv4Addr) -> Option<&Container> {
        self.containers.values().find(|container| {
            container.is_running()
                && container
                    .endpoints
                    .values()
                    .any(|endpoint| endpoint.ip == Some(address))
        })
    }

    /// What a request to an address and port meets.
    pub fn ask_address(&self, now: i64, address: Ipv4Addr, port: u16, path: &str) -> Answer {
        let container = if address.is_loopback() {
            self.containers.values().find(|container| {
                let held = container
                    .published()
                    .iter()
                    .any(|(_, public, _)| *public == port)
                    || (container.on_host_network() && container.port() == Some(port));
                container.is_running() && held
            })
        } else {
            self.container_at(address)
                .filter(|container| container.port() == Some(port))
        };
        let Some(container) = container.filter(|it| matches!(it.program, Program::Server(_)))
        else {
            let there = SocketAddrV4::new(address, port);
            return match self.machine.neighbours.contains(&there) {
                true => Answer::Status(200, Duration::from_millis(9)),
                false => Answer::Refused,
            };
        };
        let behaviour = &container.behaviour;
        let age = now - container.started().unwrap_or(now);
        if age < behaviour.ready_after.as_nanos() as i64 {
            return Answer::Refused;
        }
        if behaviour.hangs || path.starts_with("/hang") {
            return Answer::Silence;
        }
        if container.starves() {
            return Answer::Closed;
        }
        let asked = path
            .strip_prefix("/status/")
            .and_then(|status| status.parse().ok());
        let test = container.program == Program::Server(Server::Web);
        Answer::Status(
            asked.filter(|_| test).unwrap_or(behaviour.status),
            behaviour.latency,
        )
    }

    /// Whether anything takes connections at a port of the host.
    pub fn listens(&self, port: u16) -> bool {
        let held = |container: &Container| {
            let published = container.published();
            container.is_running() && published.iter().any(|(_, public, _)| *public == port)
        };
        self.routers
            .values()
            .any(|router| router.listens().any(|it| it == port))
            || self.containers.values().any(held)
    }

    /// Whether a router takes TLS at a port.
    pub fn speaks_tls(&self, port: u16) -> bool {
        let mut routers = self.routers.values();
        routers.any(|router| router.ports.contains(&port) && router.ports.first() != Some(&port))
    }

    /// The certificate that is shown at a port to who asks for a name.
    pub fn certificate(&self, port: u16, name: &str) -> Option<Vec<u8>> {
        let serving = self.routers.values();
        let serving = serving.filter(|router| router.ports.contains(&port));
        let router = serving.max_by_key(|router| router.started)?;
        let plain = router.ports.first() == Some(&port);
        let name = name.to_ascii_lowercase();
        let shown = router.certificates.shown(&name).filter(|_| !plain);
        shown.map(<[u8]>::to_vec)
    }

    /// What a request from outside meets: at the host's port, for a domain. A question of ostler's own is
    /// a `probe`.
    pub fn ask_host(
        &mut self,
        now: i64,
        port: u16,
        domain: &str,
        path: &str,
        probe: bool,
    ) -> Routed {
        let said = |status: u16, mark: &'static str| Routed {
            status,
            mark,
            after: Duration::ZERO,
        };
        let serving = self
            .routers
            .iter_mut()
            .filter(|(_, router)| router.ports.contains(&port));
        let Some((_, router)) = serving.max_by_key(|(_, router)| router.started) else {
            return match self.ask_address(now, Ipv4Addr::LOCALHOST, port, path) {
                Answer::Status(status, after) => Routed {
                    status,
                    mark: "",
                    after,
                },
                Answer::Silence => Routed {
                    status: 0,
                    mark: "",
                    after: Duration::MAX,
                },
                Answer::Closed | Answer::Refused => said(0, ""),
            };
        };
        router.requests += 1;
        let router = router.clone();
        let domain = domain
            .split(':')
            .next()
            .unwrap_or(domain)
            .to_ascii_lowercase();
        let domain = domain.trim_end_matches('.');
        if let Some(text) = path.strip_prefix("/.well-known/acme-challenge/")
            && router.find("acme", text).is_some()
        {
            return said(200, "");
        }
        let domain = router.known(domain);
        let domain = domain.as_str();
        let Some(site) = router.find("domains", domain) else {
            return said(404, "unknown-domain");
        };
        if path == "/.well-known/ostler-router" {
            return said(204, "here");
        }
        let plain = router.ports.first() == Some(&port);
        if plain && !probe && router.find("https", domain).is_some() {
            return said(301, "");
        }
        if router.find("redirects", domain).is_some() {
            return said(301, "");
        }
        let route: Vec<&str> = router
            .find("routes", site)
            .unwrap_or_default()
            .split('|')
            .collect();
        match route.as_slice() {
            ["ip", address, port, ..] => {
                let (Ok(address), Ok(port)) = (address.parse(), port.parse()) else {
                    return said(503, "unreachable");
                };
                match self.ask_address(now, address, port, path) {
                    Answer::Refused => said(503, "unreachable"),
                    Answer::Closed => said(502, "broken-answer"),
                    Answer::Silence => Routed {
                        status: 504,
                        mark: "no-answer",
                        after: Duration::from_secs(
                            route
                                .get(5)
                                .and_then(|seconds| seconds.parse().ok())
                                .unwrap_or(60),
                        ),
                    },
                    Answer::Status(status, after) => Routed {
                        status,
                        mark: "",
                        after,
                    },
                }
            }
            ["name", ..] => said(503, "unresolved"),
            _ => said(503, "stopped"),
        }
    }
}

/// A map of https without the domains of sites whose certificate was left out.
fn led(map: &str, kept: &Certificates) -> String {
    let mut led = true;
    let lines = map.lines().filter(|line| {
        if let Some(site) = line.strip_prefix("# site-") {
            led = kept.lists(&format!("/certs/site-{site}.pem"));
        }
        led
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Files of a list of certificates.
fn listed(list: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(list);
    let files = text
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    files.map(str::to_owned).collect()
}

/// The words of a command, backslashes taken off.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.get_or_insert_default().extend(letters.next()),
            ' ' => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
