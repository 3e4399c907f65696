//! The keys at the top of the file: each with how it is read and written. What has names is read and
//! written beside the rows, for it hangs together.

use super::host::{ACCOUNT, HOST};
use super::site::{DEFAULTS, SITE};
use crate::fleet::key::{KEY, Kind, Table};
use crate::fleet::model::Fleet;
use crate::fleet::row::{self, Row, rows};
use crate::fleet::service::{ACME, DNS, NOTIFY, acme, dns, notify};

/// Longest fleet name: containers and networks carry it.
pub const FLEET_NAME_MAX: usize = 20;

pub const FILE: Table = Table {
    of: "the fleet file",
    shared: false,
    keys: &row::keys::<_, _, { FILE_ROWS.len() }>(FILE_ROWS),
};

pub(in crate::fleet) const FILE_ROWS: &[Row<Fleet, Fleet>] = &rows! {
    "fleet" => {
        required: true, example: "chatons",
        synonyms: &["name"],
        doc: "Name of the fleet, at most 20 characters; containers and networks carry it.",
    }
    read |_, _| {};
    write |fleet| Some(fleet.name.as_str().into());

    "acme" => {
        kind: Kind::Either(&Kind::Word(&["off"]), &ACME), default: "nothing is obtained",
        example: "{ contact: [ops@example.net], terms: agreed }",
        synonyms: &["letsencrypt", "certificates", "certs", "tls", "ssl"],
        doc: "Where certificates come from; `off`: from nowhere.",
    }
    read |fleet, at| acme::read(&mut fleet.acme, at);
    write |fleet| acme::write(fleet.acme.as_ref());

    "dns" => {
        kind: Kind::Several(&DNS),
        example: "{ zone: shop.example, server: 192.0.2.53, key: { file: secrets/ostler.key } }",
        synonyms: &["zones", "zone", "rfc2136", "nsupdate"],
        doc: "Zones in which names are proved to authorities by records, one or a list: for wildcards, and for hosts that no authority reaches.",
    }
    read |fleet, at| dns::read(&mut fleet.dns, at);
    write |fleet| dns::write(&fleet.dns);

    "notify" => {
        kind: Kind::Several(&NOTIFY), example: "{ webhook: \"https://alerts.example.net/ostler\" }",
        synonyms: &["notifications", "alerts", "alert", "notification"],
        doc: "Who is told of alerts, one or a list; each is exactly one of its keys.",
    }
    read |fleet, at| notify::read(&mut fleet.notify, at);
    write |fleet| notify::write(&fleet.notify);

    "defaults" => {
        kind: Kind::Mapping(&DEFAULTS), example: "{ memory: 256M }",
        synonyms: &["default"],
        doc: "What holds for every site that says nothing else.",
    }
    read |_, _| {};
    write |_| None;

    "hosts" => {
        kind: Kind::Named(&HOST), example: "web1: { engine: \"ssh://ops@web1.example.net\" }",
        synonyms: &["host", "servers"],
        doc: "The Docker Engines, by name.",
    }
    read |_, _| {};
    write |_| None;

    "accounts" => {
        kind: Kind::Named(&ACCOUNT), example: "alice: { email: alice@example.net }",
        synonyms: &["account", "customers", "users"],
        doc: "The customers, by name.",
    }
    read |_, _| {};
    write |_| None;

    "sites" => {
        kind: Kind::Named(&SITE),
        example: "alice-blog: { host: web1, recipe: static, domains: [blog.example.net] }",
        synonyms: &["site", "services"],
        doc: "The web sites, by name; the name is also login and folder.",
    }
    read |_, _| {};
    write |_| None;
};
