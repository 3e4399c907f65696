//! What comes of a benchmark: numbers beside what they are to be compared with.

use std::time::{Duration, Instant};

use ostler::cli::style::Style;
use ostler::cli::table::{Cell, Table};
use serde::Serialize;

/// One number beside what it is to be compared with.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// What it came to.
    pub measured: String,
    /// What it is compared with, and what that came to.
    pub against: String,
    /// The first by the second.
    ratio: Option<f64>,
    /// What was aimed at.
    pub goal: String,
    /// Whether that was reached; none where nothing was aimed at.
    pub met: Option<bool>,
}

impl Row {
    /// A number by itself.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Row {
        Row {
            what: what.into(),
            measured: measured.into(),
            against: String::new(),
            ratio: None,
            goal: String::new(),
            met: None,
        }
    }

    /// A time beside another one.
    pub fn times(what: impl Into<String>, took: Duration, other: &str, theirs: Duration) -> Row {
        Row {
            against: format!("{other}: {}", ms(theirs)),
            ratio: Some(took.as_secs_f64() / theirs.as_secs_f64().max(1e-9)),
            ..Row::new(what, ms(took))
        }
    }

    /// With what was aimed at, and whether that was reached.
    pub fn goal(mut self, goal: &str, met: bool) -> Row {
        self.goal = goal.to_owned();
        self.met = Some(met);
        self
    }

    /// With the greatest ratio that is good.
    pub fn at_most(self, ratio: f64) -> Row {
        let met = self.ratio.is_some_and(|r| r <= ratio);
        self.goal(&format!("at most {ratio}"), met)
    }
}

/// All of them, with what was aimed at.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["WHAT", "MEASURED", "AGAINST", "RATIO", "GOAL", ""]);
    for row in rows {
        let ratio = row.ratio.map(|r| format!("{r:.3}")).unwrap_or_default();
        let met = match row.met {
            None => "".into(),
            Some(true) => Cell::styled("met", Style::Good),
            Some(false) => Cell::styled("MISSED", Style::Bad),
        };
        let cells = [&row.what, &row.measured, &row.against, &ratio, &row.goal];
        let cells = cells.into_iter().map(Into::into);
        table.row(cells.chain([met]).collect());
    }
    table
}

/// How long each of many runs took, sorted.
pub fn sample(rounds: usize, mut run: impl FnMut()) -> Vec<Duration> {
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

/// The middle one.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// For people.
pub fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        1000.0.. => format!("{:.2} s", ms / 1e3),
        10.0.. => format!("{ms:.0} ms"),
        _ => format!("{ms:.2} ms"),
    }
}
