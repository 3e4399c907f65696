//! One host: whether it answers and since when, how it is reached, what its machine has left, what
//! runs there and whose it is, and how its link has been.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::page;
use crate::console::action::{Action, Place};
use crate::console::draw::ages::Ages;
use crate::console::draw::mark::{link_mark, mark};
use crate::console::draw::pen::Spans;
use crate::console::effect::Watch;
use crate::console::model::motion::Motion;
use crate::console::model::{Model, Opens, Screen};
use crate::console::theme::Role;
use crate::fleet::{EngineAddress, Host, Name};
use crate::observe::model::ObservedContainer;
use crate::observe::whose::{self, Whose, of_any};
use crate::record::{Labelled, labels};
use crate::text::{age, clean, count, percent, rate, round_trip, size, wrap};
use crate::verdict::{HostData, HostRow, Link, State};

/// Changes of the link that are shown.
const CHANGES: usize = 12;
/// Width of the labels.
const LABEL: usize = 13;

/// A host's page, and its first line on screen.
#[derive(Debug)]
pub struct HostPage {
    name: Name,
    top: usize,
}

impl HostPage {
    /// The page of a host of this name.
    pub fn of(name: &str) -> Option<HostPage> {
        let name = name.parse().ok()?;
        Some(HostPage { name, top: 0 })
    }
}

impl Screen for HostPage {
    fn place(&self) -> Place {
        Place::Host
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        let lines = lines(model, &self.name, usize::from(area.width), ages);
        page::draw(model, buf, area, &lines, self.top)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        self.top = page::scroll(model, motion, self.top, |room, ages| {
            lines(model, &self.name, room, ages).len()
        });
    }

    fn open(&self, model: &Model) -> Opens {
        let host = self.host(model);
        host.map_or(Opens::Nothing, |host| Opens::Sites(host.name.clone()))
    }

    fn host<'a>(&self, model: &'a Model) -> Option<&'a HostRow> {
        model.host(self.name.as_str())
    }

    fn watch(&self, _model: &Model, watch: &mut Watch) {
        watch.traffic.push(self.name.to_string());
        watch.machines.push(self.name.to_string());
    }
}

/// The page.
fn lines(model: &Model, name: &Name, room: usize, ages: &Ages) -> Vec<Spans> {
    let host = model.hosts.iter().find(|h| h.name == *name);
    let found = (model.host(name.as_str()), host, model.data.get(name));
    let (Some(row), Some(host), Some(data)) = found else {
        let gone = format!(" {name} is not in the fleet file any more");
        return vec![Vec::new(), vec![(Role::Dim, gone)]];
    };
    let mut page = Page {
        model,
        ages,
        room,
        out: Vec::new(),
    };
    page.verdict(row);
    page.reach(row, host, data);
    page.engine(row);
    page.machine(row, data);
    page.containers(row, data);
    page.history(data);
    page.next_step(row);
    page.out
}

struct Page<'a> {
    model: &'a Model,
    ages: &'a Ages,
    room: usize,
    out: Vec<Spans>,
}

