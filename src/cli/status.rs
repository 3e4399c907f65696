//! `ostler status`: the fleet on one screen, and for a monitor: the first line and the exit code say
//! how it is.

mod engine;

use std::collections::BTreeMap;

use serde::Serialize;

use super::args::EngineArg;
use super::asked::asked;
use super::config;
use super::context::Context;
use super::hosts::measured::{Measured, measure};
use super::rows::{self, HostTold, SiteTold};
use super::style::Style;
use super::table::{Cell, Table};
use super::{Exit, Failure, hosts, sites};
use crate::engine::Mode;
use crate::fleet::{Fleet, Name};
use crate::observe::model::{HostObservation, Observed};
use crate::plan::{PlanOptions, drift};
use crate::text;
use crate::verdict::whole::Known;
use crate::verdict::{Due, Finding, SiteRow, Standing, State, Whole};
use crate::walk::Trust;
use crate::walk::look::{Closely, Seen};
use crate::walk::propose;

#[derive(Serialize)]
struct Status<'a> {
    fleet: &'a str,
    #[serde(flatten)]
    answer: Answer<'a>,
    hosts: Vec<hosts::Told<'a>>,
    /// Sites of the file.
    sites: usize,
    /// How many of them are as they should be.
    well: usize,
    /// How many of them run as the file says, or do not.
    ok: usize,
    broken: Vec<SiteTold>,
    warned: Vec<SiteTold>,
    drifted: Vec<SiteTold>,
    to_apply: Vec<SiteTold>,
    /// Sites that run an older image than their tag stands for.
    to_update: Vec<String>,
    leftovers: Vec<SiteTold>,
    /// Secrets that were not compared with their sources, and why.
    uncompared: Vec<String>,
}

/// How the whole is, for programs.
#[derive(Serialize)]
struct Answer<'a> {
    standing: Standing,
    exit: u8,
    summary: String,
    worst: Option<String>,
    found: &'a [Finding],
}

