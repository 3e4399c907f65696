//! `ostler bench`: what the program costs, as ratios against what the same work costs otherwise.
//!
//! Times depend on the machine and on what else it does; ratios much less. Everything that is put
//! on the engine has names, a root folder and ports of its own and is gone at the end, however the
//! end comes.

mod compose;
mod console;
mod far;
mod fill;
mod fleet_file;
pub mod frame;
mod hosts;
pub mod logs;
mod plan;
mod proxy;
mod ssh;
mod stage;

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{BenchArgs, BenchWhat, EngineArg};
use super::context::Context;
use super::style::Style;
use super::table::Table;
use super::{Exit, Failure};
use stage::Stage;

/// One number beside what it is to be compared with.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    what: String,
    /// What it came to.
    measured: String,
    /// What it is compared with, and what that came to.
    against: String,
    /// The first by the second.
    ratio: Option<f64>,
    /// What was aimed at.
    goal: String,
    /// Whether that was reached; none where nothing was aimed at.
    met: Option<bool>,
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

/// Runs benchmarks and writes them as one table.
pub async fn run(context: &Context, engine: &EngineArg, args: &BenchArgs) -> Result<Exit, Failure> {
    let what = args.what.unwrap_or(BenchWhat::All);
    if what == BenchWhat::Far {
        return far::serve().await;
    }
    let sites = |goal: usize| args.sites.map_or(goal, |n| n as usize);
    let takes = |one: BenchWhat| what == one || what == BenchWhat::All;
    if cfg!(debug_assertions) {
        context
            .out
            .warn("this is a debug build: only a release build says how fast the program is");
    }
    let mut rows = Vec::new();
    if takes(BenchWhat::Frame) {
        rows.extend(frame::measure()?);
    }
    if takes(BenchWhat::Logs) {
        rows.extend(logs::measure());
    }
    if takes(BenchWhat::FleetFile) {
        rows.extend(fleet_file::measure(sites(5000))?);
    }
    if takes(BenchWhat::Hosts) {
        rows.extend(hosts::measure(sites(5000)).await?);
    }
    let on_engine = [
        BenchWhat::Plan,
        BenchWhat::Compose,
        BenchWhat::Console,
        BenchWhat::Ssh,
    ];
    if on_engine.into_iter().any(takes) {
        context.may_change("a benchmark on an engine")?;
        let address = super::engine::here(engine)?.address;
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<&str> = load.split(' ').take(3).collect();
        context.out.say(&format!(
            "on {address}; the machine's load is {}",
            load.join(" ")
        ));
        if takes(BenchWhat::Plan) {
            let sites = sites(1000);
            let found = with_stage(context, &address, async |stage| {
                plan::measure(stage, sites).await
            });
            rows.extend(found.await?);
        }
        if takes(BenchWhat::Compose) {
            let sites = sites(200);
            let found = with_stage(context, &address, async |stage| {
                compose::measure(stage, sites).await
            });
            rows.extend(found.await?);
        }
        if takes(BenchWhat::Console) {
            let count = sites(300);
            let found = with_stage(context, &address, async |stage| {
                console::measure(stage, count).await
            });
            rows.extend(found.await?);
        }
        if takes(BenchWhat::Ssh) {
            let count = sites(300);
            let found = with_stage(context, &address, async |stage| {
                ssh::measure(stage, count).await
            });
            rows.extend(found.await?);
        }
    }
    match args.json.json {
        true => context.out.json(&rows)?,
        false => context.out.table(&table(&rows))?,
    }
    Ok(Exit::Done)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["WHAT", "MEASURED", "AGAINST", "RATIO", "GOAL", ""]);
    for row in rows {
        let ratio = row.ratio.map(|r| format!("{r:.3}")).unwrap_or_default();
        let met = match row.met {
            None => "".into(),
            Some(true) => super::table::Cell::styled("met", Style::Good),
            Some(false) => super::table::Cell::styled("MISSED", Style::Bad),
        };
        let cells = [&row.what, &row.measured, &row.against, &ratio, &row.goal];
        let cells = cells.into_iter().map(Into::into);
        table.row(cells.chain([met]).collect());
    }
    table
}

/// Works on a stage that is cleared afterwards: also after a failure, and when the operator has
/// had enough.
async fn with_stage(
    context: &Context,
    address: &crate::fleet::EngineAddress,
    work: impl AsyncFnOnce(&Stage) -> Result<Vec<Row>, Failure>,
) -> Result<Vec<Row>, Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::caused("cannot listen for signals", &error));
    let (mut interrupt, mut terminate) = (
        listen(SignalKind::interrupt())?,
        listen(SignalKind::terminate())?,
    );
    let stage = Stage::new(context, address).await?;
    let done = tokio::select! {
        done = work(&stage) => done,
        _ = interrupt.recv() => Err(Failure::new("interrupted")),
        _ = terminate.recv() => Err(Failure::new("terminated")),
    };
    let cleared = stage.clear().await;
    let rows = done?;
    cleared?;
    Ok(rows)
}

/// How long each of many runs took, sorted.
fn sample(rounds: usize, mut run: impl FnMut()) -> Vec<Duration> {
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

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn ms(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    match ms {
        1000.0.. => format!("{:.2} s", ms / 1e3),
        10.0.. => format!("{ms:.0} ms"),
        _ => format!("{ms:.2} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_whether_its_goal_was_reached() {
        let ms = Duration::from_millis;
        let row = Row::times("plan", ms(120), "list", ms(100)).at_most(1.25);
        assert_eq!((row.met, row.goal.as_str()), (Some(true), "at most 1.25"));
        let row = Row::times("plan", ms(130), "list", ms(100)).at_most(1.25);
        assert_eq!(row.met, Some(false));
        let shown = table(&[row]).render(false);
        assert!(shown.contains("130 ms"), "{shown}");
        assert!(shown.contains("MISSED"), "{shown}");
    }

    #[test]
    fn the_median_is_the_middle() {
        let mut times = [3, 1, 2].map(Duration::from_millis);
        assert_eq!(median(&mut times), Duration::from_millis(2));
        assert_eq!(median(&mut []), Duration::ZERO);
    }
}
