//! `ostler drift`

use serde::Serialize;

use super::context::Context;
use super::style::Style;
use super::table::{Cell, Table};
use super::{Exit, Failure};
use crate::engine::Mode;
use crate::fleet::{Fleet, Name, Site, SiteState};
use crate::observe::model::HostObservation;
use crate::plan::drift::{self, Drift, Field, Kind};
use crate::record::StateRead;
use crate::text::{self, count};
use crate::walk::look::{Closely, Seen, Sites, meant};

/// A host, as `drift --json` tells it.
#[derive(Debug, Serialize)]
struct HostJson<'a> {
    name: &'a Name,
    answered: bool,
    /// Why it did not answer.
    why: Option<&'a str>,
    /// What of it could not be looked at.
    unknown: Vec<String>,
    /// What could not be compared with where it comes from.
    uncompared: Vec<String>,
    /// What was applied there cannot be read: nothing was compared.
    #[serde(skip)]
    damaged: bool,
}

impl HostJson<'_> {
    /// Whether nothing of it was left out.
    fn is_known(&self) -> bool {
        self.unknown.is_empty() && self.uncompared.is_empty()
    }

    fn is_compared(&self) -> bool {
        self.answered && !self.damaged
    }
}

#[derive(Debug, Serialize)]
struct DriftJson<'a> {
    hosts: &'a [HostJson<'a>],
    drift: &'a [Drift],
}

/// Says what differs between what was last applied, what is live, and the file. Changes nothing.
pub async fn run(context: &Context, json: bool) -> Result<Exit, Failure> {
    let file = context.load()?;
    let selection = context.select()?;
    let selected = Sites::Selected(selection.clone());
    let meant = meant(&file.fleet, &selected).filter(|site| site.state == SiteState::Running);
    context
        .trust
        .settle(&file.path, &file.folder(), meant.flat_map(Site::sources))
        .await?;
    let sources = file.secrets(&context.trust);
    let look = Closely::to_plan(&*sources);
    let seen = context.look(&file, &selection, look).await?;
    let found = of(&file.fleet, &seen);
    let hosts = hosts(&seen);
    match json {
        true => context.out.json(&DriftJson {
            hosts: &hosts,
            drift: &found,
        })?,
        false => show(context, &found, &hosts)?,
    }
    Ok(exit(&found, &hosts, context.mode))
}

/// What differs of the sites that were asked about, and of the hosts they are on.
pub fn of(fleet: &Fleet, seen: &Seen) -> Vec<Drift> {
    let mut found = drift::of_fleet(fleet, &seen.observed);
    found.retain(|drift| {
        seen.hosts.contains(&drift.host) && drift.site.as_ref().is_none_or(|site| seen.takes(site))
    });
    found
}

fn hosts(seen: &Seen) -> Vec<HostJson<'_>> {
    let looked_at = seen
        .observed
        .hosts
        .iter()
        .filter(|(name, _)| seen.hosts.contains(*name));
    looked_at
        .map(|(name, host)| match host {
            HostObservation::Reached(host) => HostJson {
                name,
                answered: true,
                why: None,
                unknown: drift::unknown(host),
                uncompared: drift::uncompared(host, |site| seen.takes(site)),
                damaged: matches!(host.state, StateRead::Damaged { .. }),
            },
            HostObservation::Unreachable { why } => HostJson {
                name,
                answered: false,
                why: Some(why),
                unknown: Vec::new(),
                uncompared: Vec::new(),
                damaged: false,
            },
        })
        .collect()
}

/// 2 when anything differs; else 1 when no host could be compared, 3 when not all of them could in
/// all respects. In on-call mode some can never be, which is said, and is no failure.
fn exit(found: &[Drift], hosts: &[HostJson], mode: Mode) -> Exit {
    let away = hosts.iter().filter(|host| !host.is_compared()).count();
    let unknown = mode == Mode::Full && hosts.iter().any(|host| !host.is_known());
    match (found.is_empty(), away) {
        (false, _) => Exit::Changes,
        (true, 0) if !unknown => Exit::Done,
        (true, away) if away > 0 && away == hosts.len() => Exit::Error,
        (true, _) => Exit::Partial,
    }
}

/// What is said where nothing was found to differ: no more than what was looked at.
fn all_clear(hosts: &[HostJson]) -> &'static str {
    match () {
        () if hosts.iter().any(|host| !host.is_known()) => "No drift in what could be looked at.",
        () if hosts.iter().any(|host| !host.answered) => "No drift on the hosts that answered.",
        () => "No drift: what is live was applied, and is what the file says.",
    }
}

