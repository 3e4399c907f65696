//! The list of hosts, those under most pressure first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::host::{HostPage, expiry, retry, share_role, unmeasured};
use crate::console::action::Place;
use crate::console::draw::ages::Ages;
use crate::console::draw::mark::{link_mark, mark};
use crate::console::draw::pen::{Pen, Spans};
use crate::console::effect::Watch;
use crate::console::model::motion::Motion;
use crate::console::model::order::HostSort;
use crate::console::model::{Model, Opens, Screen};
use crate::console::theme::Role;
use crate::console::widget::table::{Cell, Column, Table};
use crate::fleet::Name;
use crate::text::{percent, rate, round_trip, size, width};
use crate::verdict::{HostRow, Link, State};

/// The list of hosts.
#[derive(Debug)]
pub struct Hosts;

impl Screen for Hosts {
    fn place(&self) -> Place {
        Place::Hosts
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        table(model, buf, area, ages);
        self.host(model)
            .map_or_else(Vec::new, |host| detail(model, host, ages))
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        let hosts = &model.view.hosts;
        let last = hosts.len().saturating_sub(1);
        let at = motion.from(model.host_list.cursor, model.half_page() as isize, last);
        model.host_list.go_to(at, |i| &hosts[i as usize].key);
    }

    fn open(&self, model: &Model) -> Opens {
        let page = self.host(model).and_then(|host| HostPage::of(&host.name));
        page.map_or(Opens::Nothing, |page| Opens::Screen(Box::new(page)))
    }

