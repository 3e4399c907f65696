//! How fast the Logs screen takes lines in, in chunks of 64 KiB as an engine sends them.

use std::hint::black_box;
use std::io::BufRead;

use super::{Row, sample};
use crate::console::log::{DEFAULT_MEMORY, Filter, LogBuffer, Pattern, Stream};

/// How many lines.
pub const LINES: usize = 1_000_000;
/// Bytes taken at once.
pub const CHUNK: usize = 64 * 1024;

/// Measures a million lines with timestamps, against the standard library's reader of lines.
pub fn measure() -> Vec<Row> {
    let lines = access_lines(true, false);
    let theirs = sample(3, || {
        let mut kept = 0;
        for line in lines.lines().map_while(Result::ok) {
            kept += black_box(line).len();
        }
        black_box(kept);
    });
    let ours = sample(3, || take_in(&lines, true, &[], None));
    // What else runs on the machine only ever makes it slower.
    let best = |times: &[std::time::Duration]| times.first().copied().unwrap_or_default();
    let rate = LINES as f64 / best(&ours).as_secs_f64();
    let mut row = Row::times(
        format!("log lines taken in, {LINES} with timestamps"),
        best(&ours),
        "BufRead::lines",
        best(&theirs),
    );
    row.measured = format!("{:.1} million/s", rate / 1e6);
    vec![row.goal("1 million/s", rate >= 1e6)]
}

/// Takes all lines in.
pub fn take_in(bytes: &[u8], stamped: bool, filters: &[Filter], search: Option<&Pattern>) {
    let mut buffer = LogBuffer::new(DEFAULT_MEMORY);
    let id = buffer.add_source("bench", stamped);
    buffer.set_filters(filters.to_vec());
    buffer.set_search(search.cloned());
    for chunk in bytes.chunks(CHUNK) {
        buffer.append(id, Stream::Stdout, chunk);
    }
    assert_eq!(buffer.kept() + buffer.dropped(), LINES as u64);
    assert!(buffer.memory() <= DEFAULT_MEMORY);
    black_box(&buffer);
}

/// Access lines as a busy shop writes them; always the same ones.
pub fn access_lines(stamped: bool, coloured: bool) -> Vec<u8> {
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
    for n in 0..LINES {
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
