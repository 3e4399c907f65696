//! Zones in which names are proved to be the operator's: records are added there by RFC 2136.

use serde::{Deserialize, Serialize};

use super::secrets;
use crate::fleet::at::At;
use crate::fleet::endpoint::Endpoint;
use crate::fleet::fields::Fields;
use crate::fleet::key::{KEY, Key, Kind, Table};
use crate::fleet::name::{Domain, Invalid};
use crate::fleet::row::{self, Row, put, rows};
use crate::fleet::service::{SECRET, SecretSpec};
use crate::fleet::value::{self, invalid};
use crate::fleet::yaml::Value;

/// A zone whose name server takes updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dns {
    /// The zone's primary name server. Default port 53.
    pub server: Endpoint,
    /// Its name, in lower-case ASCII; it may begin with `_acme-challenge.`.
    pub zone: String,
    /// Domains elsewhere whose `_acme-challenge` is a CNAME into the zone.
    pub delegated: Vec<Domain>,
    /// By which the server knows us.
    pub key: KeyOfZone,
}

/// A key of TSIG, RFC 8945, as the file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyOfZone {
    /// Its name; none: its source is a key file of BIND's, which has it.
    pub name: Option<Domain>,
    pub algorithm: Algorithm,
    pub secret: SecretSpec,
}

/// How messages are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    #[default]
    HmacSha256,
    HmacSha512,
}

impl Algorithm {
    /// The word in the file, and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Algorithm::HmacSha256 => "hmac-sha256",
            Algorithm::HmacSha512 => "hmac-sha512",
        }
    }
}

/// What is asked of a name's zone to prove that it is ours.
const CHALLENGE: &str = "_acme-challenge.";

impl Dns {
    /// How much of a name leads to this zone: bytes of the zone's name, or of the domain that is
    /// delegated to it; none: the name is not proved here.
    fn reach(&self, name: &Domain) -> Option<usize> {
        let bare = name.bare();
        let asked = format!("{CHALLENGE}{bare}");
        let zone = within(&asked, &self.zone).then_some(self.zone.len());
        let others = self.delegated.iter().map(Domain::as_str);
        let others = others.filter(|domain| within(bare, domain)).map(str::len);
        zone.into_iter().chain(others).max()
    }

    /// Of several the one in which `name` (a domain, or a wildcard) is proved.
    pub fn of<'d>(all: &'d [Dns], name: &Domain) -> Option<&'d Dns> {
        let reach = all.iter().filter_map(|dns| Some((dns.reach(name)?, dns)));
        reach.max_by_key(|(length, _)| *length).map(|(_, dns)| dns)
    }
}

