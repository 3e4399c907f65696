//! How fast the Logs screen takes lines in: a million lines, in chunks of 64 KiB as an engine sends
//! them, against the standard library's `BufRead::lines` over the same bytes.
//!
//! `cargo bench --bench log_ingest`; `ostler bench logs` has the first of these numbers. Ratios hold between machines better than times do.

use std::hint::black_box;
use std::io::BufRead;
use std::time::{Duration, Instant};

use ostler::cli::bench::logs::{CHUNK, LINES, access_lines, take_in};
use ostler::console::log::{
    DEFAULT_MEMORY, Filter, LogBuffer, LogScreen, LogStyles, Pattern, Reading, Stream,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

const ROUNDS: usize = 5;

fn main() {
    let plain = access_lines(false, false);
    let stamped = access_lines(true, false);
    let coloured = access_lines(true, true);
    println!(
        "{LINES} lines, {:.0} MB plain, {:.0} MB with timestamps; best of {ROUNDS}; memory {} MiB\n",
        plain.len() as f64 / 1e6,
        stamped.len() as f64 / 1e6,
        DEFAULT_MEMORY >> 20,
    );
    println!(
        "{:<44} {:>8} {:>12} {:>8} {:>8}",
        "", "ms", "lines/s", "MB/s", "ratio"
    );

    let base = best(|| {
        let mut kept = 0;
        for line in stamped.lines().map_while(Result::ok) {
            kept += black_box(line).len();
        }
        black_box(kept);
    });
    row(
        "BufRead::lines over the timestamped bytes",
        base,
        &stamped,
        base,
    );
    row(
        "taken in, plain",
        best(|| take_in(&plain, false, &[], None)),
        &plain,
        base,
    );
    let goal = best(|| take_in(&stamped, true, &[], None));
    row("taken in, timestamps", goal, &stamped, base);
    row(
        "taken in, timestamps and colours",
        best(|| take_in(&coloured, true, &[], None)),
        &coloured,
        base,
    );
    let text = |s: &str| Pattern::new(s, Reading::Text).expect("a plain text");
    let regex = |s: &str| Pattern::new(s, Reading::Regex).expect("an expression");
    let filters = [
        Filter {
            pattern: text("wp-login"),
            out: true,
        },
        Filter {
            pattern: regex(r#"" [45]\d\d "#),
            out: false,
        },
    ];
    row(
        "… two filters, one a regex",
        best(|| take_in(&stamped, true, &filters, None)),
        &stamped,
        base,
    );
    let search = text("checkout");
    row(
        "… a search",
        best(|| take_in(&stamped, true, &[], Some(&search))),
        &stamped,
        base,
    );

    let full = filled(&stamped);
    println!(
        "\nmemory when full: {:.2} MiB",
        full.memory() as f64 / (1 << 20) as f64
    );
    let mut full = full;
    let again = best(|| {
        full.set_filters(filters.to_vec());
        while full.work() {}
    });
    println!(
        "filtering all {} kept lines anew: {:.1} ms",
        full.kept(),
        ms(again)
    );
    full.set_filters(Vec::new());
    let screen = LogScreen::with_buffer("bench", full);
    let area = Rect::new(0, 0, 200, 50);
    let mut cells = Buffer::empty(area);
    let styles = LogStyles::sixteen();
    let frame = best(|| {
        for _ in 0..100 {
            cells.reset();
            screen.view(area, &mut cells, &styles);
        }
    }) / 100;
    println!("drawing a frame of 200×50: {:.3} ms", ms(frame));

    let rate = LINES as f64 / goal.as_secs_f64();
    println!(
        "\ngoal, a million lines a second on one core: {} ({:.1} million)",
        if rate >= 1e6 { "met" } else { "MISSED" },
        rate / 1e6
    );
}

fn filled(bytes: &[u8]) -> LogBuffer {
    let mut buffer = LogBuffer::new(DEFAULT_MEMORY);
    let id = buffer.add_source("bench", true);
    for chunk in bytes.chunks(CHUNK) {
        buffer.append(id, Stream::Stdout, chunk);
    }
    buffer
}

fn best(mut run: impl FnMut()) -> Duration {
    let time = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..ROUNDS)
        .map(|_| time(&mut run))
        .min()
        .unwrap_or_default()
}

fn row(name: &str, took: Duration, bytes: &[u8], base: Duration) {
    println!(
        "{name:<44} {:>8.1} {:>12.0} {:>8.0} {:>8.2}",
        ms(took),
        LINES as f64 / took.as_secs_f64(),
        bytes.len() as f64 / 1e6 / took.as_secs_f64(),
        took.as_secs_f64() / base.as_secs_f64(),
    );
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
