//! The authority that certificates come from.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use super::secrets;
use crate::fleet::at::At;
use crate::fleet::key::{KEY, Kind, Table};
use crate::fleet::name::Invalid;
use crate::fleet::near::nearest;
use crate::fleet::row::{self, Row, put, rows};
use crate::fleet::service::{SECRET, SecretSpec};
use crate::fleet::value::{self, invalid};
use crate::fleet::yaml::Value;

/// Whether certificates are obtained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Acme {
    /// `acme: off`: none is.
    Off,
    /// From this authority: the operator agrees to its terms.
    On(Box<Authority>),
}

/// An authority that issues certificates by ACME, RFC 8555.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Authority {
    /// URL of its directory, `https://`. Default Let's Encrypt's.
    pub directory: String,
    /// Mail addresses that it may write to.
    pub contact: Vec<String>,
    /// Which of its kinds of certificates; none: its usual one.
    pub profile: Option<String>,
    /// The account there that the operator has already.
    pub eab: Option<Eab>,
    /// File of the root certificates it is known by, PEM, where the system does not know it. Relative
    /// paths start at the fleet file's folder.
    pub ca: Option<String>,
    /// The port on which it asks for its challenges. Default 80.
    pub port: u16,
    /// The name server asked before an order is spent; none: the system's.
    pub resolver: Option<SocketAddr>,
}

/// External account binding, RFC 8555 section 7.3.4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Eab {
    /// The key's identifier.
    pub kid: String,
    /// The key, base64url.
    pub key: SecretSpec,
}

/// Authorities by the words that stand for them, with their directories.
const KNOWN: [(&str, &str); 4] = [
    (
        "letsencrypt",
        "https://acme-v02.api.letsencrypt.org/directory",
    ),
    (
        "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory",
    ),
    ("zerossl", "https://acme.zerossl.com/v2/DV90"),
    ("google", "https://dv.acme-v02.api.pki.goog/directory"),
];
/// Those of them that give accounts to their customers only.
const BOUND: [&str; 2] = ["zerossl", "google"];
/// How many mail addresses an account may have.
const CONTACTS: usize = 10;

impl Default for Authority {
    fn default() -> Self {
        Authority {
            directory: KNOWN[0].1.to_owned(),
            contact: Vec::new(),
            profile: None,
            eab: None,
            ca: None,
            port: 80,
            resolver: None,
        }
    }
}

impl Authority {
    /// The word that stands for it, or its directory's URL.
    pub fn word(&self) -> &str {
        let known = KNOWN.iter().find(|(_, url)| *url == self.directory);
        known.map_or(self.directory.as_str(), |(word, _)| word)
    }
}

pub const ACME: Table = Table {
    of: "acme",
    shared: false,
    keys: &row::keys::<_, _, { ROWS.len() }>(ROWS),
};

const EAB: Table = Table {
    of: "an account binding",
    shared: false,
    keys: &row::keys::<_, _, { EAB_ROWS.len() }>(EAB_ROWS),
};

