//! The first screen: what is broken, since when, why, on which host.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::life::ends;
use super::{host, site};
use crate::console::action::Place;
use crate::console::draw::ages::Ages;
use crate::console::draw::mark::mark;
use crate::console::draw::pen::{Pen, Spans};
use crate::console::effect::Watch;
use crate::console::model::motion::Motion;
use crate::console::model::sites_list::{SitesList, Sort, listed_domains, listed_name};
use crate::console::model::{Model, Opens, Screen};
use crate::console::settle;
use crate::console::theme::Role;
use crate::console::widget::table::{Cell, Column, Table, fit};
use crate::text::{clean, count, rate, size};
use crate::verdict::{Link, Reading, Since, SiteRow, State};

/// The list of sites.
#[derive(Debug)]
pub struct Sites;

impl Screen for Sites {
    fn place(&self) -> Place {
        Place::Sites
    }

    fn draw(&self, model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) -> Spans {
        table(model, buf, area, ages);
        detail(model, self.subject(model), ages)
    }

    fn go(&mut self, model: &mut Model, motion: Motion) {
        let page = model.half_page() as isize;
        let rows = &model.view.sites;
        let key = |i: u32| &rows[i as usize].key;
        let list = &mut model.sites.list;
        match motion {
            Motion::By(n) => list.go(n, key),
            Motion::Page(n) => list.go(n * page, key),
            Motion::Top => list.go_to(0, key),
            Motion::Bottom => list.go_to(usize::MAX, key),
            Motion::Next(step) => {
                let count = list.order.len() as isize;
                let found = (1..count)
                    .map(|n| (list.cursor as isize + n * step).rem_euclid(count) as usize)
                    .find(|at| !rows[list.order[*at] as usize].state.is_well());
                if let Some(at) = found {
                    list.go_to(at, key);
                }
            }
        }
    }

    fn open(&self, model: &Model) -> Opens {
        let row = self.subject(model);
        let page = row.and_then(|row| site::of_row(model, &row.key));
        page.map_or(Opens::Nothing, Opens::Screen)
    }

    fn subject<'a>(&self, model: &'a Model) -> Option<&'a SiteRow> {
        model.view.sites.get(model.sites.list.here()?)
    }

    fn filter<'a>(&'a self, model: &'a Model) -> &'a str {
        &model.sites.filter
    }

    fn set_filter(&mut self, model: &mut Model, words: &str) {
        words.clone_into(&mut model.sites.filter);
        settle::reorder(model);
    }

    fn watch(&self, model: &Model, watch: &mut Watch) {
        let usage = shows_usage(model);
        let list = &model.sites.list;
        let rows = model.body_lines().saturating_sub(1);
        for at in list.order.iter().skip(list.offset).take(rows) {
            if let Some(row) = model.view.sites.get(*at as usize) {
                watch.row(row, usage);
            }
        }
    }
}

/// A column of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Col {
    /// Compose project of foreign containers.
    Project,
    Name,
    Host,
    State,
    /// What came of our own question.
    Http,
    Since,
    /// Requests per second.
    Requests,
    /// What is the matter.
    Why,
    /// Customer.
    Account,
    /// 5xx per minute.
    Errors,
    Memory,
    Cpu,
    /// When the certificate ends.
    Certificate,
    Restarts,
    Recipe,
    Domains,
    Image,
}

const fn col(
    id: Col,
    title: &'static str,
    (min, ideal): (u16, u16),
    priority: u8,
    from: u16,
) -> Column<Col> {
    Column {
        id,
        title,
        min,
        ideal,
        grows: false,
        right: false,
        priority,
        from,
    }
}

const fn number(id: Col, title: &'static str, min: u16, priority: u8, from: u16) -> Column<Col> {
    Column {
        right: true,
        ..col(id, title, (min, min), priority, from)
    }
}

const fn growing(column: Column<Col>) -> Column<Col> {
    Column {
        grows: true,
        ..column
    }
}

