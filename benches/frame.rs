//! How long a frame takes with 10,000 sites on a terminal of 200×50: the real model and the real
//! Sites screen, against ratatui's own `Table` over all rows.
//!
//! `cargo bench --bench frame`. Ratios hold between machines better than times do.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ostler::console::fleet_view::{Link, Traffic};
use ostler::console::keymap::Keymap;
use ostler::console::message::{HostNews, Message};
use ostler::console::model::{Model, Start};
use ostler::console::theme::Theme;
use ostler::console::{update, view};
use ostler::observe::model::{ObservedContainer, ObservedHost, RunState};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::widgets::{Row, StatefulWidget, Table, TableState};

const HOSTS: usize = 20;
const PER_HOST: usize = 500;
const SIZE: (u16, u16) = (200, 50);
const NOW: i64 = 1_795_230_000;
const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut model = model()?;
    println!(
        "{} sites on {HOSTS} hosts, {}×{}; model built in {:.0} ms\n",
        model.view.sites.len(),
        SIZE.0,
        SIZE.1,
        ms(start.elapsed()),
    );
    assert_eq!(model.view.sites.len(), HOSTS * PER_HOST);
    let area = Rect::new(0, 0, SIZE.0, SIZE.1);
    let mut cells = Buffer::empty(area);
    println!("{:<52} {:>9} {:>9}", "", "median ms", "worst ms");

    let drawn = measure(ROUNDS, || {
        cells.reset();
        view::draw(&model, &mut cells, area);
    });
    row("drawing a frame", &drawn);

    let mut down = false;
    let stepped = measure(ROUNDS, || {
        down = !down;
        let key = if down {
            KeyCode::Char('G')
        } else {
            KeyCode::Char('g')
        };
        update::update(
            &mut model,
            Message::Key(KeyEvent::new(key, KeyModifiers::NONE)),
        );
        update::before_frame(&mut model);
        cells.reset();
        view::draw(&model, &mut cells, area);
    });
    row(
        "a key (to the last or the first row), then a frame",
        &stepped,
    );

    let mut requests = 0.0;
    let fresh = measure(20, || {
        requests += 1.0;
        let numbers = traffic(3, requests);
        update::update(
            &mut model,
            Message::Host(host_name(3), HostNews::Traffic(numbers)),
        );
        update::before_frame(&mut model);
        cells.reset();
        view::draw(&model, &mut cells, area);
    });
    row("new numbers of one host's 500 sites, then a frame", &fresh);

    let mut state = TableState::new().with_selected(0);
    let whole = measure(20, || {
        cells.reset();
        let widths = [28, 12, 8, 12, 6, 6, 8, 30, 18, 40].map(Constraint::Length);
        let rows = model.view.sites.iter().map(|site| {
            Row::new([
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
        StatefulWidget::render(Table::new(rows, widths), area, &mut cells, &mut state);
    });
    row("ratatui's Table over all rows", &whole);
    black_box(&cells);

    let (ours, theirs) = (median(&drawn), median(&whole));
    println!(
        "\nratio to ratatui's Table: {:.3}",
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
    let goal = Duration::from_millis(2);
    println!(
        "goal, a frame in 2 ms: {} ({:.2} ms)",
        if ours <= goal { "met" } else { "MISSED" },
        ms(ours),
    );
    Ok(())
}

/// A fleet whose sites all run, one in a hundred of them failing.
fn model() -> Result<Model, Box<dyn Error>> {
    let mut file = String::from("fleet: bench\nhosts:\n");
    for host in 0..HOSTS {
        writeln!(
            file,
            "  web{host}: {{ engine: 'ssh://ops@web{host}.example.net' }}"
        )?;
    }
    file.push_str("accounts:\n  alice: {}\nsites:\n");
    for host in 0..HOSTS {
        for site in 0..PER_HOST {
            let name = site_name(host, site);
            writeln!(
                file,
                "  {name}: {{ account: alice, host: web{host}, recipe: php, domains: [{name}.example, www.{name}.example] }}"
            )?;
        }
    }
    let fleet = ostler::fleet::load(&file, Path::new("fleet.yml"))
        .map_err(|_| "the fleet of this benchmark is wrong")?
        .fleet;
    let (keymap, complaints) = Keymap::new(&BTreeMap::new());
    let mut model = Model::new(Start {
        now_ms: NOW * 1000,
        size: SIZE,
        keymap,
        complaints,
        theme: Theme::built_in("dark").ok_or("there is a dark theme")?,
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
            HostNews::Observed(Arc::new(observed)),
            HostNews::Traffic(traffic(host, 1.0)),
        ] {
            update::update(&mut model, Message::Host(host_name(host), news));
        }
    }
    update::before_frame(&mut model);
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

fn traffic(host: usize, requests: f64) -> Vec<(ostler::fleet::Name, Traffic)> {
    let sites = (0..PER_HOST).filter_map(|site| Some((site, site_name(host, site).parse().ok()?)));
    sites
        .map(|(site, name)| {
            let failing = site % 100 == 7;
            let traffic = Traffic {
                at: NOW,
                requests: requests + site as f64 / 7.0,
                errors: if failing { 60.0 } else { 0.0 },
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

fn host_name(host: usize) -> ostler::fleet::Name {
    // Letters and digits are a name.
    format!("web{host}")
        .parse()
        .unwrap_or_else(|_| unreachable!())
}

fn measure(rounds: usize, mut run: impl FnMut()) -> Vec<Duration> {
    run();
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times
}

fn median(times: &[Duration]) -> Duration {
    times[times.len() / 2]
}

fn row(name: &str, times: &[Duration]) {
    let worst = times.last().copied().unwrap_or_default();
    println!("{name:<52} {:>9.3} {:>9.3}", ms(median(times)), ms(worst));
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
