//! The certificate of a site.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::fault::Fault;
use super::judge::{ends, judge};
use super::row::{CertificateRow, LoadedIs, NameRow, Stand};
use crate::fleet::{Acme, Certificate, Fleet, Https, Name, Site, SiteState};
use crate::observe::served::{Found, Inside, Showing, Shown, Watched};
use crate::record::certificate::{Attempt, CertificateFacts, CertificateRecord, Ending};
use crate::record::renewal::{next_try, renew_at};
use crate::text::{age_in_words, clean};
use crate::verdict::evidence::HostData;
use crate::verdict::state::State;
use crate::verdict::whole::SOON;

/// What of it a site's own line says.
pub fn first(row: &CertificateRow) -> Option<String> {
    let telling = matches!(
        row.stand,
        Stand::Expired | Stand::Mismatch | Stand::Failing | Stand::Expiring
    );
    telling.then(|| format!("certificate: {}", row.says()))
}

/// What a site is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// One from the authority.
    Issued,
    /// The operator's own.
    Own,
    None,
}

fn wants(fleet: &Fleet, site: &Site) -> Wants {
    match site.certificate() {
        _ if site.https() == Https::Off => Wants::None,
        Certificate::None => Wants::None,
        Certificate::Own { .. } | Certificate::Kept => Wants::Own,
        Certificate::Auto | Certificate::Partial => match &fleet.acme {
            Some(Acme::On(_)) => Wants::Issued,
            _ => Wants::None,
        },
    }
}

/// That of a site of the file; `None`: it has none, and is to have none.
pub(in crate::verdict) fn of_site(
    fleet: &Fleet,
    site: &Site,
    data: &HostData,
    now: i64,
) -> Option<CertificateRow> {
    let wants = wants(fleet, site);
    let state = data.observed.as_ref().and_then(|seen| seen.state.read());
    let record = state.and_then(|state| state.certificates.get(&site.name));
    let record = record.map(|it| &**it);
    let known = data.observed.is_some();
    if record.is_none() && (wants == Wants::None || (known && site.state != SiteState::Running)) {
        return None;
    }
    let mut row = CertificateRow {
        key: key(&site.host, &site.name),
        name: site.name.to_string(),
        host: site.host.to_string(),
        stale: data.is_stale(now),
        ..CertificateRow::default()
    };
    let blank = CertificateRecord::new(&site.name);
    let case = Case {
        site,
        wants,
        record: record.unwrap_or(&blank),
        watched: &data.certificates,
        now,
    };
    case.fill(&mut row);
    if state.is_none() && record.is_none() {
        (row.stand, row.state, row.why) = (Stand::Unknown, State::Unknown, "not read yet".into());
        row.next = String::new();
        if known {
            row.why = "what its host keeps cannot be read".into();
        }
    }
    Some(row)
}

/// Those that a host keeps of sites that are not, or not any more, its own: they are not renewed.
pub fn kept(fleet: &Fleet, host: &Name, data: &HostData, now: i64) -> Vec<CertificateRow> {
    let state = data.observed.as_ref().and_then(|seen| seen.state.read());
    let records = state.into_iter().flat_map(|state| &state.certificates);
    let left = records.filter(|(site, record)| {
        let here = fleet.sites.get(*site).is_some_and(|it| &it.host == host);
        !here && record.stored.is_some()
    });
    let one = |(site, record): (&Name, &Arc<CertificateRecord>)| {
        let mut row = CertificateRow {
            key: key(host, site),
            name: site.to_string(),
            host: host.to_string(),
            stale: data.is_stale(now),
            ..CertificateRow::default()
        };
        stored(
            &mut row,
            record,
            record.stored.as_ref().map(|it| &it.facts),
            now,
        );
        row.why = match fleet.sites.contains_key(site) {
            true => "its site is on another host; it is kept, and not renewed".into(),
            false => "its site is not in the file any more; it is kept, and not renewed".into(),
        };
        (row.stand, row.state) = (Stand::Unused, State::Stopped);
        row
    };
    left.map(one).collect()
}

fn key(host: &Name, site: &Name) -> Arc<str> {
    Arc::from(format!("{host}/{site}"))
}

/// What a row says of what is stored.
fn stored(
    row: &mut CertificateRow,
    record: &CertificateRecord,
    facts: Option<&CertificateFacts>,
    now: i64,
) {
    row.stored = facts.cloned();
    row.from = record.stored.as_ref().map(|it| it.from.clone());
    row.stored_at = record.stored.as_ref().map(|it| it.at);
    row.attempt = record.attempt.clone();
    row.until = facts.map(|it| it.not_after);
    row.used = facts.map(|it| {
        let over = (now - it.not_before) as f64 / it.life() as f64;
        over.clamp(0.0, 1.0)
    });
}