fn columns(model: &Model) -> Vec<Column<Col>> {
    match model.fleet {
        Some(_) => of_fleet(model),
        None => of_look(model),
    }
}

/// As wide as they are: what is left over belongs to the reasons.
fn domains(list: &SitesList, priority: u8, from: u16) -> Column<Col> {
    let wide = list.domains_width.clamp(7, 32);
    col(
        Col::Domains,
        "DOMAINS",
        (wide.min(16), wide),
        priority,
        from,
    )
}

/// Sites: at 80 columns what matters at night, the rest from 120 on.
fn of_fleet(model: &Model) -> Vec<Column<Col>> {
    let list = &model.sites;
    let mut out = vec![
        col(
            Col::Name,
            "SITE",
            (list.name_width.min(12), list.name_width),
            0,
            0,
        ),
        col(Col::Account, "ACCOUNT", (8, 12), 8, 120),
        col(
            Col::Host,
            "HOST",
            (list.host_width.min(8), list.host_width.max(5)),
            2,
            0,
        ),
        col(Col::State, "STATE", (10, 12), 0, 0),
        number(Col::Http, "HTTP", 4, 3, 0),
        number(Col::Since, "SINCE", 5, 4, 0),
        number(Col::Requests, "REQ/s", 5, 5, 0),
        number(Col::Errors, "5XX/m", 5, 7, 120),
        number(Col::Memory, "MEMORY", 10, 6, 120),
        number(Col::Cpu, "CPU", 4, 10, 140),
        number(Col::Restarts, "RST", 3, 11, 140),
        col(Col::Recipe, "RECIPE", (6, 6), 12, 160),
        domains(list, 9, 120),
        col(Col::Image, "IMAGE", (12, 18), 13, 160),
        growing(col(Col::Why, "WHY", (16, 30), 1, 0)),
    ];
    if model.view.sites.iter().any(|row| row.certificate.is_some()) {
        out.insert(9, number(Col::Certificate, "CERT", 6, 7, 120));
    }
    if list.foreign && list.has_projects {
        out.insert(0, col(Col::Project, "PROJECT", (9, 14), 14, 120));
    }
    out
}

/// Containers of one host, looked at without a fleet file. What no row has takes no room.
fn of_look(model: &Model) -> Vec<Column<Col>> {
    let list = &model.sites;
    let mut out = Vec::new();
    if list.has_projects {
        out.push(col(Col::Project, "PROJECT", (9, 14), 3, 0));
    }
    out.push(col(
        Col::Name,
        "CONTAINER",
        (list.name_width.min(16), list.name_width),
        0,
        0,
    ));
    out.push(col(Col::State, "STATE", (10, 12), 0, 0));
    out.push(number(Col::Since, "SINCE", 5, 4, 0));
    out.push(number(Col::Memory, "MEMORY", 10, 6, 100));
    out.push(number(Col::Cpu, "CPU", 4, 10, 100));
    out.push(number(Col::Restarts, "RST", 3, 11, 100));
    if list.domains_width > 0 {
        out.push(domains(list, 2, 0));
    }
    out.push(growing(col(Col::Image, "IMAGE", (12, 22), 9, 80)));
    out.push(growing(col(Col::Why, "WHY", (10, 24), 1, 0)));
    out
}

/// Whether a column is on screen that shows what containers use.
fn shows_usage(model: &Model) -> bool {
    let room = model.size.0.saturating_sub(1);
    fit(&columns(model), room)
        .iter()
        .any(|(c, _)| matches!(c.id, Col::Memory | Col::Cpu))
}