fn show(context: &Context, found: &[Drift], hosts: &[HostJson]) -> Result<(), Failure> {
    let out = &context.out;
    for host in hosts {
        if let Some(why) = host.why {
            let mark = Style::Warn.paint("?", out.colour);
            let (name, why) = (host.name, text::line(why));
            out.line(&format!("{mark} {name} did not answer: {why}"))?;
        }
        for what in &host.unknown {
            let mark = Style::Dim.paint("?", out.colour);
            let (name, what) = (host.name, text::line(what));
            out.line(&format!("{mark} {name}: not known: {what}"))?;
        }
        for what in &host.uncompared {
            let mark = Style::Warn.paint("?", out.colour);
            let (name, what) = (host.name, text::line(what));
            out.line(&format!("{mark} {name}: not compared: {what}"))?;
        }
    }
    if found.is_empty() {
        out.line(all_clear(hosts))?;
        return Ok(());
    }
    out.table(&table(found))?;
    out.line("")?;
    out.line(&summary(found))?;
    Ok(())
}

/// A row for every field.
pub fn table(found: &[Drift]) -> Table {
    let mut table = Table::new(&[
        "SITE",
        "HOST",
        "FIELD",
        "LAST APPLIED",
        "LIVE",
        "FILE",
        "CHANGED",
    ]);
    for drift in found {
        for field in &drift.fields {
            let value = |value: &Option<String>| match value {
                Some(text) => Cell::from(text.clone()),
                None => Cell::styled("—", Style::Dim),
            };
            let site = drift.site.as_ref().map_or("(host)", |site| site.as_str());
            table.row(vec![
                site.into(),
                drift.host.as_str().into(),
                field.path.as_str().into(),
                value(&field.applied),
                value(&field.live),
                value(&field.wanted),
                Cell::styled(field.kind.word(), style(field)),
            ]);
        }
    }
    table
}

fn style(field: &Field) -> Style {
    match field.kind {
        Kind::File => Style::Plain,
        Kind::Hand | Kind::Both => Style::Warn,
    }
}

fn summary(found: &[Drift]) -> String {
    let fields = || found.iter().flat_map(|drift| &drift.fields);
    let of = |kind| fields().filter(|field| field.kind == kind).count();
    let parts = [
        (of(Kind::Hand), "by hand"),
        (of(Kind::File), "in the file"),
        (of(Kind::Both), "on both sides"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, where_)| format!("{n} {where_}"))
        .collect();
    let mut line = format!(
        "{}: {}. `ostler apply` makes the hosts as the file says",
        count(fields().count(), "difference"),
        parts.join(", ")
    );
    match fields().any(|field| field.adoptable) {
        true => line.push_str("; `ostler adopt SITE` writes what is live into the file."),
        false => line.push('.'),
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::model::ObservedHost;
    use crate::record::{Differs, HostState};
    use std::sync::Arc;

    fn seen(hosts: Vec<HostObservation>) -> Seen {
        let mut seen = Seen::default();
        for (number, host) in hosts.into_iter().enumerate() {
            let name: Name = format!("web{number}").parse().unwrap();
            seen.hosts.insert(name.clone());
            seen.observed.hosts.insert(name, host);
        }
        seen
    }

    fn reached(state: StateRead, unknown: &[&str]) -> HostObservation {
        HostObservation::Reached(Arc::new(ObservedHost {
            state,
            differs: Some(Differs {
                unknown: unknown.iter().map(|what| (*what).to_owned()).collect(),
                ..Differs::default()
            }),
            ..ObservedHost::default()
        }))
    }

    #[test]
    fn what_was_not_looked_at_is_not_clear() {
        let well = || reached(StateRead::Read(Arc::<HostState>::default()), &[]);
        let on_call = || reached(StateRead::Read(Arc::<HostState>::default()), &["secrets"]);
        let damaged = || {
            let why = "state/host.json: not JSON".into();
            reached(StateRead::Damaged { why }, &[])
        };
        let away = || HostObservation::Unreachable { why: "no".into() };
        for (hosts, code, words) in [
            (vec![well(), well()], Exit::Done, "No drift: what is live"),
            (vec![well(), away()], Exit::Partial, "that answered"),
            (vec![away()], Exit::Error, "that answered"),
            (vec![well(), damaged()], Exit::Partial, "could be looked at"),
            (vec![damaged()], Exit::Error, "could be looked at"),
            (vec![damaged(), away()], Exit::Error, "could be looked at"),
            (vec![well(), on_call()], Exit::Partial, "could be looked at"),
        ] {
            let seen = seen(hosts);
            let hosts = super::hosts(&seen);
            assert_eq!(exit(&[], &hosts, Mode::Full), code, "{hosts:?}");
            let said = all_clear(&hosts);
            assert!(said.contains(words), "{said} {hosts:?}");
        }
        let seen = seen(vec![well(), on_call()]);
        let hosts = super::hosts(&seen);
        assert_eq!(exit(&[], &hosts, Mode::OnCall), Exit::Done);
    }
}
