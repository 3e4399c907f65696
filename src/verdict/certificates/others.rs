//! Certificates that no site has: those of connections to hosts; and the account at the authority.

use std::sync::Arc;

use super::row::{CertificateRow, Holder, Stand};
use crate::fleet::{Acme, Fleet, Host};
use crate::record::certificate::Source;
use crate::text::{age_in_words, count};
use crate::verdict::evidence::{HostData, Hosts};
use crate::verdict::state::State;
use crate::verdict::whole::SOON;

/// All of them.
pub fn others(fleet: &Fleet, data: &Hosts, now: i64) -> Vec<CertificateRow> {
    let mut rows: Vec<CertificateRow> = Vec::new();
    for host in fleet.hosts.values() {
        if let Some(data) = data.get(&host.name) {
            rows.extend(of_host(host, data, now));
        }
    }
    rows.extend(account(fleet, data));
    rows
}

/// The two of a host's connection, where it has any.
fn of_host(host: &Host, data: &HostData, now: i64) -> Vec<CertificateRow> {
    let seen = data
        .observed
        .as_ref()
        .and_then(|seen| seen.engine.certificates);
    let Some(shown) = seen else {
        return Vec::new();
    };
    let one = |holder, until: i64, next: &str| {
        let left = until - now;
        let (stand, state, why) = match left {
            ..=0 => (
                Stand::Expired,
                State::Failing,
                format!("ended {} ago", age_in_words(-left)),
            ),
            left if left < SOON => (
                Stand::Expiring,
                State::Warning,
                format!("ends in {}", age_in_words(left)),
            ),
            _ => (Stand::Ok, State::Ok, String::new()),
        };
        let word = match holder {
            Holder::Operator => "client",
            _ => "engine",
        };
        CertificateRow {
            key: Arc::from(format!("{}//{word}", host.name)),
            holder,
            name: host.name.to_string(),
            host: host.name.to_string(),
            next: match stand {
                Stand::Ok => String::new(),
                _ => next.to_owned(),
            },
            stand,
            state,
            why,
            until: Some(until),
            stale: data.is_stale(now),
            ..CertificateRow::default()
        }
    };
    let ours = "put a new cert.pem and key.pem into the folder that `tls:` names";
    let theirs = "give its engine a new certificate (`tlscert` in daemon.json), and restart it";
    vec![
        one(Holder::Operator, shown.client_until, ours),
        one(Holder::Engine, shown.server_until, theirs),
    ]
}

/// The account by which certificates are had.
fn account(fleet: &Fleet, data: &Hosts) -> Option<CertificateRow> {
    let Some(Acme::On(authority)) = &fleet.acme else {
        return None;
    };
    let states = data
        .values()
        .filter_map(|it| it.observed.as_ref()?.state.read());
    let records = states.flat_map(|state| state.certificates.values());
    let stored = records.filter_map(|it| it.stored.as_ref());
    let by_it = stored.filter(|stored| {
        matches!(&stored.from, Source::Acme { directory } if *directory == authority.directory)
    });
    let (mut had, mut last) = (0, None);
    for stored in by_it {
        had += 1;
        last = last.max(Some(stored.at));
    }
    let contact = match authority.contact.as_slice() {
        [] => "no contact".to_owned(),
        all => all.join(" "),
    };
    Some(CertificateRow {
        key: Arc::from("//account"),
        holder: Holder::Account,
        name: authority.word().to_owned(),
        stand: Stand::Ok,
        state: State::Ok,
        why: format!(
            "account: {contact}; {} of it here",
            count(had, "certificate")
        ),
        from: Some(Source::Acme {
            directory: authority.directory.clone(),
        }),
        stored_at: last,
        ..CertificateRow::default()
    })
}