fn table(model: &Model, buf: &mut Buffer, area: Rect, ages: &Ages) {
    let list = &model.sites.list;
    let rows = &model.view.sites;
    let columns = columns(model);
    Table {
        columns: &columns,
        len: list.order.len(),
        offset: list.offset,
        cursor: Some(list.cursor),
        sorted: match model.sites.sort {
            Sort::Severity => Col::State,
            Sort::Name => Col::Name,
            Sort::Host => Col::Host,
            Sort::Traffic => Col::Requests,
            Sort::Memory => Col::Memory,
        },
        row: &|at| &rows[list.order[at] as usize],
        cell: &|row, col| cell(model, row, col, ages),
        marked: &|row| model.sites.marks.contains(&row.key),
        dimmed: &|row| row.stale,
    }
    .draw(buf, &model.theme, area);
    if list.order.is_empty() {
        let mut pen = Pen::on(buf, &model.theme, area, 2);
        pen.skip(1).put(Role::Dim, &nothing(model));
    }
}

fn nothing(model: &Model) -> String {
    if !model.sites.filter.is_empty() {
        return format!("nothing contains {:?}; esc shows all", model.sites.filter);
    }
    if model.sites.broken {
        return "nothing is broken; ! shows all".into();
    }
    match (&model.fleet, model.view.sites.is_empty()) {
        (Some(_), true) if model.view.on_call => "no site yet".into(),
        (Some(_), true) => "no site yet: C creates one".into(),
        (None, true) => "no container".into(),
        _ => "only containers that are not ostler's; f shows them".into(),
    }
}

fn cell<'a>(model: &Model, row: &'a SiteRow, col: Col, ages: &Ages) -> Cell<'a> {
    let text = |t: &'a str| Cell::new(Role::Text, t);
    let number =
        |r: Option<Reading<f64>>| Cell::new(Role::Text, r.map_or(String::new(), |r| rate(r.value)));
    match col {
        Col::Project => Cell::new(Role::Dim, row.project.as_str()),
        Col::Name => Cell::new(
            if row.state.is_well() {
                Role::Text
            } else {
                Role::Strong
            },
            listed_name(row),
        ),
        Col::Host => text(&row.host),
        Col::Account => Cell::new(Role::Dim, row.account.as_str()),
        Col::State => {
            if row.stale && row.seen.is_some() {
                let symbol = if model.theme.ascii { "?" } else { "◌" };
                return Cell::new(Role::Dim, format!("{symbol} {}", row.state.word()));
            }
            let (symbol, role) = mark(model, row.state);
            Cell::new(role, format!("{symbol} {}", row.state.word()))
        }
        Col::Http => match &row.http {
            Some(http) => {
                let old = ages.read(http.at) != "now";
                let role = match http.value.is_good() {
                    _ if old => Role::Dim,
                    Some(false) => Role::Bad,
                    _ => Role::Text,
                };
                let status = http.value.status();
                Cell::new(role, status.map_or("none".into(), |s| s.to_string()))
            }
            None => text(""),
        },
        Col::Since => {
            let since = match row.stale {
                true => row.seen.map(Since::exactly),
                false => row.since,
            };
            let text = since.map(|since| ages.since(since, model.theme.ascii));
            Cell::new(Role::Text, text.unwrap_or_default())
        }
        Col::Requests => number(row.requests),
        Col::Errors => match row.errors {
            Some(e) if e.value > 0.0 => Cell::new(Role::Warn, rate(e.value)),
            other => number(other),
        },
        Col::Memory => {
            let used = row.memory_used.map(|m| m.value);
            let limit = row.memory_limit.filter(|l| *l > 0);
            let role = match (used, limit) {
                (Some(u), Some(l)) if u as f64 > 0.9 * l as f64 => Role::Warn,
                _ => Role::Text,
            };
            let text = match (used, limit) {
                (Some(u), Some(l)) => format!("{}/{}", size(u), size(l)),
                (Some(u), None) => size(u),
                (None, Some(l)) => format!("–/{}", size(l)),
                (None, None) => String::new(),
            };
            Cell::new(role, text)
        }
        Col::Cpu => Cell::new(
            Role::Text,
            row.cpu
                .map_or(String::new(), |c| format!("{:.0}%", c.value * 100.0)),
        ),
        Col::Certificate => match &row.certificate {
            None => text(""),
            Some(certificate) => {
                let (role, ends) = ends(certificate, model.now());
                match certificate.is_well() {
                    true => Cell::new(role, ends),
                    false => {
                        let (symbol, role) = mark(model, certificate.state);
                        Cell::new(role, format!("{symbol} {ends}"))
                    }
                }
            }
        },
        Col::Restarts => match row.restarts {
            0 => text(""),
            n => Cell::new(Role::Warn, n.to_string()),
        },
        Col::Recipe => Cell::new(Role::Dim, row.recipe.as_str()),
        Col::Domains => Cell::new(Role::Dim, listed_domains(row)),
        Col::Image if row.newer_image => Cell::new(Role::Warn, format!("newer {}", row.image)),
        Col::Image => Cell::new(Role::Dim, row.image.as_str()),
        Col::Why => {
            let role = match row.state {
                State::Lost
                | State::Degraded
                | State::Failing
                | State::Restarting
                | State::Warning
                | State::Drift => Role::Text,
                _ => Role::Dim,
            };
            Cell::new(role, row.why.as_str())
        }
    }
}