/// That it ends soon, and has not ended.
fn soon(facts: &CertificateFacts, now: i64) -> bool {
    let left = facts.not_after - now;
    left > 0 && left < (facts.life() / 4).min(SOON)
}

/// That it is known of no name what is shown for it, although it was asked.
fn unasked(names: &[NameRow]) -> Option<Matter> {
    let known = |it: &Showing| !matches!(it.shown, Shown::NotKnown(_));
    let mut said = None;
    for showings in names.iter().map(|it| &it.showings) {
        for showing in [&showings.router, &showings.visitors].into_iter().flatten() {
            match &showing.shown {
                _ if known(showing) => return None,
                Shown::NotKnown(why) => said = said.or(Some(why)),
                _ => {}
            }
        }
    }
    let why = format!("what is served is not known: {}", clean(said?));
    Some((Stand::Unknown, State::Unknown, why))
}

/// A site's certificate, and what it is judged by.
struct Case<'a> {
    site: &'a Site,
    wants: Wants,
    record: &'a CertificateRecord,
    watched: &'a Watched,
    now: i64,
}

/// What is the matter: how it stands, how much that matters, why.
type Matter = (Stand, State, String);

impl Case<'_> {
    fn fill(&self, row: &mut CertificateRow) {
        let inside = self.watched.inside.as_ref();
        row.inside_at = inside.map(|it| it.at);
        let facts = self.facts();
        stored(row, self.record, facts, self.now);
        row.loaded = self.loaded();
        row.names = self.names(facts);
        let renewed = self.wants == Wants::Issued && self.site.state != SiteState::Archived;
        if renewed {
            row.renew_at = Some(renew_at(self.record, self.now));
            row.next_try = Some(next_try(self.record, self.now));
        }
        let mut matters = self.matters(row);
        matters.sort_by_key(|(stand, state, _)| (state.severity(), *stand));
        let mut whys = matters.iter().map(|(_, _, why)| why.as_str());
        row.why = whys.next().unwrap_or_default().to_owned();
        // What ends soon matters more where the next one cannot be had.
        let others = matters
            .iter()
            .skip(1)
            .filter(|(stand, ..)| *stand < Stand::Missing);
        for (_, _, why) in others.take(1) {
            row.why = format!("{}; {why}", row.why);
        }
        if let Some((stand, state, _)) = matters.first() {
            (row.stand, row.state) = (*stand, *state);
        }
        row.next = self.next(row);
    }

    fn found(&self) -> Option<&Found> {
        let inside: &Inside = self.watched.inside.as_ref()?;
        inside.found.as_ref().ok()
    }

    /// What is stored: what the file holds, where somebody looked.
    fn facts(&self) -> Option<&CertificateFacts> {
        let recorded = self.record.stored.as_ref().map(|it| &it.facts);
        match self.found().and_then(|it| it.files.get(&self.site.name)) {
            Some(file) => file.as_ref().ok(),
            None => recorded,
        }
    }

    fn loaded(&self) -> LoadedIs {
        let Some(inside) = &self.watched.inside else {
            return LoadedIs::NotAsked;
        };
        match &inside.found {
            Err(why) => LoadedIs::NotKnown(clean(why).into_owned()),
            Ok(found) if !found.files.contains_key(&self.site.name) => LoadedIs::NotAsked,
            Ok(found) => match found.loaded.get(&self.site.name) {
                Some(loaded) => LoadedIs::One(loaded.clone()),
                None => {
                    let left_out = found.left_out.get(&self.site.name);
                    let left_out = left_out.map(|why| format!("left out: {}", clean(why)));
                    LoadedIs::Nothing(left_out.unwrap_or_default())
                }
            },
        }
    }

    fn names(&self, facts: Option<&CertificateFacts>) -> Vec<NameRow> {
        let nothing = Default::default();
        let shown = self.watched.names.get(&self.site.name).unwrap_or(&nothing);
        let own = self.site.domains.iter().chain(self.site.redirects.keys());
        let own: BTreeSet<&str> = own.map(|it| it.as_str()).collect();
        let all: BTreeSet<&str> = own
            .into_iter()
            .chain(shown.keys().map(String::as_str))
            .collect();
        let words = self.record.attempt.as_ref().map(|it| &it.words);
        let one = |name: &str| {
            let showings = shown.get(name).cloned().unwrap_or_default();
            let found = judge(name, facts, &showings, self.now);
            let (fault, why) = found.map_or((None, String::new()), |(f, why)| (Some(f), why));
            NameRow {
                name: name.to_owned(),
                covered: facts.is_some_and(|facts| facts.covers(name)),
                fault,
                why,
                showings,
                words: words
                    .and_then(|it| it.get(name))
                    .map(|it| clean(it).into_owned()),
            }
        };
        all.into_iter().map(one).collect()
    }

    fn matters(&self, row: &mut CertificateRow) -> Vec<Matter> {
        let now = self.now;
        // What the router was told of is shown to visitors, whatever the file says by now.
        let left = self.wants == Wants::None && self.record.served.is_some();
        if self.site.state != SiteState::Running || (self.wants == Wants::None && !left) {
            let why = match self.site.state {
                SiteState::Archived => "its site is archived; it is kept, and not renewed",
                SiteState::Stopped => "its site is stopped",
                SiteState::Running => "the file wants none",
            };
            return vec![(Stand::Unused, State::Stopped, why.to_owned())];
        }
        let facts = row.stored.clone();
        if left {
            return self.left(row, facts.as_ref());
        }
        let mut matters = Vec::new();
        let left = facts.as_ref().map(|facts| facts.not_after - now);
        if let Some(facts) = &facts
            && facts.not_after <= now
        {
            matters.push((Stand::Expired, State::Failing, ends(facts, now)));
        }
        if let Some((fault, why)) = self.mismatch(row) {
            row.fault = Some(fault);
            if fault.matters() {
                matters.push((Stand::Mismatch, fault.state(), why));
            } else {
                matters.push((Stand::Ok, State::Ok, why));
            }
        }
        let soon = facts.as_ref().filter(|facts| soon(facts, now));
        let failing = self.failing(soon.is_some() || left.is_none_or(|left| left <= 0));
        if let Some(facts) = soon {
            let state = match failing.is_some() || facts.not_after - now < facts.life() / 10 {
                true => State::Failing,
                false => State::Warning,
            };
            matters.push((Stand::Expiring, state, ends(facts, now)));
        }
        matters.extend(failing);
        matters.extend(self.to_do(&facts));
        matters.extend(unasked(&row.names));
        matters.push((Stand::Ok, State::Ok, String::new()));
        matters
    }

    /// One that is served although the file wants none: nobody renews it.
    fn left(&self, row: &mut CertificateRow, facts: Option<&CertificateFacts>) -> Vec<Matter> {
        const LEFT: &str = "served, and renewed by nobody";
        let mut matters = vec![(
            Stand::Unused,
            State::Stopped,
            format!("the file wants none; it is {LEFT}"),
        )];
        if let Some(facts) = facts {
            let why = format!("{}; {LEFT}", ends(facts, self.now));
            if facts.not_after <= self.now {
                matters.push((Stand::Expired, State::Failing, why));
            } else if soon(facts, self.now) {
                matters.push((Stand::Expiring, State::Failing, why));
            }
        }
        if let Some((fault, why)) = self.mismatch(row).filter(|(fault, _)| fault.matters()) {
            row.fault = Some(fault);
            matters.push((Stand::Mismatch, fault.state(), why));
        }
        matters
    }

    /// The last try to get another one failed.
    fn failing(&self, urgent: bool) -> Option<Matter> {
        let failed = |it: &&Attempt| it.ended == Ending::Failed;
        let attempt = self.record.attempt.as_ref().filter(failed)?;
        let state = match urgent {
            true => State::Failing,
            false => State::Warning,
        };
        let tries = match attempt.failures {
            0 | 1 => None,
            n => Some(format!("{n} tries failed")),
        };
        Some((Stand::Failing, state, self.words(attempt, tries)))
    }

    /// What was said at a try, on one line: the words first, for there may be no room for more.
    fn words(&self, attempt: &Attempt, more: Option<String>) -> String {
        let mut words = attempt.words.iter();
        let Some((name, first)) = words.next() else {
            return more.unwrap_or_else(|| "nothing was said".to_owned());
        };
        let about = match (name.as_str(), words.len()) {
            ("", _) => None,
            (name, 0) => Some(name.to_owned()),
            (name, n) => Some(format!("{name} and {n} more")),
        };
        let about: Vec<String> = about.into_iter().chain(more).collect();
        match about.is_empty() {
            true => clean(first).into_owned(),
            false => format!("{} ({})", clean(first), about.join("; ")),
        }
    }

    /// What the next apply, or the next pass, does about it.
    fn to_do(&self, facts: &Option<CertificateFacts>) -> Option<Matter> {
        let pending = |stand, why: String| Some((stand, State::Pending, why));
        let attempt = self.record.attempt.as_ref();
        let waiting = attempt.filter(|it| it.ended == Ending::Waiting);
        let Some(facts) = facts else {
            return match (waiting, attempt, self.wants) {
                (Some(attempt), ..) => pending(Stand::Waiting, self.words(attempt, None)),
                (None, Some(_), _) => None,
                (None, None, Wants::Own) => {
                    pending(Stand::Missing, "yours is not on the host yet".into())
                }
                _ => pending(Stand::Missing, "none was asked for yet".into()),
            };
        };
        let own = self.site.domains.iter().chain(self.site.redirects.keys());
        let mut lacks = own.map(|it| it.as_str()).filter(|it| !facts.covers(it));
        if let Some(first) = lacks.next() {
            let more = lacks.count();
            let names = match more {
                0 => first.to_owned(),
                n => format!("{first} and {n} more"),
            };
            return match (waiting, self.wants) {
                (Some(attempt), _) => pending(Stand::Waiting, self.words(attempt, None)),
                (None, Wants::Own) => Some((
                    Stand::Mismatch,
                    State::Warning,
                    format!("it is not for {names}"),
                )),
                (None, _) => pending(Stand::Due, format!("{names} is not in it yet")),
            };
        }
        if self.record.served.is_none() {
            return pending(
                Stand::Due,
                "stored; the router is not told of it yet".into(),
            );
        }
        let at = renew_at(self.record, self.now);
        if self.wants == Wants::Issued && at <= self.now {
            let since = age_in_words(self.now - at);
            return pending(Stand::Due, format!("to be renewed, since {since}"));
        }
        None
    }

    /// What of stored, loaded and served does not go together: the worst.
    fn mismatch(&self, row: &CertificateRow) -> Option<(Fault, String)> {
        let inside = self.inside(row);
        let several = row.names.len() > 1;
        let names = row.names.iter().filter_map(|it| {
            let why = match several {
                true => format!("{}: {}", it.name, it.why),
                false => it.why.clone(),
            };
            Some((it.fault?, why))
        });
        names.chain(inside).min_by_key(|(fault, _)| *fault)
    }

    /// Between its file and the router's process.
    fn inside(&self, row: &CertificateRow) -> Option<(Fault, String)> {
        let found = self.found()?;
        let file = found.files.get(&self.site.name)?;
        match (file, &row.loaded) {
            (Err(why), LoadedIs::One(_)) => {
                let why = format!(
                    "its file: {}; the next start of the router loses it",
                    clean(why)
                );
                Some((Fault::NotOnDisk, why))
            }
            (Ok(facts), LoadedIs::One(loaded)) if !loaded.is(facts) => {
                let left = loaded.not_after - self.now;
                let when = match left {
                    ..=0 => format!("ended {} ago", age_in_words(-left)),
                    _ => format!("ends in {}", age_in_words(left)),
                };
                Some((
                    Fault::NotLoaded,
                    format!("the router has another one, which {when}"),
                ))
            }
            (Ok(_), LoadedIs::One(loaded)) if !loaded.listed => Some((
                Fault::NotLoaded,
                "the router has it and does not show it".into(),
            )),
            (Ok(_), LoadedIs::Nothing(why)) if self.record.served.is_some() => {
                let why = match why.as_str() {
                    "" => "the router does not have it",
                    why => why,
                };
                Some((Fault::NotLoaded, why.to_owned()))
            }
            _ => None,
        }
    }

    /// What to do about it.
    fn next(&self, row: &CertificateRow) -> String {
        let apply = format!("`ostler apply --only site={}`", self.site.name);
        let own = self.wants == Wants::Own;
        match (row.stand, row.fault) {
            (Stand::Ok | Stand::Unused | Stand::Without | Stand::Unknown, _) => String::new(),
            (Stand::Expired | Stand::Expiring, _) if self.wants == Wants::None => {
                format!(
                    "`acme:` or `certificate:` with another one in the fleet file, or `certificate: none`; then {apply}"
                )
            }
            (Stand::Due | Stand::Missing, _) => format!("{apply}, or the next pass of `tend`"),
            (Stand::Waiting, _) => "lead the name here; it is tried again by itself".into(),
            (Stand::Mismatch, Some(Fault::NotLoaded | Fault::NotOnDisk)) => {
                format!("{apply} has the router take what is stored")
            }
            (Stand::Mismatch, Some(Fault::NotShown)) => {
                "see whether the router runs, and whether its https port is open".into()
            }
            (_, Some(Fault::IntermediateMissing)) if own => {
                format!("put the whole chain into your file, then {apply}")
            }
            (Stand::Expired | Stand::Expiring | Stand::Mismatch, _) if own => {
                format!("put a new one into your file, then {apply}")
            }
            _ => match self.record.attempt.as_ref().map(|it| it.ended) {
                Some(Ending::Failed) => format!("mend what is said, then {apply}"),
                _ => apply,
            },
        }
    }
}