impl Page<'_> {
    fn line(&mut self, label: &str, value: impl Into<String>) {
        self.spans(label, vec![(Role::Text, value.into())]);
    }

    fn spans(&mut self, label: &str, value: Spans) {
        let mut line: Spans = vec![(Role::Dim, format!("   {label:<LABEL$}"))];
        line.extend(value);
        self.out.push(line);
    }

    fn verdict(&mut self, row: &HostRow) {
        let (symbol, role) = link_mark(self.model, row.link);
        let since = self.ages.ago(row.since);
        let words = match row.link {
            Link::Connecting => "is being connected to".to_owned(),
            Link::Ready => format!("has answered for {since}"),
            Link::Degraded => format!("answers, but not as it should, for {since}"),
            Link::BackingOff if row.seen.is_none() => format!("has never answered in {since}"),
            Link::BackingOff => format!("has not answered for {since}"),
        };
        self.out.push(vec![
            (role, format!(" {symbol} ")),
            (Role::Strong, row.name.clone()),
            (role, format!(" {words}")),
        ]);
        for line in wrap(&row.why, self.room.saturating_sub(4)) {
            if !line.is_empty() {
                self.out.push(vec![(Role::Text, format!("   {line}"))]);
            }
        }
        if let Some(retry) = retry(row, self.ages) {
            self.out.push(vec![(Role::Text, format!("   {retry}"))]);
        }
        if row.stale
            && let Some(seen) = row.seen
        {
            let text = format!("   below: as last seen {} ago", self.ages.ago(seen));
            self.out.push(vec![(Role::Warn, text)]);
        }
        self.out.push(Vec::new());
    }

    fn reach(&mut self, row: &HostRow, host: &Host, data: &HostData) {
        self.line(
            "reached by",
            format!("{}, {}", transport(host), row.address),
        );
        match row.pulse {
            Some(pulse) => {
                let mut spans = vec![(Role::Text, round_trip(pulse.round_trip))];
                if row.link == Link::BackingOff {
                    spans.push((Role::Dim, " when it last answered".into()));
                }
                self.spans("round trip", spans);
                match (pulse.skew(), pulse.skew_s) {
                    (Some(skew), _) => {
                        let text = format!("{} {}", age(skew.abs()), ahead(skew));
                        self.spans("clock", vec![(Role::Warn, text)]);
                    }
                    (None, Some(_)) => self.line("clock", "right to two seconds"),
                    (None, None) => self.line("clock", "not known"),
                }
            }
            None => self.line("round trip", "not known yet"),
        }
        let certificates = data.observed.as_ref().and_then(|o| o.engine.certificates);
        if let Some(certificates) = certificates {
            let now = self.model.now();
            let mut spans = Vec::new();
            let both = [
                ("ours ", certificates.client_until),
                (", the engine's ", certificates.server_until),
            ];
            for (whose, until) in both {
                let (role, text) = expiry(until, now);
                spans.push((Role::Text, whose.to_owned()));
                spans.push((role, text));
            }
            self.spans("certificates", spans);
        }
    }

    fn engine(&mut self, row: &HostRow) {
        if row.version.is_empty() {
            return;
        }
        let text = format!("Docker {}, API {}", row.version, row.api);
        self.line("engine", text);
        let cpus = count(row.cpus as usize, "CPU");
        let text = format!("{}, {cpus}, {}", row.os, size(row.memory));
        self.line("machine", text);
    }

    fn machine(&mut self, row: &HostRow, data: &HostData) {
        let Some(reading) = row.machine else {
            let why = unmeasured(self.model, row, data);
            self.spans("disk", vec![(Role::Dim, format!("not known: {why}"))]);
            return;
        };
        let it = reading.value;
        let old = self.ages.unless_fresh(reading.at);
        let mut share = |label: &str, part: f64, text: String| {
            let spans = vec![
                (share_role(part), format!("{:>4}  ", percent(part))),
                (Role::Text, text),
                (Role::Dim, old.clone()),
            ];
            self.spans(label, spans);
        };
        let of = |(all, free): (u64, u64)| format!("{} free of {}", size(free), size(all));
        let room = |disk: (u64, u64), inodes: (u64, u64)| match inodes {
            (all, free) if free * 10 < all => format!("{}, {free} inodes free", of(disk)),
            _ => of(disk),
        };
        let mut disk = room(it.disk, it.inodes);
        if !it.has_one_disk() {
            let own = room(it.engine_disk, it.engine_inodes);
            disk = format!("{disk}; Docker's {own}");
        }
        share("disk", it.disk_used(), disk);
        let mut memory = of(it.memory);
        if it.swap.0 > it.swap.1 {
            memory = format!("{memory}, {} swapped out", size(it.swap.0 - it.swap.1));
        }
        share("memory", it.memory_used(), memory);
        let [one, five, fifteen] = it.load;
        let load = format!("{one:.2} {five:.2} {fifteen:.2}");
        share("load", it.load_share(row.cpus), load);
        self.line("up for", age(it.uptime_s as i64));
        if !data.machine_why.is_empty() {
            let why = clean(&data.machine_why).into_owned();
            self.spans("", vec![(Role::Warn, why)]);
        }
    }

    fn containers(&mut self, row: &HostRow, data: &HostData) {
        let Some(observed) = &data.observed else {
            return;
        };
        self.out.push(Vec::new());
        let (all, running) = row.containers;
        let text = format!("{running} running of {all}, {} not ostler's", row.foreign);
        self.line("containers", text);
        let mut spans = vec![(Role::Text, count(row.sites.all, "site"))];
        for (state, n) in row.sites.troubles() {
            let (symbol, role) = mark(self.model, state);
            spans.push((role, format!(", {symbol} {n} {}", state.word())));
        }
        if let Some(requests) = row.requests {
            spans.push((Role::Text, format!(", {} requests/s", rate(requests))));
        }
        self.spans("sites", spans);
        for (fleet, sites) in fleets(&observed.containers) {
            let sites = count(sites, "site");
            let mine = match self.model.view.name == fleet && self.model.fleet.is_some() {
                true => ", this one",
                false => "",
            };
            self.line("fleet", format!("{}, {sites}{mine}", clean(fleet)));
        }
        for told in &row.told {
            self.line("apply", told.clone());
        }
        if !row.applied_by.is_empty() {
            self.line("last applied", format!("by {}", row.applied_by));
        }
        for (who, since) in locks(&observed.containers) {
            let since = since.map(|at| format!(" for {}", self.ages.ago(data.ours(at))));
            let text = format!("held by {}{}", clean(&who), since.unwrap_or_default());
            self.spans("lock", vec![(Role::Busy, text)]);
        }
        let foreign: Vec<_> = self
            .model
            .view
            .sites
            .iter()
            .filter(|r| r.foreign && r.host == row.name)
            .collect();
        for (at, site) in foreign.iter().take(8).enumerate() {
            let (symbol, role) = mark(self.model, site.state);
            let role = if site.stale { Role::Dim } else { role };
            let label = if at == 0 { "not ostler's" } else { "" };
            let mut spans = vec![
                (role, format!("{symbol} ")),
                (Role::Text, site.name.clone()),
                (Role::Dim, format!("  {}", site.image)),
            ];
            if !site.state.is_well() && site.state != State::Leftover {
                spans.push((Role::Text, format!("  {}", site.why)));
            }
            self.spans(label, spans);
        }
        if foreign.len() > 8 {
            let text = format!("and {} more", foreign.len() - 8);
            self.spans("", vec![(Role::Dim, text)]);
        }
    }

    fn history(&mut self, data: &HostData) {
        self.out.push(Vec::new());
        self.out
            .push(vec![(Role::Column, " Link, newest first".into())]);
        for change in data.links.iter().rev().take(CHANGES) {
            let (symbol, role) = link_mark(self.model, change.link);
            let mut line: Spans = vec![
                (
                    Role::Dim,
                    format!("   {:>4} ago  ", self.ages.ago(change.at)),
                ),
                (role, format!("{symbol} {}", change.link.word())),
            ];
            if !change.why.is_empty() {
                line.push((Role::Text, format!("  {}", clean(&change.why))));
            }
            self.out.push(line);
        }
        if data.links.is_empty() {
            let text = "   connecting for the first time";
            self.out.push(vec![(Role::Dim, text.into())]);
        }
    }

    fn next_step(&mut self, row: &HostRow) {
        let (action, text) = match row.link {
            Link::BackingOff | Link::Degraded => (Action::Refresh, "try again now"),
            _ => (Action::Open, "its sites"),
        };
        if let Some(key) = self.model.keymap.key(action) {
            self.out.push(Vec::new());
            self.out.push(vec![
                (Role::Column, " Next  ".into()),
                (Role::Key, key),
                (Role::Text, format!(" {text}")),
            ]);
        }
    }
}

