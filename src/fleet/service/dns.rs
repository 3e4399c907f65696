//! Zones in which names are proved to be the operator's: records are added there by RFC 2136.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

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

/// A key that was read.
pub struct Tsig {
    pub name: Domain,
    pub algorithm: Algorithm,
    /// The shared secret itself.
    pub secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Tsig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tsig({}, {})", self.name, self.algorithm.word())
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

impl KeyOfZone {
    /// Reads what came of the secret's source: a key file of BIND's (as `tsig-keygen` writes it), or
    /// the secret alone in base64.
    ///
    /// # Errors
    /// It is neither, or of another key; nothing of it is repeated.
    pub fn read(&self, bytes: &[u8]) -> Result<Tsig, Invalid> {
        let text = std::str::from_utf8(bytes).ok();
        let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
            return invalid("it is empty, or no text");
        };
        if text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
        {
            let Some(name) = self.name.clone() else {
                return invalid("it is a bare secret: `dns` has to say `name` beside it");
            };
            return Ok(Tsig {
                name,
                algorithm: self.algorithm,
                secret: base64(text)?,
            });
        }
        let mut words = clauses(text)?.into_iter();
        loop {
            let Some(at) = words.next() else {
                return invalid(match &self.name {
                    Some(name) => format!("there is no key `{name}` in it"),
                    None => "there is no `key \"name\" { … };` in it, nor is it base64".into(),
                });
            };
            if at != "key" {
                continue;
            }
            let name = words.next().unwrap_or_default();
            let body = words.by_ref().take_while(|word| *word != "}");
            let body: Vec<&str> = body.collect();
            let name: Domain = name
                .parse()
                .map_err(|_| Invalid("its key has no name".into()))?;
            if self.name.as_ref().is_some_and(|wanted| *wanted != name) {
                continue;
            }
            let said = |word: &str| {
                let at = body.iter().position(|it| *it == word)?;
                body.get(at + 1).copied()
            };
            let algorithm = match said("algorithm").map(|it| it.trim_end_matches('.')) {
                Some("hmac-sha256") => Algorithm::HmacSha256,
                Some("hmac-sha512") => Algorithm::HmacSha512,
                Some(_) => return invalid("its algorithm is neither hmac-sha256 nor hmac-sha512"),
                None => return invalid("its key says no algorithm"),
            };
            let secret = said("secret").ok_or_else(|| Invalid("its key has no secret".into()))?;
            return Ok(Tsig {
                name,
                algorithm,
                secret: base64(secret)?,
            });
        }
    }
}

/// Bytes of a key at most: more than any block of its algorithms.
const LONGEST_KEY: usize = 512;

fn base64(text: &str) -> Result<Zeroizing<Vec<u8>>, Invalid> {
    use base64::Engine as _;
    let read = base64::engine::general_purpose::STANDARD.decode(text);
    match read.map(Zeroizing::new) {
        Ok(bytes) if (1..=LONGEST_KEY).contains(&bytes.len()) => Ok(bytes),
        _ => invalid("its secret is no base64"),
    }
}

/// The words of a configuration in BIND's manner: no comments, `{` and `}` by themselves.
fn clauses(text: &str) -> Result<Vec<&str>, Invalid> {
    let mut words = Vec::new();
    let mut rest = text;
    let end = |rest: &str, of: &str| rest.find(of).map_or(rest.len(), |at| at + of.len());
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ';');
        let Some(first) = rest.chars().next() else {
            return Ok(words);
        };
        let length = match first {
            '#' => {
                rest = &rest[end(rest, "\n")..];
                continue;
            }
            '/' if rest.starts_with("//") => {
                rest = &rest[end(rest, "\n")..];
                continue;
            }
            '/' if rest.starts_with("/*") => {
                rest = &rest[end(rest, "*/")..];
                continue;
            }
            '"' => {
                let Some((word, behind)) = rest[1..].split_once('"') else {
                    return invalid("a quote in it is not closed");
                };
                words.push(word);
                rest = behind;
                continue;
            }
            '{' | '}' => 1,
            _ => {
                let stops = |c: char| c.is_whitespace() || "{};\"".contains(c);
                rest.find(stops).unwrap_or(rest.len())
            }
        };
        words.push(&rest[..length]);
        rest = &rest[length..];
    }
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
            key: key(None),
        }
    }

    fn key(name: Option<&str>) -> KeyOfZone {
        KeyOfZone {
            name: name.map(|name| name.parse().unwrap()),
            algorithm: Algorithm::HmacSha512,
            secret: SecretSpec::Kept,
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

    #[test]
    fn keys_are_read_as_they_come() {
        let file = "# of ns1\nkey \"other\" { algorithm hmac-sha256; secret \"b3RoZXI=\"; };\n\
             key ostler. { // ours\n  secret c2VjcmV0 ;/* x } */ algorithm \"hmac-sha256.\"; }; server x { };\n";
        let read = |name: Option<&str>, text: &str| {
            let read = key(name).read(text.as_bytes());
            read.map(|it| (it.name.to_string(), it.algorithm, it.secret.to_vec()))
        };
        let sha256 = Algorithm::HmacSha256;
        let of = |name: &str, algorithm, secret: &str| {
            Ok((name.to_owned(), algorithm, secret.as_bytes().to_vec()))
        };
        assert_eq!(read(None, file), of("other", sha256, "other"));
        assert_eq!(read(Some("ostler"), file), of("ostler", sha256, "secret"));
        let bare = read(Some("ostler"), " c2VjcmV0\n");
        assert_eq!(bare, of("ostler", Algorithm::HmacSha512, "secret"));
        for (name, text, why) in [
            (Some("none"), file, "no key `none`"),
            (None, "c2VjcmV0", "`name`"),
            (Some("x"), "c2VjcmV", "no base64"),
            (None, "", "empty"),
            (None, "key;", "no name"),
            (None, "key \"x", "not closed"),
            (None, "key x { secret c2VjcmV0; };", "no algorithm"),
            (None, "key x { algorithm hmac-sha256; };", "no secret"),
            (
                None,
                "key x { algorithm hmac-md5; secret c2VjcmV0; };",
                "neither",
            ),
            (
                None,
                "key x { algorithm hmac-sha256; secret c2Vj!; };",
                "no base64",
            ),
            (None, "algorithm hmac-sha256;", "there is no `key"),
        ] {
            let Err(Invalid(said)) = read(name, text) else {
                panic!("{text} was read");
            };
            assert!(
                said.contains(why) && !said.contains("c2Vj"),
                "{text}: {said}"
            );
        }
        let read = key(Some("ostler")).read(b"c2VjcmV0").unwrap();
        assert_eq!(format!("{read:?}"), "Tsig(ostler, hmac-sha512)");
    }
}