/// Whether a name is `domain` or below it.
fn within(name: &str, domain: &str) -> bool {
    let rest = name.strip_suffix(domain);
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

pub const DNS: Table = Table {
    of: "a zone",
    shared: false,
    keys: &row::keys::<_, _, { ROWS.len() }>(ROWS),
};

const KEY_OF_ZONE: Table = Table {
    of: "a zone's key",
    shared: false,
    keys: &[NAME, ALGORITHM, SECRET.keys[0], SECRET.keys[1]],
};

const NAME: Key = Key {
    name: "name",
    example: "ostler",
    default: "as its file says",
    doc: "The key's name, where its source is the bare secret in base64; a key file as `tsig-keygen` writes it has the name in it.",
    synonyms: &["key_name", "keyname", "id"],
    ..KEY
};

const ALGORITHM: Key = Key {
    name: "algorithm",
    kind: Kind::Word(&["hmac-sha256", "hmac-sha512"]),
    default: "hmac-sha256",
    example: "hmac-sha512",
    doc: "How messages are signed, where the key's file does not say it.",
    synonyms: &["alg", "algo"],
    ..KEY
};

const ROWS: &[Row<Dns, Dns>] = &rows! {
    "zone" => {
        required: true, example: "shop.example",
        synonyms: &["domain", "name", "origin"],
        doc: "The zone. Names in it are proved by records in it, and may be wildcards.",
    }
    read |dns, at| put(&mut dns.zone, at.parsed(zone));
    write |dns| Some(dns.zone.as_str().into());

    "server" => {
        required: true, example: "192.0.2.53",
        synonyms: &["nameserver", "primary", "master", "host"],
        doc: "Its primary name server, which takes updates (RFC 2136): `host` or `host:port`.",
    }
    read |dns, at| put(&mut dns.server, at.parsed(|text| Endpoint::parse(text, 53)));
    write |dns| Some(dns.server.written(53).into());

    "key" => {
        kind: Kind::Mapping(&KEY_OF_ZONE), required: true, example: "{ file: secrets/ostler.key }",
        synonyms: &["tsig", "tsig_key", "secret"],
        doc: "By which the server knows ostler: a key file as `tsig-keygen ostler` writes it. It may be kept to `TXT` records of `_acme-challenge`.",
    }
    read key;
    write |dns| Some(write_key(&dns.key));

    "delegated" => {
        kind: Kind::Domains, example: "[blog.example]",
        synonyms: &["delegations", "for", "domains", "cname"],
        doc: "Domains of other zones whose `_acme-challenge` is a CNAME into this one.",
    }
    read |dns, at| {
        let domains = at.items("[blog.example]", value::parse_domain).unwrap_or_default();
        dns.delegated = domains.into_iter().map(|(domain, _)| domain).collect();
    };
    write |dns| (!dns.delegated.is_empty())
        .then(|| dns.delegated.iter().map(Domain::as_str).collect::<Vec<_>>().into());
};

/// A zone may be the very name that is asked for, which has an underscore.
fn zone(text: &str) -> Result<String, Invalid> {
    let (before, rest) = match text.strip_prefix(CHALLENGE) {
        Some(rest) => (CHALLENGE, rest),
        None => ("", text),
    };
    Ok(format!("{before}{}", value::parse_domain(rest)?))
}

fn key(dns: &mut Dns, at: &mut At<'_, '_>) {
    // `key: { file: … }` is like a secret, and the same mistakes are made.
    if at.node.text().is_some() && !at.node.is_null() {
        secrets::one(
            "the key of a zone",
            at.node,
            at.node.span.clone(),
            at.report,
        );
        return;
    }
    let what = at.what.clone();
    let place = row::head(at.node);
    let fields = Fields::read(at.node, &KEY_OF_ZONE, what, place.clone(), at.report);
    if let Some(mut at) = fields.at("name", at.report) {
        at.what = "`dns.key.name`".into();
        put(&mut dns.key.name, at.parsed(key_name).map(Some));
    }
    if let Some(mut at) = fields.at("algorithm", at.report) {
        at.what = "`dns.key.algorithm`".into();
        put(&mut dns.key.algorithm, at.named());
    }
    let secret = secrets::of_fields("the key of a zone", &fields, place, at.report);
    put(&mut dns.key.secret, secret);
}

fn key_name(text: &str) -> Result<Domain, Invalid> {
    match text.parse::<Domain>() {
        Ok(name) if !name.is_wildcard() => Ok(name),
        _ => invalid("a key's name is written like a domain, such as ostler"),
    }
}

fn write_key(key: &KeyOfZone) -> Value {
    let mut fields: Vec<(String, Value)> = Vec::new();
    fields.extend(
        key.name
            .iter()
            .map(|name| ("name".into(), name.as_str().into())),
    );
    if key.algorithm != Algorithm::default() {
        fields.push(("algorithm".into(), key.algorithm.word().into()));
    }
    fields.push(secrets::source(&key.secret));
    fields.into()
}

/// Reads what stands behind the key.
pub(in crate::fleet) fn read(all: &mut Vec<Dns>, at: &mut At<'_, '_>) {
    const EXAMPLE: &str =
        "{ zone: shop.example, server: 192.0.2.53, key: { file: secrets/ostler.key } }";
    at.each(EXAMPLE, |at| {
        let mut dns = Dns {
            server: Endpoint {
                host: String::new(),
                port: 53,
            },
            zone: String::new(),
            delegated: Vec::new(),
            key: KeyOfZone {
                name: None,
                algorithm: Algorithm::default(),
                secret: SecretSpec::Kept,
            },
        };
        let fields = row::read_all(at, &DNS, ROWS, &mut dns);
        let mut others = all.iter().filter(|other| !other.zone.is_empty());
        let twice = others.any(|other| other.zone == dns.zone);
        if let (true, Some(node)) = (twice, fields.get("zone")) {
            at.report
                .error(
                    node.span.clone(),
                    format!("the zone `{}` is there twice", dns.zone),
                )
                .label("remove one of them");
        }
        all.push(dns);
    });
}

/// What is written behind the key.
pub(in crate::fleet) fn write(all: &[Dns]) -> Option<Value> {
    super::several(all, |dns| Value::Mapping(row::write(ROWS, dns)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(zone: &str, delegated: &[&str]) -> Dns {
        Dns {
            server: Endpoint::parse("192.0.2.53", 53).unwrap(),
            zone: zone.into(),
            delegated: delegated.iter().map(|it| it.parse().unwrap()).collect(),
            key: KeyOfZone {
                name: None,
                algorithm: Algorithm::default(),
                secret: SecretSpec::Kept,
            },
        }
    }

    #[test]
    fn a_name_is_proved_in_the_nearest_zone() {
        let all = [
            zone("shop.example", &["blog.example", "deep.eu.shop.example"]),
            zone("eu.shop.example", &[]),
            zone("_acme-challenge.intra.example", &[]),
        ];
        let of = |name: &str| Dns::of(&all, &name.parse().unwrap()).map(|dns| dns.zone.as_str());
        for (name, zone) in [
            ("shop.example", Some("shop.example")),
            ("*.shop.example", Some("shop.example")),
            ("a.b.shop.example", Some("shop.example")),
            ("eu.shop.example", Some("eu.shop.example")),
            ("*.eu.shop.example", Some("eu.shop.example")),
            ("*.deep.eu.shop.example", Some("shop.example")),
            ("www.blog.example", Some("shop.example")),
            ("intra.example", Some("_acme-challenge.intra.example")),
            ("*.intra.example", Some("_acme-challenge.intra.example")),
            // Below it another name is asked for.
            ("www.intra.example", None),
            ("myshop.example", None),
            ("example", None),
        ] {
            assert_eq!(of(name), zone, "{name}");
        }
    }
}
