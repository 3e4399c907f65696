//! A site's certificate, and what browsers are told about it.

use serde::{Deserialize, Serialize};

use crate::fleet::at::At;
use crate::fleet::key::{KEY, Key, Kind, Table};
use crate::fleet::row::{self, Row, put, rows};
use crate::fleet::value;
use crate::fleet::yaml::Value;

/// Where a site's certificate comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// From the fleet's authority, for all of its names.
    #[default]
    Auto,
    /// The same; names for which none is to be had stand behind for no other.
    Partial,
    /// It has none.
    None,
    /// Files of the operator's, PEM; relative paths start at the fleet file's folder.
    Own {
        /// The certificate, the intermediate ones behind it.
        file: String,
        /// Its key.
        key: String,
    },
    /// What it has stays, and nothing is read here. No file can say it: it takes the place of files
    /// that are not known to be the operator's own.
    Kept,
}

/// How `https://` is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Https {
    /// Who comes by `http://` is led to it, once a certificate serves.
    Redirect,
    /// Beside `http://`.
    Both,
    /// Not at all.
    Off,
}

impl Https {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Https::Redirect => "redirect",
            Https::Both => "both",
            Https::Off => "off",
        }
    }
}

/// What `Strict-Transport-Security` says: for how long browsers ask by `https://` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hsts {
    /// Seconds; 0 takes back what was said before.
    pub max_age_s: u32,
    /// All names below the site's as well.
    pub subdomains: bool,
    /// Browsers may be made to know it before the first visit.
    pub preload: bool,
}

impl Hsts {
    /// The header's value.
    pub fn header(&self) -> String {
        let mut text = format!("max-age={}", self.max_age_s);
        if self.subdomains {
            text.push_str("; includeSubDomains");
        }
        if self.preload {
            text.push_str("; preload");
        }
        text
    }
}

/// The key by which a site or an account says where certificates come from.
pub const CERTIFICATE: Key = Key {
    name: "certificate",
    kind: Kind::Either(&Kind::Word(&["auto", "partial", "none"]), &OWN_CERTIFICATE),
    shared: true,
    default: "`auto`",
    example: "{ file: certs/shop.pem, key: certs/shop.key }",
    doc: "`auto`: from the authority that `acme` names, for all of its domains. `partial`: the same, for those for which it can be had, without waiting for the others. `{ file, key }`: your own. `none`. The site's own word counts before its account's, and that before `defaults`.",
    synonyms: &["cert", "certificates", "ssl", "ssl_certificate"],
    ..KEY
};

/// The same key of an account.
pub(in crate::fleet) const OF_ACCOUNT: Key = Key {
    doc: "As `certificate` of a site: for those of its sites that say nothing themselves.",
    example: "{ file: certs/alice.pem, key: certs/alice.key }",
    ..CERTIFICATE
};

/// A certificate of the operator's.
pub const OWN_CERTIFICATE: Table = Table {
    of: "a certificate",
    shared: false,
    keys: &row::keys::<_, _, { OWN_ROWS.len() }>(OWN_ROWS),
};

pub const HSTS: Table = Table {
    of: "hsts",
    shared: false,
    keys: &row::keys::<_, _, { HSTS_ROWS.len() }>(HSTS_ROWS),
};

/// Certificate and key.
type Pair = (String, String);

const OWN_ROWS: &[Row<Pair, Pair>] = &rows! {
    "file" => {
        required: true, example: "certs/shop.pem",
        synonyms: &["cert", "crt", "fullchain", "chain", "certificate", "path"],
        doc: "The certificate with the intermediate ones behind it, PEM, on the operator's machine; a relative path starts at the fleet file's folder.",
    }
    read |pair, at| put(&mut pair.0, at.path());
    write |pair| Some(pair.0.as_str().into());

    "key" => {
        required: true, example: "certs/shop.key",
        synonyms: &["privkey", "private_key", "key_file"],
        doc: "Its private key, PEM, without a passphrase.",
    }
    read |pair, at| put(&mut pair.1, at.path());
    write |pair| Some(pair.1.as_str().into());
};