const ROWS: &[Row<Authority, Authority>] = &rows! {
    "contact" => {
        kind: Kind::List, example: "[ops@example.net]",
        synonyms: &["email", "mail", "contacts"],
        doc: "Mail addresses that the authority may write to. Few do: ostler watches what expires.",
    }
    read contact;
    write |it| (!it.contact.is_empty()).then(|| it.contact.clone().into());

    "terms" => {
        kind: Kind::Word(&["agreed"]), required: true, example: "agreed",
        synonyms: &["agree", "tos", "agree_tos", "terms_of_service", "accept_terms"],
        doc: "`agreed`: you have read the authority's terms of service and agree to them. Without it nothing is obtained.",
    }
    read |_, at| { at.word(); };
    write |_| Some("agreed".into());

    "directory" => {
        default: "letsencrypt", example: "letsencrypt-staging",
        synonyms: &["server", "url", "authority", "ca_server"],
        doc: "Who issues them: `letsencrypt`, `letsencrypt-staging`, `zerossl`, `google`, or the `https://` URL of an ACME directory.",
    }
    read |it, at| put(&mut it.directory, at.parsed(directory));
    write |it| (it.directory != Authority::default().directory).then(|| it.word().into());

    "profile" => {
        default: "the authority's own", example: "shortlived",
        synonyms: &["profiles"],
        doc: "Which of the authority's kinds of certificates.",
    }
    read |it, at| put(&mut it.profile, at.parsed(profile).map(Some));
    write |it| Some(it.profile.as_deref()?.into());

    "eab" => {
        kind: Kind::Mapping(&EAB), example: "{ kid: k-1, key: { file: secrets/eab } }",
        synonyms: &["external_account_binding", "external_account"],
        doc: "The account that you have at the authority already, where it asks for one.",
    }
    read eab;
    write |it| row::write_inner(EAB_ROWS, it.eab.as_ref()?);

    "ca" => {
        example: "secrets/ca.pem",
        synonyms: &["root", "ca_file", "cacert", "trusted_roots"],
        doc: "Root certificates by which a private authority is known, PEM, on the operator's machine; a relative path starts at the fleet file's folder.",
    }
    read |it, at| put(&mut it.ca, at.path().map(Some));
    write |it| Some(it.ca.as_deref()?.into());

    "port" => {
        kind: Kind::Count(1, 65535), default: "80", example: "5002",
        synonyms: &["http_port", "challenge_port"],
        doc: "The port on which the authority asks for its challenges: 80, save for private ones.",
    }
    read |it, at| put(&mut it.port, at.port());
    write |it| (it.port != 80).then(|| u32::from(it.port).into());

    "resolver" => {
        default: "the system's", example: "192.0.2.53",
        synonyms: &["nameserver", "name_server", "dns", "resolvers"],
        doc: "The name server that is asked, before an order is spent, where a name leads: `address` or `address:port`.",
    }
    read |it, at| put(&mut it.resolver, at.parsed(resolver).map(Some));
    write |it| {
        let at = it.resolver?;
        Some(if at.port() == 53 { at.ip().to_string() } else { at.to_string() }.into())
    };
};

const EAB_ROWS: &[Row<Eab, Eab>] = &rows! {
    "kid" => {
        required: true, example: "k-1",
        synonyms: &["id", "key_id"],
        doc: "The key's identifier.",
    }
    read |it, at| put(&mut it.kid, at.parsed(kid));
    write |it| Some(it.kid.as_str().into());

    "key" => {
        kind: Kind::One(&SECRET), required: true, example: "{ file: secrets/eab }",
        synonyms: &["hmac", "hmac_key", "secret"],
        doc: "Where the key comes from, as of a site's secret: base64url, as the authority gives it.",
    }
    read |it, at| put(&mut it.key, secrets::one("the key of `eab`", at.node, row::head(at.node), at.report));
    write |it| Some(Value::Mapping(vec![secrets::source(&it.key)]));
};

/// Reads what stands behind the key.
pub(in crate::fleet) fn read(acme: &mut Option<Acme>, at: &mut At<'_, '_>) {
    if !at.is_mapping() {
        *acme = at.word().map(|_| Acme::Off);
        if acme.is_none() {
            let help = "`acme: { contact: [ops@example.net], terms: agreed }` obtains certificates, `acme: off` none";
            at.report.amend(|finding| {
                finding.help(help);
            });
        }
        return;
    }
    let mut authority = Authority::default();
    let fields = row::read_inner(at, &ACME, ROWS, &mut authority);
    let place = row::head(at.node);
    if fields.get("terms").is_none() {
        at.report
            .error(place.clone(), "`acme` counts once you agree to the authority's terms of service")
            .label("nothing says so")
            .help("read them (Let's Encrypt's are at https://letsencrypt.org/repository/) and add `terms: agreed`; without certificates: `acme: off`");
    }
    let word = authority.word();
    if BOUND.contains(&word) && fields.get("eab").is_none() {
        let place = fields
            .get("directory")
            .map_or(place, |node| node.span.clone());
        at.report
            .error(
                place,
                format!("`{word}` gives accounts to its customers only"),
            )
            .help("add `eab: { kid: …, key: { file: … } }` with what it gave you");
    }
    *acme = Some(Acme::On(Box::new(authority)));
}