/// Where the numbers of the row under the cursor come from, and how the list is narrowed.
fn detail(model: &Model, row: Option<&SiteRow>, ages: &Ages) -> Spans {
    let mut out: Spans = Vec::new();
    let list = &model.sites;
    let mut narrowed = Vec::new();
    if !list.filter.is_empty() {
        narrowed.push(format!("/{}", list.filter));
    }
    if list.broken {
        narrowed.push("broken only".into());
    }
    if !narrowed.is_empty() {
        let text = format!(
            " {} of {}  {} ",
            list.list.order.len(),
            model.view.sites.len(),
            narrowed.join("  ")
        );
        out.push((Role::Match, text));
    }
    if !list.marks.is_empty() {
        out.push((Role::Accent, format!(" {} marked ", list.marks.len())));
    }
    if list.sort != Sort::default() {
        out.push((Role::Dim, format!(" by {} ", list.sort.word())));
    }
    let Some(row) = row else {
        return out;
    };
    let mut parts: Vec<String> = Vec::new();
    if row.is_host
        && let Some(host) = model.host(&row.host)
    {
        parts.extend(host::retry(host, ages));
        if host.stale && host.link != Link::Connecting {
            parts.push(match row.seen {
                Some(at) if list.folded.contains(&row.host) => {
                    format!("⏎ opens it, its sites as last seen {} ago", ages.ago(at))
                }
                Some(at) => format!("its sites as last seen {} ago", ages.ago(at)),
                None => "its sites were never seen".into(),
            });
        }
        out.push((Role::Dim, format!(" {}: {}", row.name, parts.join(" · "))));
        return out;
    }
    if row.stale {
        match row.seen {
            Some(at) => parts.push(format!("as last seen {} ago", ages.ago(at))),
            None => parts.push("not seen yet".into()),
        }
    }
    if let Some(http) = &row.http {
        let words = clean(&http.value.words()).into_owned();
        parts.push(format!("asked {}: {words}", ages.read(http.at)));
    }
    if let Some(requests) = row.requests {
        parts.push(format!(
            "REQ/s by {} {}",
            requests.source.word(),
            ages.read(requests.at)
        ));
    }
    if let Some(connections) = row.connections.filter(|c| c.value > 0) {
        parts.push(count(connections.value as usize, "connection"));
    }
    if parts.is_empty()
        && let Some(at) = row.seen
    {
        parts.push(format!("engine, {}", ages.read(at)));
    }
    let name = if row.domains.is_empty() {
        &row.name
    } else {
        &row.domains[0]
    };
    out.push((Role::Dim, format!(" {name}: {}", parts.join(" · "))));
    out
}