    fn watch(&self, model: &Model, watch: &mut Watch) {
        for host in &model.view.hosts {
            watch.traffic.push(host.name.clone());
            watch.machines.push(host.name.clone());
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Col {
    Name,
    State,
    Since,
    Sites,
    Containers,
    Disk,
    Memory,
    Load,
    Trip,
    Clock,
    Certificate,
    Requests,
    Engine,
    Api,
    Machine,
    Os,
    Address,
    Why,
}

fn columns(model: &Model) -> Vec<Column<Col>> {
    let col = |id, title, min, ideal, priority, from| Column {
        id,
        title,
        min,
        ideal,
        grows: false,
        right: false,
        priority,
        from,
    };
    let number = |id, title, min, priority, from| Column {
        right: true,
        ..col(id, title, min, min, priority, from)
    };
    let hosts = &model.view.hosts;
    let names = hosts.iter().map(|h| width(&h.name));
    let name = names.max().unwrap_or(0).clamp(5, 24) as u16;
    // Where there is something to say it has room before all that is only good to know.
    let why = if hosts.iter().any(|h| !h.why.is_empty()) {
        28
    } else {
        12
    };
    let mut out = vec![
        col(Col::Name, "HOST", name.min(8), name, 0, 0),
        col(Col::State, "STATE", 12, 12, 0, 0),
        number(Col::Since, "SINCE", 5, 3, 0),
        number(Col::Sites, "SITES", 7, 2, 0),
        number(Col::Containers, "CONT.", 7, 6, 0),
    ];
    // What no host has takes no room: on-call mode knows none of it.
    if hosts.iter().any(|h| h.machine.is_some()) {
        out.push(number(Col::Disk, "DISK", 4, 3, 0));
        out.push(number(Col::Memory, "MEM", 4, 4, 0));
        out.push(number(Col::Load, "LOAD", 4, 4, 0));
    }
    out.push(number(Col::Trip, "TRIP", 5, 5, 0));
    if hosts
        .iter()
        .any(|h| h.pulse.is_some_and(|p| p.skew().is_some()))
    {
        out.push(number(Col::Clock, "CLOCK", 5, 5, 0));
    }
    if hosts.iter().any(|h| h.certificate_until.is_some()) {
        out.push(number(Col::Certificate, "CERT", 7, 6, 0));
    }
    out.extend([
        number(Col::Requests, "REQ/s", 5, 8, 0),
        col(Col::Engine, "ENGINE", 7, 9, 7, 0),
        number(Col::Api, "API", 4, 9, 0),
        col(Col::Machine, "MACHINE", 10, 12, 9, 100),
        col(Col::Os, "SYSTEM", 12, 28, 11, 140),
        Column {
            grows: true,
            ..col(Col::Address, "ADDRESS", 14, 26, 10, 100)
        },
        Column {
            grows: true,
            ..col(Col::Why, "WHY", why, 20, 1, 0)
        },
    ]);
    out
}

fn table(model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) {
    let list = &model.host_list;
    let rows = &model.view.hosts;
    Table {
        columns: &columns(model),
        len: list.order.len(),
        offset: list.offset,
        cursor: Some(list.cursor),
        sorted: match model.host_sort {
            HostSort::Pressure => Col::State,
            HostSort::Name => Col::Name,
            HostSort::Sites => Col::Sites,
            HostSort::Disk => Col::Disk,
            HostSort::Memory => Col::Memory,
            HostSort::Load => Col::Load,
            HostSort::Trip => Col::Trip,
        },
        row: &|at| &rows[list.order[at] as usize],
        cell: &|row, col| cell(model, row, col, ages),
        marked: &|_| false,
        dimmed: &|_| false,
    }
    .draw(buf, &model.theme, area);
    if rows.is_empty() {
        Pen::on(buf, &model.theme, area, 2).put(Role::Dim, " the fleet file names no host");
    }
}

/// What there is to say about the host under the cursor.
fn detail(model: &Model, host: &HostRow, ages: &Ages) -> Spans {
    let mut parts = Vec::new();
    parts.extend(retry(host, ages));
    match host.seen {
        Some(at) => parts.push(format!("read {}", ages.read(at))),
        None => parts.push("never read".into()),
    }
    match host.machine {
        Some(machine) => parts.push(format!("disk, memory, load {}", ages.read(machine.at))),
        None if host.link == Link::Ready => {
            if let Some(data) = host
                .name
                .parse()
                .ok()
                .and_then(|n| model.data.get::<Name>(&n))
            {
                let why = unmeasured(model, host, data);
                parts.push(format!("disk, memory, load not known: {why}"));
            }
        }
        None => {}
    }
    if host.foreign > 0 {
        parts.push(format!("{} foreign containers", host.foreign));
    }
    parts.extend(host.told.iter().cloned());
    vec![(Role::Dim, format!(" {}: {}", host.name, parts.join(" · ")))]
}

fn cell<'a>(model: &Model, row: &'a HostRow, col: Col, ages: &Ages) -> Cell<'a> {
    let away = !matches!(row.link, Link::Ready | Link::Degraded);
    let old = if away { Role::Dim } else { Role::Text };
    let share = |share: Option<f64>| match share {
        None => Cell::new(Role::Dim, "–"),
        Some(share) if away => Cell::new(Role::Dim, percent(share)),
        Some(share) => Cell::new(share_role(share), percent(share)),
    };
    let machine = row.machine.map(|m| m.value);
    match col {
        Col::Name => Cell::new(Role::Strong, row.name.as_str()),
        Col::State => {
            let (symbol, role) = link_mark(model, row.link);
            Cell::new(role, format!("{symbol} {}", row.link.word()))
        }
        Col::Since => Cell::new(Role::Text, ages.ago(row.since)),
        Col::Sites if row.sites.all == 0 => Cell::new(Role::Dim, "–"),
        Col::Sites => {
            let n = row.sites.all;
            // What nobody knows of sites is told by the link.
            match row.sites.troubles().find(|(s, _)| *s != State::Unknown) {
                None => Cell::new(old, n.to_string()),
                Some((state, bad)) => {
                    let (symbol, role) = mark(model, state);
                    Cell::new(role, format!("{n} {symbol}{bad}"))
                }
            }
        }
        Col::Containers => match row.containers {
            (0, _) if row.seen.is_none() => Cell::new(old, ""),
            (all, running) => Cell::new(old, format!("{running}/{all}")),
        },
        Col::Disk => share(machine.map(|m| m.disk_used())),
        Col::Memory => share(machine.map(|m| m.memory_used())),
        Col::Load => share(machine.map(|m| m.load_share(row.cpus))),
        Col::Trip => match row.pulse.map(|p| p.round_trip) {
            None => Cell::new(old, ""),
            Some(trip) => {
                let role = match trip.as_millis() {
                    _ if away => Role::Dim,
                    2000.. => Role::Bad,
                    500.. => Role::Warn,
                    _ => Role::Text,
                };
                Cell::new(role, round_trip(trip))
            }
        },
        Col::Clock => match row.pulse.and_then(|p| p.skew()) {
            None => Cell::new(old, ""),
            Some(skew) => Cell::new(Role::Warn, format!("{skew:+}s")),
        },
        Col::Certificate => match row.certificate_until {
            None => Cell::new(old, ""),
            Some(until) => {
                let (role, text) = expiry(until, model.now());
                Cell::new(if role == Role::Text { old } else { role }, text)
            }
        },
        Col::Requests => Cell::new(old, row.requests.map_or(String::new(), rate)),
        Col::Engine => Cell::new(old, row.version.as_str()),
        Col::Api => Cell::new(old, row.api.as_str()),
        Col::Machine if row.cpus == 0 => Cell::new(old, ""),
        Col::Machine => Cell::new(old, format!("{} × {}", row.cpus, size(row.memory))),
        Col::Os => Cell::new(Role::Dim, row.os.as_str()),
        Col::Address => Cell::new(Role::Dim, row.address.as_str()),
        Col::Why => {
            let role = match row.link {
                Link::Ready if !row.scarce().is_empty() => Role::Warn,
                Link::Ready => Role::Dim,
                _ => Role::Text,
            };
            Cell::new(role, row.why.as_str())
        }
    }
}