/// When a host that is away is tried again.
pub fn retry(row: &HostRow, ages: &Ages) -> Option<String> {
    if row.link != Link::BackingOff {
        return None;
    }
    Some(match row.retry_at {
        Some(at) if ages.is_ahead(at) => format!("next attempt in {}; r tries now", ages.until(at)),
        Some(_) => "trying again now".into(),
        None => "r tries again, and asks again".into(),
    })
}

/// Why the machine's numbers are not known.
pub fn unmeasured(model: &Model, row: &HostRow, data: &HostData) -> String {
    if !data.machine_why.is_empty() {
        return clean(&data.machine_why).into_owned();
    }
    let toolbox = data.observed.as_ref().is_some_and(|o| {
        let fleet = model.fleet.as_ref().map(|f| &f.name);
        fleet
            .and_then(|f| whose::toolbox(&o.containers, f))
            .is_some_and(ObservedContainer::is_running)
    });
    match row.link {
        Link::BackingOff | Link::Connecting => "it does not answer".into(),
        _ if model.view.on_call => "on-call mode runs no command on a host".into(),
        _ if !toolbox => "no toolbox runs there; applying a site brings it".into(),
        _ => "being read".into(),
    }
}

fn transport(host: &Host) -> &'static str {
    match &host.engine {
        EngineAddress::Unix { .. } => "socket",
        EngineAddress::Tcp { insecure: true, .. } => "plain TCP",
        EngineAddress::Tcp { .. } => "TLS",
        EngineAddress::Ssh { .. } => "SSH",
        EngineAddress::Sim { .. } => "simulation",
    }
}

fn ahead(skew: i64) -> &'static str {
    match skew > 0 {
        true => "ahead of ours",
        false => "behind ours",
    }
}

/// How a share of disk, memory or load is meant.
pub fn share_role(share: f64) -> Role {
    match share {
        0.95.. => Role::Bad,
        0.85.. => Role::Warn,
        _ => Role::Text,
    }
}

/// How long a certificate is good for.
pub fn expiry(until: i64, now: i64) -> (Role, String) {
    const DAY: i64 = 86_400;
    match until - now {
        left if left <= 0 => (Role::Bad, "expired".into()),
        left if left < 14 * DAY => (Role::Warn, age(left)),
        left => (Role::Text, age(left)),
    }
}

/// The fleets that have sites there.
fn fleets(containers: &[ObservedContainer]) -> BTreeMap<&str, usize> {
    let mut fleets: BTreeMap<&str, usize> = BTreeMap::new();
    for container in containers {
        let what = of_any(&container.labels, &container.name);
        if let (Some(fleet), Some(what)) = (container.fleet(), what) {
            let sites = fleets.entry(fleet).or_default();
            *sites += usize::from(matches!(what, Whose::Site(_)));
        }
    }
    fleets
}

/// Who holds which lock, and since when on the host's clock.
fn locks(containers: &[ObservedContainer]) -> Vec<(String, Option<i64>)> {
    let held = containers
        .iter()
        .filter(|c| of_any(&c.labels, &c.name) == Some(Whose::Lock));
    held.map(|c| {
        let label = |name| c.label(name).unwrap_or("?");
        let who = format!("{} at {}", label(labels::WHO), label(labels::WHENCE));
        (who, c.label(labels::SINCE).and_then(|s| s.parse().ok()))
    })
    .collect()
}