impl<'a> Answer<'a> {
    fn of(whole: &'a Whole, name: &str) -> Answer<'a> {
        Answer {
            standing: whole.standing(),
            exit: exit(whole).code(),
            summary: whole.summary(name),
            worst: whole.worst(),
            found: &whole.found,
        }
    }
}

/// 3 where something could not be looked at, else 2 where something is not as it should be.
fn exit(whole: &Whole) -> Exit {
    match whole.standing() {
        Standing::Well => Exit::Done,
        Standing::NotWell => Exit::Changes,
        Standing::NotAllKnown => Exit::Partial,
    }
}

/// Says how the fleet is: which hosts answer, which sites are not as they should be, and why.
pub async fn run(context: &Context, named: &EngineArg, json: bool) -> Result<Exit, Failure> {
    if named.address.is_some() {
        return engine::run(context, named, json).await;
    }
    named.only_fleet()?;
    let file = context.load()?;
    let state = config::state_directory();
    // A monitor asks each minute: no command is run for it, and nobody is asked for leave.
    let secrets = file.secrets(&Trust::on_call(state.clone()));
    let mut seen = context
        .look(&file, &context.select()?, Closely::to_plan(&*secrets))
        .await?;
    let options = PlanOptions {
        only: seen.sites.clone(),
        ..PlanOptions::default()
    };
    let observed = std::mem::take(&mut seen.observed);
    let planning = propose::plan(&file, observed, Vec::new(), options, state.as_deref());
    let (plan, observed) = planning.await.map_err(|refusal| Failure::of(&refusal))?;
    seen.observed = observed;
    let fleet = &*file.fleet;
    let measured = measure(context.mode, fleet, &seen).await;
    let scarce = |it: (&Name, &Measured)| (it.0.clone(), it.1.scarce());
    let probes = asked(fleet, &seen).await;
    let due = Due::of(&plan);
    let now = chrono::Utc::now().timestamp();
    let taken = |site: &Name| seen.takes(site);
    let rows = rows::judged(fleet, &seen.observed, Some(&due), &probes, taken);
    let whole = Known {
        fleet,
        observed: &seen.observed,
        plan: &plan,
        rows: &rows,
        probes: &probes,
        scarce: &measured.iter().map(scarce).collect(),
        on_call: context.mode == Mode::OnCall,
        now,
    }
    .judge();
    let hosts = rows::hosts(fleet, &seen.observed, |host| seen.hosts.contains(host));
    match json {
        true => tell(context, fleet, &whole, (&hosts, &measured), (rows, &seen))?,
        false => show(context, fleet, &whole, &hosts, (&rows, &seen))?,
    }
    Ok(exit(&whole))
}

fn tell(
    context: &Context,
    fleet: &Fleet,
    whole: &Whole,
    (hosts, measured): (&[HostTold], &BTreeMap<Name, Measured>),
    (rows, seen): (Vec<SiteRow>, &Seen),
) -> Result<(), Failure> {
    type Rows = Vec<SiteRow>;
    let to_update = older(&rows);
    let (rows, leftovers): (Rows, Rows) = rows.into_iter().partition(|row| row.in_file);
    let (ok, broken): (Rows, Rows) = rows.into_iter().partition(SiteRow::is_ok);
    let (count, all) = (ok.len(), ok.len() + broken.len());
    let of = |wanted: fn(&SiteRow) -> bool| -> Rows {
        let these = ok.iter().filter(|row| wanted(row));
        these.cloned().collect()
    };
    let drifted = |row: &SiteRow| !rows::by_hand(row).is_empty();
    let warned = |row: &SiteRow| matches!(row.state, State::Warning | State::Starting);
    let told = |rows: Rows| rows.into_iter().map(SiteTold::of).collect();
    context.out.json(&Status {
        fleet: fleet.name.as_str(),
        answer: Answer::of(whole, fleet.name.as_str()),
        hosts: hosts::told(hosts, measured),
        sites: all,
        well: whole.count.well,
        ok: count,
        broken: told(broken),
        warned: told(of(warned)),
        drifted: told(of(drifted)),
        to_apply: told(of(|row| row.state == State::Pending)),
        to_update,
        leftovers: told(leftovers),
        uncompared: uncompared(&seen.observed, seen),
    })
}

/// Secrets that were not compared, a line each.
fn uncompared(observed: &Observed, seen: &Seen) -> Vec<String> {
    let reached = observed.hosts.values().filter_map(HostObservation::reached);
    let told = reached.flat_map(|host| drift::uncompared(host, |site| seen.takes(site)));
    told.collect()
}

/// How all of it is, on the first line.
fn first_line(context: &Context, whole: &Whole, name: &str) -> Result<(), Failure> {
    let style = match whole.standing() {
        Standing::Well => Style::Strong,
        Standing::NotWell | Standing::NotAllKnown => Style::Warn,
    };
    let line = whole.summary(name);
    context.out.line(&style.paint(&line, context.out.colour))
}

fn show(
    context: &Context,
    fleet: &Fleet,
    whole: &Whole,
    hosts: &[HostTold],
    (rows, seen): (&[SiteRow], &Seen),
) -> Result<(), Failure> {
    let out = &context.out;
    first_line(context, whole, fleet.name.as_str())?;
    out.line("")?;
    out.table(&hosts::table(hosts))?;
    for it in whole.found.iter().filter(|it| it.site.is_none()) {
        // The table says it.
        if it.state == State::Lost {
            continue;
        }
        let mark = sites::style(it.state).paint(it.state.mark(), out.colour);
        out.line(&format!("{mark} {}: {}", it.host, it.why))?;
    }
    let told = |host: &HostTold, why: &str| {
        let mut found = whole.found.iter();
        found.any(|it| it.site.is_none() && it.host == host.name.as_str() && it.why == why)
    };
    for host in hosts {
        // Who applies at this moment.
        for why in host.told.iter().map(|why| text::line(why)) {
            if !told(host, &why) {
                out.line(&format!("  {}: {why}", host.name))?;
            }
        }
    }
    let uncompared = uncompared(&seen.observed, seen).len();
    if uncompared > 0 {
        let mark = Style::Dim.paint("?", out.colour);
        let secrets = text::count(uncompared, "secret");
        out.line(&format!(
            "{mark} {secrets} not compared with where they come from; `ostler drift` does"
        ))?;
    }
    if whole.found.iter().any(|it| it.site.is_some()) {
        out.line("")?;
        out.table(&table(&whole.found))?;
    }
    say_older(context, rows)
}

/// Says which sites run an older image than their tag stands for: nothing is wrong with them.
fn say_older(context: &Context, rows: &[SiteRow]) -> Result<(), Failure> {
    let (sites, runs) = match &older(rows)[..] {
        [] => return Ok(()),
        [one] => (one.clone(), "runs"),
        many => (text::count(many.len(), "site"), "run"),
    };
    let mark = Style::Warn.paint("▲", context.out.colour);
    let what = "an older image than its tag stands for: `ostler update`";
    let sites = text::line(&sites);
    context.out.line(&format!("{mark} {sites} {runs} {what}"))
}

fn older(rows: &[SiteRow]) -> Vec<String> {
    let older = rows.iter().filter(|row| row.newer_image);
    older.map(|row| row.name.clone()).collect()
}

/// The sites that are not as they should be, the worst first.
fn table(found: &[Finding]) -> Table {
    let mut table = Table::new(&["SITE", "HOST", "STATE", "WHY"]);
    for it in found {
        let Some(site) = &it.site else { continue };
        let state = format!("{} {}", it.state.mark(), it.state.word());
        table.row(vec![
            site.as_str().into(),
            it.host.as_str().into(),
            Cell::styled(state, sites::style(it.state)),
            it.why.as_str().into(),
        ]);
    }
    table
}
