//! The keys at the top of the file.

use super::host::{ACCOUNT, HOST};
use super::site::{DEFAULTS, SITE};
use crate::fleet::key::{KEY, Key, Kind, Table};

/// Longest fleet name: containers and networks carry it.
pub const FLEET_NAME_MAX: usize = 20;

pub const FILE: Table = Table {
    of: "the fleet file",
    shared: false,
    keys: &[
        Key {
            name: "fleet",
            required: true,
            example: "chatons",
            doc: "Name of the fleet, at most 20 characters; containers and networks carry it.",
            synonyms: &["name"],
            ..KEY
        },
        Key {
            name: "defaults",
            kind: Kind::Mapping(&DEFAULTS),
            example: "{ memory: 256M }",
            doc: "What holds for every site that says nothing else.",
            synonyms: &["default"],
            ..KEY
        },
        Key {
            name: "hosts",
            kind: Kind::Named(&HOST),
            example: "web1: { engine: \"ssh://ops@web1.example.net\" }",
            doc: "The Docker Engines, by name.",
            synonyms: &["host", "servers"],
            ..KEY
        },
        Key {
            name: "accounts",
            kind: Kind::Named(&ACCOUNT),
            example: "alice: { email: alice@example.net }",
            doc: "The customers, by name.",
            synonyms: &["account", "customers", "users"],
            ..KEY
        },
        Key {
            name: "sites",
            kind: Kind::Named(&SITE),
            example: "alice-blog: { host: web1, recipe: static, domains: [blog.example.net] }",
            doc: "The web sites, by name; the name is also login and folder.",
            synonyms: &["site", "services"],
            ..KEY
        },
    ],
};
