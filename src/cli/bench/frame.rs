//! A frame with 10,000 sites on a terminal of 200×50: the real model and the real Sites screen.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Row as Line, StatefulWidget, Table, TableState};

use super::{Row, median, sample};
use crate::cli::Failure;
use crate::console::keymap::Keymap;
use crate::console::message::{HostNews, Message, Seen};
use crate::console::model::{Model, Start};
use crate::console::theme::Theme;
use crate::console::{update, view};
use crate::fleet::{self, Name};
use crate::observe::model::{ObservedContainer, ObservedHost, RunState};
use crate::verdict::{Link, Traffic};

/// Hosts of the fleet.
pub const HOSTS: usize = 20;
/// Sites on each.
pub const PER_HOST: usize = 500;
/// Columns and rows.
pub const SIZE: (u16, u16) = (200, 50);
/// Unix seconds.
pub const NOW: i64 = 1_795_230_000;
const GOAL: Duration = Duration::from_millis(2);

/// Measures a frame, against ratatui's own table over all rows.
pub fn measure() -> Result<Vec<Row>, Failure> {
    let model = model()?;
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut cells = Buffer::empty(area);
    let mut ours = sample(200, || {
        cells.reset();
        view::draw(&model, &mut cells, area);
    });
    let mut theirs = sample(20, || {
        cells.reset();
        whole_table(&model, &mut cells, area);
    });
    let took = median(&mut ours);
    let what = format!(
        "a frame of {} sites, {}×{}",
        model.view.sites.len(),
        SIZE.0,
        SIZE.1
    );
    let against = "ratatui's Table over all rows";
    Ok(vec![
        Row::times(what, took, against, median(&mut theirs)).goal("2 ms", took <= GOAL),
    ])
}

/// What drawing all rows costs.
pub fn whole_table(model: &Model, cells: &mut Buffer, area: Rect) {
    let widths = [28, 12, 8, 12, 6, 6, 8, 30, 18, 40].map(Constraint::Length);
    let rows = model.view.sites.iter().map(|site| {
        Line::new([
            site.name.clone(),
            site.account.clone(),
            site.host.clone(),
            site.state.word().to_owned(),
            site.http.map(|h| h.value.to_string()).unwrap_or_default(),
            site.since
                .map(|s| (NOW - s).to_string())
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
pub fn model() -> Result<Model, Failure> {
    let mut file = String::from("fleet: bench\nhosts:\n");
    for host in 0..HOSTS {
        // Writing to a string cannot fail.
        let _ = writeln!(
            file,
            "  web{host}: {{ engine: 'ssh://ops@web{host}.example.net' }}"
        );
    }
    file.push_str("accounts:\n  alice: {}\nsites:\n");
    for host in 0..HOSTS {
        for site in 0..PER_HOST {
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
    let mut model = Model::new(Start {
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
    for host in 0..HOSTS {
        let link = HostNews::Link {
            link: Link::Ready,
            why: String::new(),
            retry_at: None,
        };
        let observed = ObservedHost {
            containers: (0..PER_HOST).map(|site| container(host, site)).collect(),
            ..ObservedHost::default()
        };
        for news in [
            link,
            HostNews::Observed(Seen::of(None, &host_name(host), Arc::new(observed))),
            HostNews::Traffic(traffic(host, 1.0)),
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
pub fn traffic(host: usize, requests: f64) -> Vec<(Name, Traffic)> {
    let sites = (0..PER_HOST).filter_map(|site| Some((site, site_name(host, site).parse().ok()?)));
    sites
        .map(|(site, name)| {
            let failing = site % 100 == 7;
            let traffic = Traffic {
                at: NOW,
                requests: requests + site as f64 / 7.0,
                errors: Some(if failing { 60.0 } else { 0.0 }),
                connections: 3,
                status: Some((if failing { 502 } else { 200 }, NOW)),
            };
            (name, traffic)
        })
        .collect()
}

fn site_name(host: usize, site: usize) -> String {
    format!("customer-{host:02}-{site:04}")
}

/// A host of it.
pub fn host_name(host: usize) -> Name {
    // Letters and digits are a name.
    format!("web{host}")
        .parse()
        .unwrap_or_else(|_| unreachable!())
}