/// What is written behind the key.
pub(in crate::fleet) fn write(acme: Option<&Acme>) -> Option<Value> {
    match acme? {
        Acme::Off => Some("off".into()),
        Acme::On(authority) => Some(said(authority)),
    }
}

/// An authority as it is written.
pub(in crate::fleet) fn said(authority: &Authority) -> Value {
    Value::Mapping(row::write(ROWS, authority))
}

fn contact(authority: &mut Authority, at: &mut At<'_, '_>) {
    let Some(items) = at.items("[ops@example.net]", mail) else {
        return;
    };
    if items.len() > CONTACTS {
        at.error(format!("`acme.contact` names more than {CONTACTS}"));
    }
    for (address, place) in items {
        match authority.contact.contains(&address) {
            true => {
                at.report
                    .error(place, format!("{address} is there twice"))
                    .label("remove it");
            }
            false => authority.contact.push(address),
        }
    }
}

/// A mail address as authorities take it: they know no other letters than ASCII's.
///
/// # Errors
/// It is none, with what would be right.
pub fn mail(text: &str) -> Result<String, Invalid> {
    if let Some(address) = text.strip_prefix("mailto:") {
        return invalid(format!("write the address only: {address}"));
    }
    let address = value::parse_email(text)?;
    match address
        .bytes()
        .all(|b| b.is_ascii_graphic() && !b"?&%#".contains(&b))
    {
        true if address.len() <= 254 => Ok(address),
        true => invalid("an address has at most 254 characters"),
        false => invalid("authorities take addresses in plain ASCII only, such as ops@example.net"),
    }
}

fn directory(text: &str) -> Result<String, Invalid> {
    if let Some((_, url)) = KNOWN.iter().find(|(word, _)| *word == text) {
        return Ok((*url).to_owned());
    }
    if text.starts_with("http://") {
        return invalid("an authority is spoken to by https:// only");
    }
    if !text.starts_with("https://") {
        let words = KNOWN.map(|(word, _)| word);
        return invalid(match nearest(text, words) {
            Some(near) => format!("did you mean {near}?"),
            None => format!(
                "one of {}, or the https:// URL of a directory",
                words.join(", ")
            ),
        });
    }
    value::parse_web(text)
}

fn profile(text: &str) -> Result<String, Invalid> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    match (1..=64).contains(&text.len()) && text.bytes().all(plain) {
        true => Ok(text.to_owned()),
        false => invalid("a profile is a word such as classic, tlsserver or shortlived"),
    }
}

fn kid(text: &str) -> Result<String, Invalid> {
    match (1..=500).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        true => Ok(text.to_owned()),
        false => invalid("as the authority gave it: ASCII without blanks"),
    }
}

fn resolver(text: &str) -> Result<SocketAddr, Invalid> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    if let Ok(ip) = bare.unwrap_or(text).parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, 53));
    }
    match text.parse::<SocketAddr>() {
        Ok(at) if at.port() > 0 => Ok(at),
        _ => invalid("a name server by its address: 192.0.2.53, or [2001:db8::53]:5353"),
    }
}

fn eab(authority: &mut Authority, at: &mut At<'_, '_>) {
    let mut eab = Eab {
        kid: String::new(),
        key: SecretSpec::Kept,
    };
    row::read_all(at, &EAB, EAB_ROWS, &mut eab);
    authority.eab = Some(eab);
}
