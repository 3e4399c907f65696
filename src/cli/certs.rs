//! `ostler certs`

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::args::{CertsArgs, CertsCommand};
use super::confirm;
use super::context::Context;
use super::site::known;
use super::table::{Cell, Table};
use super::walk::{self, How};
use super::{Exit, Failure, sites};
use crate::fleet::{Fleet, Name};
use crate::observe::scan::Inspect;
use crate::observe::served::{Issued, Loaded, Showing, Showings, Shown};
use crate::record::certificate::{Attempt, CertificateFacts, Source};
use crate::text::{age, percent};
use crate::verdict::certificates::{Holder, LoadedIs, NameRow, kept, others};
use crate::verdict::site::rows_of_host;
use crate::verdict::{CertificateRow, Due, Facts, Fault, HostData, Hosts, Stand, State};
use crate::walk::certificates::Rounds;
use crate::walk::look::{Closely, Sites};
use crate::walk::{Ask, FleetFile, Wish};

/// Gets other certificates for sites, due or not.
async fn renew(
    context: &Context,
    file: &FleetFile,
    sites: &[String],
    yes: bool,
    json: bool,
) -> Result<Exit, Failure> {
    let names = sites.iter().map(|site| known(file, site));
    let names: Vec<Name> = names.collect::<Result<_, _>>()?;
    let wish = Wish {
        title: "certs renew".to_owned(),
        ask: Ask::Renew(names.clone()),
        sites: Sites::Named(names.into_iter().collect()),
        ..Wish::default()
    };
    let how = How {
        question: "Get these?",
        yes,
        ask: confirm::Ask::Yes,
        json,
        commit: false,
    };
    let proposal = walk::propose(context, file, wish).await?;
    walk::go(context, &proposal, &how).await
}

/// Lists the certificates, what comes first on top: what is stored, loaded and served.
pub async fn run(context: &Context, args: &CertsArgs) -> Result<Exit, Failure> {
    let file = context.load()?;
    if let Some(CertsCommand::Renew { sites, yes, json }) = &args.command {
        return renew(context, &file, sites, *yes, json.json).await;
    }
    let seen = context
        .look(&file, &context.select()?, Closely::at(&Inspect::Needed))
        .await?;
    let round = Rounds::of(file.secrets(&context.trust))
        .round(&file.fleet)
        .await;
    let mut watched = round.of_all(&file.fleet, &seen).await;
    let now = chrono::Utc::now().timestamp();
    let fleet = &*file.fleet;
    let mut data = Hosts::new();
    for host in seen.hosts.iter() {
        let found = HostData::of(seen.observed.hosts.get(host), HashMap::new(), now);
        let certificates = watched.remove(host).unwrap_or_default();
        let certificates = Arc::new(certificates);
        data.insert(
            host.clone(),
            HostData {
                certificates,
                ..found
            },
        );
    }
    let mut rows = of_hosts(
        fleet,
        &data,
        |site| seen.takes(site),
        seen.sites.is_none(),
        now,
    );
    let unknown = rows.iter().any(CertificateRow::is_unknown);
    let found = match args.expiring {
        Some(within) => {
            let ends = |row: &CertificateRow| row.until.is_some_and(|at| at <= now + within.0);
            rows.retain(|row| row.stand != Stand::Unused && ends(row));
            !rows.is_empty()
        }
        None => !rows.iter().all(|row| row.is_well() || row.is_unknown()),
    };
    if args.json.json {
        let told: Vec<Told> = rows.iter().map(Told::of).collect();
        context.out.json(&told)?;
    } else if rows.is_empty() {
        context.out.say(match args.expiring {
            Some(_) => "no certificate ends that soon",
            None => "no certificates",
        });
    } else {
        context.out.table(&table(&rows, now))?;
    }
    Ok(match Exit::looked(&seen) {
        Exit::Done if unknown => Exit::Partial,
        Exit::Done if found => Exit::Changes,
        looked => looked,
    })
}

/// The rows of what was looked at.
/// The certificates of the sites that are `meant`, and where all are (`whole`) those of nobody's site.
pub(super) fn of_hosts(
    fleet: &Fleet,
    data: &Hosts,
    meant: impl Fn(&Name) -> bool,
    whole: bool,
    now: i64,
) -> Vec<CertificateRow> {
    let due = Due::default();
    let facts = Facts {
        fleet: Some(fleet),
        due: &due,
        probes: &HashMap::new(),
        now,
    };
    let mut rows = Vec::new();
    for (host, data) in data {
        let sites = rows_of_host(&facts, host, data).into_iter();
        let of_sites = sites.filter_map(|row| row.certificate);
        rows.extend(of_sites.map(|row| CertificateRow::clone(&row)));
        rows.extend(kept(fleet, host, data, now));
    }
    rows.retain(|row| row.name.parse().is_ok_and(|name| meant(&name)));
    if whole {
        rows.extend(others(fleet, data, now));
    }
    rows.sort_by_cached_key(CertificateRow::order);
    rows
}

