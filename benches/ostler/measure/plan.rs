//! Planning for unchanged sites against one raw list of the same engine.

use std::time::{Duration, Instant};

use super::Extent;
use super::fill::{fill, look, planned};
use super::program::say;
use super::row::{Row, median, ms};
use super::stage::Stage;
use ostler::cli::Failure;
use ostler::host::{Toolbox, state};
use ostler::record::{Layout, names};

/// How often each is measured, in turn.
const ROUNDS: usize = 21;
/// How often a whole process is.
const PROCESSES: usize = 11;

/// Measures, after having brought the sites there.
pub async fn measure(stage: &Stage, extent: Extent) -> Result<Vec<Row>, Failure> {
    let sites = extent.sites(1000);
    let filled = fill(stage, sites).await?;
    say("measuring");
    let toolbox = Toolbox {
        client: stage.client.clone(),
        id: names::toolbox(&filled.fleet.name),
        layout: Layout::new(&filled.host()?.root),
    };
    let mut times: [Vec<Duration>; 5] = Default::default();
    let mut bytes = 0;
    for _ in 0..extent.pick(ROUNDS, 1) {
        let start = Instant::now();
        bytes = stage.client.containers_raw().await?.len();
        times[0].push(start.elapsed());

        let start = Instant::now();
        let found = look(stage, &filled).await?;
        let looked = start.elapsed();
        let plan = planned(&filled, found)?;
        times[1].push(start.elapsed());
        times[2].push(start.elapsed() - looked);
        if !plan.operations.is_empty() {
            return Err(Failure::new(
                "something changed on the engine while it was measured",
            ));
        }
        let start = Instant::now();
        stage.client.containers().await?;
        times[3].push(start.elapsed());

        let start = Instant::now();
        state::read(&toolbox).await.map_err(|e| Failure::of(&e))?;
        times[4].push(start.elapsed());
    }
    let mut process = Vec::new();
    for _ in 0..extent.pick(PROCESSES, 1) {
        process.push(stage.ostler(&["plan"]).await?);
    }
    let [raw, whole, pure, list, records] = times.map(|mut t| median(&mut t));
    let against = format!("one raw list ({:.1} MB)", bytes as f64 / 1e6);
    let part = |what: &str, took: Duration| Row::new(format!("  of it: {what}"), ms(took));
    Ok(vec![
        Row::times(
            format!("look and plan, {sites} unchanged sites"),
            whole,
            &against,
            raw,
        )
        .at_most(1.25),
        part("the list, parsed", list),
        part("the records, read and parsed", records),
        part("the plan itself", pure),
        Row::times(
            format!("`ostler plan` as a process, {sites} unchanged sites"),
            median(&mut process),
            &against,
            raw,
        ),
    ])
}
