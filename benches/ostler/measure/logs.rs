//! How fast the Logs screen takes lines in, in chunks of 64 KiB as an engine sends them.

use std::hint::black_box;
use std::io::BufRead;
use std::time::Duration;

use ostler::cli::Failure;
use ostler::console::log::{
    DEFAULT_MEMORY, Filter, LogBuffer, LogScreen, LogStyles, Pattern, Reading, Stream,
};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Extent;
use super::row::{Row, ms, sample};

/// How many lines.
const LINES: usize = 1_000_000;
/// Bytes taken at once.
const CHUNK: usize = 64 * 1024;

/// Measures lines being taken in, against the standard library's reader of lines over the same
/// bytes; and a full buffer being filtered anew and drawn.
pub fn measure(extent: Extent) -> Result<Vec<Row>, Failure> {
    let (lines, rounds) = extent.pick((LINES, 5), (1000, 1));
    let plain = access_lines(lines, false, false);
    let stamped = access_lines(lines, true, false);
    let coloured = access_lines(lines, true, true);
    let pattern = |text: &str, reading| {
        Pattern::new(text, reading).map_err(|e| Failure::new(format!("{text}: {e}")))
    };
    let filters = [
        Filter {
            pattern: pattern("wp-login", Reading::Text)?,
            out: true,
        },
        Filter {
            pattern: pattern(r#"" [45]\d\d "#, Reading::Regex)?,
            out: false,
        },
    ];
    let search = pattern("checkout", Reading::Text)?;
    // What else runs on the machine only ever makes it slower.
    let best = |run: &mut dyn FnMut()| sample(rounds, run).first().copied().unwrap_or_default();
    let theirs = best(&mut || {
        let mut kept = 0;
        for line in stamped.lines().map_while(Result::ok) {
            kept += black_box(line).len();
        }
        black_box(kept);
    });
    let rate = |took: Duration| lines as f64 / took.as_secs_f64();
    let taken = |what: &str, bytes: &[u8], stamped, filters: &[Filter], search| {
        let took = best(&mut || {
            let buffer = taken_in(bytes, stamped, filters, search);
            assert_eq!(buffer.kept() + buffer.dropped(), lines as u64);
            assert!(buffer.memory() <= DEFAULT_MEMORY);
            black_box(&buffer);
        });
        let mut row = Row::times(what, took, "BufRead::lines", theirs);
        row.measured = format!("{:.1} million/s", rate(took) / 1e6);
        (row, rate(took))
    };
    let what = format!("log lines taken in, {lines} with timestamps");
    let (goal, reached) = taken(&what, &stamped, true, &[], None);
    let mut rows = vec![
        goal.goal("1 million/s", reached >= 1e6),
        taken("  without timestamps", &plain, false, &[], None).0,
        taken("  with colours", &coloured, true, &[], None).0,
        taken("  two filters, one a regex", &stamped, true, &filters, None).0,
        taken("  a search", &stamped, true, &[], Some(&search)).0,
    ];
    let mut full = taken_in(&stamped, true, &[], None);
    let again = best(&mut || {
        full.set_filters(filters.to_vec());
        while full.work() {}
    });
    let memory = full.memory() as f64 / f64::from(1 << 20);
    let what = format!("filtering all {} kept lines anew", full.kept());
    rows.push(Row::new(what, format!("{}, in {memory:.1} MiB", ms(again))));
    full.set_filters(Vec::new());
    let screen = LogScreen::with_buffer("bench", full);
    let area = Rect::new(0, 0, 200, 50);
    let (mut cells, styles) = (Buffer::empty(area), LogStyles::sixteen());
    let frame = best(&mut || {
        for _ in 0..100 {
            cells.reset();
            screen.view(area, &mut cells, &styles);
        }
    });
    rows.push(Row::new("a frame of lines, 200×50", ms(frame / 100)));
    Ok(rows)
}

/// A buffer that took all lines in.
fn taken_in(
    bytes: &[u8],
    stamped: bool,
    filters: &[Filter],
    search: Option<&Pattern>,
) -> LogBuffer {
    let mut buffer = LogBuffer::new(DEFAULT_MEMORY);
    let id = buffer.add_source("bench", stamped);
    buffer.set_filters(filters.to_vec());
    buffer.set_search(search.cloned());
    for chunk in bytes.chunks(CHUNK) {
        buffer.append(id, Stream::Stdout, chunk);
    }
    buffer
}

/// Access lines as a busy shop writes them; always the same ones.
fn access_lines(lines: usize, stamped: bool, coloured: bool) -> Vec<u8> {
    use std::io::Write;
    const PATHS: [&str; 6] = [
        "/",
        "/cart",
        "/checkout?step=2",
        "/wp-login.php",
        "/img/a-long-name-of-a-picture.webp",
        "/api/v1/items",
    ];
    let mut out = Vec::new();
    let mut random = 7u32;
    for n in 0..lines {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let pick = (random >> 16) as usize;
        let path = PATHS[pick % PATHS.len()];
        let status = [200, 200, 200, 304, 404, 502][pick % 6];
        let (on, off) = if coloured {
            ("\x1b[32m", "\x1b[0m")
        } else {
            ("", "")
        };
        if stamped {
            let _ = write!(
                out,
                "2026-11-21T21:{:02}:{:02}.{:09}Z ",
                n / 60 % 60,
                n % 60,
                n
            );
        }
        // Writing to a Vec does not fail.
        let _ = writeln!(
            out,
            "203.0.113.{} - - [21/Nov/2026:21:51:45 +0000] \"{on}GET{off} {path} HTTP/1.1\" {status} {} \"-\" \"Mozilla/5.0\"",
            pick % 250,
            random >> 14,
        );
    }
    out
}
