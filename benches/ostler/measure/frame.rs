//! A frame with 10,000 sites on a terminal of 200×50: the real model and the real Sites screen.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Row as Line, StatefulWidget, Table, TableState};

use super::Extent;
use super::row::{Row, median, sample};
use ostler::cli::Failure;
use ostler::console::keymap::Keymap;
use ostler::console::message::{HostNews, Message, Seen};
use ostler::console::model::{Model, Start};
use ostler::console::theme::Theme;
use ostler::console::{update, view};
use ostler::fleet::{self, Name};
use ostler::observe::model::{ObservedContainer, ObservedHost, RunState};
use ostler::verdict::{Link, Traffic};

/// Hosts of the fleet.
const HOSTS: usize = 20;
/// Sites on each.
const PER_HOST: usize = 500;
/// Columns and rows.
const SIZE: (u16, u16) = (200, 50);
/// Unix seconds.
const NOW: i64 = 1_795_230_000;
const GOAL: Duration = Duration::from_millis(2);

/// Measures frames, against ratatui's own table over all rows.
pub fn measure(extent: Extent) -> Result<Vec<Row>, Failure> {
    let [hosts, per_host] = extent.pick([HOSTS, PER_HOST], [4, 10]);
    let mut model = model(hosts, per_host)?;
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut cells = Buffer::empty(area);
    let (rounds, few) = extent.pick((200, 20), (1, 1));
    let mut theirs = sample(few, || {
        cells.reset();
        whole_table(&model, &mut cells, area);
    });
    let mut drawn = sample(rounds, || {
        cells.reset();
        view::draw(&model, &mut cells, area);
    });
    let mut down = false;
    let mut stepped = sample(rounds, || {
        down = !down;
        let key = KeyCode::Char(if down { 'G' } else { 'g' });
        let key = Message::Key(KeyEvent::new(key, KeyModifiers::NONE));
        update::update(&mut model, key);
        update::before_frame(&mut model);
        cells.reset();
        view::draw(&model, &mut cells, area);
    });
    let mut requests = 0.0;
    let mut fresh = sample(few, || {
        requests += 1.0;
        let news = HostNews::Traffic(traffic(3, per_host, requests));
        update::update(&mut model, Message::Host(host_name(3), news));
        update::before_frame(&mut model);
        cells.reset();
        view::draw(&model, &mut cells, area);
    });
    let sites = model.view.sites.len();
    let what = format!("a frame of {sites} sites, {}×{}", SIZE.0, SIZE.1);
    let (took, theirs) = (median(&mut drawn), median(&mut theirs));
    let row = |what: String, took| Row::times(what, took, "ratatui's Table over all rows", theirs);
    Ok(vec![
        row(what, took).goal("2 ms", took <= GOAL),
        row(
            "  a key to the last or the first row, then a frame".into(),
            median(&mut stepped),
        ),
        row(
            format!("  new numbers of one host's {per_host} sites, then a frame"),
            median(&mut fresh),
        ),
    ])
}

/// What drawing all rows costs.
fn whole_table(model: &Model, cells: &mut Buffer, area: Rect) {
    let widths = [28, 12, 8, 12, 6, 6, 8, 30, 18, 40].map(Constraint::Length);
    let rows = model.view.sites.iter().map(|site| {
        Line::new([
            site.name.clone(),
            site.account.clone(),
            site.host.clone(),
            site.state.word().to_owned(),
            site.http
                .as_ref()
                .and_then(|h| h.value.status())
                .map_or_else(String::new, |s| s.to_string()),
            site.since
                .map(|s| (NOW - s.at).to_string())
                .unwrap_or_default(),
            site.requests
                .map(|r| r.value.to_string())
                .unwrap_or_default(),
            site.domains.join(" "),
            site.image.clone(),
            site.why.clone(),
        ])
    });
    let mut state = TableState::new().with_selected(0);
    StatefulWidget::render(Table::new(rows, widths), area, cells, &mut state);
}

/// A fleet whose sites all run, one in a hundred of them failing.
fn model(hosts: usize, per_host: usize) -> Result<Model, Failure> {
    let mut file = String::from("fleet: bench\nhosts:\n");
    for host in 0..hosts {
        // Writing to a string cannot fail.
        let _ = writeln!(
            file,
            "  web{host}: {{ engine: 'ssh://ops@web{host}.example.net' }}"
        );
    }
    file.push_str("accounts:\n  alice: {}\nsites:\n");
    for host in 0..hosts {
        for site in 0..per_host {
            let name = site_name(host, site);
            let _ = writeln!(
                file,
                "  {name}: {{ account: alice, host: web{host}, recipe: php, domains: [{name}.example, www.{name}.example] }}"
            );
        }
    }
    let fleet = fleet::load(&file, Path::new("fleet.yml"))
        .map_err(|_| Failure::new("the fleet of this benchmark is wrong"))?
        .fleet;
    let (keymap, complaints) = Keymap::new(&BTreeMap::new());
    let mut model = update::open(Start {
        now_ms: NOW * 1000,
        size: SIZE,
        keymap,
        complaints,
        theme: Theme::built_in("dark").ok_or_else(|| Failure::new("there is no dark theme"))?,
        themes: Vec::new(),
        fleet: Some(Arc::new(fleet)),
        looked_at: None,
        on_call: false,
        demo: false,
    });
    for host in 0..hosts {
        let link = HostNews::Link {
            link: Link::Ready,
            why: String::new(),
            retry_at: None,
        };
        let observed = ObservedHost {
            containers: (0..per_host).map(|site| container(host, site)).collect(),
            ..ObservedHost::default()
        };
        for news in [
            link,
            HostNews::Observed(Seen::of(None, &host_name(host), Arc::new(observed))),
            HostNews::Traffic(traffic(host, per_host, 1.0)),
        ] {
            update::update(&mut model, Message::Host(host_name(host), news));
        }
    }
    while !model.stale_hosts.is_empty() {
        update::before_frame(&mut model);
    }
    Ok(model)
}

fn container(host: usize, site: usize) -> ObservedContainer {
    let label = |key: &str, value: String| (format!("ostler.{key}"), value);
    ObservedContainer {
        id: format!("{:064x}", host * PER_HOST + site),
        name: format!("ostler-bench-{host:05}{site:05}"),
        image: "php:8.4-apache".into(),
        labels: BTreeMap::from([
            label("fleet", "bench".into()),
            label("site", site_name(host, site)),
            label("role", "site".into()),
        ]),
        run: RunState::Running,
        status: "Up 3 hours".into(),
        created: NOW - 86_400,
        ..ObservedContainer::default()
    }
}

/// What one host's router counted.
fn traffic(host: usize, per_host: usize, requests: f64) -> Vec<(Name, Traffic)> {
    let sites = (0..per_host).filter_map(|site| Some((site, site_name(host, site).parse().ok()?)));
    sites
        .map(|(site, name)| {
            let failing = site % 100 == 7;
            let traffic = Traffic {
                at: NOW,
                requests: requests + site as f64 / 7.0,
                errors: Some(if failing { 60.0 } else { 0.0 }),
                connections: 3,
                status: Some((if failing { 502 } else { 200 }, NOW)),
                ..Traffic::default()
            };
            (name, traffic)
        })
        .collect()
}

fn site_name(host: usize, site: usize) -> String {
    format!("customer-{host:02}-{site:04}")
}

/// A host of it.
fn host_name(host: usize) -> Name {
    // Letters and digits are a name.
    format!("web{host}")
        .parse()
        .unwrap_or_else(|_| unreachable!())
}
