//! How long a frame takes with 10,000 sites on a terminal of 200×50: the real model and the real
//! Sites screen, against ratatui's own `Table` over all rows.
//!
//! `cargo bench --bench frame`; `ostler bench frame` has the first of these numbers. Ratios hold between machines better than times do.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ostler::cli::bench::frame::{HOSTS, PER_HOST, SIZE, host_name, model, traffic, whole_table};
use ostler::console::message::{HostNews, Message};
use ostler::console::{update, view};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut model = model().map_err(|failure| failure.message)?;
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

    let whole = measure(20, || {
        cells.reset();
        whole_table(&model, &mut cells, area);
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