const HSTS_ROWS: &[Row<Hsts, Hsts>] = &rows! {
    "max_age" => {
        kind: Kind::Days, required: true, example: "180d",
        synonyms: &["age", "max-age", "maxage", "seconds"],
        doc: "For how long, since the last visit.",
    }
    read |hsts, at| put(&mut hsts.max_age_s, at.parsed(value::parse_days));
    write |hsts| Some(days(hsts.max_age_s));

    "subdomains" => {
        kind: Kind::Flag, default: "false", example: "true",
        synonyms: &["include_subdomains", "includesubdomains"],
        doc: "For all names below its domains as well, whoever serves them.",
    }
    read |hsts, at| put(&mut hsts.subdomains, at.flag());
    write |hsts| hsts.subdomains.then(|| true.into());

    "preload" => {
        kind: Kind::Flag, default: "false", example: "true",
        doc: "The domain may be put into the list that browsers come with: hard to take back. Wants `subdomains` and a year.",
    }
    read |hsts, at| put(&mut hsts.preload, at.flag());
    write |hsts| hsts.preload.then(|| true.into());
};

/// The least time that the list in browsers takes.
const YEAR: u32 = 365 * value::DAY;

/// Reads `certificate`.
pub(in crate::fleet) fn read(at: &mut At<'_, '_>) -> Option<Certificate> {
    if !at.is_mapping() {
        let Some(word) = at.word() else {
            at.report.amend(|finding| {
                finding.help(
                    "`certificate: { file: certs/shop.pem, key: certs/shop.key }` is one of yours",
                );
            });
            return None;
        };
        return Some(match word {
            "auto" => Certificate::Auto,
            "partial" => Certificate::Partial,
            _ => Certificate::None,
        });
    }
    let mut pair = Pair::default();
    row::read_all(at, &OWN_CERTIFICATE, OWN_ROWS, &mut pair);
    let (file, key) = pair;
    Some(Certificate::Own { file, key })
}

/// Writes `certificate`.
pub(in crate::fleet) fn write(certificate: &Certificate) -> Option<Value> {
    Some(match certificate {
        Certificate::Auto => "auto".into(),
        Certificate::Partial => "partial".into(),
        Certificate::None => "none".into(),
        Certificate::Own { file, key } => row::write_inner(OWN_ROWS, &(file.clone(), key.clone()))?,
        // Refused when it is read back: no file says it.
        Certificate::Kept => "kept".into(),
    })
}

/// Reads `hsts`; `None` inside: the file says that there is none.
pub(in crate::fleet) fn read_hsts(at: &mut At<'_, '_>) -> Option<Option<Hsts>> {
    let mut hsts = Hsts {
        max_age_s: 0,
        subdomains: false,
        preload: false,
    };
    if !at.is_mapping() {
        return at
            .limit(value::parse_days)
            .map(|max_age| max_age.map(|max_age_s| Hsts { max_age_s, ..hsts }));
    }
    let fields = row::read_all(at, &HSTS, HSTS_ROWS, &mut hsts);
    let asks = match &hsts {
        Hsts { preload: false, .. } => None,
        Hsts {
            subdomains: false, ..
        } => Some("add `subdomains: true`"),
        Hsts { max_age_s, .. } if *max_age_s < YEAR => Some("write `max_age: 365d` or more"),
        _ => None,
    };
    if let (Some(asks), Some(node)) = (asks, fields.get("preload")) {
        at.report
            .error(node.span.clone(), "the list in browsers does not take that")
            .label(asks);
    }
    Some(Some(hsts))
}

/// Writes `hsts`.
pub(in crate::fleet) fn write_hsts(hsts: &Hsts) -> Option<Value> {
    match hsts.subdomains || hsts.preload {
        true => row::write_inner(HSTS_ROWS, hsts),
        false => Some(days(hsts.max_age_s)),
    }
}

fn days(seconds: u32) -> Value {
    value::format_days(seconds).into()
}