fn table(rows: &[CertificateRow], now: i64) -> Table {
    let mut table = Table::new(&[
        "CERTIFICATE",
        "HOST",
        "STATE",
        "ENDS",
        "LIFE",
        "RENEWAL",
        "ISSUER",
        "NAMES",
        "WHY",
    ]);
    for row in rows {
        let name = match row.holder {
            Holder::Site => row.name.clone(),
            Holder::Engine => format!("{} (its engine's)", row.name),
            Holder::Operator => format!("{} (yours, for its engine)", row.name),
            Holder::Account => format!("{} (account)", row.name),
        };
        let state = Cell::styled(
            format!("{} {}", row.state.mark(), row.stand.word()),
            sites::style(row.state),
        );
        let when = |at: Option<i64>| match at {
            None => String::new(),
            Some(at) if at <= now => format!("{} ago", age(now - at)),
            Some(at) => format!("in {}", age(at - now)),
        };
        let renewal = match row.stand {
            Stand::Unused | Stand::Without => String::new(),
            _ => match row.next_try {
                Some(at) if at <= now => "now".to_owned(),
                at => when(at),
            },
        };
        let names = match row.names.as_slice() {
            [] => String::new(),
            [one] => one.name.clone(),
            [first, more @ ..] => format!("{} +{}", first.name, more.len()),
        };
        let issuer = row.stored.as_ref().map(|it| it.issuer.clone());
        table.row(vec![
            name.into(),
            row.host.as_str().into(),
            state,
            when(row.until).into(),
            row.used.map(percent).unwrap_or_default().into(),
            renewal.into(),
            issuer.unwrap_or_default().into(),
            names.into(),
            row.says().into(),
        ]);
    }
    table
}

/// One certificate, as `certs --json` tells it.
#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    /// Whose it is.
    holder: Holder,
    host: Option<&'a str>,
    state: Stand,
    verdict: State,
    ok: bool,
    why: Option<&'a str>,
    /// Which of the ways in which stored, loaded and served do not go together.
    mismatch: Option<Fault>,
    next: Option<&'a str>,
    /// Unix seconds.
    until: Option<i64>,
    /// 0 to 1.
    life_used: Option<f64>,
    /// Unix seconds.
    renew_at: Option<i64>,
    next_try: Option<i64>,
    stored: Option<&'a CertificateFacts>,
    stored_at: Option<i64>,
    from: Option<&'a Source>,
    loaded: ToldLoaded<'a>,
    names: Vec<ToldName<'a>>,
    attempt: Option<&'a Attempt>,
    /// Whether its host answered.
    reachable: bool,
}

/// What the router's process has.
#[derive(Serialize)]
struct ToldLoaded<'a> {
    /// Whether that is known.
    known: bool,
    why: Option<&'a str>,
    certificate: Option<&'a Loaded>,
}

/// What is shown for one name.
#[derive(Serialize)]
struct ToldName<'a> {
    name: &'a str,
    covered: bool,
    mismatch: Option<Fault>,
    why: Option<&'a str>,
    /// The authority's words about it.
    words: Option<&'a str>,
    router: Option<ToldShowing<'a>>,
    visitors: Option<ToldShowing<'a>>,
}

#[derive(Serialize)]
struct ToldShowing<'a> {
    at: i64,
    /// How it was asked, in words.
    road: String,
    certificate: Option<&'a CertificateFacts>,
    issued: Option<&'a Issued>,
    why: Option<&'a str>,
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl<'a> Told<'a> {
    fn of(row: &'a CertificateRow) -> Told<'a> {
        Told {
            name: &row.name,
            holder: row.holder,
            host: some(&row.host),
            state: row.stand,
            verdict: row.state,
            ok: row.is_well(),
            why: some(&row.why),
            mismatch: row.fault,
            next: some(&row.next),
            until: row.until,
            life_used: row.used,
            renew_at: row.renew_at,
            next_try: row.next_try,
            stored: row.stored.as_ref(),
            stored_at: row.stored_at,
            from: row.from.as_ref(),
            loaded: ToldLoaded::of(&row.loaded),
            names: row.names.iter().map(ToldName::of).collect(),
            attempt: row.attempt.as_ref(),
            reachable: !row.stale,
        }
    }
}

impl<'a> ToldLoaded<'a> {
    fn of(loaded: &'a LoadedIs) -> ToldLoaded<'a> {
        let (known, why, certificate) = match loaded {
            LoadedIs::NotAsked => (false, Some("not asked"), None),
            LoadedIs::NotKnown(why) => (false, some(why), None),
            LoadedIs::Nothing(why) => (true, some(why), None),
            LoadedIs::One(loaded) => (true, None, Some(loaded)),
        };
        ToldLoaded {
            known,
            why,
            certificate,
        }
    }
}

impl<'a> ToldName<'a> {
    fn of(row: &'a NameRow) -> ToldName<'a> {
        let Showings { router, visitors } = &row.showings;
        ToldName {
            name: &row.name,
            covered: row.covered,
            mismatch: row.fault,
            why: some(&row.why),
            words: row.words.as_deref(),
            router: router.as_ref().map(ToldShowing::of),
            visitors: visitors.as_ref().map(ToldShowing::of),
        }
    }
}

impl<'a> ToldShowing<'a> {
    fn of(showing: &'a Showing) -> ToldShowing<'a> {
        let (certificate, issued, why) = match &showing.shown {
            Shown::Certificate {
                facts,
                issued,
                cut_off,
            } => (Some(&**facts), Some(issued), cut_off.as_deref()),
            Shown::Nothing(why) | Shown::NotKnown(why) => (None, None, Some(why.as_str())),
        };
        ToldShowing {
            at: showing.at,
            road: showing.road.words(),
            certificate,
            issued,
            why,
        }
    }
}
